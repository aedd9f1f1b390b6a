/* watch.h - which op took how long: a table of wrappers, made from ops.def, that stands in front of a backend's own.
 *
 * While it does, every call is timed, counted and kept as a span; before and after, the backend's own table is called
 * directly, so that a run without a profile pays nothing. Calls come from one thread. Where ops are only enqueued, the device's own clock is
 * read before and after each, in the order of the ops; it is waited for when nobody watches any more, or no more readings can be held. */
#ifndef KERNELS_WATCH_H
#define KERNELS_WATCH_H

#include "kernels/backend.h"
#include "util/spans.h"

#define OP(name, args, call) AT_##name,
enum {
#include "kernels/ops.def"
    NOPS
};
#undef OP

/* What one op has to do: operations (2 for each multiply-add), and the bytes it cannot but move, each number once. */
typedef struct Cost { double flops, bytes; } Cost;
typedef struct OpSum { int64_t calls; double seconds, flops, bytes; } OpSum;

/* An op (or, op -1, a part) whose time is between two marks that the device has yet to reach. */
typedef struct Ahead { const char *name; int op, number, from, to; double began; Cost cost; } Ahead;      /* began: on the host's clock */

struct Watch {
    Ops    inner;                        /* the backend's own */
    Spans *spans;                        /* not owned; lane 0 is that of the ops */
    OpSum  sum[NOPS];
    Ahead *ahead;                        /* (device->marks), owned, while it watches; NULL: the host's clock is asked */
    int    nahead, nmark;
    double zero;                         /* when the device reached mark 0, on the host's clock */
};

void watch_begin(Watch *w, Backend *b);                  /* w lives until watch_end(); sums go on from where they are */
void watch_end(Backend *b);                              /* fine if nobody watches */
void watch_part(const Backend *b, const char *name, int number, double from);      /* a part of the work ended, it began at `from`; only while watched */

#endif
