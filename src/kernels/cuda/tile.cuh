/* tile.cuh - products of tiles in shared memory: the one place that knows how the 4 warps of a block share them.
 *
 * Both operands lie with k along the rows: a (16*MI rows per warp, k), w (8*NJ, k), and the tile is a w^T. Each warp has rows of
 * its own and all columns. fp32 operands are multiplied by fused multiply-adds, k ascending; bf16 ones by mma.sync. */
#ifndef KERNELS_CUDA_TILE_CUH
#define KERNELS_CUDA_TILE_CUH

#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

constexpr int TILE_THREADS = 128, TILE_WARPS = 4;

/* Numbers from one row to the next: rows of the same column lie in different banks. */
template <class O> __host__ __device__ constexpr int row_of(int k) { return sizeof(O) == 2 ? k + 8 : k + 1; }

/* Thread (g, t) of a warp, g = lane/4, t = lane%4, holds (16i + g + 8(e/2), 8j + 2t + e%2) of its warp's rows as c[i][j][e]. */
template <int MI, int NJ> struct Held { float c[MI][NJ][4]; };

__device__ inline int warp_of() { return int(threadIdx.x) / 32; }
template <int MI> __device__ inline int row_in_tile(int i, int e) { return warp_of() * 16 * MI + 16 * i + int(threadIdx.x) % 32 / 4 + 8 * (e / 2); }
__device__ inline int column_in_tile(int j, int e) { return 8 * j + int(threadIdx.x) % 4 * 2 + e % 2; }

template <int MI, int NJ> __device__ inline void clear(Held<MI, NJ> &acc)
{
#pragma unroll
    for (int i = 0; i < MI; i++)
#pragma unroll
        for (int j = 0; j < NJ; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) acc.c[i][j][e] = 0;
}

/* f(i, j, e, row, column, value) for what this thread holds. */
template <int MI, int NJ, class F> __device__ inline void each(Held<MI, NJ> &acc, F f)
{
#pragma unroll
    for (int i = 0; i < MI; i++)
#pragma unroll
        for (int j = 0; j < NJ; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) f(row_in_tile<MI>(i, e), column_in_tile(j, e), acc.c[i][j][e]);
}

/* acc += a w^T over k < kn. */
template <int MI, int NJ> __device__ inline void multiply(Held<MI, NJ> &acc, const float *a, int lda, const float *w, int ldw, int kn)
{
    const float *from[MI];
    int col = column_in_tile(0, 0) * ldw;
#pragma unroll
    for (int i = 0; i < MI; i++) from[i] = a + row_in_tile<MI>(i, 0) * lda;
    for (int k = 0; k < kn; k++) {
        float x[MI][2];
#pragma unroll
        for (int i = 0; i < MI; i++) {
            x[i][0] = from[i][k];
            x[i][1] = from[i][8 * lda + k];
        }
#pragma unroll
        for (int j = 0; j < NJ; j++) {
            float y0 = w[col + 8 * j * ldw + k], y1 = w[col + (8 * j + 1) * ldw + k];
#pragma unroll
            for (int i = 0; i < MI; i++) {
                acc.c[i][j][0] = fmaf(x[i][0], y0, acc.c[i][j][0]);
                acc.c[i][j][1] = fmaf(x[i][0], y1, acc.c[i][j][1]);
                acc.c[i][j][2] = fmaf(x[i][1], y0, acc.c[i][j][2]);
                acc.c[i][j][3] = fmaf(x[i][1], y1, acc.c[i][j][3]);
            }
        }
    }
}

__device__ inline unsigned pair_at(const bfloat *p) { return *reinterpret_cast<const unsigned *>(p); }

/* The two columns of w that belong to this lane's registers. */
template <int NJ> __device__ inline void columns_of(unsigned (&b)[NJ][2], const bfloat *w, int ldw, int k)
{
    int g = int(threadIdx.x) % 32 / 4, t = int(threadIdx.x) % 4;
#pragma unroll
    for (int j = 0; j < NJ; j++) {
        b[j][0] = pair_at(w + (8 * j + g) * ldw + k + 2 * t);
        b[j][1] = pair_at(w + (8 * j + g) * ldw + k + 2 * t + 8);
    }
}

/* kn is rounded up to 16: what lies there is zero. */
template <int MI, int NJ> __device__ inline void multiply(Held<MI, NJ> &acc, const bfloat *a, int lda, const bfloat *w, int ldw, int kn)
{
    int t = int(threadIdx.x) % 4;
    for (int k = 0; k < kn; k += 16) {
        unsigned b[NJ][2];
        columns_of(b, w, ldw, k);
#pragma unroll
        for (int i = 0; i < MI; i++) {
            const bfloat *from = a + row_in_tile<MI>(i, 0) * lda + k + 2 * t;
            unsigned x[4] = {pair_at(from), pair_at(from + 8 * lda), pair_at(from + 8), pair_at(from + 8 * lda + 8)};
#pragma unroll
            for (int j = 0; j < NJ; j++) mma_bf16(acc.c[i][j], x, b[j]);
        }
    }
}

/* acc += p w^T where p (16 rows per warp, TILE) is what another product gave, rounded to operands; `room` (rows of the block, TILE)
 * is for those that have to be exchanged between lanes. */
template <int NJ> __device__ inline void multiply_on(Held<1, NJ> &acc, Held<1, TILE / 8> &p, float *room, const float *w, int ldw)
{
    const int ld = row_of<float>(TILE);
    __syncwarp();
    each(p, [&](int row, int col, float x) { room[row * ld + col] = x; });
    __syncwarp();
    multiply(acc, room, ld, w, ldw, TILE);
}

/* The registers of a product's tile are those of the next one's operand. */
template <int NJ> __device__ inline void multiply_on(Held<1, NJ> &acc, Held<1, TILE / 8> &p, bfloat *, const bfloat *w, int ldw)
{
#pragma unroll
    for (int k = 0; k < TILE / 16; k++) {
        const float *lo = p.c[0][2 * k], *hi = p.c[0][2 * k + 1];
        unsigned x[4] = {pack_halves(lo[0], lo[1]), pack_halves(lo[2], lo[3]), pack_halves(hi[0], hi[1]), pack_halves(hi[2], hi[3])}, b[NJ][2];
        columns_of(b, w, ldw, 16 * k);
#pragma unroll
        for (int j = 0; j < NJ; j++) mma_bf16(acc.c[0][j], x, b[j]);
    }
}

/* (ROWS, K) operands into shared memory, eight at a time along k or along rows, as they lie in memory: all of them by f8(row, k, x)
 * where that is true, else f(row, k) each. */
template <int ROWS, int K, bool ALONG_K, class O, class F, class F8> __device__ inline void fill_wide(O *to, F f, F8 f8)
{
    const int ld = row_of<O>(K);
#pragma unroll 2                         /* sixteen numbers under way: more, beside two sums, are too many registers */
    for (int run = int(threadIdx.x); run < ROWS * K / 8; run += TILE_THREADS) {
        int row = ALONG_K ? run / (K / 8) : (run % 2 + run / (2 * K) * 2) * 8, k = ALONG_K ? run % (K / 8) * 8 : run / 2 % K;      /* across: lanes go along k, so that they write to different banks */
        float x[8];
        if (!f8(row, k, x))
#pragma unroll
            for (int i = 0; i < 8; i++) x[i] = ALONG_K ? f(row, k + i) : f(row + i, k);
        if (ALONG_K) put_eight(to + row * ld + k, x);
        else
#pragma unroll
            for (int i = 0; i < 8; i++) to[(row + i) * ld + k] = stored<O>(x[i]);
    }
}

}

#endif
