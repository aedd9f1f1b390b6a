/* reader.c - the reader of foundationts.h over data/dataset.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundationts.h"

#include "data/dataset.h"

struct FtsReader { Dataset *data; };

/* The settings of train have names, ranges and defaults already: the same table reads these. */
static int set_number(DataOpts *to, const char *field, int64_t x, FtsError *e)
{
    char text[32];
    OptSet set = {data_opts, ndata_opts, to};
    snprintf(text, sizeof text, "%" PRId64, x);
    return opt_set(&set, 1, field, text, e);
}

static int settings(DataOpts *to, const FtsReaderOptions *o, FtsError *e)
{
    OptSet set = {data_opts, ndata_opts, to};
    int64_t C = o->seq_max_len ? o->seq_max_len : 4096;
    *to = (DataOpts){0};
    if (set_number(to, "seq_max_len", C, e) || set_number(to, "seq_stride", o->seq_stride ? o->seq_stride : C, e)) return -1;
    if (opt_set(&set, 1, "normalization_func", o->normalization ? o->normalization : "zero", e)) return -1;
    return opt_set(&set, 1, "missing", o->missing ? o->missing : "split", e);
}

int fts_reader_open(FtsReader **r, const char *path, const FtsReaderOptions *o, FtsError *e)
{
    static const FtsReaderOptions none;
    DataOpts s;
    OptList paths = {.item = {(char *)path}, .n = 1};
    *r = NULL;
    if (!o) o = &none;
    if (o->min_points < 0) return err_set(e, FTS_USAGE, "min_points is %" PRId64 ", but cannot be negative", o->min_points);
    if (settings(&s, o, e)) return -1;
    FtsReader *made = calloc(1, sizeof *made);
    if (!made) return err_nomem(e, sizeof *made, "a reader");
    if (!dataset_open(&made->data, &paths, NULL, &s, o->min_points ? o->min_points : 2, NULL, e)) {
        *r = made;
        return 0;
    }
    free(made);
    return -1;
}

void fts_reader_close(FtsReader *r)
{
    if (r) dataset_close(r->data);
    free(r);
}

/* Which source, and which of its series; NULL: there is no such series. */
static const Source *find(const FtsReader *r, int64_t series, int64_t *own)
{
    if (series < 0 || series >= dataset_series(r->data)) return NULL;
    return dataset_source(r->data, dataset_find(r->data, series, own));
}

int64_t fts_reader_series(const FtsReader *r) { return dataset_series(r->data); }

int64_t fts_reader_length(const FtsReader *r, int64_t series)
{
    int64_t own;
    const Source *s = find(r, series, &own);
    return s ? s->length[own] : -1;
}

int fts_reader_read(const FtsReader *r, int64_t series, int64_t at, int64_t n, double *out, FtsError *e)
{
    int64_t own;
    const Source *s = find(r, series, &own);
    if (!s) return err_set(e, FTS_USAGE, "series %" PRId64 ": there are %" PRId64, series, dataset_series(r->data));
    if (at < 0 || n < 0 || at > s->length[own] || n > s->length[own] - at)
        return err_set(e, FTS_USAGE, "series %" PRId64 ": %" PRId64 " points from point %" PRId64 ", but it has %" PRId64, series, n, at, s->length[own]);
    return s->format->read(s, own, at, n, out, e) ? err_wrap(e, "%s (%s)", s->path, s->format->name) : 0;
}

int64_t fts_reader_windows(const FtsReader *r) { return dataset_windows(r->data); }
int     fts_reader_max_segments(const FtsReader *r) { return dataset_max_segments(r->data); }

int fts_reader_window(const FtsReader *r, int64_t w, float *points, int *at, int *length, FtsError *e)
{
    int64_t cut;
    if (w < 0 || w >= dataset_windows(r->data)) return err_set(e, FTS_USAGE, "window %" PRId64 ": there are %" PRId64, w, dataset_windows(r->data));
    size_t bytes = (size_t)dataset_max_segments(r->data) * sizeof(Origin);
    Origin *origin = malloc(bytes + !bytes);
    if (!origin) return err_nomem(e, bytes, "the segments of a window");
    int n = dataset_window(r->data, w, points, at, length, origin, &cut, e);
    free(origin);
    return n;
}
