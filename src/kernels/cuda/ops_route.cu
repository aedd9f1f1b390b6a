/* ops_route.cu - who computes what: the router, the sort of rows by expert, the router's gradient, the balance of experts. */
#include "kernels/cuda/columns.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, WARPS = THREADS / 32;

struct Routing { Ref x; const float *gate, *share; float *prob, *shared; int *expert; int ntok, D, E, K; };

static __device__ float row_dot(const Routing &a, const float *w, int t, int lane)
{
    float s = 0;
    for (int i = lane; i < a.D; i += 32) s = fmaf(w[i], get(a.x, size_t(t), i), s);
    return warp_sum(s);
}

/* The K largest, best first; of equal ones the first. NaN is never larger, so some expert is always chosen. */
static __device__ void choose(int *expert, const float *prob, int E, int K)
{
    for (int k = 0; k < K; k++) {
        int best = -1;
        for (int e = 0; e < E; e++) {
            int used = 0;
            for (int i = 0; i < k; i++) used |= expert[i] == e;
            if (!used && (best < 0 || prob[e] > prob[best])) best = e;
        }
        expert[k] = best;
    }
}

/* A warp per token. Its probabilities begin as logits, where they will lie. */
__global__ void route(Routing a)
{
    int t = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (t >= a.ntok) return;
    float *p = a.prob + size_t(t) * size_t(a.E), high = -INFINITY, sum = 0;
    for (int e = 0; e < a.E; e++) {
        float logit = row_dot(a, a.gate + size_t(e) * size_t(a.D), t, lane);
        if (!lane) p[e] = logit;
        high = fmaxf(high, logit);
    }
    float gate = row_dot(a, a.share, t, lane);
    if (!lane) a.shared[t] = sigmoid(gate);
    __syncwarp();
    for (int e = lane; e < a.E; e += 32) sum += expf(p[e] - high);
    sum = warp_sum(sum);
    for (int e = lane; e < a.E; e += 32) p[e] = expf(p[e] - high) / sum;
    __syncwarp();
    if (!lane) choose(a.expert + size_t(t) * size_t(a.K), p, a.E, a.K);
}

struct ProbSum {
    const float *prob;
    double *psum;
    int E;
    __device__ float value(int t, int e) const { return prob[size_t(t) * size_t(E) + size_t(e)]; }
    __device__ double *total(int e) const { return psum + e; }
};

void cuda_route(Backend *b, Route *r, const Balance *s, Mat x, const Router *w, const Input *in)
{
    Routing a = {ref(x), w->gate.w, w->share.w, r->prob, r->shared.scale, r->expert, in->ntok, w->share.in, r->E, r->K};
    Carve k = scratch_of(b);
    launch(b, "route", route, dim3(blocks(size_t(in->ntok), WARPS)), THREADS, a);
    column_sums(b, "route", ProbSum{r->prob, s->psum, r->E}, r->E, in, tables_of(b, in)->chunk, k.take<double>(size_t(r->E) * size_t(in->nchunk)));
}

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
    __device__ float value(int t, int c) const { return dlogit[size_t(t) * size_t(E + 1) + size_t(c / D)] * get(x, size_t(t), c % D); }
    __device__ float *total(int c) const { return c / D < E ? dgate + c : dshare + c % D; }
};

__global__ void route_logits(RouteBwd a)
{
    int t = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (t >= a.ntok) return;
    const float *p = a.prob + size_t(t) * size_t(a.E);
    float *to = a.dlogit + size_t(t) * size_t(a.E + 1), s = a.shared[t];
    double mean = 0;
    for (int e = 0; e < a.E; e++) mean += double(p[e]) * double(a.dp(t, e));
    for (int e = 0; e < a.E; e++) to[e] = float(double(p[e]) * (double(a.dp(t, e)) - mean));
    to[a.E] = a.dshared[t] * s * (1 - s);
}

template <int W> __global__ void route_dx(RouteBwd a)
{
    Spot s = spot_of<W>(thread_of_all(), a.D);
    if (s.r >= size_t(a.ntok)) return;
    const float *g = a.dlogit + s.r * size_t(a.E + 1);
    Run<W> sum = {}, dx = get_run<W>(a.dx, s.r, s.c);
    for (int e = 0; e <= a.E; e++) {
        Run<W> w = get_run<W>(Ref{const_cast<float *>(e < a.E ? a.gate : a.share), a.D, 0}, e < a.E ? size_t(e) : 0, s.c);
        for (int i = 0; i < W; i++) sum.x[i] = fmaf(g[e], w.x[i], sum.x[i]);
    }
    for (int i = 0; i < W; i++) dx.x[i] += sum.x[i];
    set_run<W>(a.dx, s.r, s.c, dx);
}

void cuda_route_bwd(Backend *b, Mat dx, Mat x, const Router *w, const Route *r, const Balance *s, double coef, const Input *in)
{
    int D = w->share.in, columns = (r->E + 1) * D;
    Carve k = scratch_of(b);
    RouteBwd a = {ref(x), ref(dx), w->gate.w, w->share.w, r->prob, r->shared.scale, r->routed.dscale, r->shared.dscale, s->share, r->expert, r->row,
                  k.take<float>(size_t(in->ntok) * size_t(r->E + 1)), w->gate.dw, w->share.dw, coef, in->ntok, D, r->E, r->K};
    launch(b, "route_bwd", route_logits, dim3(blocks(size_t(in->ntok), THREADS)), THREADS, a);
    int wide = is_wide(a.dx) && is_wide(a.gate, size_t(D)) && is_wide(a.share, size_t(D));
    launch_runs(b, "route_bwd", wide, route_dx<8>, route_dx<1>, size_t(in->ntok), D, a);
    column_sums(b, "route_bwd", a, columns, in, tables_of(b, in)->chunk, k.take<double>(size_t(columns) * size_t(in->nchunk)));
}

size_t route_scratch(const Backend *, const Dims *d)
{
    Carve k = {nullptr, 0};
    k.take<float>(size_t(d->tokens) * size_t(d->E + 1));
    k.take<double>(size_t(d->E + 1) * size_t(d->D) * size_t(d->chunks));
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
