/* dataset_state.h - what is inside a Dataset: for dataset.c and window.c only. */
#ifndef DATA_DATASET_STATE_H
#define DATA_DATASET_STATE_H

#include "data/dataset.h"
#include "data/walk.h"

typedef struct Affine { double shift, unit; } Affine;       /* scaled = (x - shift) / unit */

/* The number of a window is found by halving: first among sources, then among blocks of a source's series, then one by one.
 * A number for each series would be the largest thing in memory, and to make it would be most of the time to open. */
enum { SERIES_BLOCK = 64 };

struct Dataset {
    Walk     walk;                       /* paths and names of the sources, in their order */
    Source  *source;                     /* (nsource) */
    int      nsource;
    int64_t *first;                      /* (nsource + 1) number of the first series of each */
    int64_t *window;                     /* (nsource + 1) number of the first window of each */
    int64_t *blocks;                     /* (nsource + 1) number of the first block of each */
    int64_t *block;                      /* (blocks[nsource]) number of the first window of each block of SERIES_BLOCK series */
    int64_t  series, points, too_short;
    int64_t  C, stride, min_points;
    Scaling  scaling;
    Missing  missing;
    /* Filled on first touch by whoever comes first, with atomic stores; the ready byte says that both numbers are there. */
    Affine        *affine;               /* (series), NULL with SCALE_NONE */
    unsigned char *ready;                /* (series) */
};

/* The last i with first[i] <= x, of n; several may begin at the same number, and then only the last of them has any. */
int64_t last_at_or_before(const int64_t *first, int64_t n, int64_t x);
int64_t windows_of(const Dataset *d, int64_t points);       /* of a series */

#endif
