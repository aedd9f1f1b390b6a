/* safetensors_shards.c - the weights of a folder: one file, or the shards that its index lists. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "util/json.h"

enum { SHARDS_MAX = 4096, FILE_SIZE = 256, NAME_SIZE = 4096 };

/* Shards in the order of their first tensor in the index. */
typedef struct Shards { StSet *set; const char *dir; char (*file)[FILE_SIZE]; int cap; } Shards;

static int grow(Shards *w, Err *e)
{
    int cap = w->cap ? 2 * w->cap : 8;
    if (cap > SHARDS_MAX) return err_set(e, FTS_FORMAT, "more than %d shards", SHARDS_MAX);
    St *st = realloc(w->set->st, (size_t)cap * sizeof *st);
    if (st) w->set->st = st;
    char (*file)[FILE_SIZE] = realloc(w->file, (size_t)cap * sizeof *file);
    if (file) w->file = file;
    if (!st || !file) return err_nomem(e, (size_t)cap * (sizeof *st + sizeof *file), "the list of shards");
    w->cap = cap;
    return 0;
}

/* A shard is a plain file beside the index: a name that leads elsewhere is refused. */
static int shard_add(Shards *w, const char *file, Err *e)
{
    char path[4096];
    int i = w->set->n;
    if (!*file || *file == '.' || strchr(file, '/')) return err_set(e, FTS_FORMAT, "\"%s\" is not the name of a file in this folder", file);
    if (i == w->cap && grow(w, e)) return -1;
    if (path_join(path, sizeof path, w->dir, file, e) || st_open(&w->set->st[i], path, e)) return -1;
    memcpy(w->file[i], file, strlen(file) + 1);
    w->set->n++;
    return 0;
}

static const St *shard_of(Shards *w, const char *file, Err *e)
{
    int i = 0;
    while (i < w->set->n && strcmp(w->file[i], file)) i++;
    return i == w->set->n && shard_add(w, file, e) ? NULL : &w->set->st[i];
}

static int read_map(Json *j, Shards *w, Err *e)
{
    char name[NAME_SIZE], file[FILE_SIZE];
    int more;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, name, sizeof name, e) || json_string(j, file, sizeof file, e)) return -1;
        const St *st = shard_of(w, file, e);
        if (!st) return -1;
        if (!st_find(st, name)) return err_set(e, FTS_FORMAT, "tensor \"%.200s\" is not in %s", name, file);
    }
    return more;
}

static int read_index(Json *j, Shards *w, Err *e)
{
    char key[32];
    int more, seen = 0;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        int is_map = !strcmp(key, "weight_map");
        seen += is_map;
        if (is_map ? read_map(j, w, e) : json_skip(j, e)) return -1;
    }
    if (more < 0 || json_end(j, e)) return -1;
    return seen == 1 ? 0 : err_set(e, FTS_FORMAT, "\"weight_map\" %s", seen ? "stands twice" : "is missing");
}

/* A name in two shards would be ambiguous. */
static int check_unique(const StSet *w, Err *e)
{
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->st[i].n; k++)
            for (int o = i + 1; o < w->n; o++)
                if (st_find(&w->st[o], w->st[i].tensor[k].name))
                    return err_set(e, FTS_FORMAT, "tensor \"%.200s\" is in two shards", w->st[i].tensor[k].name);
    return 0;
}

static int open_shards(StSet *set, const char *dir, const char *index, Err *e)
{
    Map m;
    Json j;
    Shards w = {.set = set, .dir = dir};
    if (map_open(&m, index, e)) return -1;
    json_init(&j, m.p, m.n);
    int bad = read_index(&j, &w, e) || check_unique(set, e);
    map_close(&m);
    free(w.file);
    return bad ? err_wrap(e, "%s", index) : 0;
}

static int open_single(StSet *w, const char *path, Err *e)
{
    w->st = calloc(1, sizeof *w->st);
    if (!w->st) return err_nomem(e, sizeof *w->st, "the list of tensors");
    if (st_open(w->st, path, e)) return -1;
    w->n = 1;
    return 0;
}

int st_set_open(StSet *w, const char *dir, Err *e)
{
    char one[4096], index[4096];
    *w = (StSet){0};
    if (path_join(one, sizeof one, dir, "model.safetensors", e) || path_join(index, sizeof index, dir, "model.safetensors.index.json", e)) return -1;
    if (!path_exists(one) && !path_exists(index))
        return err_set(e, FTS_IO, "%s: holds neither model.safetensors nor model.safetensors.index.json", dir);
    if (!(path_exists(one) ? open_single(w, one, e) : open_shards(w, dir, index, e))) return 0;
    st_set_close(w);
    return -1;
}

void st_set_close(StSet *w)
{
    for (int i = 0; i < w->n; i++) st_close(&w->st[i]);
    free(w->st);
    *w = (StSet){0};
}

const StTensor *st_set_find(const StSet *w, const char *name)
{
    const StTensor *t = NULL;
    for (int i = 0; i < w->n && !t; i++) t = st_find(&w->st[i], name);
    return t;
}
