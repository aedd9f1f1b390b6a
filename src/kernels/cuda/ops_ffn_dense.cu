/* ops_ffn_dense.cu - the gated MLP of the shared expert, whose rows are the tokens: its products by the library, between them what is done to each number. */
#include "kernels/cuda/dense.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, WARPS = THREADS / 32;

template <int W> __global__ void activate(Ref hidden, Ref pair, size_t rows, int F)
{
    Spot s = spot_of<W>(thread_of_all(), F);
    if (s.r >= rows) return;
    Run<W> g = get_run<W>(pair, s.r, s.c), u = get_run<W>(pair, s.r, F + s.c);
    for (int i = 0; i < W; i++) g.x[i] = silu(g.x[i]) * u.x[i];
    set_run<W>(hidden, s.r, s.c, g);
}

template <int W> __global__ void scale_rows(Ref to, Ref dout, const float *scale, size_t rows, int D)
{
    Spot s = spot_of<W>(thread_of_all(), D);
    if (s.r >= rows) return;
    Run<W> g = get_run<W>(dout, s.r, s.c);
    for (int i = 0; i < W; i++) g.x[i] *= scale ? scale[s.r] : 1;
    set_run<W>(to, s.r, s.c, g);
}

/* dgate|dup, which may lie in the place of gate|up; hidden; dscale = <wide, hidden> / scale. scale NULL: 1, and no gradient of it. */
struct Slopes { Ref keep, pair, hidden; const float *wide, *scale; float *dscale; int rows, F; };

/* A warp per row. */
__global__ void slopes(Slopes a)
{
    int r = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (r >= a.rows) return;
    float dot = 0;
    for (int f = lane; f < a.F; f += 32) {
        float g = get(a.keep, size_t(r), f), u = get(a.keep, size_t(r), a.F + f), wide = a.wide[size_t(r) * size_t(a.F) + size_t(f)], s = silu(g);
        set(a.pair, size_t(r), f, wide * u * silu_slope(g));
        set(a.pair, size_t(r), a.F + f, wide * s);
        set(a.hidden, size_t(r), f, s * u);
        dot = fmaf(wide, get(a.hidden, size_t(r), f), dot);
    }
    dot = warp_sum(dot);
    if (a.scale && !lane) a.dscale[r] = a.scale[r] != 0 ? dot / a.scale[r] : 0;
}

static Mat take_mat(Carve *k, int rows, int cols, Dtype type) { return {k->take<char>(size_t(rows) * size_t(cols) * dtype_size(type)), rows, cols, cols, type}; }
static Mat columns(Mat m, int from, int n)
{
    m.p = static_cast<char *>(m.p) + size_t(from) * dtype_size(m.type);
    m.cols = n;
    return m;
}

/* Rows of the library are a multiple of 8 numbers apart. */
static int fits(const Backend *b, const Ffn *w, const Rows *r, Mat keep, Mat x)
{
    return !r->start && by_library(b, &w->gate) && w->gate.in % 8 == 0 && w->gate.out % 8 == 0 && x.ld % 8 == 0 && (!keep.p || keep.ld % 8 == 0);
}

static int gate_and_up(Backend *b, Carve k, Mat pair, Mat x, const Ffn *w, int n)
{
    int D = w->gate.in, F = w->gate.out, round = rounds(b, &w->gate);
    LtProduct p = {.n = n, .m = F, .k = D, .tb = 1, .acc = SET};
    Mat u = operand(b, &k, x, round);
    return dense(b, p, u, weight(b, &k, &w->gate, round), columns(pair, 0, F), nullptr)
        && dense(b, p, u, weight(b, &k, &w->up, round), columns(pair, F, F), nullptr);
}

int dense_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r)
{
    int n = r->n, D = w->gate.in, F = w->gate.out, round = rounds(b, &w->down);
    if (!fits(b, w, r, keep, x)) return 0;
    Carve k = scratch_of(b);
    Mat hidden = take_mat(&k, n, F, b->dtype), pair = keep.p ? keep : take_mat(&k, n, 2 * F, b->dtype);
    if (!gate_and_up(b, k, pair, x, w, n)) return 0;
    launch_runs(b, "ffn", is_wide(ref(hidden)) && is_wide(ref(pair)), activate<8>, activate<1>, size_t(n), F, ref(hidden), ref(pair), size_t(n), F);
    LtProduct p = {.n = n, .m = D, .k = F, .tb = 1, .acc = SET};
    return dense(b, p, hidden, weight(b, &k, &w->down, round), y, nullptr);
}

