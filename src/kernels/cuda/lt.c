/* lt.c - see lt.h. The library is loaded by name, so that a build with CUDA starts on machines without it.
 *
 * The library's own rule offers some algorithms for a shape. The first follows from shape, device and version alone, and its bits are
 * those of the product. A shape that comes again and again is tried once: the fastest of the algorithms that give these same bits is kept
 * (lt_tune.cu). So what was timed changes no bit, and a run that is resumed computes the same. FTS_CUBLAS_TUNE=no keeps the first. */
#include "kernels/cuda/lt.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/lt_tune.h"

/* Every function of the library that is used. */
#define FUNCTIONS(X) X(Create) X(Destroy) X(GetVersion) X(Matmul) X(MatmulAlgoGetHeuristic) X(MatmulDescCreate) X(MatmulDescDestroy) X(MatmulDescSetAttribute) \
                     X(MatrixLayoutCreate) X(MatrixLayoutDestroy) X(MatmulPreferenceCreate) X(MatmulPreferenceDestroy) X(MatmulPreferenceSetAttribute)

typedef struct Functions {
#define X(name) __typeof__(&cublasLt##name) name;
    FUNCTIONS(X)
#undef X
} Functions;

enum { KNOWN = 128, OFFERS = 16 };

/* What a shape needs again and again. */
typedef struct Known {
    LtProduct shape;                     /* with the operands of its first product */
    int used, with_bias, settled;        /* settled: there is nothing to try, or it has been tried */
    int64_t rounds, due;                 /* how often the first product has been made; when there is to be a trial */
    cublasLtMatmulDesc_t what;
    cublasLtMatrixLayout_t a, b, y;
    cublasLtMatmulAlgo_t algo[OFFERS];
    int n, kept;                         /* algorithms, 0: the library has none; the number of the one that is taken */
} Known;

/* A trial costs as much as some 150 products. Layers have products of one shape, so a shape has come again when the first one's weights have: then at
 * its third round, since ragged batches make many shapes that never come again; and no more trials than the products that were made are worth. */
enum { DUE = 3, FREE_TRIALS = 64, PRODUCTS_OF_A_TRIAL = 10000 };
enum { FEWEST = 256 };                   /* numbers of a result: fewer could agree by chance */
enum { ALGORITHM_ROOM = LT_WORKSPACE / 2 };     /* the rest is for trials, so that algorithms have the same room with and without */

struct Lt {
    void *library;
    Functions f;
    cublasLtHandle_t handle;
    cudaStream_t stream;                 /* not owned */
    void *workspace;
    char text[48];
    int tune;
    int64_t products, trials;
    Known known[KNOWN];
    int next;                            /* the place that is given up for a new shape */
};

int lt_wanted(void)
{
    const char *set = getenv("FTS_CUBLAS");
    return !(set && !strcmp(set, "no"));
}

static int tune_wanted(void)
{
    const char *set = getenv("FTS_CUBLAS_TUNE");
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
    lt->tune = tune_wanted();
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

int lt_rounds(const Lt *lt) { return lt->tune ? DUE : 1; }
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

static void keep_offers(Known *k, const cublasLtMatmulHeuristicResult_t *offer, int n)
{
    for (int i = 0; i < n && i < OFFERS; i++)
        if (offer[i].state == CUBLAS_STATUS_SUCCESS) k->algo[k->n++] = offer[i].algo;
}

/* Sums that are split are added in fp32 in the workspace: each kernel then gives the same bits each time. */
static void choose(Lt *lt, Known *k)
{
    cublasLtMatmulPreference_t wish;
    cublasLtMatmulHeuristicResult_t offer[OFFERS];
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    size_t room = ALGORITHM_ROOM;
    uint32_t aligned = 16;               /* what a view of a matrix, or a parameter behind others, keeps to */
    int n = 0;
    if (lt->f.MatmulPreferenceCreate(&wish) != CUBLAS_STATUS_SUCCESS) return;
    int bad = lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &aligned, sizeof aligned)
        || lt->f.MatmulAlgoGetHeuristic(lt->handle, k->what, k->b, k->a, k->y, k->y, wish, OFFERS, offer, &n);
    if (!bad) keep_offers(k, offer, n);
    lt->f.MatmulPreferenceDestroy(wish);
}

static int same(const Known *k, const LtProduct *p)
{
    const LtProduct *s = &k->shape;
    return k->used && s->n == p->n && s->m == p->m && s->k == p->k && s->ta == p->ta && s->tb == p->tb && s->lda == p->lda && s->ldb == p->ldb && s->ldy == p->ldy
        && s->in == p->in && s->out == p->out && s->acc == p->acc && k->with_bias == (p->bias != NULL);
}

/* A sum that is stored as bf16 hides too much. */
static int may_be_tried(const Known *k)
{
    const LtProduct *p = &k->shape;
    return k->n > 1 && (int64_t)p->n * p->m >= FEWEST && !(p->acc == ADD && p->out == BF16) && lt_tune_room(p) <= LT_WORKSPACE - ALGORITHM_ROOM;
}

static Known *find(Lt *lt, const LtProduct *p)
{
    for (int i = 0; i < KNOWN; i++)
        if (same(&lt->known[i], p)) return &lt->known[i];
    Known *k = &lt->known[lt->next++ % KNOWN];
    forget(lt, k);
    *k = (Known){.shape = *p, .used = 1, .with_bias = p->bias != NULL, .due = DUE};
    if (!describe(lt, k)) choose(lt, k);
    k->settled = !lt->tune || !may_be_tried(k);
    return k;
}

typedef struct Call { Lt *lt; const Known *k; const LtProduct *p; } Call;

static int run(void *call, int i, float more)
{
    const float one = 1;
    const Call *c = call;
    const Known *k = c->k;
    const LtProduct *p = c->p;
    return c->lt->f.Matmul(c->lt->handle, k->what, &one, p->b, k->b, p->a, k->a, &more, p->y, k->y, p->y, k->y, &k->algo[i], c->lt->workspace, ALGORITHM_ROOM, c->lt->stream) ? -1 : 0;
}

static const void *weights_of(const LtProduct *p) { return p->ta ? p->y : p->b; }

static void try_all(Lt *lt, Known *k, Call *c)
{
    if (k->settled || weights_of(c->p) != weights_of(&k->shape) || ++k->rounds < k->due || lt->trials >= FREE_TRIALS + lt->products / PRODUCTS_OF_A_TRIAL) return;
    int best = lt_fastest(&(LtTrial){.p = c->p, .n = k->n, .run = run, .own = c, .stream = lt->stream, .room = (char *)lt->workspace + ALGORITHM_ROOM});
    if (best == LT_LATER) {
        k->due *= 2;
        return;
    }
    k->kept = best;
    k->settled = 1;
    lt->trials++;
}

int lt_product(Lt *lt, const LtProduct *p)
{
    if (!p->n || !p->m || !p->k) return -1;
    Known *k = find(lt, p);
    Call c = {lt, k, p};
    if (!k->n) return -1;
    if (k->with_bias && lt->f.MatmulDescSetAttribute(k->what, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias)) return -1;
    lt->products++;
    try_all(lt, k, &c);
    return run(&c, k->kept, p->acc == ADD ? 1 : 0);
}
