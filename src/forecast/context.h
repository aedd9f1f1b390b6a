/* context.h - what a model is shown of a series, and the way back from what it says. */
#ifndef FORECAST_CONTEXT_H
#define FORECAST_CONTEXT_H

#include <stdint.h>

typedef struct Context {
    int64_t n;                           /* points shown; 0: none was observed */
    int64_t late;                        /* points missing at the end: forecast too, and dropped from the answer */
    int64_t cut;                         /* points before those shown that would have been too many */
    double  mean, unit;                  /* shown = (x - mean) / unit */
} Context;

/* Of x (n), in which NaN and infinities are missing, at most the last `most` up to the last observed one. Leading missing points are
 * cut, inner ones lie on a line between their neighbours. mean and unit are the mean and the unbiased deviation of the observed points shown,
 * unit 1 where that is 0 or there is one point. shown: room for min(n, most). */
Context context_show(const double *x, int64_t n, int64_t most, float *shown);

#endif
