/* cublasLt.c - in the place of cuBLASLt: descriptors keep what they are told, products are plain loops. It adds no bias to bf16 results, as
 * some shapes of the library do not. Six algorithms: how long each takes shows in the device's clock, what its bits are in the result. */
#include <cublasLt.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libraries.h"
#include "util/num.h"

int emu_lt_made[8];                      /* products by each algorithm, for tests to look at */
int emu_lt_missing;                      /* set by a test: the library is not there */
extern long long emu_busy;               /* cuda_runtime.h */
void emu_enqueue(void *stream, void (*work)(void *job), void *job, size_t bytes);        /* emu.cpp */

/* off: by one unit of fp32, as another order of summing may be. */
typedef struct Way { int ms, off, fails; } Way;
static const Way ways[] = {{100, 0, 0}, {150, 0, 0}, {50, 1, 0}, {80, 0, 0}, {60, 0, 1}, {79, 0, 0}};
enum { WAYS = sizeof ways / sizeof *ways };

size_t cublasLtGetVersion(void) { return 130100; }
static cublasStatus_t made(void *p) { return p ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED; }
static cublasStatus_t freed(void *p)
{
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t *h) { return made(*h = malloc(1)); }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t h) { return freed(h); }
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { return freed(d); }
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) { return freed(l); }
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *w) { return made(*w = calloc(1, sizeof **w)); }
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t w) { return freed(w); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute, cudaDataType scale)
{
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (made(*d = malloc(sizeof **d))) return CUBLAS_STATUS_ALLOC_FAILED;
    **d = (struct EmuLtDesc){.end = CUBLASLT_EPILOGUE_DEFAULT};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)
{
    if (!rows || !cols || ld < (int64_t)rows) return CUBLAS_STATUS_INVALID_VALUE;
    if (made(*l = malloc(sizeof **l))) return CUBLAS_STATUS_ALLOC_FAILED;
    **l = (struct EmuLtLayout){type, rows, cols, ld};
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t put(void *to, size_t size, const void *p, size_t n)
{
    if (n != size) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, p, n);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, const void *p, size_t n)
{
    cudaDataType type;
    switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return put(&d->a, sizeof d->a, p, n);
    case CUBLASLT_MATMUL_DESC_TRANSB: return put(&d->b, sizeof d->b, p, n);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return put(&d->end, sizeof d->end, p, n);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return put(&d->bias, sizeof d->bias, p, n);
    default: return put(&type, sizeof type, p, n) || type != CUDA_R_32F ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
    }
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t w, cublasLtMatmulPreferenceAttributes_t name, const void *p, size_t n)
{
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return put(&w->room, sizeof w->room, p, n);
    if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return put(&w->reductions, sizeof w->reductions, p, n);
    return put(&w->aligned[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], sizeof *w->aligned, p, n);
}

/* Numbers of a sum; 0: shapes do not go together. */
static uint64_t depth(const struct EmuLtDesc *d, const struct EmuLtLayout *a, const struct EmuLtLayout *b, const struct EmuLtLayout *y)
{
    uint64_t k = d->a ? a->rows : a->cols;
    int fits = k == (d->b ? b->cols : b->rows) && y->rows == (d->a ? a->cols : a->rows) && y->cols == (d->b ? b->rows : b->cols) && a->type == b->type;
    return fits ? k : 0;
}

