/* plan.h - book first, allocate once.
 *
 * Layers book named parameters before anything is allocated. A Param is a handle, never a pointer: the same
 * handle finds the value, its gradient and its two moments, which are four equal flat vectors. Booking order is
 * memory order, so a block of the model is one contiguous range. A stack (experts, q|k|v, heads) is one Param
 * with several names, because in the file it is several tensors. */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "kernels/backend.h"

typedef enum { INIT_NORMAL, INIT_ONE, INIT_ZERO } Init;

typedef struct Param { size_t at; int groups, out, in, full, entry; } Param;    /* floats from the start of the flat vector; in 0: a vector of `out`; entry: the first of its names */

typedef struct Entry {                   /* one tensor of the checkpoint file */
    char   name[128];
    size_t at;
    int    rows, cols;                   /* cols 0: one dimension */
    int    rounds;                       /* 1: of a matrix whose products round their operands in bf16 runs */
    int    grouped;                      /* 1: of a stack of several groups */
    int    whole;                        /* 1: the matrix of a group, which ops know to find in a mapped file, too */
    Init   init;
} Entry;

typedef struct Plan {
    Entry *entry;                        /* (n), in booking order; owned */
    int    n, cap, failed;
    size_t floats;                       /* length of the flat vector: every Param starts at a multiple of 16 */
} Plan;

Param plan_book(Plan *p, int groups, int out, int in, int full);                 /* memory of a stack; name its parts right after */
void  plan_name(Plan *p, const Param *whole, int first_row, int rows, Init init, const char *fmt, ...) __attribute__((format(printf, 6, 7)));   /* rows [first_row, +rows) of the stack, counted over all groups, are this tensor */
Param plan_matrix(Plan *p, int out, int in, int full, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
Param plan_vector(Plan *p, int n, Init init, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int   plan_ok(const Plan *p, Err *e);
int   plan_decay(const Plan *p, Range *r, int cap);                              /* weight decay applies to tensors of two dimensions: merged ranges, returns how many */
int   plan_rounded(const Plan *p, Range *r, int cap, int grouped);              /* likewise matrices whose products round; without grouped those of one group */
void  plan_free(Plan *p);

static inline Weight weight_of(const Flat *f, Param p)
{
    return (Weight){f->p + p.at, f->g ? f->g + p.at : NULL, p.groups, p.out, p.in, p.full, f->stored ? f->stored + p.entry : NULL};
}
static inline Vec vec_of(const Flat *f, Param p) { return (Vec){f->p + p.at, f->g ? f->g + p.at : NULL, p.out}; }

#endif
