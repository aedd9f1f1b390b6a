/* lt.c - see lt.h. The library is loaded by name, so that a build with CUDA starts on machines without it.
 *
 * The algorithm is the first that the library's own rule offers: it follows from shape, device and version alone, so a run
 * that is resumed computes the same bits. One that was timed would not. */
#include "kernels/cuda/lt.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every function of the library that is used. */
#define FUNCTIONS(X) X(Create) X(Destroy) X(GetVersion) X(Matmul) X(MatmulAlgoGetHeuristic) X(MatmulDescCreate) X(MatmulDescDestroy) X(MatmulDescSetAttribute) \
                     X(MatrixLayoutCreate) X(MatrixLayoutDestroy) X(MatmulPreferenceCreate) X(MatmulPreferenceDestroy) X(MatmulPreferenceSetAttribute)

typedef struct Functions {
#define X(name) __typeof__(&cublasLt##name) name;
    FUNCTIONS(X)
#undef X
} Functions;

/* What a shape needs again and again. found 0: the library has no algorithm for it. */
typedef struct Known { LtProduct shape; int used, found, with_bias; cublasLtMatmulDesc_t what; cublasLtMatrixLayout_t a, b, y; cublasLtMatmulAlgo_t algo; } Known;
enum { KNOWN = 128 };

struct Lt {
    void *library;
    Functions f;
    cublasLtHandle_t handle;
    cudaStream_t stream;                 /* not owned */
    void *workspace;
    char text[48];
    Known known[KNOWN];
    int next;                            /* the place that is given up for a new shape */
};

int lt_wanted(void)
{
    const char *set = getenv("FTS_CUBLAS");
    return !(set && !strcmp(set, "no"));
}

static int load(Lt *lt, Err *e)
{
    lt->library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!lt->library)
        return err_set(e, FTS_DEVICE, "--device cuda: libcublasLt.so.13 was not found: install cuBLAS of CUDA 13 or name its folder in LD_LIBRARY_PATH; FTS_CUBLAS=no does without it, slower");
#define X(name) { void *p = dlsym(lt->library, "cublasLt" #name); memcpy(&lt->f.name, &p, sizeof p); if (!p) return err_set(e, FTS_DEVICE, "--device cuda: libcublasLt.so.13 lacks cublasLt" #name); }
    FUNCTIONS(X)
#undef X
    return 0;
}