/* Algorithms need 16 bytes a row and no more room than they are given, which their product checks again. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t y, cublasLtMatmulPreference_t w, int most, cublasLtMatmulHeuristicResult_t *r, int *n)
{
    *n = 0;
    if (!h || !depth(d, a, b, y) || c != y || (w->reductions & CUBLASLT_REDUCTION_SCHEME_INPLACE)) return CUBLAS_STATUS_INVALID_VALUE;
    for (int i = 0; i < 4; i++)
        if (w->aligned[i] != 16) return CUBLAS_STATUS_INVALID_VALUE;
    if (d->end == CUBLASLT_EPILOGUE_BIAS && y->type == CUDA_R_16BF) return CUBLAS_STATUS_NOT_SUPPORTED;
    for (; *n < WAYS && *n < most; ++*n)
        r[*n] = (cublasLtMatmulHeuristicResult_t){.algo = {{(uint64_t)*n, w->room}}, .workspaceSize = w->room};
    return CUBLAS_STATUS_SUCCESS;
}

static float number(const void *p, cudaDataType type, size_t i) { return type == CUDA_R_16BF ? bf16_to_f32(((const bf16 *)p)[i]) : ((const float *)p)[i]; }

/* A product on its way: operands, and how far apart the numbers of a sum, and the sums, lie in them. */
typedef struct Product {
    const void *a, *b, *bias;
    void *y;
    cudaDataType in, out;
    size_t k, rows, cols, ld, step_a, step_b, next_a, next_b;
    float scale, more;
    Way way;
} Product;

static float sum_of(const Product *p, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < p->k; i++, a += p->step_a, b += p->step_b) sum += (double)number(p->a, p->in, a) * (double)number(p->b, p->in, b);
    return (float)sum;
}

static void multiply(void *job)
{
    const Product *p = job;
    for (size_t j = 0; j < (p->way.fails ? 1 : p->cols); j++)            /* some of it is done */
        for (size_t i = 0; i < p->rows; i++) {
            size_t at = i + j * p->ld;
            float x = sum_of(p, i * p->next_a, j * p->next_b);
            if (p->way.off && x != 0) x = nextafterf(x, INFINITY);
            double z = (double)p->scale * (double)x + (p->more != 0 ? (double)p->more * (double)number(p->y, p->out, at) : 0) + (p->bias ? (double)number(p->bias, CUDA_R_32F, i) : 0);
            if (p->out == CUDA_R_16BF) ((bf16 *)p->y)[at] = f32_to_bf16((float)z);
            else ((float *)p->y)[at] = (float)z;
        }
    emu_busy += (long long)p->way.ms * 1000000;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t d, const void *alpha, const void *a, cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb,
    const void *beta, const void *c, cublasLtMatrixLayout_t lc, void *y, cublasLtMatrixLayout_t ly, const cublasLtMatmulAlgo_t *algo, void *room, size_t size, void *stream)
{
    size_t ra = (size_t)la->ld, rb = (size_t)lb->ld;
    Product p = {.a = a, .b = b, .bias = d->end == CUBLASLT_EPILOGUE_BIAS ? d->bias : NULL, .y = y, .in = la->type, .out = ly->type, .k = depth(d, la, lb, ly),
                 .rows = ly->rows, .cols = ly->cols, .ld = (size_t)ly->ld, .step_a = d->a ? 1 : ra, .next_a = d->a ? ra : 1, .step_b = d->b ? rb : 1,
                 .next_b = d->b ? 1 : rb, .scale = *(const float *)alpha, .more = *(const float *)beta, .way = ways[algo->data[0]]};
    if (!h || !p.k || c != y || lc != ly || !room || size < algo->data[1]) return CUBLAS_STATUS_INVALID_VALUE;
    emu_lt_made[algo->data[0]]++;
    emu_enqueue(stream, multiply, &p, sizeof p);
    return p.way.fails ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

static const Function all[] = {
#define X(f) {"cublasLt" #f, (void (*)(void))cublasLt##f},
    X(Create) X(Destroy) X(GetVersion) X(Matmul) X(MatmulAlgoGetHeuristic) X(MatmulDescCreate) X(MatmulDescDestroy) X(MatmulDescSetAttribute)
    X(MatrixLayoutCreate) X(MatrixLayoutDestroy) X(MatmulPreferenceCreate) X(MatmulPreferenceDestroy) X(MatmulPreferenceSetAttribute)
#undef X
    {0}};
const Library emu_cublaslt = {"libcublasLt.so.13", all, &emu_lt_missing};
