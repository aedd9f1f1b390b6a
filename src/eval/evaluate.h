/* evaluate.h - forecasts where the truth is known: every horizon, every window, and each contender beside the naive rules.
 *
 * One file (--data) is divided as protocol.h says; two files (--data, --test-data) hold series and what came after them, paired
 * by their ids (pairs.h). Contenders see series scaled by their training part and nothing behind the first point to forecast. A missing
 * value anywhere in what is used is an error that names it: what is left out silently makes tables that cannot be compared. */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include <stdatomic.h>

#include "eval/metrics.h"
#include "eval/options.h"
#include "eval/stages.h"
#include "forecast/predictor.h"
#include "util/event.h"
#include "util/str.h"

enum { ASKED_MAX = 4, CONTENDERS_MAX = ASKED_MAX + 2 };                  /* repeat-last and seasonal-naive come with them */

/* reach: points it looks back on even if the context is shorter (a naive rule its period), 0: the context */
typedef struct Contender { const Predictor *predictor; int64_t reach; } Contender;

typedef struct EvalSpec {
    const EvalOpts  *opts;               /* with data set */
    const Contender *asked;              /* (nasked) up to ASKED_MAX */
    int nasked;
    Events events;                       /* STEP named "evaluate", in windows */
    const atomic_int *stop;              /* not 0: end with FTS_STOPPED; may be NULL */
} EvalSpec;

typedef struct EvalRow { char model[64]; Stage stage; Metrics metrics; } EvalRow;

typedef struct Evaluation {
    Stages  stages;
    int64_t series;
    EvalRow row[HORIZONS_MAX * CONTENDERS_MAX];                          /* (n) horizon by horizon, those asked for first */
    int     n;
} Evaluation;

int evaluate(Evaluation *to, const EvalSpec *spec, Err *e);

typedef enum { ANSWER_TEXT, ANSWER_CSV, ANSWER_JSON } AnswerForm;
void evaluation_write(Str *out, const Evaluation *v, const EvalOpts *o, AnswerForm form);      /* answer.c */

#endif
