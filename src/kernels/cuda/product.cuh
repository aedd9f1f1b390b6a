/* product.cuh - products of rows with weights, tile by tile. A Job says where a block works, what the operands are, and what
 * becomes of the tile. Rows of experts are counted on the device: a grid has as many blocks as any routing may need. */
#ifndef KERNELS_CUDA_PRODUCT_CUH
#define KERNELS_CUDA_PRODUCT_CUH

#include "kernels/cuda/place.cuh"

namespace fts_cuda {

constexpr int BN = 64, BK = 32;
template <int PRODUCTS> using Sum = Held<BM / 16 / TILE_WARPS, BN / PRODUCTS / 8>;

/* Job: PRODUCTS (1 or 2 with the same rows), A_ALONG_K, B_ALONG_K, place(), pieces, span(), a(), b(), store(). A piece is a sum of its own.
 * Two products have half the columns each, and the registers of three blocks for two: so both sums stay in them.
 * a8(), b8(): eight operands along k or rows, where a_wide, b_wide say that they lie at multiples of 16 bytes. */
template <class O, class Job> __global__ void __launch_bounds__(TILE_THREADS, Job::PRODUCTS == 2 ? 2 : 3) product(Job job)
{
    const int ld = row_of<O>(BK), columns = BN / Job::PRODUCTS;
    __shared__ __align__(16) O a[BM * row_of<O>(BK)];
    __shared__ __align__(16) O w[Job::PRODUCTS][columns * row_of<O>(BK)];
    Place at;
    if (!job.place(at)) return;
    for (int piece = 0; piece < job.pieces; piece++) {
        Span s = job.span(at, piece);
        if (s.from >= s.to) continue;
        Sum<Job::PRODUCTS> sum[Job::PRODUCTS];
#pragma unroll
        for (int i = 0; i < Job::PRODUCTS; i++) clear(sum[i]);
        for (int k0 = s.from; k0 < s.to; k0 += BK) {
            fill_wide<BM, BK, Job::A_ALONG_K>(a, [&](int m, int k) { return m < at.rows && k0 + k < s.to ? job.a(at, m, k0 + k) : 0.0f; },
                [&](int m, int k, float (&x)[8]) {
                    bool inside = job.a_wide && m + (Job::A_ALONG_K ? 0 : 7) < at.rows && k0 + k + (Job::A_ALONG_K ? 7 : 0) < s.to;
                    if (inside) job.a8(at, m, k0 + k, x);
                    return inside;
                });
#pragma unroll
            for (int i = 0; i < Job::PRODUCTS; i++)
                fill_wide<columns, BK, Job::B_ALONG_K>(w[i], [&](int n, int k) { return n < at.cols && k0 + k < s.to ? job.b(i, at, n, k0 + k) : 0.0f; },
                    [&](int n, int k, float (&x)[8]) {
                        bool inside = job.b_wide && n + (Job::B_ALONG_K ? 0 : 7) < at.cols && k0 + k + (Job::B_ALONG_K ? 7 : 0) < s.to;
                        if (inside) job.b8(i, at, n, k0 + k, x);
                        return inside;
                    });
            __syncthreads();
            if (warp_of() * (BM / TILE_WARPS) < at.rows)
#pragma unroll
                for (int i = 0; i < Job::PRODUCTS; i++) multiply(sum[i], a, ld, w[i], ld, s.to - k0 < BK ? s.to - k0 : BK);
            __syncthreads();
        }
        job.store(at, sum);
    }
}

/* Rows of a matrix, perhaps gathered by token and scaled. */
struct Side {
    Ref m;
    const int *token; const float *scale;        /* of a row; NULL: its number; 1 */
    __device__ float at(int row, int c) const
    {
        float x = get(m, size_t(token ? token[row] : row), c);
        return scale ? scale[row] * x : x;
    }
    __device__ void at8(int row, int c, float (&x)[8]) const
    {
        size_t i = size_t(token ? token[row] : row) * size_t(m.ld) + size_t(c);
        if (m.half_size) eight(x, static_cast<const bfloat *>(m.p) + i);
        else eight(x, static_cast<const float *>(m.p) + i);
        if (!scale) return;
#pragma unroll
        for (int k = 0; k < 8; k++) x[k] *= scale[row];
    }
    int wide() const { return is_wide(m.p, size_t(m.ld)); }
};
inline Side side(Mat m, const int *token = nullptr, const float *scale = nullptr) { return {ref(m), token, scale}; }

/* y = x W^T + bias, or += onto y */
struct Forward {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 1 };
    Side x; Ref y;
    const float *w, *bias;
    int out, in, add, pieces;
    Grouping rows;
    int a_wide = x.wide(), b_wide = is_wide(w, size_t(in));
    __device__ bool place(Place &at) const { return find_rows(rows, out, BN, int(blockIdx.x), at); }
    __device__ Span span(const Place &, int) const { return {0, in}; }
    __device__ float a(const Place &at, int m, int k) const { return x.at(at.row + m, k); }
    __device__ void a8(const Place &at, int m, int k, float (&v)[8]) const { x.at8(at.row + m, k, v); }
    __device__ const float *from(const Place &at, int n, int k) const { return w + (size_t(at.group) * size_t(out) + size_t(at.col + n)) * size_t(in) + size_t(k); }
    __device__ float b(int, const Place &at, int n, int k) const { return *from(at, n, k); }
    __device__ void b8(int, const Place &at, int n, int k, float (&v)[8]) const { eight(v, from(at, n, k)); }
    __device__ void store(const Place &at, Sum<1> *sum) const
    {
        each(sum[0], [&](int m, int n, float v) {
            if (m >= at.rows || n >= at.cols) return;
            if (bias) v += bias[at.col + n];
            if (add) v += get(y, size_t(at.row + m), at.col + n);
            set(y, size_t(at.row + m), at.col + n, v);
        });
    }
};

