/* arrow_state.c - state.json, which says what the folder that save_to_disk of datasets wrote consists of. See arrow.h */
#include "data/arrow.h"

#include <string.h>

#include "util/json.h"

/* A name is taken from the file, so it must not lead out of the folder. */
static int add_shard(Names *shards, const char *name, Err *e)
{
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")) return err_set(e, FTS_FORMAT, "\"%s\" is not the name of a file in this folder", name);
    return names_add(shards, name, e);
}

static int read_file(Names *shards, Json *j, Err *e)
{
    char key[32], name[256];
    int more, named = 0;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        if (strcmp(key, "filename")) { if (json_skip(j, e)) return -1; continue; }
        if (named++) return json_error(j, e, "\"filename\" stands there twice");
        if (json_string(j, name, sizeof name, e) || add_shard(shards, name, e)) return -1;
    }
    return !more && !named ? json_error(j, e, "\"filename\" is missing") : more;
}

static int read_files(Names *shards, Json *j, Err *e)
{
    int more;
    if (json_open(j, '[', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (read_file(shards, j, e)) return -1;
    return more;
}

/* Rows by indices are other series, or other order, than the files have. */
static int check_indices(Json *j, const char *key, Err *e)
{
    Json ahead = *j;
    if (json_peek(j) == 'n' || (json_peek(j) == '[' && !json_open(&ahead, '[', e) && !json_more(&ahead, e))) return json_skip(j, e);
    return json_error(j, e, "\"%s\": rows are chosen by indices, which are not read: save it again with flatten_indices().save_to_disk(path)", key);
}

int arrow_state(Names *shards, const void *text, size_t n, Err *e)
{
    Json j;
    char key[32];
    int more, seen = 0;
    json_init(&j, text, n);
    if (json_open(&j, '{', e)) return -1;
    while ((more = json_more(&j, e)) > 0) {
        if (json_key(&j, key, sizeof key, e)) return -1;
        int files = !strcmp(key, "_data_files");
        if (files && seen++) return json_error(&j, e, "\"_data_files\" stands there twice");
        if (files ? read_files(shards, &j, e) : !strncmp(key, "_indices", 8) ? check_indices(&j, key, e) : json_skip(&j, e)) return -1;
    }
    if (more || json_end(&j, e)) return -1;
    return shards->n ? 0 : err_set(e, FTS_FORMAT, "\"_data_files\" names no file");
}
