/* blas.h - the products that a BLAS makes, row-major, on the calling thread only. */
#ifndef KERNELS_CPU_BLAS_H
#define KERNELS_CPU_BLAS_H

#include <stddef.h>

/* C (m,n) = op(A) op(B) + beta C, k the inner size; empty sizes are fine. beta 0 overwrites, whatever C held. */
void blas_nt(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);    /* A (m,k)  B (n,k) */
void blas_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);    /* A (m,k)  B (k,n) */
void blas_tn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);    /* A (k,m)  B (k,n) */

void blas_open(void);                /* one thread per call from now on: the loops around the products are parallel */
int  blas_text(char *text, size_t size);   /* "OpenBLAS 0.3.21 Zen": length as snprintf */

#endif
