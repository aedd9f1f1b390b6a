/* blas_sgemm.c - the one file that sees the BLAS. */
#include "kernels/cpu/blas.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, const int s[3], const float *a, int lda, const float *b, int ldb,
                    float beta, float *c, int ldc)
{
    if (s[0] > 0 && s[1] > 0)
        cblas_sgemm(CblasRowMajor, ta, tb, s[0], s[1], s[2], 1, a, lda, b, ldb, beta, c, ldc);
}

void blas_nt(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    product(CblasNoTrans, CblasTrans, (int[]){m, n, k}, a, lda, b, ldb, beta, c, ldc);
}

void blas_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    product(CblasNoTrans, CblasNoTrans, (int[]){m, n, k}, a, lda, b, ldb, beta, c, ldc);
}

void blas_tn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    product(CblasTrans, CblasNoTrans, (int[]){m, n, k}, a, lda, b, ldb, beta, c, ldc);
}

void blas_open(void) { openblas_set_num_threads(1); }

int blas_text(char *text, size_t size)
{
    const char *config = openblas_get_config();          /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
    int n = (int)strcspn(config, " ");
    if (config[n]) n += 1 + (int)strcspn(config + n + 1, " ");
    return snprintf(text, size, "%.*s %s", n, config, openblas_get_corename());
}
