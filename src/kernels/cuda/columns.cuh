/* columns.cuh - sums over tokens, column by column: each chunk in a sum of its own, in doubles, and these added in order of chunks.
 *
 * F has value(t, column) and total(column), where the sum is added. Tokens of a chunk are summed by 8 warps, each every eighth, and these in order. */
#ifndef KERNELS_CUDA_COLUMNS_CUH
#define KERNELS_CUDA_COLUMNS_CUH

#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

constexpr int COLUMN_WARPS = 8;

template <class F> __global__ void column_parts(F f, int columns, const int *chunk, double *part)
{
    __shared__ double sums[COLUMN_WARPS][32];
    int lane = int(threadIdx.x) % 32, w = int(threadIdx.x) / 32, c = int(blockIdx.x) * 32 + lane, k = int(blockIdx.y);
    double sum = 0;
    if (c < columns)
        for (int t = chunk[k] + w; t < chunk[k + 1]; t += COLUMN_WARPS) sum += double(f.value(t, c));
    sums[w][lane] = sum;
    __syncthreads();
    if (w || c >= columns) return;
    for (int i = 1; i < COLUMN_WARPS; i++) sum += sums[i][lane];
    part[size_t(k) * size_t(columns) + size_t(c)] = sum;
}

/* Each chunk's sum, of so many slices, is rounded into the total, as if it were the last. */
template <class T> __device__ inline void add_chunks(T *to, const double *part, int columns, int nchunk, int slices)
{
    T sum = *to;
    double chunk = 0;
#pragma unroll 8
    for (int k = 0, s = 0; k < nchunk * slices; k++) {
        chunk += part[size_t(k) * size_t(columns)];
        if (++s < slices) continue;
        sum = T(double(sum) + chunk);
        chunk = 0;
        s = 0;
    }
    *to = sum;
}

template <class F> __global__ void column_totals(F f, int columns, int nchunk, int slices, const double *part)
{
    int c = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (c < columns) add_chunks(f.total(c), part + c, columns, nchunk, slices);
}

/* part (nchunk, columns) is scratch. */
template <class F> void column_sums(Backend *b, const char *what, const F &f, int columns, const Input *in, const int *chunk, double *part)
{
    launch(b, what, column_parts<F>, dim3(blocks(size_t(columns), 32), unsigned(in->nchunk)), 32 * COLUMN_WARPS, f, columns, chunk, part);
    launch(b, what, column_totals<F>, dim3(blocks(size_t(columns), 128)), 128, f, columns, in->nchunk, 1, part);
}

}

#endif
