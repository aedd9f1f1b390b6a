/* series.h - the series of an evaluation, each scaled by the mean and the population deviation of its training part. */
#ifndef EVAL_SERIES_H
#define EVAL_SERIES_H

#include "data/source.h"

typedef struct Series {
    const float *x;                      /* (n) scaled; lies in SeriesSet.points */
    int64_t n, first;                    /* points; the first that is to be forecast */
    double  mean, dev;                   /* value = mean + dev * x; dev is 1 where the training part is constant */
    double  step;                        /* mean |value[t] - value[t - season]| of the training part; 0 or NaN: no MASE */
} Series;

typedef struct SeriesSet {
    Series *series;                      /* (count) owned */
    float  *points;                      /* of all; owned */
    int64_t count;
} SeriesSet;

typedef struct SeriesFrom {
    const Source *past, *future;         /* future NULL: it is in past, where it begins */
    const int64_t *future_of;            /* (past->count) the series of future behind each of past, NULL: they are in the same order */
    int64_t train, first, end;           /* points of each series of past; with a future, all of past is the training part */
    int64_t horizon;                     /* points of each series of future */
    int64_t season;
} SeriesFrom;

/* Every point that is used must be there: a missing one is an error that names it. */
int  series_read(SeriesSet *s, const SeriesFrom *from, Err *e);
void series_free(SeriesSet *s);          /* zeroed is fine */

#endif
