/* options.h - the settings of evaluate. */
#ifndef EVAL_OPTIONS_H
#define EVAL_OPTIONS_H

#include "util/opt.h"

enum { HORIZONS_MAX = 16 };

typedef struct EvalOpts {
#define X OPT_FIELD
#include "eval/eval.def"
#undef X
} EvalOpts;
extern const Opt eval_opts[];
extern const int neval_opts;

typedef struct Horizons { int64_t h[HORIZONS_MAX]; int n; } Horizons;

int horizons_read(Horizons *to, const char *text, Err *e);           /* "96,192": 1..1000000 each, no one twice */

#endif
