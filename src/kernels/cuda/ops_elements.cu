/* ops_elements.cu - zero, rows, the gated embedding, RMS norm, the sum over a token's rows. */
#include "kernels/cuda/columns.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, WARPS = THREADS / 32;

void cuda_zero(Backend *b, void *p, size_t bytes)
{
    if (bytes) note(b, cudaMemsetAsync(p, 0, bytes, cuda_of(b)->stream), "zero");
}

__global__ void gather_rows(Ref y, Ref x, const int *row, int rows, int cols)
{
    size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= size_t(rows) * size_t(cols)) return;
    size_t r = i / size_t(cols);
    int c = int(i % size_t(cols));
    set(y, r, c, get(x, size_t(row ? row[r] : int(r)), c));
}

static void gather(Backend *b, Mat y, Mat x, const int *row)
{
    launch(b, "rows", gather_rows, dim3(blocks(size_t(y.rows) * size_t(y.cols), THREADS)), THREADS, ref(y), ref(x), row, y.rows, y.cols);
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

static __device__ float dot(const float *w, const float *x, int n)
{
    float s = 0;
    for (int i = 0; i < n; i++) s = fmaf(w[i], x[i], s);
    return s;
}

__global__ void embed(Embed a, int ntok)
{
    size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= size_t(ntok) * size_t(a.D)) return;
    int t = int(i / size_t(a.D)), d = int(i % size_t(a.D));
    const float *x = points_of(a.t, t, a.S);
    set(a.h, size_t(t), d, silu(dot(a.g + size_t(d) * size_t(a.P), x, a.P)) * dot(a.e + size_t(d) * size_t(a.P), x, a.P));
}

void cuda_embed(Backend *b, Mat h, const Weight *g, const Weight *e, const Input *in)
{
    Embed a = {ref(h), g->w, e->w, g->out, g->in, in->S, *tables_of(b, in)};
    launch(b, "embed", embed, dim3(blocks(size_t(in->ntok) * size_t(a.D), THREADS)), THREADS, a, in->ntok);
}

/* Column (d, p): row d of dW of the gate, then of the value. */
struct EmbedGrad {
    Embed a;
    float *dg, *de;
    __device__ float value(int t, int c) const
    {
        int d = c / (2 * a.P), p = c % (2 * a.P);
        const float *x = points_of(a.t, t, a.S);
        float g = dot(a.g + size_t(d) * size_t(a.P), x, a.P), dh = get(a.h, size_t(t), d);
        if (p >= a.P) return dh * silu(g) * x[p - a.P];
        return dh * dot(a.e + size_t(d) * size_t(a.P), x, a.P) * silu_slope(g) * x[p];
    }
    __device__ void add(int c, double sum) const
    {
        int d = c / (2 * a.P), p = c % (2 * a.P);
        add_to((p < a.P ? dg + p : de + p - a.P) + size_t(d) * size_t(a.P), sum);
    }
};

void cuda_embed_bwd(Backend *b, Mat dh, const Weight *g, const Weight *e, const Input *in)
{
    const Tables *t = tables_of(b, in);
    EmbedGrad f = {{ref(dh), g->w, e->w, g->out, g->in, in->S, *t}, g->dw, e->dw};
    int columns = 2 * g->out * g->in;
    Carve k = scratch_of(b);
    column_sums(b, "embed_bwd", f, columns, in, t->chunk, k.take<double>(size_t(columns) * size_t(in->nchunk)));
}

struct Norm { Ref y, keep, h; float *rstd; const float *w; float eps; int rows, D, kept; };

__global__ void norm(Norm a)
{
    int r = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (r >= a.rows) return;
    float sq = 0;
    for (int i = lane; i < a.D && !a.kept; i += 32) {
        set(a.keep, size_t(r), i, get(a.h, size_t(r), i));
        float x = get(a.keep, size_t(r), i);
        sq = fmaf(x, x, sq);
    }
    float scale = a.kept ? a.rstd[r] : 1 / sqrtf(warp_sum(sq) / float(a.D) + a.eps);
    if (!a.kept && !lane) a.rstd[r] = scale;
    for (int i = lane; i < a.D; i += 32) set(a.y, size_t(r), i, get(a.keep, size_t(r), i) * scale * a.w[i]);
}

