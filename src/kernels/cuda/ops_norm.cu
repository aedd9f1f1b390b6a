/* ops_norm.cu - RMS norm, alone or with the router of what it gives, and its gradient.
 *
 * A warp per row. On paper a token of base with 8 experts (D 384, bf16) moves 3.1 kB: h is read once, keep and y are written; its warp needs some
 * 550 instructions, and 110 cycles of the L1 cache for 14 kB of weights. An op that reads y back, once for each expert, moves 3.9 kB and needs 1,200. */
#include "kernels/cuda/columns.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, WARPS = THREADS / 32;
constexpr int HELD = 4, ROUTED = 8;                                 /* runs of a row that a lane holds; experts whose logits are made in one go */
template <int W> constexpr int SPAN = 32 * W * HELD;                /* numbers of a row that a warp holds. Of longer ones each part is read again where it was written */

/* rows (N,D). kept: keep and rstd are there */
struct Norm { Ref y, keep, h; float *rstd; const float *w; float eps; int rows, D, kept; };
struct Routing { const float *gate, *share; float *prob, *shared; int *expert; int E, K; };

/* Columns from, from + 32 W, ... of a row; zeros behind its end. */
template <int W> static __device__ void get_runs(Run<W> (&x)[HELD], const Ref &m, size_t r, int from, int D)
{
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        x[k] = {};
        if (from + 32 * W * k < D) x[k] = get_run<W>(m, r, from + 32 * W * k);
    }
}

/* x becomes what was stored. */
template <int W> static __device__ void set_runs(const Ref &m, size_t r, int from, int D, Run<W> (&x)[HELD])
{
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (from + 32 * W * k < D) set_run<W>(m, r, from + 32 * W * k, x[k]);
        for (float &v : x[k].x) v = m.half_size ? rounded<bfloat>(v) : v;
    }
}

template <int W> static __device__ float rstd_of(const Norm &a, size_t r, int lane, Run<W> (&x)[HELD])
{
    float sq = 0;
    for (int from = W * lane; from < a.D; from += SPAN<W>) {
        get_runs<W>(x, a.h, r, from, a.D);
        set_runs<W>(a.keep, r, from, a.D, x);
        for (const Run<W> &run : x)
            for (float v : run.x) sq = fmaf(v, v, sq);
    }
    return 1 / sqrtf(warp_sum(sq) / float(a.D) + a.eps);
}

/* Afterwards x is what the lane has of y, if a warp holds a row. */
template <int W> static __device__ void norm_row(const Norm &a, size_t r, int lane, Run<W> (&x)[HELD])
{
    float scale = a.kept ? a.rstd[r] : rstd_of<W>(a, r, lane, x);
    if (!a.kept && !lane) a.rstd[r] = scale;
    for (int from = W * lane; from < a.D; from += SPAN<W>) {
        Run<W> w[HELD];
        if (a.kept || a.D > SPAN<W>) get_runs<W>(x, a.keep, r, from, a.D);
        get_runs<W>(w, Ref{const_cast<float *>(a.w), 0, 0}, 0, from, a.D);
#pragma unroll
        for (int k = 0; k < HELD; k++)
            for (int i = 0; i < W; i++) x[k].x[i] = x[k].x[i] * scale * w[k].x[i];
        set_runs<W>(a.y, r, from, a.D, x);
    }
}

template <int W> __global__ void __launch_bounds__(THREADS, 4) norm(Norm a)
{
    int r = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    Run<W> x[HELD];
    if (r < a.rows) norm_row<W>(a, size_t(r), lane, x);
}

/* Sums over the warp of eight numbers of each lane: lane l gets that of numbers l / 4, each made in the same order. */
static __device__ float warp_sum_of_eight(float (&x)[ROUTED], int lane)
{
#pragma unroll
    for (int n = ROUTED / 2; n; n /= 2) {
        int upper = lane & (4 * n);
#pragma unroll
        for (int i = 0; i < n; i++) {
            float other = __shfl_xor_sync(0xffffffffu, upper ? x[i] : x[i + n], 4 * n);
            x[i] = (upper ? x[i + n] : x[i]) + other;
        }
    }
    x[0] += __shfl_xor_sync(0xffffffffu, x[0], 2);
    return x[0] + __shfl_xor_sync(0xffffffffu, x[0], 1);
}

/* Products of row r of y with n rows of w: lane l gets that with row l / 4. */
template <int W> static __device__ float logits(const Norm &a, size_t r, int lane, const float *w, int n, Run<W> (&x)[HELD])
{
    float sum[ROUTED] = {};
    Ref weight = {const_cast<float *>(w), a.D, 0};
    for (int from = W * lane; from < a.D; from += SPAN<W>) {
        if (a.D > SPAN<W>) get_runs<W>(x, a.y, r, from, a.D);
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            if (from + 32 * W * k >= a.D) break;
#pragma unroll
            for (int j = 0; j < ROUTED; j++) {
                if (j >= n) break;
                Run<W> v = get_run<W>(weight, size_t(j), from + 32 * W * k);
                for (int i = 0; i < W; i++) sum[j] = fmaf(v.x[i], x[k].x[i], sum[j]);
            }
        }
    }
    return warp_sum_of_eight(sum, lane);
}

