/* loader.h - batches made ahead of time by threads, handed out in order.
 *
 * The content of a batch follows from its number alone, so neither the number of workers nor timing
 * changes a bit. Workers take whole batches; the ring is bounded, so memory is known before. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/order.h"

typedef struct Batch {                 /* one whole optimizer step, host memory of the loader */
    float  *points;                    /* scaled and finite; segment i is points[pt[i] .. +npt[i]) */
    int    *pt, *npt;                  /* (nseg) */
    Origin *origin;                    /* (nseg) */
    int     nseg;
    int64_t npoints;                   /* all points of all segments */
    int64_t number, windows, cut;      /* batch number; windows taken; pieces too short and dropped */
} Batch;

typedef struct Loader Loader;

/* First batch is number `first`. workers >= 1 threads at nice 5; a ring of prefetch + 1 batches. */
int  loader_open(Loader **l, const Stream *s, int64_t first, int workers, int prefetch, Err *e);
int  loader_next(Loader *l, const Batch **b, Err *e);      /* waits; *b NULL past the end of the stream. Valid until the next call */
void loader_close(Loader *l);                              /* at any time; joins the workers */
int64_t loader_bytes(const Stream *s, int prefetch);       /* what the ring takes: for the memory plan */

#endif
