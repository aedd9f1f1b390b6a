/* ops_elements.cu - zero, rows, the gated embedding, the sum over a token's rows. */
#include "kernels/cuda/columns.cuh"

namespace fts_cuda {

constexpr int THREADS = 256;

void cuda_zero(Backend *b, void *p, size_t bytes)
{
    if (bytes) note(b, cudaMemsetAsync(p, 0, bytes, cuda_of(b)->stream), "zero");
}

template <int W> __global__ void gather_rows(Ref y, Ref x, const int *row, size_t rows, int cols)
{
    Spot s = spot_of<W>(thread_of_all(), cols);
    if (s.r < rows) set_run<W>(y, s.r, s.c, get_run<W>(x, row ? size_t(row[s.r]) : s.r, s.c));
}

static void gather(Backend *b, Mat y, Mat x, const int *row)
{
    launch_runs(b, "rows", is_wide(ref(y)) && is_wide(ref(x)), gather_rows<8>, gather_rows<1>, size_t(y.rows), y.cols, ref(y), ref(x), row, size_t(y.rows), y.cols);
}

/* By way of scratch memory where a row may be read after it was written. */
void cuda_rows(Backend *b, Mat y, Mat x, const int *row)
{
    const int *on_device = static_cast<const int *>(send(b, row, size_t(y.rows) * sizeof *row));
    Mat between = {b->scratch, y.rows, y.cols, y.cols, y.type};
    gather(b, y.p == x.p ? between : y, x, on_device);
    if (y.p == x.p) gather(b, y, between, nullptr);
}

struct Embed { Ref h; const float *g, *e; int D, P, S; Tables t; };

/* w: of a row of weights, which begin at a multiple of 16 bytes and lie apart for each thread. */
static __device__ float dot(const float *w, const float *x, int n)
{
    float s = 0;
    int i = 0;
    for (; n % 4 == 0 && i < n; i += 4) {
        float4 v = *reinterpret_cast<const float4 *>(w + i);
        s = fmaf(v.x, x[i], s);
        s = fmaf(v.y, x[i + 1], s);
        s = fmaf(v.z, x[i + 2], s);
        s = fmaf(v.w, x[i + 3], s);
    }
    for (; i < n; i++) s = fmaf(w[i], x[i], s);
    return s;
}

__global__ void embed(Embed a, int ntok)
{
    Spot s = spot_of<1>(thread_of_all(), a.D);
    if (s.r >= size_t(ntok)) return;
    int t = int(s.r), d = s.c;
    const float *x = points_of(a.t, t, a.S);
    set(a.h, size_t(t), d, silu(dot(a.g + size_t(d) * size_t(a.P), x, a.P)) * dot(a.e + size_t(d) * size_t(a.P), x, a.P));
}

void cuda_embed(Backend *b, Mat h, const Weight *g, const Weight *e, const Input *in)
{
    Embed a = {ref(h), g->w, e->w, g->out, g->in, in->S, *tables_of(b, in)};
    launch(b, "embed", embed, dim3(blocks(size_t(in->ntok) * size_t(a.D), THREADS)), THREADS, a, in->ntok);
}

/* What the points of a token are multiplied with: dh through the gate, then through the value. */
struct Factors { float gate, value; };
static __device__ Factors factors_of(const Embed &a, int t, int d)
{
    const float *x = points_of(a.t, t, a.S);
    float g = dot(a.g + size_t(d) * size_t(a.P), x, a.P), dh = get(a.h, size_t(t), d);
    return {dh * dot(a.e + size_t(d) * size_t(a.P), x, a.P) * silu_slope(g), dh * silu(g)};
}

__global__ void embed_factors(Embed a, Factors *to, int ntok)
{
    Spot s = spot_of<1>(thread_of_all(), a.D);
    if (s.r < size_t(ntok)) to[s.r * size_t(a.D) + size_t(s.c)] = factors_of(a, int(s.r), s.c);
}

/* Column (d, p): row d of dW of the gate, then of the value. made (N,D): NULL where a token has one point, and they are no work. */
struct EmbedGrad {
    Embed a;
    float *dg, *de;
    const Factors *made;
    __device__ float value(int t, int c) const
    {
        int d = c / (2 * a.P), p = c % (2 * a.P);
        Factors f = made ? made[size_t(t) * size_t(a.D) + size_t(d)] : factors_of(a, t, d);
        const float *x = points_of(a.t, t, a.S);
        return p < a.P ? f.gate * x[p] : f.value * x[p - a.P];
    }
    __device__ float *total(int c) const
    {
        int d = c / (2 * a.P), p = c % (2 * a.P);
        return (p < a.P ? dg + p : de + p - a.P) + size_t(d) * size_t(a.P);
    }
};

void cuda_embed_bwd(Backend *b, Mat dh, const Weight *g, const Weight *e, const Input *in)
{
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    Embed a = {ref(dh), g->w, e->w, g->out, g->in, in->S, *t};
    Factors *made = a.P > 1 ? k.take<Factors>(size_t(in->ntok) * size_t(a.D)) : nullptr;
    EmbedGrad f = {a, g->dw, e->dw, made};
    int columns = 2 * g->out * g->in;
    if (made) launch(b, "embed_bwd", embed_factors, dim3(blocks(size_t(in->ntok) * size_t(a.D), THREADS)), THREADS, a, made, in->ntok);
    column_sums(b, "embed_bwd", f, columns, in, t->chunk, k.take<double>(size_t(columns) * size_t(in->nchunk)));
}

/* backward: y holds rows of dx, and neither h nor the scales count. */
struct Combine { Ref h, y, ys; const int *row; const float *scale, *shared; int K, D, with_shared, backward; };

template <int W> __global__ void combine(Combine a, size_t ntok)
{
    Spot s = spot_of<W>(thread_of_all(), a.D);
    if (s.r >= ntok) return;
    Run<W> sum = {};
    if (!a.backward) sum = get_run<W>(a.h, s.r, s.c);
    for (int k = 0; k < a.K; k++) {
        int row = a.row[s.r * size_t(a.K) + size_t(k)];
        add_scaled(sum, a.backward ? 1 : a.scale[row], get_run<W>(a.y, size_t(row), s.c));
    }
    if (a.with_shared) add_scaled(sum, a.shared && !a.backward ? a.shared[s.r] : 1, get_run<W>(a.ys, s.r, s.c));
    set_run<W>(a.h, s.r, s.c, sum);
}

static void run_combine(Backend *b, const char *what, Mat h, Mat y, Mat ys, const Route *r, const Input *in, int backward)
{
    Combine a = {ref(h), ref(y), ref(ys), r->row, r->routed.scale, r->shared.scale, r->K, h.cols, ys.p != nullptr, backward};
    launch_runs(b, what, is_wide(a.h) && is_wide(a.y) && is_wide(a.ys), combine<8>, combine<1>, size_t(in->ntok), h.cols, a, size_t(in->ntok));
}

void cuda_combine(Backend *b, Mat h, Mat y, Mat ys, const Route *r, const Input *in) { run_combine(b, "combine", h, y, ys, r, in, 0); }
void cuda_combine_bwd(Backend *b, Mat dx, Mat dy, Mat dys, const Route *r, const Input *in) { run_combine(b, "combine_bwd", dx, dy, dys, r, in, 1); }

size_t elements_scratch(const Backend *, const Dims *d)
{
    Carve embed_k = {nullptr, 0}, rows_k = embed_k;
    if (d->P > 1) embed_k.take<Factors>(size_t(d->tokens) * size_t(d->D));
    embed_k.take<double>(2 * size_t(d->D) * size_t(d->P) * size_t(d->chunks));
    rows_k.take<float>(size_t(d->D) * size_t(d->tokens));
    return embed_k.at > rows_k.at ? embed_k.at : rows_k.at;
}

}
