/* feed.h - a Batch becomes chunks, counts and micro-batches: the one place that knows both a Batch and an Input.
 *
 *     feed_batch(&f, batch, &e);                        counts of the whole step, before anything is computed
 *     while (feed_next(&f, &in, &first)) ...            the inputs of its micro-batches, in order
 *
 * Chunks are whole segments until at least CHUNK tokens: they follow from the step alone. A micro-batch is a run
 * of whole chunks, so neither memory nor --micro-batch-size changes what is added to what, nor in which order. */
#ifndef TRAIN_FEED_H
#define TRAIN_FEED_H

#include "data/loader.h"
#include "model/model.h"

typedef struct Feed {
    const ModelConfig *c;
    int     cap_tokens;                 /* of a micro-batch; at least CHUNK - 1 + the longest segment */
    int64_t windows;                    /* close a micro-batch at so many segments, 0: at cap_tokens only. A window cut at gaps counts as its pieces */
    const Batch *batch;                 /* of the last feed_batch(), not owned */
    int64_t tokens, targets;            /* of the whole step; targets: over all horizons */
    int64_t valid[MAX_HORIZONS];        /* targets of each horizon */
    double  pairs;                      /* causal (query, key) pairs */
    Seg    *seg;                        /* (nseg); tok counts from the first token of the micro-batch taken last; owned */
    int    *first;                      /* (nchunk+1) first segment of each chunk; owned */
    int64_t *at;                        /* (nchunk+1) first token of each chunk in the step; owned */
    int    *start;                      /* (nchunk+1) chunk offsets of the micro-batch taken last; owned */
    int     cap, nchunk, next;          /* room for segments; chunks of the step; the next one to be taken */
} Feed;

void feed_init(Feed *f, const ModelConfig *c, int cap_tokens, int64_t windows);
void feed_free(Feed *f);                                          /* zeroed is fine */
int  feed_batch(Feed *f, const Batch *b, Err *e);                 /* b must live until its last micro-batch is computed */
int  feed_next(Feed *f, Input *in, int *first_segment);           /* 0: the step is complete. in is valid until the next call */

/* Sizes that follow from the shape alone. */
int64_t feed_window_tokens(const ModelConfig *c, int64_t points); /* most tokens of a window, however its gaps cut it */
static inline int feed_chunks(int tokens) { return tokens / CHUNK + 1; }     /* most chunks of a micro-batch */

#endif
