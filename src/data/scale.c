/* scale.c - see scale.h */
#include "data/scale.h"

#include <math.h>

enum { BLOCK = 4096 };

typedef struct Sums { double mean, m2, low, high; int64_t n; } Sums;    /* m2: sum of squared distances from the mean */

/* Sums of a block on their own, then merged (Chan, Golub, LeVeque 1979): no difference of two large sums anywhere.
 * Four lanes, because one chain of additions waits for itself. */
static void add_block(Sums *s, const double *x, int n)
{
    double sum[4] = {0}, square[4] = {0};
    if (!n) return;
    for (int i = 0; i < n; i++) sum[i & 3] += x[i];
    double mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / n;
    for (int i = 0; i < n; i++) square[i & 3] += (x[i] - mean) * (x[i] - mean);
    double far = mean - s->mean, old = (double)s->n, all = old + n;
    s->mean += far * (n / all);
    s->m2 += (square[0] + square[1]) + (square[2] + square[3]) + far * far * (old * n / all);
    s->n += n;
}

static int keep_finite(Sums *s, double *x, int n, double factor)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        double v = x[i];
        if (!isfinite(v)) continue;
        if (v < s->low) s->low = v;
        if (v > s->high) s->high = v;
        x[kept++] = v * factor;
    }
    return kept;
}

static int sums_of(Sums *s, const Source *src, int64_t series, double factor, Err *e)
{
    double x[BLOCK];
    int64_t left = src->length[series], at = 0;
    *s = (Sums){.low = (double)INFINITY, .high = -(double)INFINITY};
    for (; left > 0; at += BLOCK, left -= BLOCK) {
        int n = left < BLOCK ? (int)left : BLOCK;
        if (src->format->read(src, series, at, n, x, e)) return -1;
        add_block(s, x, keep_finite(s, x, n, factor));
    }
    return 0;
}

/* Squares of what is beyond 2^500 or below 2^-450 leave the range of a double: such a series is read again, brought nearer to 1
 * by a power of two, which changes no digit. */
static double factor_for(double max_abs)
{
    if (max_abs > 0x1p500) return 0x1p-540;
    if (max_abs > 0 && max_abs < 0x1p-450) return 0x1p540;
    return 1;
}

int stat_compute(Stat *st, const Source *src, int64_t series, Err *e)
{
    Sums s;
    *st = (Stat){0};
    if (sums_of(&s, src, series, 1, e)) return -1;
    if (!s.n) return 0;
    st->finite = s.n;
    st->max_abs = fmax(fabs(s.low), fabs(s.high));
    st->mean = s.low;
    if (s.low == s.high) return 0;                  /* a mean of equal numbers may round off them, and then 0/0 would be noise */
    double factor = factor_for(st->max_abs);
    if (factor != 1 && sums_of(&s, src, series, factor, e)) return -1;
    st->mean = s.mean / factor;
    st->std = sqrt(s.m2 / (double)s.n) / factor;
    return 0;
}
