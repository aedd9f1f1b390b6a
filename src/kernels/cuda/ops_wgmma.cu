/* ops_wgmma.cu - products of bf16 runs on Hopper (FTS_WGMMA=yes) by pipe.cuh: the gated MLP over rows of experts or of the shared one, with the
 * activation and its slope where tiles are stored, and the products with one weight that no library makes. Weights are read from their bf16 copies. */
#include "kernels/cuda/dense.cuh"
#include "kernels/cuda/pipe.cuh"

namespace fts_cuda {

/* Rows of bf16 numbers, perhaps gathered by token. */
struct Lines {
    const bfloat *p;
    int ld;
    const int *token;
    __device__ const bfloat *row(int r, int c) const { return p + size_t(token ? token[r] : r) * size_t(ld) + size_t(c); }
};
static Lines lines(Mat m, const int *token = nullptr) { return {static_cast<const bfloat *>(m.p), m.ld, token}; }

/* y = x W^T + bias, or += onto y */
struct PipedForward {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 1 };
    Lines x;
    Ref y;
    const bfloat *w;
    const float *bias;
    int out, in, add, pieces;
    Grouping rows;
    __device__ const void *any() const { return w; }
    size_t tiles(int width) const { return row_tiles(rows, out, width); }
    __device__ bool find(int width, int tile, Place &at) const { return find_rows(rows, out, width, tile, at); }
    __device__ Span span(const Place &, int) const { return {0, in}; }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return x.row(at.row + i, k); }
    __device__ const bfloat *b(const Place &at, int, int i, int k) const { return i < at.cols ? w + (size_t(at.group) * size_t(out) + size_t(at.col + i)) * size_t(in) + size_t(k) : nullptr; }
    __device__ float run(const Place &at, int m, int n, float (&v)[1][8]) const
    {
        float old[8];
        if (add) get_eight(y, size_t(at.row + m), at.col + n, old);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (bias) v[0][i] += bias[at.col + n + i];
            if (add) v[0][i] += old[i];
        }
        set_eight(y, size_t(at.row + m), at.col + n, v[0]);
        return 0;
    }
    __device__ void row(const Place &, int, int, float) const {}
};

/* dx = dy W; with a second weight dy has its columns behind those of the first, and dx is the sum. */
struct PipedBack {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 0 };
    Lines dy;
    Ref dx;
    const bfloat *w, *w2;
    int out, in, pieces;
    Grouping rows;
    __device__ const void *any() const { return w; }
    size_t tiles(int width) const { return row_tiles(rows, in, width); }
    __device__ bool find(int width, int tile, Place &at) const { return find_rows(rows, in, width, tile, at); }
    __device__ Span span(const Place &, int) const { return {0, w2 ? 2 * out : out}; }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return dy.row(at.row + i, k); }
    __device__ const bfloat *b(const Place &at, int, int i, int k) const
    {
        int o = k + i;
        return (o < out ? w : w2) + (size_t(at.group) * size_t(out) + size_t(o < out ? o : o - out)) * size_t(in) + size_t(at.col);
    }
    __device__ float run(const Place &at, int m, int n, float (&v)[1][8]) const
    {
        set_eight(dx, size_t(at.row + m), at.col + n, v[0]);
        return 0;
    }
    __device__ void row(const Place &, int, int, float) const {}
};

/* dW += dy^T x, chunk by chunk; with a second weight dy has its columns behind those of the first. */
struct PipedGrad {
    enum { PRODUCTS = 1, A_ALONG_K = 0, B_ALONG_K = 0 };
    Lines dy, x;
    float *dw, *dw2;
    int out, in, groups, pieces;         /* pieces: chunks */
    const int *chunk, *start, *count;    /* rows of a chunk; or of a group and a chunk */
    __host__ __device__ int all() const { return dw2 ? 2 * out : out; }
    __host__ __device__ int down() const { return (all() + PIPE_M - 1) / PIPE_M; }
    __host__ __device__ int across(int width) const { return (in + width - 1) / width; }
    __host__ __device__ size_t tiles(int width) const { return size_t(groups * down() * across(width)); }
    __device__ const void *any() const { return x.p; }
    __device__ bool find(int width, int tile, Place &at) const
    {
        int n = across(width);
        at.group = tile / (down() * n);
        at.row = tile / n % down() * PIPE_M;
        at.col = tile % n * width;
        at.rows = all() - at.row < PIPE_M ? all() - at.row : PIPE_M;
        at.cols = in - at.col < width ? in - at.col : width;
        return at.group < groups;
    }
    __device__ Span span(const Place &at, int piece) const
    {
        int p = at.group * pieces + piece;
        return start ? Span{start[p], start[p] + count[p]} : Span{chunk[piece], chunk[piece + 1]};
    }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return dy.row(k + i, at.row); }
    __device__ const bfloat *b(const Place &at, int, int i, int k) const { return x.row(k + i, at.col); }
    __device__ float run(const Place &at, int m, int n, float (&v)[1][8]) const
    {
        int o = at.row + m;
        Ref to = {o < out ? dw : dw2, in, 0};
        float old[8];
        o = at.group * out + (o < out ? o : o - out);
        get_eight(to, size_t(o), at.col + n, old);
#pragma unroll
        for (int i = 0; i < 8; i++) old[i] += v[0][i];
        set_eight(to, size_t(o), at.col + n, old);
        return 0;
    }
    __device__ void row(const Place &, int, int, float) const {}
};

