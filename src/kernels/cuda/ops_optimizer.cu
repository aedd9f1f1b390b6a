/* ops_optimizer.cu - the norm of the gradient and AdamW, over flat vectors. */
#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, PARTS = 264, PIECE = 4096;

/* Sum over the block, which all threads get: pairs, then pairs of pairs. */
static __device__ double block_sum(double x, double *room)
{
    room[threadIdx.x] = x;
    for (int half = THREADS / 2; half; half /= 2) {
        __syncthreads();
        if (int(threadIdx.x) < half) room[threadIdx.x] += room[threadIdx.x + half];
    }
    __syncthreads();
    return room[0];
}

/* Pieces go round the blocks: what a block adds up follows from n alone. */
__global__ void squares(double *part, const float *g, size_t n)
{
    __shared__ double room[THREADS];
    double sum = 0;
    for (size_t at = size_t(blockIdx.x) * THREADS + threadIdx.x; at < n; at += size_t(PARTS) * THREADS) sum += double(g[at]) * double(g[at]);
    sum = block_sum(sum, room);
    if (!threadIdx.x) part[blockIdx.x] = sum;
}

__global__ void add_squares(StepSum *s, const double *part)
{
    __shared__ double room[THREADS];
    double sum = 0;
    for (int i = int(threadIdx.x); i < PARTS; i += THREADS) sum += part[i];
    sum = block_sum(sum, room);
    if (!threadIdx.x) s->norm2 = sum;
}

void cuda_sumsq(Backend *b, StepSum *s, const float *g, size_t n)
{
    Carve k = scratch_of(b);
    double *part = k.take<double>(PARTS);
    launch(b, "sumsq", squares, dim3(PARTS), THREADS, part, g, n);
    launch(b, "sumsq", add_squares, dim3(1), THREADS, s, part);
}

struct Update { Flat f; const Range *decay; int nrange; AdamW h; double correct1, correct2; };

__global__ void decide(StepSum *s)
{
    int applied = isfinite(s->norm2);
    for (int j = 0; j < MAX_HORIZONS; j++) applied = applied && isfinite(s->huber[j]);
    if (!threadIdx.x) s->applied = applied;
}

static __device__ void update_one(const Update &a, size_t i, double clip, double keep)
{
    double g = clip * double(a.f.g[i]), b1 = a.h.beta1, b2 = a.h.beta2;
    a.f.m[i] = float(b1 * double(a.f.m[i]) + (1 - b1) * g);
    a.f.v[i] = float(b2 * double(a.f.v[i]) + (1 - b2) * g * g);
    double mhat = double(a.f.m[i]) / a.correct1, vhat = double(a.f.v[i]) / a.correct2;
    a.f.p[i] = float(keep * double(a.f.p[i]) - double(a.h.lr) * (mhat / (sqrt(vhat) + double(a.h.eps))));
}

/* The first range that does not end before `at`. */
static __device__ int range_of(const Update &a, size_t at)
{
    int lo = 0, hi = a.nrange;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (a.decay[mid].at + a.decay[mid].n <= at) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

__global__ void update(const StepSum *s, Update a)
{
    size_t from = size_t(blockIdx.x) * PIECE, to = from + PIECE < a.f.n ? from + PIECE : a.f.n;
    if (!s->applied) return;
    double clip = a.h.max_norm > 0 ? fmin(1.0, double(a.h.max_norm) / (sqrt(s->norm2) + 1e-6)) : 1;
    int r = range_of(a, from);
    for (size_t i = from + threadIdx.x; i < to; i += THREADS) {
        while (r < a.nrange && a.decay[r].at + a.decay[r].n <= i) r++;
        int decays = r < a.nrange && i >= a.decay[r].at;
        update_one(a, i, clip, decays ? 1 - double(a.h.lr) * double(a.h.decay) : 1);
    }
}

void cuda_adamw(Backend *b, StepSum *s, const Flat *f, const Range *decay, int nrange, const AdamW *h)
{
    const Range *on_device = static_cast<const Range *>(send(b, decay, size_t(nrange) * sizeof *decay));
    Update a = {*f, on_device, nrange, *h, 1 - pow(double(h->beta1), double(h->step)), 1 - pow(double(h->beta2), double(h->step))};
    launch(b, "adamw", decide, dim3(1), 32, s);
    weights_changed(b, f->p);
    launch(b, "adamw", update, dim3(blocks(f->n, PIECE)), THREADS, s, a);
}

size_t optimizer_scratch(const Backend *, const Dims *)
{
    Carve k = {nullptr, 0};
    k.take<double>(PARTS);
    return k.at;
}

}
