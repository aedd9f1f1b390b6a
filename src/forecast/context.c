/* context.c - see context.h */
#include "forecast/context.h"

#include <math.h>

static int64_t first_observed(const double *x, int64_t n)
{
    int64_t i = 0;
    while (i < n && !isfinite(x[i])) i++;
    return i;
}

/* In units of the largest magnitude, so that no square leaves the range of a double. x has an observed point. */
static void measure(const double *x, int64_t n, double *mean, double *unit)
{
    double most = 0, sum = 0, squares = 0;
    int64_t observed = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i]) && fabs(x[i]) > most) most = fabs(x[i]);
    double scale = most > 0 ? most : 1;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) sum += x[i] / scale, observed++;
    double middle = sum / (double)observed;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) squares += (x[i] / scale - middle) * (x[i] / scale - middle);
    *mean = middle * scale;
    *unit = observed > 1 ? sqrt(squares / (double)(observed - 1)) * scale : 0;
    if (!(*unit > 0)) *unit = 1;
}

/* From x[from-1] to x[to], which are observed. Halves first: their difference may be beyond the range. */
static double between(const double *x, int64_t from, int64_t to, int64_t i)
{
    double share = (double)(i - from + 1) / (double)(to - from + 1);
    return x[from - 1] * (1 - share) + x[to] * share;
}

Context context_show(const double *x, int64_t n, int64_t most, float *shown)
{
    Context c = {.unit = 1};
    int64_t end = n;
    while (end && !isfinite(x[end - 1])) end--;
    c.late = n - end;
    if (!end) return c;
    int64_t begin = end > most ? end - most : 0;
    c.cut = begin;
    begin += first_observed(x + begin, end - begin);
    x += begin;
    c.n = end - begin;
    measure(x, c.n, &c.mean, &c.unit);
    for (int64_t i = 0, from = 0; i < c.n; i++) {
        double y = x[i];
        if (isfinite(y)) from = i + 1;
        else y = between(x, from, i + first_observed(x + i, c.n - i), i);
        shown[i] = (float)((y - c.mean) / c.unit);
    }
    return c;
}