/* Both gradients of an MLP in one go, or each alone would leave many blocks without a tile. Groups of the second are numbered behind those of the first. */
struct PipedGrads {
    enum { PRODUCTS = 1, A_ALONG_K = 0, B_ALONG_K = 0 };
    PipedGrad first, second;
    int pieces;
    __device__ const void *any() const { return first.any(); }
    size_t tiles(int width) const { return first.tiles(width) + second.tiles(width); }
    __device__ bool find(int width, int tile, Place &at) const
    {
        int before = int(first.tiles(width));
        if (tile < before) return first.find(width, tile, at);
        bool there = second.find(width, tile - before, at);
        at.group += first.groups;
        return there;
    }
    template <class F> __device__ auto with(Place at, F f) const
    {
        if (at.group < first.groups) return f(first, at);
        at.group -= first.groups;
        return f(second, at);
    }
    __device__ Span span(const Place &at, int piece) const { return with(at, [&](const PipedGrad &g, const Place &own) { return g.span(own, piece); }); }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return with(at, [&](const PipedGrad &g, const Place &own) { return g.a(own, i, k); }); }
    __device__ const bfloat *b(const Place &at, int, int i, int k) const { return with(at, [&](const PipedGrad &g, const Place &own) { return g.b(own, 0, i, k); }); }
    __device__ float run(const Place &at, int m, int n, float (&v)[1][8]) const { return with(at, [&](const PipedGrad &g, const Place &own) { return g.run(own, m, n, v); }); }
    __device__ void row(const Place &, int, int, float) const {}
};

/* Gate and up of a tile: kept as they are rounded, and the hidden numbers made of them. */
struct PipedGateUp {
    enum { PRODUCTS = 2, A_ALONG_K = 1, B_ALONG_K = 1 };
    Lines x;
    Ref keep, hidden;                    /* (rows,2F), or absent; (rows,F), or absent */
    const bfloat *gate, *up;
    int F, D, pieces;
    Grouping rows;
    __device__ const void *any() const { return gate; }
    size_t tiles(int width) const { return row_tiles(rows, F, width); }
    __device__ bool find(int width, int tile, Place &at) const { return find_rows(rows, F, width, tile, at); }
    __device__ Span span(const Place &, int) const { return {0, D}; }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return x.row(at.row + i, k); }
    __device__ const bfloat *b(const Place &at, int second, int i, int k) const
    {
        return i < at.cols ? (second ? up : gate) + (size_t(at.group) * size_t(F) + size_t(at.col + i)) * size_t(D) + size_t(k) : nullptr;
    }
    __device__ float run(const Place &at, int m, int n, float (&v)[2][8]) const
    {
        float h[8];
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float g = rounded<bfloat>(v[0][i]);
            h[i] = g * quick_sigmoid(g) * rounded<bfloat>(v[1][i]);
        }
        if (keep.p) {
            set_eight(keep, size_t(at.row + m), at.col + n, v[0]);
            set_eight(keep, size_t(at.row + m), F + at.col + n, v[1]);
        }
        if (hidden.p) set_eight(hidden, size_t(at.row + m), at.col + n, h);
        return 0;
    }
    __device__ void row(const Place &, int, int, float) const {}
};

