/* dataset_state.h - what is inside a Dataset: for dataset.c and window.c only. */
#ifndef DATA_DATASET_STATE_H
#define DATA_DATASET_STATE_H

#include "data/dataset.h"
#include "data/walk.h"

typedef struct Affine { double shift, unit; } Affine;       /* scaled = (x - shift) / unit */

struct Dataset {
    Walk     walk;                       /* paths and names of the sources, in their order */
    Source  *source;                     /* (nsource) */
    int      nsource;
    int64_t *first;                      /* (nsource + 1) number of the first series of each */
    int64_t *window;                     /* (series + 1) number of the first window of each series */
    int64_t  series, points, too_short;
    int64_t  C, stride, min_points;
    Scaling  scaling;
    Missing  missing;
    /* Filled on first touch by whoever comes first, with atomic stores; the ready byte says that both numbers are there. */
    Affine        *affine;               /* (series), NULL with SCALE_NONE */
    unsigned char *ready;                /* (series) */
};

#endif
