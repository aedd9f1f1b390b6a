/* ops_ffn.cu - the gated MLP over rows sorted by group: gate and up in one pass over the rows, the activation where their tile
 * is made; backward the other way round. How many rows a group has is read on the device. */
#include "kernels/cuda/dense.cuh"
#include "kernels/cuda/product.cuh"

namespace fts_cuda {

/* Gate and up of a tile: kept as they are rounded, and the hidden numbers made of them. */
struct GateUp {
    enum { PRODUCTS = 2, A_ALONG_K = 1, B_ALONG_K = 1, COLUMNS = BN / PRODUCTS };
    Side x;
    Ref keep, hidden;                    /* (rows,2F), or absent; (rows,F), or absent */
    const float *gate, *up;
    int F, D, pieces;
    Grouping rows;
    int a_wide = x.wide(), b_wide = is_wide(gate, size_t(D)) && is_wide(up, size_t(D));
    __device__ bool place(Place &at) const { return find_rows(rows, F, COLUMNS, int(blockIdx.x), at); }
    __device__ Span span(const Place &, int) const { return {0, D}; }
    __device__ float a(const Place &at, int m, int k) const { return x.at(at.row + m, k); }
    __device__ void a8(const Place &at, int m, int k, float (&v)[8]) const { x.at8(at.row + m, k, v); }
    __device__ const float *from(int i, const Place &at, int n, int k) const { return (i ? up : gate) + (size_t(at.group) * size_t(F) + size_t(at.col + n)) * size_t(D) + size_t(k); }
    __device__ float b(int i, const Place &at, int n, int k) const { return *from(i, at, n, k); }
    __device__ void b8(int i, const Place &at, int n, int k, float (&v)[8]) const { eight(v, from(i, at, n, k)); }
    __device__ float as_kept(float v) const { return hidden_half() ? rounded<bfloat>(v) : v; }
    __device__ int hidden_half() const { return hidden.p ? hidden.half_size : keep.half_size; }
    __device__ void store(const Place &at, Sum<PRODUCTS> *sum) const
    {
#pragma unroll
        for (int i = 0; i < BM / 16 / TILE_WARPS; i++)
#pragma unroll
            for (int j = 0; j < COLUMNS / 8; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int m = row_in_tile<BM / 16 / TILE_WARPS>(i, e), n = column_in_tile(j, e);
                    if (m >= at.rows || n >= at.cols) continue;
                    float g = as_kept(sum[0].c[i][j][e]), u = as_kept(sum[1].c[i][j][e]);
                    size_t row = size_t(at.row + m);
                    if (keep.p) {
                        set(keep, row, at.col + n, g);
                        set(keep, row, F + at.col + n, u);
                    }
                    if (hidden.p) set(hidden, row, at.col + n, silu(g) * u);
                }
    }
};

/* Wide = (scale dout) W_down of a tile; from it and what was kept: dgate, dup, hidden, and the tile's part of <wide, hidden>. */
struct Hidden {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 0 };
    Side dout;
    Ref keep, pair, hidden;              /* (rows,2F): gate|up; dgate|dup, which may lie in the same place; (rows,F) */
    const float *down;
    float *part;                         /* (rows, tiles of F) */
    int F, D, pieces;
    Grouping rows;
    int a_wide = dout.wide(), b_wide = is_wide(down, size_t(F));
    __device__ bool place(Place &at) const { return find_rows(rows, F, BN, int(blockIdx.x), at); }
    __device__ Span span(const Place &, int) const { return {0, D}; }
    __device__ float a(const Place &at, int m, int k) const { return dout.at(at.row + m, k); }
    __device__ void a8(const Place &at, int m, int k, float (&v)[8]) const { dout.at8(at.row + m, k, v); }
    __device__ const float *from(const Place &at, int n, int k) const { return down + (size_t(at.group) * size_t(D) + size_t(k)) * size_t(F) + size_t(at.col + n); }
    __device__ float b(int, const Place &at, int n, int k) const { return *from(at, n, k); }
    __device__ void b8(int, const Place &at, int n, int k, float (&v)[8]) const { eight(v, from(at, n, k)); }
    __device__ float one(const Place &at, int m, int n, float wide) const
    {
        size_t row = size_t(at.row + m);
        int f = at.col + n;
        float g = get(keep, row, f), u = get(keep, row, F + f), s = silu(g), h = s * u;
        set(pair, row, f, wide * u * silu_slope(g));
        set(pair, row, F + f, wide * s);
        set(hidden, row, f, h);
        return wide * (hidden.half_size ? rounded<bfloat>(h) : h);
    }
    /* Four lanes share a row; they add up in a fixed order. */
    __device__ void store(const Place &at, Sum<1> *sum) const
    {
#pragma unroll
        for (int i = 0; i < BM / 16 / TILE_WARPS; i++)
#pragma unroll
            for (int e = 0; e < 4; e += 2) {
                int m = row_in_tile<BM / 16 / TILE_WARPS>(i, e);
                float dot = 0;
#pragma unroll
                for (int j = 0; j < BN / 8; j++)
#pragma unroll
                    for (int x = 0; x < 2; x++) {
                        int n = column_in_tile(j, x);
                        if (m < at.rows && n < at.cols) dot += one(at, m, n, e ? sum[0].c[i][j][2 + x] : sum[0].c[i][j][x]);
                    }
                dot += __shfl_xor_sync(0xffffffffu, dot, 1);
                dot += __shfl_xor_sync(0xffffffffu, dot, 2);
                if (threadIdx.x % 4 == 0 && m < at.rows) part[size_t(at.row + m) * size_t((F + BN - 1) / BN) + size_t(at.col / BN)] = dot;
            }
    }
};

