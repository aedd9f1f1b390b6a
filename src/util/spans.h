/* spans.h - what happened when: spans of time on lanes, one lane a thread, written as a Chrome trace that Perfetto opens.
 *
 * Memory is there before anything is recorded; what no longer fits is counted, not kept. A lane belongs to one thread at a
 * time: who shares one, or reads it while it grows, has a lock of his own. */
#ifndef UTIL_SPANS_H
#define UTIL_SPANS_H

#include <stdint.h>

#include "util/err.h"

enum { SPAN_ARGS = 4 };
typedef enum { SPAN_PART, SPAN_OP, SPAN_BATCH, SPAN_WAIT } SpanKind;      /* what their args mean: see spans.c */

typedef struct Span {
    const char *name;                  /* lives as long as the program */
    int         number;                /* part of the name, "layer 3"; -1: none */
    SpanKind    kind;
    double      from, took;            /* seconds on the clock of machine_seconds() */
    double      arg[SPAN_ARGS];
} Span;

typedef struct Lane { char name[32]; Span *span; int n, cap; int64_t lost; } Lane;   /* span (cap): owned */
typedef struct Spans { Lane *lane; int nlane; double start; } Spans;               /* start: nothing begins before it */

int  spans_open(Spans *s, int lanes, int first, int others, Err *e);               /* room of the first lane, and of each other one */
void spans_close(Spans *s);                                                        /* zeroed is fine */
void spans_add(Spans *s, int lane, const Span *x);                                 /* a span that ended: cut at s->start */
int64_t spans_lost(const Spans *s);

/* The trace as a file. `process` is its title. Spans of a lane lie one behind the other or one inside the other. */
int  spans_write(Spans *s, const char *process, const char *path, Err *e);

#endif
