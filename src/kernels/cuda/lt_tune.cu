/* lt_tune.cu - see lt_tune.h. What is timed never decides about bits: an algorithm takes part only if it gives those of the first one.
 *
 * Bits are compared by a digest of y that is made on the device: the sum of a hash of each number with its place, in integers, so
 * that it does not depend on the order. An algorithm that adds up in another order differs by a few units of fp32 here and there, which
 * bf16 hides: so y is subtracted from the same product once more, and what is left, what had been rounded away, has to be the same too. Where the product is
 * added to y, it is looked at alone as well. */
#include "kernels/cuda/gpu.cuh"

extern "C" {
#include "kernels/cuda/lt_tune.h"
}

namespace fts_cuda {

constexpr int THREADS = 256, BLOCKS = 256, RUNS = 7, MOST = 32;
constexpr float WORTH = 0.98f;           /* of the time: what is nearer is as fast, and the earlier one wins */

/* The digest of a matrix, and how many of its numbers are not zero. */
struct Digest { uint64_t bits, live; };

/* Every bit of x reaches every bit of the result (the end of splitmix64). */
__device__ inline uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

__global__ void digest(Digest *to, const void *p, int half_size, int rows, int cols, int ld)
{
    __shared__ Digest of_warp[THREADS / 32];
    Digest d = {0, 0};
    for (int r = int(blockIdx.x); r < rows; r += int(gridDim.x))
        for (int c = int(threadIdx.x); c < cols; c += THREADS) {
            size_t at = size_t(r) * size_t(ld) + size_t(c);
            uint64_t x = half_size ? static_cast<const uint16_t *>(p)[at] : static_cast<const uint32_t *>(p)[at];
            d.bits += mixed(mixed(uint64_t(r) << 32 | uint64_t(c)) + x);
            d.live += (x & (half_size ? 0x7fffu : 0x7fffffffu)) != 0;
        }
    d.bits = warp_sum(d.bits);
    d.live = warp_sum(d.live);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = d;
    __syncthreads();
    if (threadIdx.x) return;
    for (int w = 1; w < THREADS / 32; w++) {
        d.bits += of_warp[w].bits;
        d.live += of_warp[w].live;
    }
    to[blockIdx.x] = d;
}

static cudaStream_t stream_of(const LtTrial *t) { return static_cast<cudaStream_t>(t->stream); }

/* -1: the device gives no answer. */
static int digest_of(const LtTrial *t, Digest *sum, const void *p, Dtype type, int rows, int cols, int ld)
{
    Digest part[BLOCKS], *to = reinterpret_cast<Digest *>(t->room);
    cudaLaunchConfig_t c = {};
    c.gridDim = dim3(unsigned(rows < BLOCKS ? rows : BLOCKS));
    c.blockDim = dim3(THREADS);
    c.stream = stream_of(t);
    *sum = Digest{0, 0};
    if (cudaLaunchKernelEx(&c, digest, to, p, int(type == BF16), rows, cols, ld) != cudaSuccess
        || cudaMemcpyAsync(part, to, c.gridDim.x * sizeof *part, cudaMemcpyDeviceToHost, c.stream) != cudaSuccess || cudaStreamSynchronize(c.stream) != cudaSuccess) return -1;
    for (unsigned i = 0; i < c.gridDim.x; i++) {
        sum->bits += part[i].bits;
        sum->live += part[i].live;
    }
    return 0;
}

static int digest_of_y(const LtTrial *t, Digest *d) { return digest_of(t, d, t->p->y, t->p->out, t->p->n, t->p->m, t->p->ldy); }

/* y between the device's room and its place. */
static int move_y(const LtTrial *t, int back)
{
    const LtProduct *p = t->p;
    char *kept = t->room + BLOCKS * sizeof(Digest);
    size_t size = dtype_size(p->out), row = size_t(p->m) * size, ld = size_t(p->ldy) * size;
    return p->acc == ADD && cudaMemcpy2DAsync(back ? p->y : kept, back ? ld : row, back ? kept : p->y, back ? row : ld, row, size_t(p->n), cudaMemcpyDeviceToDevice, stream_of(t)) != cudaSuccess;
}

static int run(const LtTrial *t, int i, float more)
{
    int bad = t->run(t->own, i, more);
    if (bad) (void)cudaGetLastError();           /* it is not an error of what comes next */
    return bad;
}

/* result: what the call makes of y. finer: the product alone where y is added to, what is rounded away where bf16 is stored. */
struct Made { Digest result, finer; };

static int make(const LtTrial *t, int i, Made *m)
{
    int adds = t->p->acc == ADD;
    if (move_y(t, 1) || run(t, i, float(adds)) || digest_of_y(t, &m->result)) return -1;
    m->finer = m->result;
    if (!adds && t->p->out == F32) return 0;
    return run(t, i, adds ? 0.0f : -1.0f) || digest_of_y(t, &m->finer) ? -1 : 0;
}

/* Whether most numbers count, or every order of summing gives the same. */
static int is_full(const LtTrial *t, const void *p, Dtype type, int rows, int cols, int ld)
{
    Digest d;
    return !digest_of(t, &d, p, type, rows, cols, ld) && 2 * d.live >= uint64_t(rows) * uint64_t(cols);
}

static int tells(const LtTrial *t)
{
    const LtProduct *p = t->p;
    return is_full(t, p->a, p->in, p->ta ? p->k : p->n, p->ta ? p->n : p->k, p->lda) && is_full(t, p->b, p->in, p->tb ? p->m : p->k, p->tb ? p->k : p->m, p->ldb);
}

/* The numbers of those that give the bits of the first. LT_LATER: its result does not tell. */
static int alike(const LtTrial *t, int *which)
{
    Made first, other;
    int n = 1;
    which[0] = 0;
    if (make(t, 0, &first)) return n;
    if (2 * (t->p->acc == ADD ? first.finer : first.result).live < uint64_t(t->p->n) * uint64_t(t->p->m)) return LT_LATER;
    for (int i = 1; i < t->n && i < MOST; i++)
        if (!make(t, i, &other) && other.result.bits == first.result.bits && other.finer.bits == first.finer.bits) which[n++] = i;
    return n;
}

/* Milliseconds of the device; negative: it was not to be had. */
static float once(const LtTrial *t, int i, cudaEvent_t from, cudaEvent_t to)
{
    float ms = -1;
    int bad = cudaEventRecord(from, stream_of(t)) != cudaSuccess || run(t, i, float(t->p->acc == ADD)) || cudaEventRecord(to, stream_of(t)) != cudaSuccess
        || cudaEventSynchronize(to) != cudaSuccess || cudaEventElapsedTime(&ms, from, to) != cudaSuccess;
    return bad ? -1 : ms;
}

/* Keeps the first `n` in order. */
static void insert(float *sorted, int n, float x)
{
    for (; n && sorted[n - 1] > x; n--) sorted[n] = sorted[n - 1];
    sorted[n] = x;
}

/* All take turns, so that a clock that rises is the same to all of them. */
static int fastest(const LtTrial *t, const int *which, int n, cudaEvent_t from, cudaEvent_t to)
{
    float ms[MOST][RUNS];
    int best = 0;
    for (int r = 0; r < RUNS; r++)
        for (int i = 0; i < n; i++) {
            float x = once(t, which[i], from, to);
            if (x < 0) return 0;
            insert(ms[i], r, x);
        }
    for (int i = 1; i < n; i++)
        if (ms[i][RUNS / 2] < WORTH * ms[best][RUNS / 2]) best = i;
    return which[best];
}

static int choose(const LtTrial *t)
{
    int which[MOST], n = alike(t, which), best = n == LT_LATER ? LT_LATER : 0;
    cudaEvent_t from = nullptr, to = nullptr;
    if (n > 1 && cudaEventCreateWithFlags(&from, cudaEventDefault) == cudaSuccess && cudaEventCreateWithFlags(&to, cudaEventDefault) == cudaSuccess)
        best = fastest(t, which, n, from, to);
    if (from) (void)cudaEventDestroy(from);
    if (to) (void)cudaEventDestroy(to);
    return best;
}

static int is_recorded(cudaStream_t s)
{
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    return cudaStreamIsCapturing(s, &status) != cudaSuccess || status != cudaStreamCaptureStatusNone;
}

}

using namespace fts_cuda;

extern "C" size_t lt_tune_room(const LtProduct *p) { return BLOCKS * sizeof(Digest) + (p->acc == ADD ? size_t(p->n) * size_t(p->m) * dtype_size(p->out) : 0); }

extern "C" int lt_fastest(const LtTrial *t)
{
    if (is_recorded(stream_of(t)) || !tells(t)) return LT_LATER;
    if (move_y(t, 0)) return 0;
    int best = choose(t);
    (void)move_y(t, 1);
    return best;
}
