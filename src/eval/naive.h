/* naive.h - forecasts that need no model: what a model must beat. */
#ifndef EVAL_NAIVE_H
#define EVAL_NAIVE_H

#include "forecast/predictor.h"

enum { PERIOD_MAX = 1000000 };

/* Repeats the last `period` points; where a window has fewer, its last point. predictor points at its owner: not to be copied. */
typedef struct Naive { Predictor predictor; int period; char name[32]; } Naive;

void naive_repeat_last(Naive *n);
void naive_seasonal(Naive *n, int period);               /* 1 .. PERIOD_MAX */
int  naive_named(Naive *n, const char *text, Err *e);    /* "repeat-last", "seasonal-naive:24": 1; 0: another name; -1: a period that is none */

#endif
