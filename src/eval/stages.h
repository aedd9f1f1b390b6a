/* stages.h - what an evaluation does, from its settings and the sizes of its files: a stage is a horizon. */
#ifndef EVAL_STAGES_H
#define EVAL_STAGES_H

#include "data/source.h"
#include "eval/options.h"

typedef struct Stage { int64_t horizon, context, windows, all; } Stage;  /* windows: of each series, spread evenly over all that it has */

typedef struct Stages {
    Stage   stage[HORIZONS_MAX];
    int     n;
    int64_t train, first, end;           /* rows of a table, see protocol.h; 0 where the forecasts are in a second file */
    int64_t season;
    const char *season_from;             /* for people: who said so */
} Stages;

/* future NULL: past is a table, its series of one length, and is divided by its name. */
int     stages_plan(Stages *s, const EvalOpts *o, const Source *past, const Source *future, Err *e);
int64_t stages_horizon(const Stages *s);                                 /* the largest */

#endif