void cuda_norm(Backend *b, Mat y, Mat keep, float *rstd, Mat h, Vec w, float eps)
{
    Norm a = {ref(y), ref(keep.p ? keep : h), ref(h), rstd, w.w, eps, y.rows, w.n, !keep.p};
    launch(b, "norm", norm, dim3(blocks(size_t(y.rows), WARPS)), THREADS, a);
}

struct NormBwd {
    Ref dh, dy, keep;
    const float *rstd, *w;
    float *dw;
    int D;
    __device__ float value(int t, int c) const { return get(dy, size_t(t), c) * get(keep, size_t(t), c) * rstd[t]; }
    __device__ void add(int c, double sum) const { add_to(dw + c, sum); }
};

__global__ void norm_dh(NormBwd a, int rows)
{
    int r = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
    if (r >= rows) return;
    float pull = 0, s = a.rstd[r];
    for (int i = lane; i < a.D; i += 32) pull = fmaf(get(a.dy, size_t(r), i) * a.w[i], get(a.keep, size_t(r), i), pull);
    pull = warp_sum(pull) * s * s / float(a.D);
    for (int i = lane; i < a.D; i += 32) {
        float g = get(a.dy, size_t(r), i) * a.w[i] - get(a.keep, size_t(r), i) * pull;
        set(a.dh, size_t(r), i, get(a.dh, size_t(r), i) + s * g);
    }
}

void cuda_norm_bwd(Backend *b, Mat dh, Mat dy, Mat keep, const float *rstd, Vec w, const Input *in)
{
    NormBwd a = {ref(dh), ref(dy), ref(keep), rstd, w.w, w.dw, w.n};
    Carve k = scratch_of(b);
    launch(b, "norm_bwd", norm_dh, dim3(blocks(size_t(in->ntok), WARPS)), THREADS, a, in->ntok);
    column_sums(b, "norm_bwd", a, w.n, in, tables_of(b, in)->chunk, k.take<double>(size_t(w.n) * size_t(in->nchunk)));
}

/* backward: y holds rows of dx, and neither h nor the scales count. */
struct Combine { Ref h, y, ys; const int *row; const float *scale, *shared; int K, D, with_shared, backward; };

__global__ void combine(Combine a, int ntok)
{
    size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= size_t(ntok) * size_t(a.D)) return;
    size_t t = i / size_t(a.D);
    int c = int(i % size_t(a.D));
    float sum = a.backward ? 0 : get(a.h, t, c);
    for (int k = 0; k < a.K; k++) {
        int row = a.row[t * size_t(a.K) + size_t(k)];
        float y = get(a.y, size_t(row), c);
        sum = a.backward ? sum + y : fmaf(a.scale[row], y, sum);
    }
    if (a.with_shared) sum = fmaf(a.shared && !a.backward ? a.shared[t] : 1, get(a.ys, t, c), sum);
    set(a.h, t, c, sum);
}

static void run_combine(Backend *b, const char *what, Mat h, Mat y, Mat ys, const Route *r, const Input *in, int backward)
{
    Combine a = {ref(h), ref(y), ref(ys), r->row, r->routed.scale, r->shared.scale, r->K, h.cols, ys.p != nullptr, backward};
    launch(b, what, combine, dim3(blocks(size_t(in->ntok) * size_t(h.cols), THREADS)), THREADS, a, in->ntok);
}

void cuda_combine(Backend *b, Mat h, Mat y, Mat ys, const Route *r, const Input *in) { run_combine(b, "combine", h, y, ys, r, in, 0); }
void cuda_combine_bwd(Backend *b, Mat dx, Mat dy, Mat dys, const Route *r, const Input *in) { run_combine(b, "combine_bwd", dx, dy, dys, r, in, 1); }

size_t elements_scratch(const Backend *b, const Dims *d)
{
    Carve embed_k = {nullptr, 0}, norm_k = embed_k, rows_k = embed_k;
    embed_k.take<double>(2 * size_t(d->D) * size_t(d->P) * size_t(d->chunks));
    norm_k.take<double>(size_t(d->D) * size_t(d->chunks));
    rows_k.take<float>(size_t(d->D) * size_t(d->tokens));
    (void)b;
    size_t most = embed_k.at > norm_k.at ? embed_k.at : norm_k.at;
    return most > rows_k.at ? most : rows_k.at;
}

}
