/* loader.h - batches made ahead of time by threads, handed out in order.
 *
 * The content of a batch follows from its number alone, so neither the number of workers nor timing
 * changes a bit. Workers take whole batches; the ring is bounded, so memory is known before. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/order.h"
#include "util/spans.h"

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
/* From now on batches and waits for room are told to lanes first, first + 1, ... of spans, one a worker, and summed up; NULL: no more, and
 * what still waits is told. spans lives until then. */
void loader_watch(Loader *l, Spans *spans, int first);
int  loader_workers(const Loader *l);                      /* threads that were started */
typedef struct LoaderTime { double read, normalise, busy; } LoaderTime;      /* seconds of all workers; busy: with making batches, the first two included */
LoaderTime loader_time(Loader *l);                         /* since loader_watch() */
void loader_close(Loader *l);                              /* at any time; joins the workers */
int64_t loader_bytes(const Stream *s, int prefetch);       /* what the ring takes: for the memory plan */

#endif
