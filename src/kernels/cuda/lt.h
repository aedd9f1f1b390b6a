/* lt.h - dense products by cuBLASLt, which is loaded when a device is opened. A shape keeps its algorithm. */
#ifndef KERNELS_CUDA_LT_H
#define KERNELS_CUDA_LT_H

#include <stddef.h>

#include "kernels/backend.h"

typedef struct Lt Lt;

/* y (n,m) row-major (=|+=) a x b, over k: a (n,k), or (k,n) if ta; b (m,k) if tb, or (k,m). Leading dimensions in numbers. */
typedef struct LtProduct {
    int n, m, k, ta, tb;
    const void *a, *b; void *y;
    int lda, ldb, ldy;
    Dtype in, out;                       /* of a and b; of y */
    const float *bias;                   /* (m), or NULL */
    Acc acc;
} LtProduct;

Lt  *lt_open(void *stream, Err *e);      /* NULL: the library is not there, and why */
int  lt_wanted(void);                    /* FTS_CUBLAS=no: all products are our own */
void lt_close(Lt *lt);                   /* NULL is fine */
int  lt_product(Lt *lt, const LtProduct *p);     /* 0: done; -1: not this shape, make it yourself */
int  lt_rounds(const Lt *lt);            /* how often a product is made before its algorithm is settled, as a rule */
const char *lt_text(const Lt *lt);       /* "cuBLASLt 13.1.0" */
enum { LT_WORKSPACE = 64 << 20 };

#endif
