/* ops_route.cu - who computes what: the sort of rows by expert, the gradient of the router (which is in ops_norm.cu), the balance of experts. */
#include "kernels/cuda/columns.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, WARPS = THREADS / 32;

struct Sorting { const int *expert, *chunk; const float *prob; int *start, *count, *token, *row; float *scale; int64_t *total; int E, K, nchunk; };

/* How many lanes before this one have its expert; all: of the warp. */
static __device__ int rank_in_warp(int mine, int e, int *all)
{
    unsigned same = __ballot_sync(0xffffffffu, mine == e);
    *all = __popc(same);
    return __popc(same & ((1u << (threadIdx.x % 32)) - 1));
}

/* A block per chunk. */
__global__ void count_rows(Sorting a)
{
    __shared__ int part[WARPS];
    int c = int(blockIdx.x), w = int(threadIdx.x) / 32, from = a.chunk[c] * a.K, to = a.chunk[c + 1] * a.K;
    for (int e = 0; e < a.E; e++) {
        int n = 0;
        for (int i = from; i < to; i += THREADS) {
            int at = i + int(threadIdx.x), all;
            rank_in_warp(at < to ? a.expert[at] : -1, e, &all);
            n += all;
        }
        if (threadIdx.x % 32 == 0) part[w] = n;
        __syncthreads();
        if (!threadIdx.x) {
            for (int i = 1; i < WARPS; i++) n += part[i];
            a.count[e * a.nchunk + c] = n;
        }
        __syncthreads();
    }
}

/* One block: start is the sum of all counts before, expert by expert and chunk by chunk. Each thread has a run of them. */
__global__ void start_rows(Sorting a)
{
    __shared__ int sum[THREADS];
    int all = a.E * a.nchunk, each = (all + THREADS - 1) / THREADS, from = int(threadIdx.x) * each, to = from + each < all ? from + each : all, n = 0;
    for (int p = from; p < to; p++) n += a.count[p];
    sum[threadIdx.x] = n;
    __syncthreads();
    int before = 0;
    for (int i = 0; i < int(threadIdx.x); i++) before += sum[i];
    for (int p = from; p < to; p++) {
        a.start[p] = before;
        before += a.count[p];
    }
    for (int e = int(threadIdx.x); e < a.E; e += THREADS) {
        int64_t all = 0;
        for (int c = 0; c < a.nchunk; c++) all += a.count[e * a.nchunk + c];
        a.total[e] += all;
    }
}

static __device__ void place_row(const Sorting &a, int pair, int e, int row)
{
    a.row[pair] = row;
    a.token[row] = pair / a.K;
    a.scale[row] = a.prob[size_t(pair / a.K) * size_t(a.E) + size_t(e)];
}

/* A block per chunk: behind those of the tiles before come those of the warps before, then those of the lanes before. */
__global__ void place_rows(Sorting a)
{
    __shared__ int part[WARPS];
    int c = int(blockIdx.x), w = int(threadIdx.x) / 32, from = a.chunk[c] * a.K, to = a.chunk[c + 1] * a.K;
    for (int e = 0; e < a.E; e++) {
        int next = a.start[e * a.nchunk + c];
        for (int i = from; i < to; i += THREADS) {
            int at = i + int(threadIdx.x), mine = at < to ? a.expert[at] : -1, all, rank = rank_in_warp(mine, e, &all);
            if (threadIdx.x % 32 == 0) part[w] = all;
            __syncthreads();
            int before = next;
            for (int k = 0; k < WARPS; k++) {
                if (k < w) before += part[k];
                next += part[k];
            }
            if (mine == e) place_row(a, at, e, before + rank);
            __syncthreads();
        }
    }
}

void cuda_dispatch(Backend *b, Route *r, const Balance *s, const Input *in)
{
    Sorting a = {r->expert, tables_of(b, in)->chunk, r->prob, r->routed.start, r->routed.count, r->routed.token, r->row, r->routed.scale, s->count, r->E, r->K, in->nchunk};
    launch(b, "dispatch", count_rows, dim3(unsigned(in->nchunk)), THREADS, a);
    launch(b, "dispatch", start_rows, dim3(1), THREADS, a);
    launch(b, "dispatch", place_rows, dim3(unsigned(in->nchunk)), THREADS, a);
}

