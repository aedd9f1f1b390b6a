/* pairs.h - which series of one file goes on in which of another: that with the same id, or the one in the same place where a file
 * has no ids. */
#ifndef EVAL_PAIRS_H
#define EVAL_PAIRS_H

#include "data/source.h"

/* future_of: (past->count) the series of `future` behind each of `past`; owned by the caller, NULL: they are in the same order.
 * A series without its other part, or two with one id, are an error that names them. */
int pairs_find(int64_t **future_of, const Source *past, const Source *future, Err *e);

#endif
