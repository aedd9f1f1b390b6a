/* gap.c - see gap.h */
#include "data/gap.h"

#include <math.h>

int gap_finite(const float *points, int n)
{
    int finite = 0;
    for (int i = 0; i < n; i++) finite += isfinite(points[i]) != 0;
    return finite;
}

int gap_first(const float *points, int n)
{
    int i = 0;
    while (i < n && isfinite(points[i])) i++;
    return i;
}

int gap_split(const float *points, int n, int64_t min_points, int *pt, int *npt, int64_t *cut)
{
    int count = 0;
    *cut = 0;
    for (int i = 0; i < n;) {
        int run = gap_first(points + i, n - i);
        if (run >= min_points) {
            pt[count] = i;
            npt[count++] = run;
        } else if (run) ++*cut;
        i += run + 1;
    }
    if (!count && !*cut) *cut = 1;
    return count;
}

/* points[from..to) are missing; the neighbours are points[from-1] and points[to], as far as they exist. */
static void fill(float *points, int from, int to, int n)
{
    double a = from ? points[from - 1] : points[to], b = to < n ? points[to] : a;
    for (int i = from; i < to; i++) points[i] = (float)(a + (b - a) * (i - from + 1) / (to - from + 1));
}

void gap_interpolate(float *points, int n)
{
    for (int i = gap_first(points, n); i < n; i += gap_first(points + i, n - i)) {
        int to = i;
        while (to < n && !isfinite(points[to])) to++;
        fill(points, i, to, n);
        i = to;
    }
}

void gap_zero(float *points, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(points[i])) points[i] = 0;
}
