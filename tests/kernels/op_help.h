/* op_help.h - how an op is tested. A test makes a Rig (inputs, outputs between canaries), says in a Formula what the op
 * should give and how large the summed terms are, and rig_check() then runs the op:
 *     the reference against the formula; every tier this CPU has, and the CUDA kernels in an emulator, against the reference; each
 *     of them twice, with one and two threads, and in two micro-batches, which must give the same bits. Scratch memory is full of
 *     garbage each time. To the emulator two threads mean that those of a block run in the opposite order. */
#ifndef OP_HELP_H
#define OP_HELP_H

#include "kernels/backend.h"
#include "test.h"
#include "util/num.h"

#if defined __SANITIZE_ADDRESS__
enum { FENCE = 0 };                                     /* bytes on either side of what a rig gives: the sanitizer has its own, and sees what is read there, too */
#else
enum { FENCE = 64 };
#endif
enum { SEGS = 16, BUFS = 48, OUTS = 8, TIERS = 9 };

typedef struct Case { Input in; Seg seg[SEGS]; int chunk[SEGS + 1]; } Case;

/* An output, as rows of numbers of some kind: 'f' fp32, 'b' bf16, 'd' double, 'i' int, 'l' int64. */
typedef struct Out {
    const char *name;
    void  *p;
    char   kind;
    int    rows, cols, ld;
    int    K;                            /* numbers in a sum; 0: exact */
    int    whole;                        /* its rows are numbered by the micro-batch: not compared in pieces */
    double u;                            /* unit of the rounding: 2^-24 unless the test says another */
    double steps;                        /* bf16, a tier against the reference: part of the terms, for what lies between two products and is rounded another way */
    double *want, *terms;                /* (rows, cols): by the formula: the value, and the sum of its terms' absolute values */
    unsigned char *first, *got;          /* its bytes before and after a run */
} Out;

typedef struct Rig {
    Case   c;
    Dims   dims;                         /* the test fills in what its op needs; tokens, chunks, longest are there */
    Dtype  type;
    int    pad;                          /* ld - cols of every Mat */
    int    serial;                       /* of the random numbers */
    int    thin;                         /* the emulator takes one case in so many, by their serial number; 0: all */
    struct { unsigned char *p; size_t n; } buf[BUFS];
    Mat    mat[BUFS];
    Out    out[OUTS];
    int    nbuf, nmat, nout;
} Rig;

typedef void Run(void *job, Backend *b, const Input *in, int at);      /* the op on a micro-batch whose first token is `at` */
typedef void Formula(void *job, Rig *r);                               /* fills want and terms of every Out */

/* Tokens per segment; 0 ends a chunk, -1 the list. Without the large ones: nsmall of them. */
extern const int *const shapes[];
extern const int nshapes, nsmall;

void rig_open(Rig *r, const int *shape, int P, int S, Dtype type, int pad);
void rig_close(Rig *r);
void *rig_mem(Rig *r, size_t bytes);                                   /* garbage, between canaries */
float *rig_floats(Rig *r, size_t n, double mean, double scale);        /* normal numbers, multiples of 2^-10 */
Mat   rig_mat(Rig *r, int rows, int cols, Dtype type, double scale);   /* scale 0: garbage */
Weight rig_weight(Rig *r, int groups, int out, int in, double scale);  /* with a gradient that is not zero */
Vec   rig_vec(Rig *r, int n, double mean, double scale);
Out  *rig_out(Rig *r, const char *name, char kind, void *p, int rows, int cols, int ld, int K);    /* after it has its first content */
Out  *rig_out_mat(Rig *r, const char *name, Mat m, int K);
void  rig_check(Rig *r, Run *run, Formula *formula, void *job);
int   rig_intact(const Rig *r);                                        /* canaries and the numbers between rows */

Mat    mat_at_row(Mat m, int row);
float  at(Mat m, int r, int c);
void   put(Mat m, int r, int c, double x);
double rounding(const Rig *r, double x);                               /* x as a bf16 run rounds it, in an fp32 run x */
void   say(Out *o, int r, int c, double want, double terms);
void   say_more(Out *o, int r, int c, double x, double terms);         /* adds to both */
double silu_of(double x);
double slope_of_silu(double x);                                        /* at most 1.1, its own slope at most 0.5 */
const Seg *segment_of(const Input *in, int tok);

/* c u sqrt(K) terms, c = 4: what sums of K rounded numbers may differ by; one step of bf16 more if the result is stored so. */
double op_tolerance(double u, int K, double terms, char kind, double value);

/* Tokens given to experts: at random, or all of them to the first K ones. prob and the shared scale are random, rows are sorted
 * by a plain search. E, K = 0: only the shared rows. */
Route rig_route(Rig *r, int E, int K, int crowd);
void  route_sort(Route *r, const Input *in);                           /* start, count, token, row, routed.scale from expert and prob */
int   routes(int i, int *E, int *K);                                   /* the i-th shape of routing to test; 0 past the last */
/* The rows of a micro-batch whose first token is `tok`. Row numbers are its own, so what lies in rows is fetched and returned. */
typedef struct Part { Route r; int *from; } Part;                      /* from: row -> row of all; NULL: it is all */
void  part_open(Part *p, const Route *all, const Input *in, int tok);
void  part_close(Part *p);
Mat   part_rows(const Part *p, Mat all, int fetch);                    /* rows of their own, or all itself */
void  part_return(const Part *p, Mat rows, Mat all);                   /* writes them back and frees them */

/* Products by Hopper's instructions (test_wgmma_ask()) read copies of weights and rows of whole runs of eight numbers: so rows are padded by 0 or 8 then,
 * else by 0, 1 or 2; and the op that is run next has copies of w (n <= 3), whose memory is the rig's. */
int   rig_pad(int serial);
void  rig_copies(Backend *b, const Weight *const *w, int n);

/* A backend for a tier, its scratch memory fenced; NULL if this CPU lacks the tier, or the tier the type. Some exist in tests only:
 * "wide" has vectors of 16, "tiles" and "dots" have products by AMX and by AVX512-BF16 in plain C; "cuda" is the kernels in the emulator. */
Backend *tier_open(const char *tier, Dtype type, int threads, const Dims *d);
int      tier_close(Backend *b);                                       /* 0 if something was written behind the scratch memory */
void     tier_soil(Backend *b, int byte);
extern const char *const tier_names[TIERS];                            /* "cuda" last */
int      tier_has(int tier, Dtype type);                               /* some are for bf16 alone */
void     wide_override(Ops *o, Dtype type);
size_t   wide_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
void     tiles_override(Ops *o, Dtype type);
size_t   tiles_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
void     dots_override(Ops *o, Dtype type);
size_t   dots_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);

/* grad against central differences of f over p: five points, h = 2^-4, so the error is h^4/30 of the fifth derivative (5e-7 of
 * functions whose derivatives are about 1) and 1.5/h = 24 times the rounding of f, a sum of fp32 numbers (1e-6 of its size). */
typedef double Scalar(void *job);
void slopes_check(const char *what, float *p, const float *grad, size_t n, Scalar *f, void *job, double tolerance);

#endif
