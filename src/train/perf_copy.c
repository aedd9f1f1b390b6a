/* perf_copy.c - what memory gives: the other peak beside that of arithmetic, for ops that move more than they compute. */
#include <stdlib.h>
#include <string.h>

#include "train/perf.h"
#include "util/machine.h"

enum { PIECE = 1 << 20, PIECES = 32, TRIES = 4 };           /* 32 MB to 32 MB: larger than what a core's share of the caches holds */

typedef struct Copy { char *from, *to; } Copy;

static void copy_piece(void *arg, int i, int worker)
{
    const Copy *c = arg;
    (void)worker;
    memcpy(c->to + (size_t)i * PIECE, c->from + (size_t)i * PIECE, PIECE);
}

/* A part of the memory that is larger than caches, and is there beside a run that takes its share. */
static int copy_on_device(double *rate, Backend *b, Err *e)
{
    size_t bytes = (size_t)backend_memory(b) / 512;
    void *x = NULL, *y = NULL;
    int bad = backend_alloc(b, bytes, &x, "a measurement", e) || backend_alloc(b, bytes, &y, "a measurement", e) || backend_sync(b, e);
    for (int i = 0; !bad && i <= TRIES; i++) {
        double from = machine_seconds();
        b->device->copy(b, y, x, bytes);
        bad = backend_sync(b, e);
        double now = 2.0 * (double)bytes / (machine_seconds() - from);
        if (i && now > *rate) *rate = now;
    }
    backend_free(b, x, bytes);
    backend_free(b, y, bytes);
    return bad;
}

int perf_measure_copy(double *rate, Backend *b, Err *e)
{
    *rate = 0;
    if (b->device->copy) return copy_on_device(rate, b, e);
    size_t bytes = (size_t)PIECE * PIECES;
    Copy c = {malloc(bytes), malloc(bytes)};
    if (c.from && c.to) memset(c.from, 1, bytes);
    for (int i = 0; c.from && c.to && i <= TRIES; i++) {    /* the first one finds its pages */
        double from = machine_seconds();
        par_for(b->par, PIECES, copy_piece, &c);
        double now = 2.0 * (double)bytes / (machine_seconds() - from);
        if (i && now > *rate) *rate = now;
    }
    int bad = !c.from || !c.to ? err_nomem(e, 2 * bytes, "a measurement") : 0;
    free(c.from);
    free(c.to);
    return bad;
}
