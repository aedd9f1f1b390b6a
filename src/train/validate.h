/* validate.h - the loss of held-back windows, and of repeating their last value. */
#ifndef TRAIN_VALIDATE_H
#define TRAIN_VALIDATE_H

#include "train/feed.h"
#include "train/origins.h"

typedef struct Score { double pred, aux, mae, mse; int64_t targets; } Score;       /* targets: over all horizons */
typedef struct Validation {
    const char *name;                    /* "val", "val_ood" */
    Stream  stream;
    int64_t batches;                     /* the first so many of the stream */
    int     workers;
    const Origins *only;                 /* score what is predicted from these points only; NULL: from the end of every token */
} Validation;

enum { VALIDATION_PREFETCH = 1 };        /* batches that its loader may be ahead */

/* The same batches in the same order each time. naive: NULL, or gets mae and mse of repeating the last value over the same targets. */
int validate(const Validation *v, Model *m, Feed *f, Score *s, Score *naive, Err *e);

#endif