Lt *lt_open(void *stream, Err *e)
{
    Lt *lt = calloc(1, sizeof *lt);
    if (!lt) { err_nomem(e, sizeof *lt, "cuBLASLt"); return NULL; }
    lt->stream = stream;
    int bad = load(lt, e);
    if (!bad && lt->f.Create(&lt->handle) != CUBLAS_STATUS_SUCCESS) bad = err_set(e, FTS_DEVICE, "--device cuda: cuBLASLt cannot be used on this device");
    if (!bad && cudaMalloc(&lt->workspace, LT_WORKSPACE) != cudaSuccess) bad = err_nomem(e, LT_WORKSPACE, "the workspace of products");
    if (bad) {
        lt_close(lt);
        return NULL;
    }
    size_t v = lt->f.GetVersion();
    snprintf(lt->text, sizeof lt->text, "cuBLASLt %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    return lt;
}

static void forget(Lt *lt, Known *k)
{
    if (k->what) lt->f.MatmulDescDestroy(k->what);
    if (k->a) lt->f.MatrixLayoutDestroy(k->a);
    if (k->b) lt->f.MatrixLayoutDestroy(k->b);
    if (k->y) lt->f.MatrixLayoutDestroy(k->y);
    *k = (Known){0};
}

void lt_close(Lt *lt)
{
    if (!lt) return;
    for (int i = 0; i < KNOWN; i++) forget(lt, &lt->known[i]);
    if (lt->workspace) cudaFree(lt->workspace);
    if (lt->handle) lt->f.Destroy(lt->handle);
    if (lt->library) dlclose(lt->library);
    free(lt);
}

const char *lt_text(const Lt *lt) { return lt->text; }

static cudaDataType type_of(Dtype t) { return t == F32 ? CUDA_R_32F : CUDA_R_16BF; }

/* To the library, which counts rows along columns, y is y^T = b^T a^T: its first operand is our b, and a matrix of ours is already turned. */
static int describe(Lt *lt, Known *k)
{
    const LtProduct *p = &k->shape;
    cublasOperation_t first = p->tb ? CUBLAS_OP_T : CUBLAS_OP_N, second = p->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t add = CUBLASLT_EPILOGUE_BIAS;
    cudaDataType bias = CUDA_R_32F;
    int n = p->n, m = p->m, d = p->k;
    int bad = lt->f.MatmulDescCreate(&k->what, CUBLAS_COMPUTE_32F, CUDA_R_32F)
        || lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first)
        || lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second)
        || lt->f.MatrixLayoutCreate(&k->b, type_of(p->in), (uint64_t)(p->tb ? d : m), (uint64_t)(p->tb ? m : d), p->ldb)
        || lt->f.MatrixLayoutCreate(&k->a, type_of(p->in), (uint64_t)(p->ta ? n : d), (uint64_t)(p->ta ? d : n), p->lda)
        || lt->f.MatrixLayoutCreate(&k->y, type_of(p->out), (uint64_t)m, (uint64_t)n, p->ldy);
    if (!bad && k->with_bias)
        bad = lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_EPILOGUE, &add, sizeof add)
           || lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias, sizeof bias);
    return bad ? -1 : 0;
}

/* Sums that are split are added in fp32 in the workspace: each kernel then gives the same bits each time. */
static void choose(Lt *lt, Known *k)
{
    cublasLtMatmulPreference_t wish;
    cublasLtMatmulHeuristicResult_t r;
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    size_t room = LT_WORKSPACE;
    uint32_t aligned = 16;               /* what a view of a matrix, or a parameter behind others, keeps to */
    int n = 0;
    if (lt->f.MatmulPreferenceCreate(&wish) != CUBLAS_STATUS_SUCCESS) return;
    int bad = lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulAlgoGetHeuristic(lt->handle, k->what, k->b, k->a, k->y, k->y, wish, 1, &r, &n);
    k->found = !bad && n == 1 && r.state == CUBLAS_STATUS_SUCCESS;
    if (k->found) k->algo = r.algo;
    lt->f.MatmulPreferenceDestroy(wish);
}

static int same(const Known *k, const LtProduct *p)
{
    const LtProduct *s = &k->shape;
    return k->used && s->n == p->n && s->m == p->m && s->k == p->k && s->ta == p->ta && s->tb == p->tb && s->lda == p->lda && s->ldb == p->ldb && s->ldy == p->ldy
        && s->in == p->in && s->out == p->out && s->acc == p->acc && k->with_bias == (p->bias != NULL);
}

static Known *find(Lt *lt, const LtProduct *p)
{
    for (int i = 0; i < KNOWN; i++)
        if (same(&lt->known[i], p)) return &lt->known[i];
    Known *k = &lt->known[lt->next++ % KNOWN];
    forget(lt, k);
    *k = (Known){.shape = *p, .used = 1, .with_bias = p->bias != NULL};
    if (!describe(lt, k)) choose(lt, k);
    return k;
}

int lt_product(Lt *lt, const LtProduct *p)
{
    const float one = 1, more = p->acc == ADD ? 1 : 0;
    if (!p->n || !p->m || !p->k) return -1;
    Known *k = find(lt, p);
    if (!k->found) return -1;
    if (k->with_bias && lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias)) return -1;
    return lt->f.Matmul(lt->handle, k->what, &one, p->b, k->b, p->a, k->a, &more, p->y, k->y, p->y, k->y, &k->algo, lt->workspace, LT_WORKSPACE, lt->stream) ? -1 : 0;
}
