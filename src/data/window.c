/* window.c - one window of a dataset: read, scaled, its gaps dealt with. */
#include "data/dataset_state.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "data/gap.h"
#include "data/index.h"
#include "data/scale.h"
#include "util/machine.h"

enum { BLOCK = 1024 };                   /* doubles on the stack: half of a small first-level cache */

static Origin locate(const Dataset *d, int64_t w)
{
    int k = (int)last_at_or_before(d->window, d->nsource, w);
    const Source *s = &d->source[k];
    int64_t blocks = d->blocks[k + 1] - d->blocks[k], b = last_at_or_before(d->block + d->blocks[k], blocks, w);
    int64_t i = b * SERIES_BLOCK, n;
    w -= d->block[d->blocks[k] + b];
    while (w >= (n = windows_of(d, s->length[i]))) w -= n, i++;
    return (Origin){k, i, w * d->stride};
}

static Affine affine_of(const Stat *st, Scaling scaling)
{
    double unit = scaling == SCALE_MAX ? st->max_abs : st->std;
    return (Affine){scaling == SCALE_MAX ? 0 : st->mean, unit > 0 ? unit : 1};
}

/* Two threads may compute the same series at once; they store the same bits. */
static int affine_get(const Dataset *d, Origin o, Affine *a, Err *e)
{
    int64_t i = d->first[o.source] + o.series;
    const Source *s = &d->source[o.source];
    unsigned char how = READY_COMPUTED;
    Stat st;
    *a = (Affine){0, 1};
    if (d->scaling == SCALE_NONE) return 0;
    Affine *kept = &d->affine[i];
    if (__atomic_load_n(&d->ready[i], __ATOMIC_ACQUIRE)) {
        __atomic_load(&kept->shift, &a->shift, __ATOMIC_RELAXED);
        __atomic_load(&kept->unit, &a->unit, __ATOMIC_RELAXED);
        return 0;
    }
    if (index_known(s->index, (int)d->scaling, o.series, a)) how = READY_FROM_INDEX;
    else if (stat_compute(&st, s, o.series, e)) return -1;
    else *a = affine_of(&st, d->scaling);
    __atomic_store(&kept->shift, &a->shift, __ATOMIC_RELAXED);
    __atomic_store(&kept->unit, &a->unit, __ATOMIC_RELAXED);
    __atomic_store_n(&d->ready[i], how, __ATOMIC_RELEASE);
    return 0;
}

/* Returns 1 if all n are finite. A value too large for a float becomes infinite, and so is missing like any other. */
static int scale_block(float *out, const double *x, int n, const Affine *a)
{
    int good = 1;
    for (int i = 0; i < n; i++) {
        float y = (float)((x[i] - a->shift) / a->unit);
        good &= fabsf(y) <= FLT_MAX;
        out[i] = y;
    }
    return good;
}

/* A clock for one window: the time since the last look goes to a sum. Nothing where nobody wants to know. */
typedef struct Clock { WindowTime *sum; double last; } Clock;
static void lap(Clock *k, int reading)
{
    if (!k->sum) return;
    double now = machine_seconds();
    *(reading ? &k->sum->read : &k->sum->normalise) += now - k->last;
    k->last = now;
}

static int read_scaled(const Dataset *d, Origin o, float *out, int n, const Affine *a, int *clean, Clock *k, Err *e)
{
    const Source *s = &d->source[o.source];
    double x[BLOCK];
    *clean = 1;
    for (int done = 0; done < n; done += BLOCK) {
        int take = n - done < BLOCK ? n - done : BLOCK;
        if (s->format->read(s, o.series, o.at + done, take, x, e)) return -1;
        lap(k, 1);
        *clean &= scale_block(out + done, x, take, a);
        lap(k, 0);
    }
    return 0;
}

/* Closes up the segments, so that what is delivered has no holes. */
static void compact(float *points, int *pt, const int *npt, Origin *origin, int n, Origin window)
{
    for (int i = 0, used = 0; i < n; used += npt[i++]) {
        origin[i] = (Origin){window.source, window.series, window.at + pt[i]};
        if (pt[i] != used) memmove(points + used, points + pt[i], (size_t)npt[i] * sizeof *points);
        pt[i] = used;
    }
}

static int missing_error(const Dataset *d, Origin o, const float *points, int n, Err *e)
{
    const Source *s = &d->source[o.source];
    char where[512];
    double x;
    o.at += gap_first(points, n);
    if (s->format->read(s, o.series, o.at, 1, &x, e)) return -1;
    dataset_where(d, o, where, sizeof where);
    return err_set(e, FTS_FORMAT, "%s is %s: choose what to do with such points with --missing", where,
                   isnan(x) ? "missing (NaN)" : isinf(x) ? "infinite" : "too large for a float");
}

static int fill_gaps(const Dataset *d, float *points, int n, int64_t *cut)
{
    if (!gap_finite(points, n)) {
        *cut = 1;
        return 0;
    }
    if (d->missing == MISSING_ZERO) gap_zero(points, n);
    else gap_interpolate(points, n);
    return 1;
}

int dataset_window(const Dataset *d, int64_t w, float *points, int *pt, int *npt, Origin *origin, int64_t *cut, Err *e)
{
    return dataset_window_timed(d, w, points, pt, npt, origin, cut, NULL, e);
}

int dataset_window_timed(const Dataset *d, int64_t w, float *points, int *pt, int *npt, Origin *origin, int64_t *cut, WindowTime *t, Err *e)
{
    assert(w >= 0 && w < dataset_windows(d));
    Origin o = locate(d, w);
    const Source *s = &d->source[o.source];
    int64_t left = s->length[o.series] - o.at;
    int n = (int)(left < d->C + 1 ? left : d->C + 1), clean, segments = 1;
    Affine a;
    Clock k = {t, t ? machine_seconds() : 0};
    *cut = 0;
    int bad = affine_get(d, o, &a, e);
    lap(&k, 0);
    if (bad || read_scaled(d, o, points, n, &a, &clean, &k, e)) return err_wrap(e, "%s (%s)", s->path, s->format->name);
    if (!clean && d->missing == MISSING_ERROR) return missing_error(d, o, points, n, e);
    pt[0] = 0;
    npt[0] = n;
    if (!clean) segments = d->missing == MISSING_SPLIT ? gap_split(points, n, d->min_points, pt, npt, cut) : fill_gaps(d, points, n, cut);
    compact(points, pt, npt, origin, segments, o);
    return segments;
}
