/* support.h - evaluations for tests. */
#ifndef TESTS_EVAL_SUPPORT_H
#define TESTS_EVAL_SUPPORT_H

#include "eval/evaluate.h"

EvalOpts eval_settings(const char *data, const char *test_data, const char *horizons);         /* everything else as by default; owns nothing */
/* With nobody asked for beside the naive rules. */
int      eval_rules(Evaluation *v, const EvalOpts *o, Err *e);
/* The row of a model and horizon; NULL: there is none. */
const EvalRow *eval_row(const Evaluation *v, const char *model, int64_t horizon);

#endif
