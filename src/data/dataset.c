/* dataset.c - see dataset.h; the walk is in walk.c, sources are opened in sources.c, windows are made in window.c */
#include "data/dataset_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

const Opt data_opts[] = {
#define X(...) OPT_ROW(DataOpts, __VA_ARGS__),
#include "data/data.def"
#undef X
};
const int ndata_opts = sizeof data_opts / sizeof *data_opts;

void *zeroed(int64_t n, size_t size, Err *e)
{
    void *p = calloc(n ? (size_t)n : 1, size);
    if (!p) err_nomem(e, (size_t)n * size, "the index of the data");
    return p;
}

int64_t last_at_or_before(const int64_t *first, int64_t n, int64_t x)
{
    int64_t low = 0, high = n;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (first[mid] <= x) low = mid;
        else high = mid;
    }
    return low;
}

int64_t windows_of(const Dataset *d, int64_t points)
{
    if (points < d->min_points) return 0;
    return 1 + (points > d->C + 1 ? (points - d->C - 1) / d->stride : 0);
}

static int count_blocks(Dataset *d, Err *e)
{
    for (int k = 0; k < d->nsource; k++) d->blocks[k + 1] = d->blocks[k] + (d->source[k].count + SERIES_BLOCK - 1) / SERIES_BLOCK;
    d->block = zeroed(d->blocks[d->nsource], sizeof *d->block, e);
    return d->block ? 0 : -1;
}

static int count_source(Dataset *d, int k, Err *e)
{
    const Source *s = &d->source[k];
    int64_t w = d->window[k], *block = d->block + d->blocks[k];
    for (int64_t i = 0; i < s->count; i++) {
        int64_t n = windows_of(d, s->length[i]);
        if (i % SERIES_BLOCK == 0) *block++ = w;
        if (__builtin_add_overflow(d->points, s->length[i], &d->points)) return err_set(e, FTS_FORMAT, "%s: too many points", s->path);
        d->too_short += !n;
        w += n;
    }
    d->window[k + 1] = w;
    return 0;
}

static int count_windows(Dataset *d, Err *e)
{
    d->window = zeroed(d->nsource + 1, sizeof *d->window, e);
    d->blocks = zeroed(d->nsource + 1, sizeof *d->blocks, e);
    if (!d->window || !d->blocks || count_blocks(d, e)) return -1;
    for (int k = 0; k < d->nsource; k++)
        if (count_source(d, k, e)) return -1;
    return 0;
}

static int number_all(Dataset *d, const OptList *paths, const char *exclude, const char *cache_dir, const Events *to, Err *e)
{
    if (d->C + 1 < d->min_points)
        return err_set(e, FTS_USAGE, "--seq-max-len %lld is too short: a window needs %lld points", (long long)d->C, (long long)d->min_points);
    if (walk_paths(&d->walk, paths, exclude, e) || dataset_open_sources(d, cache_dir, to, e) || count_windows(d, e)) return -1;
    if (d->scaling == SCALE_NONE) return 0;
    d->affine = zeroed(d->series, sizeof *d->affine, e);
    d->ready = zeroed(d->series, 1, e);
    return d->affine && d->ready ? 0 : -1;
}

int dataset_open(Dataset **out, const OptList *paths, const char *exclude, const DataOpts *o, int64_t min_points, const Events *to, Err *e)
{
    assert(min_points >= 1);
    Dataset *d = *out = calloc(1, sizeof *d);
    if (!d) return err_nomem(e, sizeof *d, "the data");
    d->C = o->seq_max_len;
    d->stride = o->seq_stride;
    d->min_points = min_points;
    d->scaling = (Scaling)o->normalization_func;
    d->missing = (Missing)o->missing;
    if (!number_all(d, paths, exclude, o->cache_dir, to, e)) return 0;
    dataset_close(d);
    *out = NULL;
    return -1;
}

void dataset_close(Dataset *d)
{
    if (!d) return;
    if (d->ready) dataset_keep(d);
    for (int i = 0; i < d->nsource; i++) source_close(&d->source[i]);
    walk_free(&d->walk);
    free(d->source);
    free(d->first);
    free(d->window);
    free(d->blocks);
    free(d->block);
    free(d->affine);
    free(d->ready);
    free(d);
}

int           dataset_sources(const Dataset *d) { return d->nsource; }
const Source *dataset_source(const Dataset *d, int i) { return &d->source[i]; }
const char   *dataset_name(const Dataset *d, int i) { return d->walk.found[i].name; }
int           dataset_excluded(const Dataset *d) { return d->walk.excluded; }
int64_t       dataset_ignored(const Dataset *d) { return d->walk.ignored; }
int64_t       dataset_first(const Dataset *d, int i) { return d->first[i]; }
int64_t       dataset_series(const Dataset *d) { return d->series; }
int64_t       dataset_points(const Dataset *d) { return d->points; }
int64_t       dataset_windows(const Dataset *d) { return d->window[d->nsource]; }
int64_t       dataset_short(const Dataset *d) { return d->too_short; }
int64_t       dataset_window_points(const Dataset *d) { return d->C + 1; }
int64_t       dataset_stride(const Dataset *d) { return d->stride; }

int dataset_find(const Dataset *d, int64_t series, int64_t *own)
{
    int k = (int)last_at_or_before(d->first, d->nsource, series);
    *own = series - d->first[k];
    return k;
}

int64_t dataset_series_windows(const Dataset *d, int64_t series, int64_t *first)
{
    assert(series >= 0 && series < d->series);
    int64_t own;
    int k = dataset_find(d, series, &own);
    const Source *s = &d->source[k];
    int64_t i = own / SERIES_BLOCK * SERIES_BLOCK;
    *first = d->block[d->blocks[k] + own / SERIES_BLOCK];
    for (; i < own; i++) *first += windows_of(d, s->length[i]);
    return windows_of(d, s->length[own]);
}

/* Between two segments lies at least one missing point. */
int dataset_max_segments(const Dataset *d) { return d->missing == MISSING_SPLIT ? (int)((d->C + 2) / (d->min_points + 1)) : 1; }

int64_t dataset_bytes(const Dataset *d)
{
    int64_t bytes = (int64_t)sizeof *d + d->blocks[d->nsource] * (int64_t)sizeof *d->block;
    if (d->affine) bytes += d->series * (int64_t)(sizeof *d->affine + 1);
    for (int i = 0; i < d->nsource; i++) bytes += d->source[i].bytes + (int64_t)(sizeof *d->source + sizeof *d->walk.found + sizeof *d->first);
    return bytes;
}

/* No absolute path and no time of change: the same data elsewhere is the same data. */
uint64_t dataset_fingerprint(const Dataset *d)
{
    int64_t settings[] = {d->C, d->stride, d->min_points, d->scaling, d->missing, d->nsource};
    uint64_t h = hash_add(HASH_START, settings, sizeof settings);
    for (int i = 0; i < d->nsource; i++) {
        const Source *s = &d->source[i];
        h = hash_add(h, s->format->name, strlen(s->format->name) + 1);
        h = hash_add(h, &s->hash, sizeof s->hash);
        h = hash_add(h, &s->count, sizeof s->count);
        h = hash_add(h, s->length, (size_t)s->count * sizeof *s->length);
    }
    return h;
}

void dataset_where(const Dataset *d, Origin o, char *text, size_t size)
{
    snprintf(text, size, "%s: series %lld, point %lld", dataset_name(d, o.source), (long long)o.series, (long long)o.at);
}
