/* ops_linear.cu - products with one weight: by cuBLASLt where it takes them, else by our own: Hopper's where asked for, or tiles. */
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/dense.cuh"
#include "kernels/cuda/product.cuh"

namespace fts_cuda {

constexpr int THREADS = 256;

template <int W> __global__ void convert(Ref to, Ref from, size_t rows, int cols)
{
    Spot s = spot_of<W>(thread_of_all(), cols);
    if (s.r < rows) set_run<W>(to, s.r, s.c, get_run<W>(from, s.r, s.c));
}

void copy_rows(Backend *b, const char *what, Mat to, Mat from)
{
    launch_runs(b, what, is_wide(ref(to)) && is_wide(ref(from)), convert<8>, convert<1>, size_t(to.rows), to.cols, ref(to), ref(from), size_t(to.rows), to.cols);
}

Mat operand(Backend *b, Carve *k, Mat m, int round)
{
    Dtype type = round ? BF16 : F32;
    int ld = (m.cols + 7) / 8 * 8;
    if (m.type == type && m.ld % 8 == 0) return m;
    Mat copy = {k->take<char>(size_t(m.rows) * size_t(ld) * dtype_size(type)), m.rows, m.cols, ld, type};
    copy_rows(b, "convert", copy, m);
    return copy;
}

/* All copies of weights at once: a number each. */
__global__ void copy_weights(Copies a)
{
    size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= a.all) return;
    int lo = 0, hi = a.n - 1;
    while (lo < hi) {
        int mid = (lo + hi + 1) / 2;
        if (a.device[mid].to <= i) lo = mid;
        else hi = mid - 1;
    }
    const Copied &r = a.device[lo];
    a.to[i] = stored<bfloat>(i - r.to < r.n ? a.from[r.from + i - r.to] : 0.0f);
}

bfloat *copy_of(Backend *b, const float *w, size_t n)
{
    Copies *c = &cuda_of(b)->copies;
    if (!c->from || w < c->from || w >= c->from + c->end) return nullptr;
    size_t at = size_t(w - c->from);
    int i = c->n - 1;
    while (i && c->host[i].from > at) i--;
    if (at < c->host[i].from || at + n > c->host[i].from + c->host[i].n) return nullptr;
    if (c->stale) launch(b, "weights", copy_weights, dim3(blocks(c->all, THREADS)), THREADS, *c);
    c->stale = 0;
    return c->to + c->host[i].to + (at - c->host[i].from);
}

Mat weight(Backend *b, Carve *k, const Weight *w, int round)
{
    Mat m = {const_cast<float *>(w->w), w->groups * w->out, w->in, w->in, F32};
    bfloat *copy = round && w->in % 8 == 0 ? copy_of(b, w->w, size_t(m.rows) * size_t(m.cols)) : nullptr;
    return copy && is_wide(copy, size_t(w->in)) ? Mat{copy, m.rows, m.cols, m.ld, BF16} : operand(b, k, m, round);
}

/* Room for copies is made for the type of activations. */
int by_library(const Backend *b, const Weight *w) { return cuda_of(b)->lt && (rounds(b, w) || b->dtype == F32); }

size_t operand_bytes(const Backend *b, size_t rows, size_t cols) { return (rows * (cols + 7) * dtype_size(b->dtype) + 255) / 256 * 256; }

template <int W> __global__ void add_bias(Ref y, Ref bias, size_t rows, int cols)
{
    Spot s = spot_of<W>(thread_of_all(), cols);
    if (s.r >= rows) return;
    Run<W> v = get_run<W>(y, s.r, s.c), more = get_run<W>(bias, 0, s.c);
    for (int i = 0; i < W; i++) v.x[i] += more.x[i];
    set_run<W>(y, s.r, s.c, v);
}

