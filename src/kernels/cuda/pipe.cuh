/* pipe.cuh - products in bf16 on Hopper: blocks that stay, and work at tiles of 128 rows and N columns (256, or 128 where there are few) one after the
 * other, a slice of 64 k at a time. A number of the result is the same sum over k in both. Slices to come, of the next tile too, are copied into shared
 * memory while those that are there are multiplied and results are stored.
 *
 * Operands lie in lines of 128 bytes, 64 numbers: line i at 128 i, its eight pieces of 16 bytes exchanged, piece c at c ^ (i % 8). Of a matrix
 * "along k" a line is 64 k of one row; of one across, 64 rows of one k, and 64 such lines (a slab of 8192 bytes) hold 64 rows.
 *
 * A Job says what a tile is: A_ALONG_K, B_ALONG_K, PRODUCTS (2: half of the columns are of one weight and half of another), pieces; tiles(width): how many
 * there are at most, `width` columns of each product in one; find(width, tile, at): where it is, or that there are no more; span(at, piece): its k;
 * a(at, i, k), b(at, product, i, k): where line i of the slice at k begins, its column 0 that of the tile, or NULL if it is not there; run(at, m, n, x): what
 * becomes of eight numbers of a row, and a number that the row sums up; row(at, m, n, sum): of PART columns from n on, where a tile has as many. */
#ifndef KERNELS_CUDA_PIPE_CUH
#define KERNELS_CUDA_PIPE_CUH

#include "kernels/cuda/place.cuh"
#include "kernels/cuda/wgmma.cuh"

