/* metrics.c - see metrics.h */
#include "eval/metrics.h"

#include <math.h>

/* Both values go the way from the scaled number back to the original one, so that a forecast that is right stays exactly right:
 * beside a true 0, rounding alone would count as an error of 200 %. */
Sums metrics_window(const Series *s, const float *want, const float *got, int64_t horizon)
{
    Sums sums = {.points = horizon};
    for (int64_t h = 0; h < horizon; h++) {
        double y = want[h], f = got[h], d = f - y;
        sums.square += d * d;
        sums.absolute += fabs(d);
        if (d == 0) continue;
        y = s->mean + s->dev * y;
        f = s->mean + s->dev * f;
        double size = fabs(y) + fabs(f);
        if (size != 0) sums.relative += 200 * fabs(y - f) / size;
    }
    return sums;
}

void metrics_add(Sums *to, const Sums *more)
{
    to->square += more->square;
    to->absolute += more->absolute;
    to->relative += more->relative;
    to->points += more->points;
}

void metrics_series(Meter *m, const Series *s, const Sums *sums)
{
    double n = (double)sums->points;
    metrics_add(&m->all, sums);
    m->smape += sums->relative / n;
    m->series++;
    if (!(s->step > 0)) return;
    m->mase += sums->absolute / n * s->dev / s->step;
    m->mase_series++;
}

Metrics metrics_end(const Meter *m)
{
    double n = (double)m->all.points;
    return (Metrics){.mse = m->all.square / n, .mae = m->all.absolute / n, .smape = m->smape / (double)m->series,
                     .mase = m->mase_series ? m->mase / (double)m->mase_series : (double)NAN, .mase_series = m->mase_series};
}
