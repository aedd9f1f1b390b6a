/* scale.h - statistics of a series, computed once on first touch: a window never costs a read of the whole series. */
#ifndef DATA_SCALE_H
#define DATA_SCALE_H

#include "data/source.h"

/* Over the finite points of the whole series, in double, in blocks of 4096 in order. std: population. */
typedef struct Stat { double mean, std, max_abs; int64_t finite; } Stat;

typedef struct Affine { double shift, unit; } Affine;       /* scaled = (x - shift) / unit */

int stat_compute(Stat *s, const Source *src, int64_t series, Err *e);

#endif