/* Wide = g W_down of a tile; from it and what was kept: dgate, dup, hidden, and parts of <wide, hidden>. */
struct PipedHidden {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 0 };
    Lines g;
    Ref keep, pair, hidden;              /* (rows,2F): gate|up; dgate|dup, which may lie in the same place; (rows,F) */
    const bfloat *down;
    float *part;                         /* (rows, F / PART) */
    int F, D, pieces;
    Grouping rows;
    __device__ const void *any() const { return down; }
    size_t tiles(int width) const { return row_tiles(rows, F, width); }
    __device__ bool find(int width, int tile, Place &at) const { return find_rows(rows, F, width, tile, at); }
    __device__ Span span(const Place &, int) const { return {0, D}; }
    __device__ const bfloat *a(const Place &at, int i, int k) const { return g.row(at.row + i, k); }
    __device__ const bfloat *b(const Place &at, int, int i, int k) const { return down + (size_t(at.group) * size_t(D) + size_t(k + i)) * size_t(F) + size_t(at.col); }
    __device__ float run(const Place &at, int m, int n, float (&wide)[1][8]) const
    {
        size_t r = size_t(at.row + m);
        int f = at.col + n;
        float gate[8], up[8], h[8], dot = 0;
        get_eight(keep, r, f, gate);
        get_eight(keep, r, F + f, up);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float s = quick_sigmoid(gate[i]), a = gate[i] * s, slope = s * (1 + gate[i] * (1 - s));
            h[i] = a * up[i];
            dot = fmaf(wide[0][i], rounded<bfloat>(h[i]), dot);
            gate[i] = wide[0][i] * up[i] * slope;
            up[i] = wide[0][i] * a;
        }
        set_eight(pair, r, f, gate);
        set_eight(pair, r, F + f, up);
        set_eight(hidden, r, f, h);
        return dot;
    }
    /* Four lanes share a row; they add up in a fixed order. */
    __device__ void row(const Place &at, int m, int n, float dot) const
    {
        dot += __shfl_xor_sync(0xffffffffu, dot, 1);
        dot += __shfl_xor_sync(0xffffffffu, dot, 2);
        if (threadIdx.x % 4 == 0 && m < at.rows && n < at.cols) part[size_t(at.row + m) * size_t((F + PART - 1) / PART) + size_t((at.col + n) / PART)] = dot;
    }
};

/* g[row] = scale[row] * dout[token[row]] */
__global__ void sort_rows(Ref g, Ref dout, const int *token, const float *scale, size_t rows, int cols)
{
    Spot s = spot_of<8>(thread_of_all(), cols);
    if (s.r >= rows) return;
    float x[8];
    get_eight(dout, token ? size_t(token[s.r]) : s.r, s.c, x);
#pragma unroll
    for (int k = 0; k < 8; k++) x[k] *= scale ? scale[s.r] : 1;
    set_eight(g, s.r, s.c, x);
}

static int wide(Mat m) { return is_wide(ref(m)); }

/* Its rows are whole runs of eight. */
static int is_piped(const Backend *b, const Weight *w) { return cuda_of(b)->wgmma && rounds(b, w) && w->in % 8 == 0 && w->out % 8 == 0; }

/* Its copy, where there is one. */
static const bfloat *piped_weight(Backend *b, const Weight *w)
{
    if (!is_piped(b, w)) return nullptr;
    const bfloat *copy = copy_of(b, w->w, size_t(w->groups) * size_t(w->out) * size_t(w->in));
    return copy && is_wide(copy, size_t(w->in)) ? copy : nullptr;
}

static Grouping one_group(int n) { return {nullptr, 1, 1, n}; }
static Grouping groups_of(const Ffn *w, const Rows *r, const Input *in) { return {r->start, w->gate.groups, in->nchunk, r->n}; }


int piped_linear(Backend *b, Carve k, Mat y, Mat x, const Weight *w, const float *bias, Acc acc)
{
    const bfloat *copy = wide(y) ? piped_weight(b, w) : nullptr;
    if (!copy || !wide(x = operand(b, &k, x, 1))) return 0;
    run_pipe(b, "linear", PipedForward{lines(x), ref(y), copy, bias, w->out, w->in, acc == ADD, 1, one_group(x.rows)});
    return 1;
}

int piped_linear_dx(Backend *b, Carve k, Mat dx, Mat dy, const Weight *w)
{
    const bfloat *copy = wide(dx) ? piped_weight(b, w) : nullptr;
    if (!copy || !wide(dy = operand(b, &k, dy, 1))) return 0;
    run_pipe(b, "linear_dx", PipedBack{lines(dy), ref(dx), copy, nullptr, w->out, w->in, 1, one_group(dy.rows)});
    return 1;
}

