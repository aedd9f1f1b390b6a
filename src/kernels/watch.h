/* watch.h - which op took how long: a table of wrappers, made from ops.def, that stands in front of a backend's own.
 *
 * While it does, every call is timed, counted and kept as a span; before and after, the backend's own table is called
 * directly, so that a run without a profile pays nothing. Calls come from one thread. */
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

struct Watch {
    Ops    inner;                        /* the backend's own */
    Spans *spans;                        /* not owned; lane 0 is that of the ops */
    OpSum  sum[NOPS];
};

void watch_begin(Watch *w, Backend *b);                  /* w lives until watch_end(); sums go on from where they are */
void watch_end(Backend *b);                              /* fine if nobody watches */
void watch_part(const Backend *b, const char *name, int number, double from);      /* a part of the work ended, it began at `from`; only while watched */

#endif