struct RouteBwd {
    Ref x, dx;
    const float *gate, *share, *prob, *shared, *dscale, *dshared, *balance;
    const int *expert, *row;
    float *dlogit, *dgate, *dshare;      /* dlogit (N,E+1): of the logits, then of the shared gate */
    double coef;
    int ntok, D, E, K;
    __device__ float dp(int t, int e) const
    {
        double s = coef * double(balance[e]);
        for (int i = t * K; i < (t + 1) * K; i++)
            if (expert[i] == e) s += double(dscale[row[i]]);
        return float(s);
    }
    __device__ float *total(int c) const { return c / D < E ? dgate + c : dshare + c % D; }
};

/* The E logits' gradients of a token, which its warp makes, then that of the shared gate. */
static __device__ void logit_grads(const RouteBwd &a, float *to, int t, int lane)
{
    const float *p = a.prob + size_t(t) * size_t(a.E);
    float s = a.shared[t];
    double mean = 0;
    for (int e = lane; e < a.E; e += 32) mean += double(p[e]) * double(a.dp(t, e));
    mean = warp_sum(mean);
    for (int e = lane; e < a.E; e += 32) to[e] = float(double(p[e]) * (double(a.dp(t, e)) - mean));
    if (!lane) to[a.E] = a.dshared[t] * s * (1 - s);
    __syncwarp();
}

template <int W> __global__ void route_dx(RouteBwd a)
{
    int t = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (t >= a.ntok) return;
    float *g = a.dlogit + size_t(t) * size_t(a.E + 1);
    logit_grads(a, g, t, lane);
    for (int c = W * lane; c < a.D; c += 32 * W) {
        Run<W> sum = {}, dx = get_run<W>(a.dx, size_t(t), c);
        for (int e = 0; e < a.E; e++) add_scaled(sum, g[e], get_run<W>(Ref{const_cast<float *>(a.gate), a.D, 0}, size_t(e), c));
        add_scaled(sum, g[a.E], get_run<W>(Ref{const_cast<float *>(a.share), a.D, 0}, 0, c));
        add_scaled(dx, 1, sum);
        set_run<W>(a.dx, size_t(t), c, dx);
    }
}

/* What a thread reads of x goes into as many rows of dW: those of 8 experts and the shared gate at once. A chunk is cut into slices, or there were too few
 * blocks. On paper a token of base is 0.8 kB of x and 170 instructions of a warp; a column of dW a thread would be 7 kB and 1,100. */
constexpr int OUTPUTS = 9, SLICES = 8;

/* Block (chunk and slice, 32 W columns, OUTPUTS rows of dW). Warp w of slice s takes every 64th token from 8 s + w on; the warps' sums are added in order. part (nchunk, SLICES, E+1, D) */
template <int W> __global__ void route_dw(RouteBwd a, const int *chunk, double *part)
{
    __shared__ float sums[WARPS][OUTPUTS][32 * W];
    int lane = int(threadIdx.x) % 32, w = int(threadIdx.x) / 32, k = int(blockIdx.x) / SLICES, slice = int(blockIdx.x) % SLICES;
    int from = 32 * W * int(blockIdx.y), c = from + W * lane, first = OUTPUTS * int(blockIdx.z), n = a.E + 1 - first;
    Run<W> sum[OUTPUTS] = {};
#pragma unroll 2
    for (int t = chunk[k] + WARPS * slice + w; t < chunk[k + 1] && c < a.D; t += SLICES * WARPS) {
        const float *g = a.dlogit + size_t(t) * size_t(a.E + 1) + first;
        Run<W> x = get_run<W>(a.x, size_t(t), c);
#pragma unroll
        for (int j = 0; j < OUTPUTS; j++) add_scaled(sum[j], j < n ? g[j] : 0, x);
    }
    for (int j = 0; j < OUTPUTS; j++)
        for (int i = 0; i < W; i++) sums[w][j][W * lane + i] = sum[j].x[i];
    __syncthreads();
    part += (size_t(blockIdx.x) * size_t(a.E + 1) + size_t(first)) * size_t(a.D) + size_t(from);
    for (int i = int(threadIdx.x); i < OUTPUTS * 32 * W; i += THREADS) {
        int j = i / (32 * W), col = i % (32 * W);
        double all = 0;
        for (int v = 0; v < WARPS; v++) all += double(sums[v][j][col]);
        if (j < n && from + col < a.D) part[size_t(j) * size_t(a.D) + size_t(col)] = all;
    }
}