/* A warp per token. Its probabilities begin as logits, where they will lie. */
template <int W> __global__ void norm_route(Norm a, Routing o)
{
    int t = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (t >= a.rows) return;
    Run<W> x[HELD];
    float *p = o.prob + size_t(t) * size_t(o.E), high = -INFINITY, sum = 0;
    norm_row<W>(a, size_t(t), lane, x);
    for (int first = 0; first < o.E; first += ROUTED) {
        int n = o.E - first < ROUTED ? o.E - first : ROUTED;
        float logit = logits<W>(a, size_t(t), lane, o.gate + size_t(first) * size_t(a.D), n, x);
        if (lane / 4 < n) high = fmaxf(high, logit);
        if (lane / 4 < n && lane % 4 == 0) p[first + lane / 4] = logit;
    }
    float gate = logits<W>(a, size_t(t), lane, o.share, 1, x);
    if (!lane) o.shared[t] = sigmoid(gate);
    high = warp_max(high);
    __syncwarp();
    for (int e = lane; e < o.E; e += 32) sum += expf(p[e] - high);
    sum = warp_sum(sum);
    for (int e = lane; e < o.E; e += 32) p[e] = expf(p[e] - high) / sum;
    __syncwarp();
    if (!lane) choose(o.expert + size_t(t) * size_t(o.K), p, o.E, o.K);
}

struct ProbSum {
    const float *prob;
    double *psum;
    int E;
    __device__ float value(int t, int e) const { return prob[size_t(t) * size_t(E) + size_t(e)]; }
    __device__ double *total(int e) const { return psum + e; }
};

static Norm norm_of(Mat y, Mat keep, float *rstd, Mat h, Vec w, float eps) { return {ref(y), ref(keep.p ? keep : h), ref(h), rstd, w.w, eps, y.rows, w.n, !keep.p}; }
static int in_fours(const Norm &a) { return a.D % 4 == 0 && is_wide(a.y) && is_wide(a.keep) && is_wide(a.h) && is_wide(a.w, 0); }

void cuda_norm(Backend *b, Mat y, Mat keep, float *rstd, Mat h, Vec w, float eps)
{
    Norm a = norm_of(y, keep, rstd, h, w, eps);
    launch(b, "norm", in_fours(a) ? norm<4> : norm<1>, dim3(blocks(size_t(a.rows), WARPS)), THREADS, a);
}

void cuda_norm_route(Backend *b, Route *r, const Balance *s, Mat y, Mat keep, float *rstd, Mat h, const Router *w, const Input *in)
{
    Norm a = norm_of(y, keep, rstd, h, w->norm, w->eps);
    Routing o = {w->gate.w, w->share.w, r->prob, r->shared.scale, r->expert, r->E, r->K};
    int wide = in_fours(a) && is_wide(o.gate, 0) && is_wide(o.share, 0);
    Carve k = scratch_of(b);
    launch(b, "norm_route", wide ? norm_route<4> : norm_route<1>, dim3(blocks(size_t(a.rows), WARPS)), THREADS, a, o);
    column_sums(b, "norm_route", ProbSum{r->prob, s->psum, r->E}, r->E, in, tables_of(b, in)->chunk, k.take<double>(size_t(r->E) * size_t(in->nchunk)));
}

struct NormBwd {
    Ref dh, dy, keep;
    const float *rstd, *w;
    float *dw;
    int D;
    __device__ float value(int t, int c) const { return get(dy, size_t(t), c) * get(keep, size_t(t), c) * rstd[t]; }
    __device__ float *total(int c) const { return dw + c; }
};

template <int W> __global__ void norm_dh(NormBwd a, int rows)
{
    int r = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (r >= rows) return;
    float pull = 0, s = a.rstd[r];
    const Ref weight = {const_cast<float *>(a.w), 0, 0};
    for (int i = W * lane; i < a.D; i += 32 * W) {
        Run<W> y = get_run<W>(a.dy, size_t(r), i), w = get_run<W>(weight, 0, i), x = get_run<W>(a.keep, size_t(r), i);
        for (int k = 0; k < W; k++) pull = fmaf(y.x[k] * w.x[k], x.x[k], pull);
    }
    pull = warp_sum(pull) * s * s / float(a.D);
    for (int i = W * lane; i < a.D; i += 32 * W) {
        Run<W> y = get_run<W>(a.dy, size_t(r), i), w = get_run<W>(weight, 0, i), x = get_run<W>(a.keep, size_t(r), i), h = get_run<W>(a.dh, size_t(r), i);
        for (int k = 0; k < W; k++) h.x[k] += s * (y.x[k] * w.x[k] - x.x[k] * pull);
        set_run<W>(a.dh, size_t(r), i, h);
    }
}

void cuda_norm_bwd(Backend *b, Mat dh, Mat dy, Mat keep, const float *rstd, Vec w, const Input *in)
{
    NormBwd a = {ref(dh), ref(dy), ref(keep), rstd, w.w, w.dw, w.n};
    Carve k = scratch_of(b);
    int wide = w.n % 8 == 0 && is_wide(a.dh) && is_wide(a.dy) && is_wide(a.keep) && is_wide(w.w, 0);
    launch(b, "norm_bwd", wide ? norm_dh<8> : norm_dh<1>, dim3(blocks(size_t(in->ntok), WARPS)), THREADS, a, in->ntok);
    column_sums(b, "norm_bwd", a, w.n, in, tables_of(b, in)->chunk, k.take<double>(size_t(w.n) * size_t(in->nchunk)));
}

size_t norm_scratch(const Backend *, const Dims *d)
{
    Carve k = {nullptr, 0};
    k.take<double>(size_t(d->D > d->E ? d->D : d->E) * size_t(d->chunks));
    return k.at;
}

}