/* dx = dy W; with a second weight dy has its columns behind those of the first, and dx is the sum. */
struct Back {
    enum { PRODUCTS = 1, A_ALONG_K = 1, B_ALONG_K = 0 };
    Side dy; Ref dx;
    const float *w, *w2;
    int out, in, pieces;
    Grouping rows;
    int a_wide = dy.wide(), b_wide = is_wide(w, size_t(in)) && is_wide(w2, size_t(in));
    __device__ bool place(Place &at) const { return find_rows(rows, in, BN, int(blockIdx.x), at); }
    __device__ Span span(const Place &, int) const { return {0, w2 ? 2 * out : out}; }
    __device__ float a(const Place &at, int m, int k) const { return dy.at(at.row + m, k); }
    __device__ void a8(const Place &at, int m, int k, float (&v)[8]) const { dy.at8(at.row + m, k, v); }
    __device__ const float *from(const Place &at, int n, int k) const
    {
        return (k < out ? w : w2) + (size_t(at.group) * size_t(out) + size_t(k < out ? k : k - out)) * size_t(in) + size_t(at.col + n);
    }
    __device__ float b(int, const Place &at, int n, int k) const { return *from(at, n, k); }
    __device__ void b8(int, const Place &at, int n, int k, float (&v)[8]) const { eight(v, from(at, n, k)); }
    __device__ void store(const Place &at, Sum<1> *sum) const
    {
        each(sum[0], [&](int m, int n, float v) { if (m < at.rows && n < at.cols) set(dx, size_t(at.row + m), at.col + n, v); });
    }
};

/* dW += dy^T x, chunk by chunk; with a second weight dy has its columns behind those of the first. */
struct Grad {
    enum { PRODUCTS = 1, A_ALONG_K = 0, B_ALONG_K = 0 };
    Side dy, x;
    float *dw, *dw2;
    int out, in, pieces;                 /* pieces: chunks */
    const int *chunk, *start, *count;    /* rows of a chunk; or of a group and a chunk */
    int a_wide = dy.wide(), b_wide = x.wide();
    __device__ bool place(Place &at) const
    {
        int all = dw2 ? 2 * out : out;
        at.group = int(blockIdx.z);
        at.row = int(blockIdx.x) * BM;
        at.rows = all - at.row < BM ? all - at.row : BM;
        at.col = int(blockIdx.y) * BN;
        at.cols = in - at.col < BN ? in - at.col : BN;
        return at.cols > 0;
    }
    __device__ Span span(const Place &at, int piece) const
    {
        int p = at.group * pieces + piece;
        return start ? Span{start[p], start[p] + count[p]} : Span{chunk[piece], chunk[piece + 1]};
    }
    __device__ float a(const Place &at, int m, int k) const { return dy.at(k, at.row + m); }
    __device__ void a8(const Place &at, int m, int k, float (&v)[8]) const { dy.at8(k, at.row + m, v); }
    __device__ float b(int, const Place &at, int n, int k) const { return x.at(k, at.col + n); }
    __device__ void b8(int, const Place &at, int n, int k, float (&v)[8]) const { x.at8(k, at.col + n, v); }
    __device__ void store(const Place &at, Sum<1> *sum) const
    {
        each(sum[0], [&](int m, int n, float v) {
            if (m >= at.rows || n >= at.cols) return;
            int o = at.row + m;
            float *to = o < out ? dw : dw2;
            to[(size_t(at.group) * size_t(out) + size_t(o < out ? o : o - out)) * size_t(in) + size_t(at.col + n)] += v;
        });
    }
};

template <class Job> void run_product(Backend *b, const char *what, int round, dim3 grid, const Job &job)
{
    if (round) launch(b, what, product<bfloat, Job>, grid, TILE_THREADS, job);
    else launch(b, what, product<float, Job>, grid, TILE_THREADS, job);
}
inline void run_forward(Backend *b, const char *what, int round, const Forward &j) { run_product(b, what, round, dim3(unsigned(row_tiles(j.rows, j.out, BN))), j); }
inline void run_back(Backend *b, const char *what, int round, const Back &j) { run_product(b, what, round, dim3(unsigned(row_tiles(j.rows, j.in, BN))), j); }
inline void run_grad(Backend *b, const char *what, int round, const Grad &j, int groups)
{
    run_product(b, what, round, dim3(blocks(size_t(j.dw2 ? 2 * j.out : j.out), BM), blocks(size_t(j.in), BN), unsigned(groups)), j);
}

}

#endif