void cuda_route_bwd(Backend *b, Mat dx, Mat x, const Router *w, const Route *r, const Balance *s, double coef, const Input *in)
{
    int D = w->share.in, columns = (r->E + 1) * D;
    Carve k = scratch_of(b);
    RouteBwd a = {ref(x), ref(dx), w->gate.w, w->share.w, r->prob, r->shared.scale, r->routed.dscale, r->shared.dscale, s->share, r->expert, r->row,
                  k.take<float>(size_t(in->ntok) * size_t(r->E + 1)), w->gate.dw, w->share.dw, coef, in->ntok, D, r->E, r->K};
    double *part = k.take<double>(size_t(columns) * size_t(in->nchunk) * SLICES);
    int wide = D % 4 == 0 && is_wide(a.x) && is_wide(a.dx) && is_wide(a.gate, 0) && is_wide(a.share, 0);
    dim3 grid(unsigned(in->nchunk) * SLICES, blocks(size_t(D), wide ? 128 : 32), blocks(size_t(r->E + 1), OUTPUTS));
    launch(b, "route_bwd", wide ? route_dx<4> : route_dx<1>, dim3(blocks(size_t(in->ntok), WARPS)), THREADS, a);
    launch(b, "route_bwd", wide ? route_dw<4> : route_dw<1>, grid, THREADS, a, tables_of(b, in)->chunk, part);
    launch(b, "route_bwd", column_totals<RouteBwd>, dim3(blocks(size_t(columns), 128)), 128, a, columns, in->nchunk, SLICES, part);
}

/* A forecast has a chunk for each series, and no way back. */
size_t route_scratch(const Backend *, const Dims *d)
{
    Carve k = {nullptr, 0};
    if (d->forecast) return 0;
    k.take<float>(size_t(d->tokens) * size_t(d->E + 1));
    k.take<double>(size_t(d->E + 1) * size_t(d->D) * size_t(d->chunks) * SLICES);
    return k.at;
}

/* E * sum f P of one router, which starts again at zero. No token, no loss, and the old shares stay. */
static __device__ double balance_one(const Balance *m, int E, int K, int keep)
{
    int64_t pairs = 0;
    double sum = 0;
    for (int e = 0; e < E; e++) pairs += m->count[e];
    for (int e = 0; e < E; e++) {
        double f = pairs ? double(m->count[e]) / double(pairs) : 0, p = pairs ? m->psum[e] * K / double(pairs) : 0;
        sum += E * f * p;
        if (keep && pairs) m->share[e] = float(f);
        m->count[e] = 0;
        m->psum[e] = 0;
    }
    return sum;
}

/* One block; the routers' sums are added in order. */
__global__ void balance(StepSum *s, const Balance *m, int routers, int E, int K, int keep)
{
    __shared__ double sum[THREADS];
    double all = 0;
    for (int from = 0; from < routers; from += THREADS) {
        int r = from + int(threadIdx.x);
        sum[threadIdx.x] = r < routers ? balance_one(&m[r], E, K, keep && s->applied) : 0;
        __syncthreads();
        for (int i = 0; !threadIdx.x && i < THREADS && from + i < routers; i++) all += sum[i];
        __syncthreads();
    }
    if (!threadIdx.x) s->aux = routers ? all / routers : 0;
}

void cuda_balance(Backend *b, StepSum *s, Balance *m, int routers, int E, int K, int keep)
{
    const Balance *on_device = static_cast<const Balance *>(send(b, m, size_t(routers) * sizeof *m));
    launch(b, "balance", balance, dim3(1), THREADS, s, on_device, routers, E, K, keep);
}

}