int piped_linear_dw(Backend *b, Carve k, const Weight *w, Mat dy, Mat x, const Input *in)
{
    if (!is_piped(b, w) || !is_wide(w->dw, size_t(w->in))) return 0;
    if (!wide(dy = operand(b, &k, dy, 1)) || !wide(x = operand(b, &k, x, 1))) return 0;
    run_pipe(b, "linear_dw", PipedGrad{lines(dy), lines(x), w->dw, nullptr, w->out, w->in, 1, in->nchunk, tables_of(b, in)->chunk, nullptr, nullptr});
    return 1;
}

struct Copied3 { const bfloat *gate, *up, *down; };

static int takes(Backend *b, Copied3 *c, Mat x, const Ffn *w)
{
    if (x.type != BF16 || !wide(x)) return 0;
    *c = {piped_weight(b, &w->gate), piped_weight(b, &w->up), piped_weight(b, &w->down)};
    return c->gate && c->up && c->down;
}

static Mat take_mat(Carve *k, int rows, int cols) { return {k->take<bfloat>(size_t(rows) * size_t(cols)), rows, cols, cols, BF16}; }

static void gate_up(Backend *b, const char *what, Mat keep, Mat hidden, Mat x, const Copied3 &c, const Ffn *w, const Rows *r, const Input *in)
{
    run_pipe(b, what, PipedGateUp{lines(x, r->token), ref(keep), ref(hidden), c.gate, c.up, w->gate.out, w->gate.in, 1, groups_of(w, r, in)});
}

int piped_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    Copied3 c;
    if (!wide(y) || !wide(keep) || !takes(b, &c, x, w)) return 0;
    Carve k = scratch_of(b);
    Mat hidden = take_mat(&k, r->n, w->gate.out);
    gate_up(b, "ffn", keep, hidden, x, c, w, r, in);
    run_pipe(b, "ffn", PipedForward{lines(hidden), ref(y), c.down, nullptr, w->down.out, w->down.in, 0, 1, groups_of(w, r, in)});
    return 1;
}

struct PipedWork { Mat g, pair, hidden; float *part; };

static PipedWork carve(Carve *k, int rows, int D, int F)
{
    PipedWork s = {take_mat(k, rows, D), take_mat(k, rows, 2 * F), take_mat(k, rows, F), nullptr};
    s.part = k->take<float>(size_t(rows) * blocks(size_t(F), PART));
    return s;
}

int piped_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    int D = w->gate.in, F = w->gate.out, n = r->n;
    Copied3 c;
    if (!wide(dx) || !wide(dout) || !wide(keep) || !takes(b, &c, x, w)) return 0;
    if (!is_wide(w->gate.dw, size_t(D)) || !is_wide(w->up.dw, size_t(D)) || !is_wide(w->down.dw, size_t(F))) return 0;
    Carve k = scratch_of(b);
    PipedWork s = carve(&k, n, D, F);
    Grouping rows = groups_of(w, r, in);
    const int *chunk = tables_of(b, in)->chunk;
    launch(b, "ffn_bwd", sort_rows, dim3(blocks(size_t(n) * size_t(D / 8), RUN_THREADS)), RUN_THREADS, ref(s.g), ref(dout), r->token, static_cast<const float *>(r->scale), size_t(n), D);
    if (!keep.p) gate_up(b, "ffn_bwd", s.pair, Mat{nullptr, 0, 0, 0, BF16}, x, c, w, r, in);
    run_pipe(b, "ffn_bwd", PipedHidden{lines(s.g), ref(keep.p ? keep : s.pair), ref(s.pair), ref(s.hidden), c.down, s.part, F, D, 1, rows});
    if (r->scale) scale_grads_of(b, r, s.part, int(blocks(size_t(F), PART)));
    run_pipe(b, "ffn_bwd", PipedBack{lines(s.pair), ref(dx), c.gate, c.up, F, D, 1, rows});
    PipedGrads grads = {{lines(s.pair), lines(x, r->token), w->gate.dw, w->up.dw, F, D, w->gate.groups, in->nchunk, chunk, r->start, r->count},
                        {lines(s.g), lines(s.hidden), w->down.dw, nullptr, D, F, w->gate.groups, in->nchunk, chunk, r->start, r->count}, in->nchunk};
    run_pipe(b, "ffn_bwd", grads);
    return 1;
}

size_t piped_scratch(const Backend *b, const Dims *d)
{
    Carve routed = {nullptr, 0}, shared = routed;
    if (!cuda_of(b)->wgmma) return 0;
    carve(&routed, d->K * d->tokens, d->D, d->Fe);
    carve(&shared, d->tokens, d->D, d->F);
    return routed.at > shared.at ? routed.at : shared.at;
}

}
