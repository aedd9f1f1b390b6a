/* synth_mix.h - TSMixup (Ansari et al. 2024, algorithm 1): a series is a weighted sum of windows of one to three series that are there. */
#ifndef DATA_SYNTH_MIX_H
#define DATA_SYNTH_MIX_H

#include <stdint.h>

#include "data/dataset.h"

enum { MIX_MAX = 3 };

typedef struct Mix {
    Dataset *data;              /* owned */
    int64_t  length;
    int      nsource;           /* sources with a series that is long enough */
    int     *source;            /* owned, (nsource) their numbers in data */
    int64_t *first;             /* owned, (nsource + 1) where the series of each begin in `series` */
    int64_t *series;            /* owned, (first[nsource]) numbers, within their source, of series of at least `length` points */
} Mix;

typedef struct MixPart { int source; int64_t series, at; double weight; } MixPart;     /* points [at, at + length) of a series of data */

/* Opens what is to be mixed; events as dataset_open sends them. Refuses data of which no series has `length` points. */
int  mix_open(Mix *m, const OptList *paths, int64_t length, const Events *to, Err *e);
void mix_close(Mix *m);                                                    /* zeroed or failed is fine */

/* A key is a random number for each series. Same key and data, same result. Parts: a dataset, then a series of it, then a place, each
 * with equal chances; weights from a Dirichlet distribution of parameter 1.5. Returns how many. */
int  mix_draw(const Mix *m, uint64_t key, MixPart part[MIX_MAX]);
/* The sum, each part divided by the mean magnitude of its points. A point missing in one part is missing in the sum. out: (length) */
int  mix_series(const Mix *m, uint64_t key, float *out, Err *e);

#endif