int dense(Backend *b, LtProduct p, Mat left, Mat right, Mat y, const float *bias)
{
    Lt *lt = cuda_of(b)->lt;
    p.a = left.p;
    p.lda = left.ld;
    p.b = right.p;
    p.ldb = right.ld;
    p.y = y.p;
    p.ldy = y.ld;
    p.in = left.type;
    p.out = y.type;
    p.bias = bias;
    if (!lt_product(lt, &p)) return 1;
    p.bias = nullptr;
    if (!bias || lt_product(lt, &p)) return 0;
    Ref more = ref(const_cast<float *>(bias), 0);
    launch_runs(b, "linear", is_wide(ref(y)) && is_wide(more), add_bias<8>, add_bias<1>, size_t(y.rows), y.cols, ref(y), more, size_t(y.rows), y.cols);
    return 1;
}

void cuda_linear(Backend *b, Mat y, Mat x, const Weight *w, Vec bias, Acc acc, const Input *in)
{
    int round = rounds(b, w);
    Carve k = scratch_of(b);
    LtProduct p = {.n = in->ntok, .m = w->out, .k = w->in, .tb = 1, .acc = acc};
    y.rows = x.rows = in->ntok;
    if (by_library(b, w) && dense(b, p, operand(b, &k, x, round), weight(b, &k, w, round), y, bias.w)) return;
    if (piped_linear(b, k, y, x, w, bias.w, acc)) return;
    run_forward(b, "linear", round, Forward{side(x), ref(y), w->w, bias.w, w->out, w->in, acc == ADD, 1, {nullptr, 1, 1, in->ntok}});
}

void cuda_linear_dx(Backend *b, Mat dx, Mat dy, const Weight *w, const Input *in)
{
    int round = rounds(b, w);
    Carve k = scratch_of(b);
    LtProduct p = {.n = in->ntok, .m = w->in, .k = w->out, .acc = SET};
    dx.rows = dy.rows = in->ntok;
    if (by_library(b, w) && dense(b, p, operand(b, &k, dy, round), weight(b, &k, w, round), dx, nullptr)) return;
    if (piped_linear_dx(b, k, dx, dy, w)) return;
    run_back(b, "linear_dx", round, Back{side(dy), ref(dx), w->w, nullptr, w->out, w->in, 1, {nullptr, 1, 1, in->ntok}});
}

struct BiasGrad {
    Ref dy;
    float *to;
    __device__ float value(int t, int c) const { return get(dy, size_t(t), c); }
    __device__ float *total(int c) const { return to + c; }
};

void cuda_linear_dw(Backend *b, const Weight *w, Vec bias, Mat dy, Mat x, const Input *in)
{
    int round = rounds(b, w);
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    LtProduct p = {.n = w->out, .m = w->in, .k = in->ntok, .ta = 1, .acc = ADD};
    dy.rows = x.rows = in->ntok;
    if (bias.w) column_sums(b, "linear_dw", BiasGrad{ref(dy), bias.dw}, w->out, in, t->chunk, k.take<double>(size_t(w->out) * size_t(in->nchunk)));
    if (by_library(b, w) && dense(b, p, operand(b, &k, dy, round), operand(b, &k, x, round), Mat{w->dw, w->out, w->in, w->in, F32}, nullptr)) return;
    if (piped_linear_dw(b, k, w, dy, x, in)) return;
    run_grad(b, "linear_dw", round, Grad{side(dy), side(x), w->dw, nullptr, w->out, w->in, in->nchunk, t->chunk, nullptr, nullptr}, 1);
}

/* Two operands of any product between two widths of the model, and sums of chunks. */
size_t linear_scratch(const Backend *b, const Dims *d)
{
    size_t wide = size_t(d->D), all[] = {size_t(d->H + 2 * d->Hk) * size_t(d->d), size_t(d->O), size_t(d->F), size_t(d->Fe)};
    Carve k = {nullptr, 0};
    for (size_t x : all) wide = x > wide ? x : wide;
    k.take<double>(wide * size_t(d->chunks));
    k.take<char>((wide + 8) * (wide > size_t(d->tokens) ? wide : size_t(d->tokens)) * dtype_size(b->dtype));
    k.take<char>((wide + 8) * (wide > size_t(d->tokens) ? wide : size_t(d->tokens)) * dtype_size(b->dtype));
    return k.at;
}

}
