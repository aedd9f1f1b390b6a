/* ops_loss.cu - all heads at once: predictions, Huber loss against the points themselves, and their gradients. */
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/dense.cuh"
#include "kernels/cuda/product.cuh"

namespace fts_cuda {

constexpr int THREADS = 128;

/* pred (N,O), `ld` numbers from row to row, becomes its own gradient; sums (N, n+2): Huber per horizon, |e|, e^2 of a token. */
struct Loss {
    float *pred; double *sums;
    int h[MAX_HORIZONS], n, ld, P, S, ntok, with_gradient;
    double scale[MAX_HORIZONS], delta;
    Tables t;
};

static __device__ double huber(double e, double delta) { return fabs(e) <= delta ? e * e / 2 : delta * (fabs(e) - delta / 2); }
static __device__ double clip(double e, double delta) { return e > delta ? delta : e < -delta ? -delta : e; }

/* A warp per token. What exists of the points after it is the target; where there is none, neither loss nor gradient. */
__global__ void losses(Loss a)
{
    int t = int(blockIdx.x) * (THREADS / 32) + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32, col = 0;
    if (t >= a.ntok) return;
    const Seg *s = &a.t.seg[a.t.seg_of[t]];
    int first = (t - s->tok) * a.S + a.P;
    float *pred = a.pred + size_t(t) * size_t(a.ld);
    double *to = a.sums + size_t(t) * size_t(a.n + 2), abs = 0, sq = 0;
    for (int i = 0; i < a.n; col += a.h[i++]) {
        double sum = 0;
        for (int j = lane; j < a.h[i]; j += 32) {
            double e = first + j < s->npt ? double(pred[col + j]) - double(a.t.points[s->pt + first + j]) : 0;
            sum += huber(e, a.delta);
            abs += fabs(e);
            sq += e * e;
            if (a.with_gradient) pred[col + j] = float(a.scale[i] * clip(e, a.delta));
        }
        sum = warp_sum(sum);
        if (!lane) to[i] = sum;
    }
    abs = warp_sum(abs);
    sq = warp_sum(sq);
    if (lane) return;
    to[a.n] = abs;
    to[a.n + 1] = sq;
}

struct LossSum {
    const double *sums;
    StepSum *to;
    int n;
    __device__ double value(int t, int c) const { return sums[size_t(t) * size_t(n + 2) + size_t(c)]; }
    __device__ double *total(int c) const { return c < n ? &to->huber[c] : c == n ? &to->abs : &to->sq; }
};

/* The first token of a loss that is not finite, if the sums of all are not. */
__global__ void find_bad(StepSum *s, const double *sums, int n, int ntok, Tables t)
{
    __shared__ int first[THREADS];
    int mine = ntok, bad = 0;
    for (int j = 0; j < n; j++) bad |= !isfinite(s->huber[j]);
    if (!bad) return;
    for (int i = int(threadIdx.x); i < ntok && mine == ntok; i += THREADS) {
        double all = 0;
        for (int j = 0; j < n; j++) all += sums[size_t(i) * size_t(n + 2) + size_t(j)];
        if (!isfinite(all)) mine = i;
    }
    first[threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.x) return;
    for (int i = 1; i < THREADS; i++) mine = first[i] < mine ? first[i] : mine;
    if (mine < ntok && s->bad_seg < 0) s->bad_seg = s->seg0 + t.seg_of[mine];
}

struct LossWork { float *pred; double *sums, *part; };

/* As a library takes it. */
static size_t row_of_heads(size_t O) { return (O + 7) / 8 * 8; }

static LossWork carve(Carve *k, size_t tokens, size_t chunks, size_t O, size_t n)
{
    LossWork w;
    w.pred = k->take<float>(tokens * row_of_heads(O));
    w.sums = k->take<double>(tokens * (n + 2));
    w.part = k->take<double>(chunks * (n + 2));
    return w;
}

size_t loss_scratch(const Backend *b, const Dims *d)
{
    size_t n = size_t(d->tokens), O = size_t(d->O), D = size_t(d->D);
    Carve k = {nullptr, 0};
    carve(&k, n, size_t(d->chunks), O, MAX_HORIZONS);
    return k.at + operand_bytes(b, n, O) + operand_bytes(b, n, D) + operand_bytes(b, O, D);
}

static Loss loss_of(const Heads *h, const LossWork *w, const Input *in, const Tables *t, int with_gradient)
{
    Loss a = {};
    a.pred = w->pred;
    a.sums = w->sums;
    a.n = h->n;
    a.ld = int(row_of_heads(size_t(h->w.out)));
    a.P = in->P;
    a.S = in->S;
    a.ntok = in->ntok;
    a.with_gradient = with_gradient;
    a.delta = double(h->delta);
    a.t = *t;
    for (int i = 0; i < h->n; i++) {
        a.h[i] = h->h[i];
        a.scale[i] = h->scale[i];
    }
    return a;
}

/* pred = x W^T */
static void predict(Backend *b, Carve k, Mat pred, Mat x, const Weight *w)
{
    int n = x.rows, round = rounds(b, w);
    LtProduct p = {.n = n, .m = w->out, .k = w->in, .tb = 1, .acc = SET};
    if (by_library(b, w) && dense(b, p, operand(b, &k, x, round), weight(b, &k, w, round), pred, nullptr)) return;
    run_forward(b, "heads_loss", round, Forward{side(x), ref(pred), w->w, nullptr, w->out, w->in, 0, 1, {nullptr, 1, 1, n}});
}

/* dx = dpred W, dW += dpred^T x */
static void predict_bwd(Backend *b, Carve k, Mat dx, Mat pred, Mat x, const Weight *w, const Input *in)
{
    int n = x.rows, round = rounds(b, w);
    const int *chunk = tables_of(b, in)->chunk;
    LtProduct back = {.n = n, .m = w->in, .k = w->out, .acc = SET}, grad = {.n = w->out, .m = w->in, .k = n, .ta = 1, .acc = ADD};
    Mat g = by_library(b, w) ? operand(b, &k, pred, round) : pred;
    Carve after = k;
    if (!by_library(b, w) || !dense(b, back, g, weight(b, &k, w, round), dx, nullptr))
        run_back(b, "heads_loss", round, Back{side(pred), ref(dx), w->w, nullptr, w->out, w->in, 1, {nullptr, 1, 1, n}});
    if (!by_library(b, w) || !dense(b, grad, g, operand(b, &after, x, round), Mat{w->dw, w->out, w->in, w->in, F32}, nullptr))
        run_grad(b, "heads_loss", round, Grad{side(pred), side(x), w->dw, nullptr, w->out, w->in, in->nchunk, chunk, nullptr, nullptr}, 1);
}

void cuda_heads_loss(Backend *b, StepSum *s, Mat dx, Mat x, const Heads *h, const Input *in)
{
    int O = h->w.out, n = in->ntok;
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    LossWork w = carve(&k, size_t(n), size_t(in->nchunk), size_t(O), size_t(h->n));
    Mat pred = {w.pred, n, O, int(row_of_heads(size_t(O))), F32};
    x.rows = dx.rows = n;
    predict(b, k, pred, x, &h->w);
    launch(b, "heads_loss", losses, dim3(blocks(size_t(n), THREADS / 32)), THREADS, loss_of(h, &w, in, t, dx.p != nullptr));
    column_sums(b, "heads_loss", LossSum{w.sums, s, h->n}, h->n + 2, in, t->chunk, w.part);
    if (n) launch(b, "heads_loss", find_bad, dim3(1), THREADS, s, static_cast<const double *>(w.sums), h->n, n, *t);
    if (dx.p) predict_bwd(b, k, dx, pred, x, &h->w, in);
}

}