namespace fts_cuda {

constexpr int LINE = 128, SLAB = 64 * LINE;
constexpr int PIPE_THREADS = 256, PIPE_M = BM, PIPE_K = 64, PART = 128, SLICE_A = PIPE_M * LINE;

/* As many slices as the shared memory of a block holds, whose lines' exchange of pieces wants multiples of 1024. */
template <int N> struct Slices {
    static constexpr int SIZE = SLICE_A + N * LINE, ALL = ((227 << 10) - 1024) / SIZE;
    static constexpr int AHEAD = ALL - 2;                    /* on their way; of the others one is multiplied, and one may still be by another warp */
    static constexpr size_t MEMORY = size_t(ALL) * SIZE + 1024;
};

/* An operand as products take it, 16 k of it. step: bytes from eight lines to the next eight; slab: bytes from 64 rows across to the next 64. */
__device__ inline uint64_t operand_at(const void *p, int step, int slab)
{
    return uint64_t(shared_address(p) >> 4 & 0x3fff) | uint64_t(slab >> 4) << 16 | uint64_t(step >> 4) << 32 | uint64_t(1) << 62;
}

/* A thread copies a piece of every 32nd line. */
constexpr int LINES = PIPE_M / (PIPE_THREADS / 8);
__device__ inline int line_of(int n) { return int(threadIdx.x) / 8 + n * (PIPE_THREADS / 8); }

/* Where in the work a block is: at a slice of a piece of a tile. s.from is the slice's first k. */
template <class Job, int N, int LOADS> struct Walk {
    Place at;
    Span s;
    int tile, piece, more;
    const bfloat *row[LINES];            /* along k: where this thread's lines of the first operand begin, or NULL: looked up once a tile */
    __device__ void seek(const Job &job)
    {
        for (more = 1; job.find(N / Job::PRODUCTS, tile, at); tile += int(gridDim.x), piece = 0) {
            for (int n = 0; n < LINES && LOADS && Job::A_ALONG_K; n++) row[n] = line_of(n) < at.rows ? job.a(at, line_of(n), 0) : nullptr;
            for (; piece < job.pieces; piece++) {
                s = job.span(at, piece);
                if (s.from < s.to) return;
            }
        }
        more = 0;
    }
    __device__ void next(const Job &job)
    {
        s.from += PIPE_K;
        if (s.from < s.to) return;
        piece++;
        seek(job);
    }
};

/* An operand of a slice: WIDTH rows along k, or 64 lines across. line(n): of line_of(n) its numbers, or NULL; of 64 along k or WIDTH across `numbers` are there. */
template <int ALONG_K, int WIDTH, class F> __device__ inline void copy_operand(char *to, int numbers, const void *any, F line)
{
    const int c = int(threadIdx.x) % 8, lines = ALONG_K ? WIDTH : PIPE_K, slabs = ALONG_K ? 1 : WIDTH / 64;
#pragma unroll
    for (int n = 0; n < lines / (PIPE_THREADS / 8); n++) {
        const int i = line_of(n);
        const bfloat *from = line(n);
#pragma unroll
        for (int s = 0; s < slabs; s++) {
            int at = 64 * s + 8 * c, there = from && at < numbers;
            copy_16(to + s * SLAB + i * LINE + 16 * (c ^ i % 8), there ? static_cast<const void *>(from + at) : any, there ? 16 : 0);
        }
    }
}

template <class Job, int N> __device__ inline void copy_slice(const Job &job, const Walk<Job, N, 1> &w, char *to)
{
    constexpr int each = N / Job::PRODUCTS;
    int left = w.s.to - w.s.from, k = w.s.from;
    copy_operand<Job::A_ALONG_K, PIPE_M>(to, Job::A_ALONG_K ? left : w.at.rows, job.any(),
        [&](int n) { return Job::A_ALONG_K ? (w.row[n] ? w.row[n] + k : nullptr) : line_of(n) < left ? job.a(w.at, line_of(n), k) : nullptr; });
    copy_operand<Job::B_ALONG_K, N>(to + SLICE_A, Job::B_ALONG_K ? left : w.at.cols, job.any(),
        [&](int n) { return Job::B_ALONG_K || line_of(n) < left ? job.b(w.at, line_of(n) / each, line_of(n) % each, k) : nullptr; });
}

/* Rows 64 g of the slice at p times its columns, by group g of the block. */
template <class Job, int NUMBERS> __device__ inline void multiply_slice(float (&sum)[NUMBERS], const char *p, int add)
{
    const char *a = p + int(threadIdx.x) / 128 * SLAB, *b = p + SLICE_A;
    products_begin();
#pragma unroll
    for (int k = 0; k < PIPE_K / 16; k++)
        product_of_64<!Job::A_ALONG_K, !Job::B_ALONG_K>(sum, operand_at(a + k * (Job::A_ALONG_K ? 32 : 16 * LINE), 8 * LINE, SLAB),
                                                        operand_at(b + k * (Job::B_ALONG_K ? 32 : 16 * LINE), 8 * LINE, SLAB), add || k);
    products_end();
}

/* Lane t of four has two numbers of each of four runs of eight: afterwards all of run t. */
__device__ inline void exchange_runs(float (&x)[4][2])
{
    const int t = int(threadIdx.x) % 4;
#pragma unroll
    for (int m = 1; m < 4; m *= 2)
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (!(j & m))
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float other = __shfl_xor_sync(0xffffffffu, t & m ? x[j][e] : x[j | m][e], m);
                    if (t & m) x[j][e] = other;
                    else x[j | m][e] = other;
                }
}

template <class Job, int NUMBERS> __device__ inline void store_tile(const Job &job, const Place &at, const float (&sum)[NUMBERS])
{
    const int lane = int(threadIdx.x) % 32;
    constexpr int each = 2 * NUMBERS / Job::PRODUCTS;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int m = int(threadIdx.x) / 32 * 16 + lane / 4 + 8 * h;
        float total = 0;
#pragma unroll
        for (int q = 0; q < each / 32; q++) {
            if (32 * q % PART == 0) total = 0;
            float x[Job::PRODUCTS][4][2];
#pragma unroll
            for (int p = 0; p < Job::PRODUCTS; p++) {
#pragma unroll
                for (int j = 0; j < 4; j++)
#pragma unroll
                    for (int e = 0; e < 2; e++) x[p][j][e] = sum[4 * (p * each / 8 + 4 * q + j) + 2 * h + e];
                exchange_runs(x[p]);
            }
            int n = 32 * q + 8 * (lane % 4);
            if (m < at.rows && n < at.cols) total += job.run(at, m, n, reinterpret_cast<float (&)[Job::PRODUCTS][8]>(x));
            if (32 * (q + 1) % PART == 0) job.row(at, m, 32 * (q + 1) - PART, total);
        }
    }
}

