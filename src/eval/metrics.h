/* metrics.h - how far forecasts are from what came: MSE and MAE of scaled values, sMAPE and MASE of values as they were.
 *
 * MSE and MAE are means over all points of all series. sMAPE, the mean of 200 |y - f| / (|y| + |f|) with 0/0 = 0, and MASE, the
 * mean |y - f| over the mean step of the training part, are means over the series, each with its own; where all series have as
 * many windows that is the mean over everything. All sums are of doubles, in one order: series by series, window by window. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include "eval/series.h"

typedef struct Sums { double square, absolute, relative; int64_t points; } Sums;

typedef struct Metrics {
    double  mse, mae, mase, smape;       /* mase: NaN if no series has one */
    int64_t mase_series;                 /* series in mase: those with a step */
} Metrics;

typedef struct Meter { Sums all; double mase, smape; int64_t series, mase_series; } Meter;     /* zeroed at first */

Sums    metrics_window(const Series *s, const float *want, const float *got, int64_t horizon);
void    metrics_add(Sums *to, const Sums *more);
void    metrics_series(Meter *m, const Series *s, const Sums *sums);      /* sums: of all windows of s */
Metrics metrics_end(const Meter *m);

#endif
