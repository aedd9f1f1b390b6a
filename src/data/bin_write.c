/* bin_write.c - see bin_write.h */
#include "data/bin_write.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"

#define SHARD_POINTS ((int64_t)1 << 28)          /* 1 GiB of float32 */
#define BLOCK_POINTS ((int64_t)1 << 22)          /* made at once: 16 MiB, or one series */

typedef struct Writer { const BinSpec *s; const char *dir; void *block; int64_t shards; } Writer;

/* Series from `first` on that have at most so many points together, but at least one; *points: how many they have. */
static int64_t run(const BinSpec *s, int64_t first, int64_t end, int64_t most, int64_t *points)
{
    int64_t n = 1;
    *points = s->length(s->user, first);
    for (int64_t k; first + n < end && (k = s->length(s->user, first + n)) <= most - *points; n++) *points += k;
    return n;
}

static int64_t count_shards(const BinSpec *s)
{
    int64_t shards = 0, points;
    for (int64_t at = 0; at < s->series; shards++) at += run(s, at, s->series, SHARD_POINTS, &points);
    return shards;
}

static int block_open(Writer *w, Err *e)
{
    int64_t most = 1, points;
    for (int64_t at = 0; at < w->s->series;) {
        at += run(w->s, at, w->s->series, BLOCK_POINTS, &points);
        if (points > most) most = points;
    }
    w->block = malloc((size_t)most * w->s->size);
    return w->block ? 0 : err_nomem(e, (size_t)most * w->s->size, "a block of series");
}

static int write_blocks(const Writer *w, Out *out, int64_t at, int64_t end, Err *e)
{
    const BinSpec *s = w->s;
    int64_t points;
    while (at < end) {
        int64_t n = run(s, at, end, BLOCK_POINTS, &points);
        if (s->fill(s->user, at, n, w->block, e) || out_write(out, w->block, (size_t)points * s->size, e)) return -1;
        at += n;
        if (s->progress) s->progress(s->ud, at, s->series);
    }
    return 0;
}

static int write_shards(const Writer *w, Err *e)
{
    char name[64], path[4096];
    int64_t points, n;
    Out out;
    for (int64_t i = 1, at = 0; at < w->s->series; i++, at += n) {
        n = run(w->s, at, w->s->series, SHARD_POINTS, &points);
        snprintf(name, sizeof name, "data-%lld-of-%lld.bin", (long long)i, (long long)w->shards);
        if (path_join(path, sizeof path, w->dir, name, e) || out_open(&out, path, e)) return -1;
        if (write_blocks(w, &out, at, at + n, e)) {
            out_drop(&out);
            return -1;
        }
        if (out_commit(&out, e)) return -1;
    }
    return 0;
}

__attribute__((format(printf, 3, 4)))
static int put(Out *out, Err *e, const char *fmt, ...)
{
    char text[192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return out_write(out, text, (size_t)n, e);
}

static int put_files(const Writer *w, Out *out, Err *e)
{
    int64_t points, n;
    for (int64_t i = 1, at = 0; at < w->s->series; i++, at += n) {
        n = run(w->s, at, w->s->series, SHARD_POINTS, &points);
        if (put(out, e, "%s\"data-%lld-of-%lld.bin\": %lld", i > 1 ? ", " : "", (long long)i, (long long)w->shards, (long long)points)) return -1;
    }
    return 0;
}

static int put_scales(const Writer *w, Out *out, Err *e)
{
    for (int64_t i = 0, at = 0, n; i < w->s->series; i++, at += n) {
        n = w->s->length(w->s->user, i);
        if (put(out, e, "%s{\"offset\": %lld, \"length\": %lld}", i ? ", " : "", (long long)at, (long long)n)) return -1;
    }
    return 0;
}

/* Laid out as Python's json.dump does, which wrote the published ones. */
static int put_meta(const Writer *w, Out *out, Err *e)
{
    return put(out, e, "{\"num_sequences\": %lld, \"dtype\": \"%s\", \"files\": {", (long long)w->s->series, w->s->dtype) || put_files(w, out, e)
        || put(out, e, "}, \"scales\": [") || put_scales(w, out, e) || put(out, e, "]}") ? -1 : 0;
}

static int write_meta(const Writer *w, Err *e)
{
    char path[4096];
    Out out;
    if (path_join(path, sizeof path, w->dir, "meta.json", e) || out_open(&out, path, e)) return -1;
    if (!put_meta(w, &out, e)) return out_commit(&out, e);
    out_drop(&out);
    return -1;
}

int bin_write(const char *dir, const BinSpec *s, Err *e)
{
    Writer w = {.s = s, .dir = dir, .shards = count_shards(s)};
    int bad = block_open(&w, e) || write_shards(&w, e) || write_meta(&w, e) || dir_sync(dir, e);
    free(w.block);
    return bad ? -1 : 0;
}

/* An empty folder may be replaced, anything else stays. */
static int refuse_full(const char *dir, Err *e)
{
    Names names;
    if (!path_exists(dir)) return 0;
    if (!path_is_dir(dir)) return err_set(e, FTS_IO, "%s: is there and no folder", dir);
    if (dir_list(&names, dir, e)) return -1;
    int n = names.n;
    names_free(&names);
    return n ? err_set(e, FTS_IO, "%s: the folder is not empty", dir) : 0;
}

int folder_write(const char *to, int (*fill)(void *user, const char *dir, Err *e), void *user, Err *e)
{
    char dir[4096], beside[4128], parent[4096];
    Err ignored;
    if (!*to) return err_set(e, FTS_USAGE, "no folder to write to");
    if (path_join(dir, sizeof dir, "", to, e)) return -1;
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--) dir[n - 1] = 0;
    if (refuse_full(dir, e)) return -1;
    snprintf(beside, sizeof beside, "%s.tmp-%ld", dir, (long)getpid());
    memcpy(parent, dir, sizeof parent);
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = 0;
    if (dir_remove(beside, e) || (slash && dir_make(parent, e))) return -1;
    if (mkdir(beside, 0777)) return err_errno(e, errno, dir);
    int bad = fill(user, beside, e);
    if (!bad && rename(beside, dir)) bad = err_errno(e, errno, dir);
    if (bad) dir_remove(beside, &ignored);
    else bad = dir_sync(slash ? parent : ".", e);
    return bad ? -1 : 0;
}
