/* source_bin.c - a Time-300B folder: meta.json and shards data-i-of-n.bin, raw little-endian numbers in a row. */
#include "data/source.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "data/bin_meta.h"
#include "util/json.h"

enum { PATH_ROOM = 4096 };

/* Without util's dir_list: to look costs no memory, so it cannot fail for the want of it. */
static int has_bin(const char *path)
{
    struct dirent *entry;
    int found = 0;
    DIR *d = opendir(path);
    if (!d) return 0;
    while (!found && (entry = readdir(d))) {
        size_t n = strlen(entry->d_name);
        found = entry->d_name[0] != '.' && n > 4 && !strcmp(entry->d_name + n - 4, ".bin");
    }
    closedir(d);
    return found;
}

/* Does the text have "files" at its top? What is no JSON up to there has not. */
static int names_files(const Map *m)
{
    Json j;
    Err e;
    char key[16];
    json_init(&j, m->p, m->n);
    if (json_open(&j, '{', &e)) return 0;
    while (json_more(&j, &e) > 0 && !json_key(&j, key, sizeof key, &e)) {
        if (!strcmp(key, "files")) return 1;
        if (json_skip(&j, &e)) return 0;
    }
    return 0;
}

static int bin_sniff(const char *path, int is_dir)
{
    char meta[PATH_ROOM];
    Map m;
    Err e;
    if (!is_dir || path_join(meta, sizeof meta, path, "meta.json", &e) || !path_exists(meta) || path_is_dir(meta)) return 0;
    if (has_bin(path)) return 1;
    if (map_open(&m, meta, &e)) return 0;
    int mine = names_files(&m);
    map_close(&m);
    return mine;
}

static int open_shard(Source *s, Shard *shard, int size, Err *e)
{
    char path[PATH_ROOM];
    if (path_join(path, sizeof path, s->path, shard->name, e)) return -1;
    if (!path_exists(path)) return err_set(e, FTS_FORMAT, "meta.json names %s, which is not there: is the download complete?", shard->name);
    if (map_open(&shard->map, path, e)) return -1;
    if ((size_t)shard->count > shard->map.n / (size_t)size)
        return err_set(e, FTS_FORMAT, "%s has %zu bytes, but meta.json promises %lld numbers of %d bytes: is the download complete?",
                       shard->name, shard->map.n, (long long)shard->count, size);
    s->hash = source_hash(s->hash, shard->name, &shard->map);
    return 0;
}

static int open_meta(Source *s, Meta *m, Err *e)
{
    char path[PATH_ROOM];
    Map text;
    if (path_join(path, sizeof path, s->path, "meta.json", e) || map_open(&text, path, e)) return -1;
    s->hash = source_hash(s->hash, "meta.json", &text);
    int bad = meta_read(m, text.p, text.n, e);
    map_close(&text);
    return bad ? err_wrap(e, "meta.json") : 0;
}

static int bin_open(Source *s, Err *e)
{
    Meta *m = calloc(1, sizeof *m);
    if (!m) return err_nomem(e, sizeof *m, "a dataset");
    s->state = m;
    if (open_meta(s, m, e)) return -1;
    for (int i = 0; i < m->nshard; i++)
        if (open_shard(s, &m->shard[i], m->type->size, e)) return -1;
    s->count = m->count;
    s->length = m->length;                          /* handed over */
    m->length = NULL;
    s->dtype = m->type->name;
    s->bytes = m->entries * (m->mean ? 32 : 16) + (int64_t)sizeof *m + m->nshard * (int64_t)sizeof *m->shard;
    return 0;
}

/* The last shard that begins at or before the element; empty ones share their beginning with the next. */
static const Shard *shard_of(const Meta *m, int64_t element)
{
    int low = 0, high = m->nshard;
    while (high - low > 1) {
        int mid = low + (high - low) / 2;
        if (m->shard[mid].first <= element) low = mid;
        else high = mid;
    }
    return &m->shard[low];
}

static int bin_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e)
{
    const Meta *m = s->state;
    (void)e;                                        /* what could go wrong was checked when it was opened */
    for (int64_t done = 0, element = m->offset[i] + at; done < n;) {
        const Shard *shard = shard_of(m, element);
        int64_t skip = element - shard->first, take = shard->count - skip < n - done ? shard->count - skip : n - done;
        m->type->read(out + done, shard->map.p + skip * m->type->size, take);
        done += take;
        element += take;
    }
    if (m->mean)
        for (int64_t k = 0; k < n; k++) out[k] = out[k] * m->std[i] + m->mean[i];
    return 0;
}

static void bin_close(Source *s)
{
    Meta *m = s->state;
    if (!m) return;
    for (int i = 0; i < m->nshard; i++) map_close(&m->shard[i].map);
    meta_free(m);
    free(m);
}

const Format format_bin = {"bin", "folders with meta.json and data-*.bin (Time-300B)", bin_sniff, bin_open, bin_read, bin_close};
