/* source_bin.c - a Time-300B folder: meta.json and shards data-i-of-n.bin, raw little-endian numbers in a row. */
#include "data/source.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/index.h"
#include "util/hash.h"
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

static int bin_sniff(const char *path, int is_dir)
{
    char meta[PATH_ROOM];
    Map m;
    Err e;
    if (!is_dir || path_join(meta, sizeof meta, path, "meta.json", &e) || !path_exists(meta) || path_is_dir(meta)) return 0;
    if (has_bin(path)) return 1;
    if (map_open(&m, meta, &e)) return 0;
    int mine = json_has_key(m.p, m.n, "files");
    map_close(&m);
    return mine;
}

/* What a source has while it is open. key: of the names, sizes, times and heads of its files, for the index. */
typedef struct Bin { Meta meta; uint64_t key; } Bin;

/* The time is asked for first: a file that changes after it gives the index a key that will not be found again. */
static int open_file(Source *s, const char *name, Map *m, Err *e)
{
    Bin *b = s->state;
    char path[PATH_ROOM];
    if (path_join(path, sizeof path, s->path, name, e)) return -1;
    int64_t time = path_time(path);
    if (map_open(m, path, e)) return -1;
    s->hash = source_hash(s->hash, name, m);
    b->key = hash_add(hash_add(b->key, &s->hash, sizeof s->hash), &time, sizeof time);
    return 0;
}

static int open_shard(Source *s, Shard *shard, int size, Err *e)
{
    char path[PATH_ROOM];
    if (path_join(path, sizeof path, s->path, shard->name, e)) return -1;
    if (!path_exists(path)) return err_set(e, FTS_FORMAT, "meta.json names %s, which is not there: is the download complete?", shard->name);
    if (open_file(s, shard->name, &shard->map, e)) return -1;
    if ((size_t)shard->count > shard->map.n / (size_t)size)
        return err_set(e, FTS_FORMAT, "%s has %zu bytes, but meta.json promises %lld numbers of %d bytes: is the download complete?",
                       shard->name, shard->map.n, (long long)shard->count, size);
    return 0;
}

static int open_shards(Source *s, Err *e)
{
    Meta *m = &((Bin *)s->state)->meta;
    for (int i = 0; i < m->nshard; i++)
        if (open_shard(s, &m->shard[i], m->type->size, e)) return -1;
    return 0;
}

/* The files are taken as not yet opened. */
static void forget(Source *s)
{
    Bin *b = s->state;
    for (int i = 0; i < b->meta.nshard; i++) map_close(&b->meta.shard[i].map);
    meta_free(&b->meta);
    index_close(s->index);
    s->index = NULL;
    s->hash = HASH_START;
    b->key = 0;
}

/* Where an index lies, at != 0: when not in the folder of the data; -1: nowhere. */
static int index_path(const Source *s, int at, char *path, Err *e)
{
    char real[PATH_MAX], name[64];
    if (!at) return path_join(path, PATH_ROOM, s->path, ".foundationts-index", e);
    if (!s->how->cache_dir) return err_set(e, FTS_IO, "no --cache-dir");
    if (!realpath(s->path, real)) return err_errno(e, errno, s->path);
    snprintf(name, sizeof name, "%016llx.foundationts-index", (unsigned long long)hash_add(HASH_START, real, strlen(real)));
    return path_join(path, PATH_ROOM, s->how->cache_dir, name, e);
}

/* 1: all there is to know came from an index at `at`. What goes wrong here goes wrong again without an index, and is said then. */
static int open_index(Source *s, int at)
{
    Bin *b = s->state;
    char path[PATH_ROOM];
    Map text;
    Err ignored;
    if (index_path(s, at, path, &ignored) || index_open(&s->index, &b->meta, path)) return 0;
    int bad = open_file(s, "meta.json", &text, &ignored);
    if (!bad) map_close(&text);
    if (!bad && !open_shards(s, &ignored) && s->index->key == b->key) return 1;
    forget(s);
    return 0;
}

static int open_meta(Source *s, Err *e)
{
    Bin *b = s->state;
    Map text;
    if (open_file(s, "meta.json", &text, e)) return -1;
    int bad = meta_read(&b->meta, text.p, text.n, s->how ? s->how->tell : NULL, e);
    map_close(&text);
    return bad ? err_wrap(e, "meta.json") : 0;
}

/* Below this reading meta.json takes a few milliseconds, and so do all scalings: not worth a file in people's folders. */
static int worth_index(const Meta *m)
{
    int64_t points = 0;
    for (int i = 0; i < m->nshard; i++) points += m->shard[i].count;
    return m->count >= 4096 || points >= (int64_t)1 << 24;
}

/* From here on the index stands for the arrays in memory. */
static void keep_index(Source *s)
{
    Bin *b = s->state;
    char path[PATH_ROOM];
    Err ignored;
    for (int at = 0; at < 2; at++) {
        if (index_path(s, at, path, &ignored) || (at && dir_make(s->how->cache_dir, &ignored)) || index_write(path, &b->meta, b->key, &ignored)) continue;
        Bin parsed = *b;
        uint64_t hash = s->hash;
        *b = (Bin){0};
        s->hash = HASH_START;
        if (!open_index(s, at)) {
            *b = parsed;
            s->hash = hash;
            continue;
        }
        for (int i = 0; i < parsed.meta.nshard; i++) map_close(&parsed.meta.shard[i].map);
        meta_free(&parsed.meta);
        return;
    }
    s->unkept = 1;
}

static int bin_open(Source *s, Err *e)
{
    Bin *b = calloc(1, sizeof *b);
    if (!b) return err_nomem(e, sizeof *b, "a dataset");
    s->state = b;
    if (!s->how || !(open_index(s, 0) || open_index(s, 1))) {
        if (open_meta(s, e) || open_shards(s, e)) return -1;
        if (s->how && worth_index(&b->meta)) keep_index(s);
    }
    const Meta *m = &b->meta;
    s->count = m->count;
    s->length = m->length;                          /* seen by all, freed here */
    s->dtype = m->type->name;
    s->bytes = (int64_t)sizeof *b + m->nshard * (int64_t)sizeof *m->shard;
    if (!m->borrowed) s->bytes += m->entries * (m->mean ? 32 : 16);
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
    const Meta *m = &((const Bin *)s->state)->meta;
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
    if (!s->state) return;
    forget(s);
    free(s->state);
    s->length = NULL;
}

const Format format_bin = {"bin", "folders with meta.json and data-*.bin (Time-300B)", bin_sniff, bin_open, bin_read, bin_close};
