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

int perf_measure_copy(double *rate, Par *par, Err *e)
{
    size_t bytes = (size_t)PIECE * PIECES;
    Copy c = {malloc(bytes), malloc(bytes)};
    *rate = 0;
    if (c.from && c.to) memset(c.from, 1, bytes);
    for (int i = 0; c.from && c.to && i <= TRIES; i++) {    /* the first one finds its pages */
        double from = machine_seconds();
        par_for(par, PIECES, copy_piece, &c);
        double now = 2.0 * (double)bytes / (machine_seconds() - from);
        if (i && now > *rate) *rate = now;
    }
    int bad = !c.from || !c.to ? err_nomem(e, 2 * bytes, "a measurement") : 0;
    free(c.from);
    free(c.to);
    return bad;
}