/* dx through both, in fp32 before it is rounded once. */
static int input_grad(Backend *b, Carve k, Mat dx, Mat pair, const Ffn *w)
{
    int D = w->gate.in, F = w->gate.out, n = dx.rows, round = rounds(b, &w->gate);
    Mat sum = take_mat(&k, n, D, F32);
    LtProduct first = {.n = n, .m = D, .k = F, .acc = SET}, second = first;
    second.acc = ADD;
    if (!dense(b, first, columns(pair, 0, F), weight(b, &k, &w->gate, round), sum, nullptr)) return 0;
    if (!dense(b, second, columns(pair, F, F), weight(b, &k, &w->up, round), sum, nullptr)) return 0;
    dx.cols = D;
    copy_rows(b, "ffn_bwd", dx, sum);
    return 1;
}

static int weight_grads(Backend *b, Mat pair, Mat hidden, Mat g, Mat u, const Ffn *w)
{
    int D = w->gate.in, F = w->gate.out, n = u.rows;
    LtProduct in = {.n = F, .m = D, .k = n, .ta = 1, .acc = ADD}, out = {.n = D, .m = F, .k = n, .ta = 1, .acc = ADD};
    return dense(b, in, columns(pair, 0, F), u, Mat{w->gate.dw, F, D, D, F32}, nullptr) && dense(b, in, columns(pair, F, F), u, Mat{w->up.dw, F, D, D, F32}, nullptr)
        && dense(b, out, g, hidden, Mat{w->down.dw, D, F, F, F32}, nullptr);
}

struct DenseWork { Mat pair, hidden, g, wide; };

static DenseWork carve(const Backend *b, Carve *k, int n, int D, int F)
{
    return {take_mat(k, n, 2 * F, b->dtype), take_mat(k, n, F, b->dtype), take_mat(k, n, D, b->dtype), take_mat(k, n, F, F32)};
}

/* The library takes all of these products or none: nothing is added to a gradient before the first that it may refuse. */
int dense_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r)
{
    int n = r->n, D = w->gate.in, F = w->gate.out, round = rounds(b, &w->down);
    if (!fits(b, w, r, keep, x)) return 0;
    Carve k = scratch_of(b);
    DenseWork s = carve(b, &k, n, D, F);
    LtProduct p = {.n = n, .m = F, .k = D, .acc = SET};
    launch_runs(b, "ffn_bwd", is_wide(ref(s.g)) && is_wide(ref(dout)), scale_rows<8>, scale_rows<1>, size_t(n), D, ref(s.g), ref(dout), static_cast<const float *>(r->scale), size_t(n), D);
    Carve after = k;
    if (!keep.p && !gate_and_up(b, k, s.pair, x, w, n)) return 0;
    if (!dense(b, p, s.g, weight(b, &after, &w->down, round), s.wide, nullptr)) return 0;
    Slopes a = {ref(keep.p ? keep : s.pair), ref(s.pair), ref(s.hidden), static_cast<const float *>(s.wide.p), r->scale, r->dscale, n, F};
    launch(b, "ffn_bwd", slopes, dim3(blocks(size_t(n), WARPS)), THREADS, a);
    x.rows = dx.rows = n;
    if (!input_grad(b, k, dx, s.pair, w)) return 0;
    if (!weight_grads(b, s.pair, s.hidden, s.g, x, w)) note(b, cudaErrorNotSupported, "cuBLASLt took some products of the shared expert and not all");
    return 1;
}

size_t dense_ffn_scratch(const Backend *b, const Dims *d)
{
    Carve k = {nullptr, 0};
    size_t weight = operand_bytes(b, size_t(d->F), size_t(d->D)), down = operand_bytes(b, size_t(d->D), size_t(d->F));
    carve(b, &k, d->tokens, d->D, d->F);
    take_mat(&k, d->tokens, d->D, F32);
    k.take<char>(operand_bytes(b, size_t(d->tokens), size_t(d->D)));
    return k.at + 2 * weight + down;
}

}
