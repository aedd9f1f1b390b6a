/* series.c - see series.h */
#include "eval/series.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int64_t train_of(const SeriesFrom *f, int64_t i) { return f->future ? f->past->length[i] : f->train; }
static int64_t first_of(const SeriesFrom *f, int64_t i) { return f->future ? f->past->length[i] : f->first; }
static int64_t end_of(const SeriesFrom *f, int64_t i)   { return f->future ? f->past->length[i] + f->horizon : f->end; }

static int read_part(const Source *s, int64_t i, int64_t n, double *x, Err *e)
{
    if (s->format->read(s, i, 0, n, x, e)) return err_wrap(e, "%s (%s)", s->path, s->format->name);
    for (int64_t t = 0; t < n; t++)
        if (!isfinite(x[t]))
            return err_set(e, FTS_FORMAT, "%s (%s): series %lld of %lld, point %lld of %lld: a missing or infinite value, and every point is needed: fill it first",
                           s->path, s->format->name, (long long)i + 1, (long long)s->count, (long long)t + 1, (long long)s->length[i]);
    return 0;
}

/* A constant is told by its values: its computed deviation may be a tiny number that is nothing but rounding. */
static void scaling(Series *s, const double *x, int64_t train)
{
    double sum = 0, low = x[0], high = x[0];
    for (int64_t t = 0; t < train; t++) {
        sum += x[t];
        low = fmin(low, x[t]);
        high = fmax(high, x[t]);
    }
    s->mean = low == high ? low : sum / (double)train;
    sum = 0;
    for (int64_t t = 0; t < train; t++) sum += (x[t] - s->mean) * (x[t] - s->mean);
    s->dev = low == high ? 1 : sqrt(sum / (double)train);
}

static double mean_step(const double *x, int64_t train, int64_t season)
{
    double sum = 0;
    for (int64_t t = season; t < train; t++) sum += fabs(x[t] - x[t - season]);
    return train > season ? sum / (double)(train - season) : (double)NAN;
}

static int scale(float *to, Series *s, const double *x, int64_t train, const char *path, int64_t i, Err *e)
{
    scaling(s, x, train);
    int fits = isfinite(s->mean) && isfinite(s->dev);
    for (int64_t t = 0; t < s->n; t++) {
        to[t] = (float)((x[t] - s->mean) / s->dev);
        fits &= isfinite(to[t]) != 0;
    }
    return fits ? 0 : err_set(e, FTS_FORMAT, "%s: series %lld: values too large to be scaled", path, (long long)i + 1);
}

/* x: room for the longest series */
static int read_one(Series *s, float *to, const SeriesFrom *f, int64_t i, double *x, Err *e)
{
    int64_t train = train_of(f, i);
    *s = (Series){.x = to, .n = end_of(f, i), .first = first_of(f, i)};
    if (read_part(f->past, i, f->future ? train : s->n, x, e)) return -1;
    if (f->future && read_part(f->future, f->future_of ? f->future_of[i] : i, f->horizon, x + train, e)) return -1;
    s->step = mean_step(x, train, f->season);
    return scale(to, s, x, train, f->past->path, i, e);
}

static int read_all(SeriesSet *s, const SeriesFrom *f, double *x, Err *e)
{
    float *to = s->points;
    for (int64_t i = 0; i < s->count; to += s->series[i++].n)
        if (read_one(&s->series[i], to, f, i, x, e)) return -1;
    return 0;
}

int series_read(SeriesSet *s, const SeriesFrom *f, Err *e)
{
    int64_t n = 0, longest = 0;
    *s = (SeriesSet){.count = f->past->count};
    assert(s->count > 0);
    for (int64_t i = 0; i < s->count; i++) {
        if (!train_of(f, i)) return err_set(e, FTS_FORMAT, "%s: series %lld is empty", f->past->path, (long long)i + 1);
        n += end_of(f, i);
        if (end_of(f, i) > longest) longest = end_of(f, i);
    }
    size_t bytes = (size_t)n * sizeof *s->points;
    double *x = malloc((size_t)longest * sizeof *x);
    s->series = calloc((size_t)s->count, sizeof *s->series);
    s->points = malloc(bytes);
    int bad = !x || !s->series || !s->points ? err_nomem(e, bytes, "the series of an evaluation") : read_all(s, f, x, e);
    free(x);
    if (bad) series_free(s);
    return bad;
}

void series_free(SeriesSet *s)
{
    free(s->series);
    free(s->points);
    *s = (SeriesSet){0};
}