template <class Job, int N> __global__ void __launch_bounds__(PIPE_THREADS, 1) pipe(Job job)
{
    typedef Slices<N> Ring;
    char *room = static_cast<char *>(launch_memory());
    room += (1024 - shared_address(room) % 1024) % 1024;
    Walk<Job, N, 0> work;
    Walk<Job, N, 1> load;
    work.tile = load.tile = int(blockIdx.x);
    work.piece = load.piece = 0;
    work.seek(job);
    load.seek(job);
    for (int i = 0; i < Ring::AHEAD; i++) {
        if (load.more) {
            copy_slice(job, load, room + i * Ring::SIZE);
            load.next(job);
        }
        copies_end();
    }
    for (int slot = 0; work.more;) {
        float sum[N / 2];
        Place at = work.at;
        int add = 0, last;
        do {
            copies_wait<Ring::AHEAD - 1>();
            products_see_copies();
            __syncthreads();
            multiply_slice<Job>(sum, room + slot * Ring::SIZE, add);
            if (load.more) {
                copy_slice(job, load, room + (slot + Ring::AHEAD) % Ring::ALL * Ring::SIZE);
                load.next(job);
            }
            copies_end();
            slot = (slot + 1) % Ring::ALL;
            last = work.s.from + PIPE_K >= work.s.to;
            work.next(job);
            add = 1;
            products_wait<1>();
        } while (!last);
        products_wait<0>();
        products_arrived(sum);
        store_tile(job, at, sum);
    }
    copies_wait<0>();
}

/* How long tiles take, in tenths of the time in which a multiprocessor multiplies a narrow one, times multiprocessors: those of a round multiply at once, but
 * L2 gives its bytes to all together (docs/cuda.md: 8 TB/s, 0.9 of that time for 16 KiB a slice and multiprocessor). */
inline size_t pipe_time(size_t tiles, size_t processors, size_t multiply, size_t read)
{
    size_t left = tiles % processors, last = left * read, alone = left ? processors * multiply : 0;
    return (tiles - left) * (multiply > read ? multiply : read) + (last > alone ? last : alone);
}
/* The width to take, when a product is so many tiles of each. */
inline int pipe_width(size_t wide, size_t narrow, size_t processors)
{
    return pipe_time(narrow, processors, 10, 18) < pipe_time(wide, processors, 20, 27) ? NARROW : WIDE;
}

template <int N, class Job> void run_tiles(Backend *b, const char *what, const Job &job)
{
    size_t tiles = job.tiles(N / Job::PRODUCTS), all = size_t(cuda_of(b)->about.multiProcessorCount);
    launch_with(b, what, Slices<N>::MEMORY, pipe<Job, N>, dim3(unsigned(tiles < all ? tiles : all)), PIPE_THREADS, job);
}
template <class Job> void run_pipe(Backend *b, const char *what, const Job &job)
{
    const Cuda *c = cuda_of(b);
    int width = c->wgmma > 1 ? c->wgmma : pipe_width(job.tiles(WIDE / Job::PRODUCTS), job.tiles(NARROW / Job::PRODUCTS), size_t(c->about.multiProcessorCount));
    if (width == NARROW) run_tiles<NARROW>(b, what, job);
    else run_tiles<WIDE>(b, what, job);
}

}

#endif
