/* predictor.h - whatever continues series: a model, or a rule to compare one with. */
#ifndef FORECAST_PREDICTOR_H
#define FORECAST_PREDICTOR_H
#include <stdint.h>
#include "util/err.h"
typedef struct Window { const float *x; int n; } Window;                /* the last n points before what is to be forecast; not owned */
typedef struct Predictor {
    const char *name;                    /* "repeat-last": in the tables */
    /* Continues `count` windows by `horizon` points each: out (count, horizon). Values as they are, without scaling. Called from one thread, uses its own. */
    int (*predict)(void *user, const Window *w, int count, int horizon, float *out, Err *e);
    void *user;
    int at_once;                         /* most windows of a call */
} Predictor;
#endif