/* <W_down^T dout, hidden> = <wide, hidden> / scale; a row that counts for nothing has no share in it. */
__global__ void scale_grads(float *dscale, const float *scale, const float *part, int rows, int tiles)
{
    int r = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (r >= rows) return;
    float sum = 0;
    for (int i = 0; i < tiles; i++) sum += part[size_t(r) * size_t(tiles) + size_t(i)];
    dscale[r] = scale[r] != 0 ? sum / scale[r] : 0;
}

void scale_grads_of(Backend *b, const Rows *r, const float *part, int tiles)
{
    launch(b, "ffn_bwd", scale_grads, dim3(blocks(size_t(r->n), 256)), 256, r->dscale, r->scale, part, r->n, tiles);
}

static Grouping groups_of(const Ffn *w, const Rows *r, const Input *in) { return {r->start, w->gate.groups, in->nchunk, r->n}; }

static void gate_up(Backend *b, const char *what, Mat keep, Mat hidden, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    GateUp j = {side(x, r->token), ref(keep), ref(hidden), w->gate.w, w->up.w, w->gate.out, w->gate.in, 1, groups_of(w, r, in)};
    run_product(b, what, rounds(b, &w->gate), dim3(unsigned(row_tiles(j.rows, j.F, GateUp::COLUMNS))), j);
}

static Mat scratch_mat(Backend *b, Carve *k, int rows, int cols)
{
    return {k->take<char>(size_t(rows) * size_t(cols) * dtype_size(b->dtype)), rows, cols, cols, b->dtype};
}

void cuda_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    if (piped_ffn(b, y, keep, x, w, r, in) || dense_ffn(b, y, keep, x, w, r)) return;
    Carve k = scratch_of(b);
    Mat hidden = scratch_mat(b, &k, r->n, w->gate.out);
    gate_up(b, "ffn", keep, hidden, x, w, r, in);
    run_forward(b, "ffn", rounds(b, &w->down), Forward{side(hidden), ref(y), w->down.w, nullptr, w->down.out, w->down.in, 0, 1, groups_of(w, r, in)});
}

struct BwdWork { Mat pair, hidden; float *part; };

static BwdWork bwd_carve(Backend *b, Carve *k, int rows, int F)
{
    BwdWork s;
    s.pair = scratch_mat(b, k, rows, 2 * F);
    s.hidden = scratch_mat(b, k, rows, F);
    s.part = k->take<float>(size_t(rows) * blocks(size_t(F), BN));
    return s;
}

void cuda_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    int D = w->gate.in, F = w->gate.out, round = rounds(b, &w->down);
    if (piped_ffn_bwd(b, dx, dout, keep, x, w, r, in) || dense_ffn_bwd(b, dx, dout, keep, x, w, r)) return;
    Carve k = scratch_of(b);
    BwdWork s = bwd_carve(b, &k, r->n, F);
    Grouping rows = groups_of(w, r, in);
    const Tables *t = tables_of(b, in);
    if (!keep.p) gate_up(b, "ffn_bwd", s.pair, Mat{nullptr, 0, 0, 0, b->dtype}, x, w, r, in);
    Hidden j = {side(dout, r->token, r->scale), ref(keep.p ? keep : s.pair), ref(s.pair), ref(s.hidden), w->down.w, s.part, F, D, 1, rows};
    run_product(b, "ffn_bwd", round, dim3(unsigned(row_tiles(rows, F, BN))), j);
    if (r->scale) scale_grads_of(b, r, s.part, int(blocks(size_t(F), BN)));
    run_back(b, "ffn_bwd", round, Back{side(s.pair), ref(dx), w->gate.w, w->up.w, F, D, 1, rows});
    run_grad(b, "ffn_bwd", round, Grad{side(s.pair), side(x, r->token), w->gate.dw, w->up.dw, F, D, in->nchunk, t->chunk, r->start, r->count}, w->gate.groups);
    run_grad(b, "ffn_bwd", round, Grad{side(dout, r->token, r->scale), side(s.hidden), w->down.dw, nullptr, D, F, in->nchunk, t->chunk, r->start, r->count}, w->gate.groups);
}

size_t ffn_scratch(const Backend *b, const Dims *d)
{
    Backend shape = *b;
    Carve routed = {nullptr, 0}, shared = routed;
    bwd_carve(&shape, &routed, d->K * d->tokens, d->Fe);
    bwd_carve(&shape, &shared, d->tokens, d->F);
    const size_t need[] = {routed.at, shared.at, dense_ffn_scratch(b, d), piped_scratch(b, d)};
    size_t most = 0;
    for (size_t n : need) most = n > most ? n : most;
    return most;
}

}
