/* dataset_state.h - what is inside a Dataset: for dataset.c, sources.c and window.c only. */
#ifndef DATA_DATASET_STATE_H
#define DATA_DATASET_STATE_H

#include "data/dataset.h"
#include "data/scale.h"
#include "data/walk.h"

/* The number of a window is found by halving: first among sources, then among blocks of a source's series, then one by one.
 * A number for each series would be the largest thing in memory, and to make it would be most of the time to open. */
enum { SERIES_BLOCK = 64 };

enum { READY_NOT, READY_COMPUTED, READY_FROM_INDEX };

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
    unsigned char *ready;                /* (series) READY_... */
};

/* The last i with first[i] <= x, of n; several may begin at the same number, and then only the last of them has any. */
int64_t last_at_or_before(const int64_t *first, int64_t n, int64_t x);
/* Zeroed memory that the system hands out page by page on first touch: what is never asked for is never held. */
void   *zeroed(int64_t n, size_t size, Err *e);
int     dataset_open_sources(Dataset *d, const char *cache_dir, const Events *to, Err *e);      /* those of d->walk */
void    dataset_keep(Dataset *d);        /* what was computed goes to the indexes */
int64_t windows_of(const Dataset *d, int64_t points);       /* of a series */

#endif
