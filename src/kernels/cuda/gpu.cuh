/* gpu.cuh - what the CUDA ops are written with: the device behind a Backend, launches, scratch memory, numbers of two formats.
 *
 * These files are compiled by nvcc, and by g++ with an emulator in the place of the CUDA headers (tests/emu). Threads of a
 * block that waits leave only together. No floating-point atomics: who owns a number adds to it, in a fixed order. */
#ifndef KERNELS_CUDA_GPU_CUH
#define KERNELS_CUDA_GPU_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <pthread.h>

extern "C" {
#include "kernels/backend.h"
#include "kernels/choose.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/lt.h"
}
#include "kernels/cuda/ptx.cuh"

namespace fts_cuda {

typedef __nv_bfloat16 bfloat;

/* A tile of attention: TILE rows of a segment, from row `at` of it on. */
constexpr int TILE = 64;
struct Tile { int seg, at; };

/* The device's copy of an Input: points of the segments one behind the other, and Seg.pt as they lie there. */
struct Tables { const float *points; const Seg *seg; const int *chunk, *seg_of; const Tile *tile; int ntile; };

/* Page-locked memory that is filled and sent again and again, without waiting for anything but its own last transfer. */
struct Stage { char *host, *device; size_t size; cudaEvent_t sent; Tables tables; };
constexpr int NARROW = 128, WIDE = 256;                         /* columns of a tile of pipe.cuh */
enum { INPUTS = 3, SMALL = 8, MARKS = 8192, GRAPHS = 16 };     /* copies of inputs alive at once; small things on their way; readings of the clock; passes that are known */

/* bf16 copies of matrices among the weights at `from`. Copied: (n) where a range lies there, where its copy begins, its numbers. */
struct Copied { size_t from, to, n; };
struct Copies { const float *from; size_t end, all; Copied *host, *device; int n, stale; bfloat *to; };

/* A pass that may come again (graph.cu). Key: all that decides what its ops enqueue; what lies in tables does not, nor what is sent. Compared as bytes: no padding. */
struct KeyInput { const void *at[5]; int n[8]; };
struct Key { const void *owner, *scratch; KeyInput input[INPUTS]; };
struct Sent { const void *host; size_t bytes; };                 /* from where ops got something while they were recorded: it is sent again from there */
struct Graph { Key key; cudaGraphExec_t run; int seen, refused, nsent; int64_t used; Sent sent[SMALL]; };      /* run NULL: not recorded yet, or refused */
struct Graphs { Graph all[GRAPHS], *recorded; int wanted, failed; int64_t passes, replays; };                 /* recorded: which one is at this moment, or NULL */

/* cos and sin of positions below `longest` (longest, d), for the first kind of attention that came; others make their own each time. */
struct Angles { float *table; int longest, d, made; float theta; };

struct Cuda {
    int number;
    cudaStream_t stream;
    cudaDeviceProp about;
    cudaError_t error; const char *where;        /* the first one, kept for backend_sync() */
    Stage input[INPUTS], small[SMALL], post[SMALL];      /* post: small things on their way to anywhere */
    int next_input, next_small, next_post;
    pthread_mutex_t posting;                     /* whose turn it is with post */
    Graphs graphs;
    Angles angles;
    Copies copies;
    int64_t used;                                /* bytes of device memory that are allocated here */
    cudaEvent_t mark[MARKS];                     /* made when first used */
    Lt *lt;                                      /* cuBLASLt; NULL: all products are our own */
    Dnn *dnn;                                    /* cuDNN, in bf16 runs; NULL: all attention is our own */
    int wgmma;                                   /* 1: products of bf16 runs by pipe.cuh, those of a library excepted; NARROW, WIDE: by tiles of that width alone */
};

inline Cuda *cuda_of(const Backend *b) { return static_cast<Cuda *>(b->own); }
void note(Backend *b, cudaError_t error, const char *where);
void weights_changed(Backend *b, const void *p);                    /* somewhere from p on */
const void *send(Backend *b, const void *host, size_t bytes);       /* for the next op: it is overwritten by a later one */
int  send_again(Backend *b, int place, const void *host, size_t bytes);          /* to where the send() of this number, counted from begin(), sent it */
const Tables *tables_of(Backend *b, const Input *in);
size_t table_bytes(const Dims *d);

int  graphs_wanted();                                               /* FTS_GRAPHS=no: each op is launched by itself */
int  begin(Backend *b, const void *owner, Input *in, int n, int longest);
int  end(Backend *b);
const void *graph_sends(Backend *b, const void *host, size_t bytes);             /* send() while a pass is recorded */
void graphs_drop(Cuda *c);                                          /* none is good any more: memory went */

/* With shared memory of a size that is known now. After an error nothing runs: what an op would read may not be there. */
template <class... P, class... A> void launch_with(Backend *b, const char *what, size_t shared, void (*kernel)(P...), dim3 grid, int threads, A... args)
{
    if (!grid.x || !grid.y || !grid.z || cuda_of(b)->error != cudaSuccess) return;
    cudaLaunchConfig_t c = {};
    c.gridDim = grid;
    c.blockDim = dim3(unsigned(threads));
    c.dynamicSmemBytes = shared;
    c.stream = cuda_of(b)->stream;
    if (shared > 48 << 10) note(b, cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)), what);
    note(b, cudaLaunchKernelEx(&c, kernel, P(args)...), what);
}
template <class... P, class... A> void launch(Backend *b, const char *what, void (*kernel)(P...), dim3 grid, int threads, A... args)
{
    launch_with(b, what, 0, kernel, grid, threads, args...);
}

inline unsigned blocks(size_t n, size_t size) { return unsigned((n + size - 1) / size); }

/* Scratch memory, carved front to back. base NULL: only counted, so that a size is written down once. */
struct Carve {
    char *base;
    size_t at;
    template <class T> T *take(size_t n)
    {
        T *p = base ? reinterpret_cast<T *>(base + at) : nullptr;
        at += (n * sizeof(T) + 255) / 256 * 256;
        return p;
    }
};
inline Carve scratch_of(const Backend *b) { return {static_cast<char *>(b->scratch), 0}; }

/* Numbers: stored as fp32 or bf16, computed with as fp32. */
__device__ inline float number(float x) { return x; }
__device__ inline float number(bfloat x) { return __bfloat162float(x); }
template <class T> __device__ inline T stored(float x);
template <> __device__ inline float stored<float>(float x) { return x; }
template <> __device__ inline bfloat stored<bfloat>(float x) { return __float2bfloat16_rn(x); }
template <class T> __device__ inline float rounded(float x) { return number(stored<T>(x)); }

/* A Mat as kernels take it. */
struct Ref { void *p; int ld, half_size; };
inline Ref ref(Mat m) { return {m.p, m.ld, m.type == BF16}; }
inline Ref ref(float *p, int ld) { return {p, ld, 0}; }
__device__ inline float get(const Ref &m, size_t r, int c)
{
    size_t i = r * size_t(m.ld) + size_t(c);
    return m.half_size ? number(static_cast<const bfloat *>(m.p)[i]) : static_cast<const float *>(m.p)[i];
}
__device__ inline void set(const Ref &m, size_t r, int c, float x)
{
    size_t i = r * size_t(m.ld) + size_t(c);
    if (m.half_size) static_cast<bfloat *>(m.p)[i] = stored<bfloat>(x);
    else static_cast<float *>(m.p)[i] = x;
}

/* Eight numbers of a row at once, where they lie at multiples of 16 bytes. */
__device__ inline void unpack(float *x, unsigned pair)
{
    const bfloat *h = reinterpret_cast<const bfloat *>(&pair);
    x[0] = number(h[0]);
    x[1] = number(h[1]);
}
__device__ inline void eight(float (&x)[8], const float *p)
{
    float4 a = *reinterpret_cast<const float4 *>(p), b = *reinterpret_cast<const float4 *>(p + 4);
    x[0] = a.x; x[1] = a.y; x[2] = a.z; x[3] = a.w;
    x[4] = b.x; x[5] = b.y; x[6] = b.z; x[7] = b.w;
}
__device__ inline void eight(float (&x)[8], const bfloat *p)
{
    uint4 a = *reinterpret_cast<const uint4 *>(p);
    unpack(x, a.x);
    unpack(x + 2, a.y);
    unpack(x + 4, a.z);
    unpack(x + 6, a.w);
}
__device__ inline void put_eight(float *to, const float (&x)[8])
{
#pragma unroll
    for (int i = 0; i < 8; i++) to[i] = x[i];
}
__device__ inline void put_eight(bfloat *to, const float (&x)[8])
{
    *reinterpret_cast<uint4 *>(to) = uint4{pack_halves(x[0], x[1]), pack_halves(x[2], x[3]), pack_halves(x[4], x[5]), pack_halves(x[6], x[7])};
}
inline int is_wide(const void *p, size_t ld) { return reinterpret_cast<uintptr_t>(p) % 16 == 0 && ld % 8 == 0; }
inline int is_wide(const Ref &m) { return !m.p || is_wide(m.p, size_t(m.ld)); }      /* what is absent is in nobody's way */

/* Eight numbers of a row of a wide matrix. */
__device__ inline void get_eight(const Ref &m, size_t r, int c, float (&x)[8])
{
    size_t i = r * size_t(m.ld) + size_t(c);
    if (m.half_size) eight(x, static_cast<const bfloat *>(m.p) + i);
    else eight(x, static_cast<const float *>(m.p) + i);
}
__device__ inline void set_eight(const Ref &m, size_t r, int c, const float (&x)[8])
{
    size_t i = r * size_t(m.ld) + size_t(c);
    if (m.half_size) { put_eight(static_cast<bfloat *>(m.p) + i, x); return; }
    float4 *to = reinterpret_cast<float4 *>(static_cast<float *>(m.p) + i);
    to[0] = float4{x[0], x[1], x[2], x[3]};
    to[1] = float4{x[4], x[5], x[6], x[7]};
}

/* Likewise four: a warp then reads 128 numbers that lie together, and rows of 384 leave no lane without work. */
__device__ inline void get_four(const Ref &m, size_t r, int c, float (&x)[4])
{
    size_t i = r * size_t(m.ld) + size_t(c);
    if (m.half_size) {
        uint2 a = *reinterpret_cast<const uint2 *>(static_cast<const bfloat *>(m.p) + i);
        unpack(x, a.x);
        unpack(x + 2, a.y);
        return;
    }
    float4 a = *reinterpret_cast<const float4 *>(static_cast<const float *>(m.p) + i);
    x[0] = a.x; x[1] = a.y; x[2] = a.z; x[3] = a.w;
}
__device__ inline void set_four(const Ref &m, size_t r, int c, const float (&x)[4])
{
    size_t i = r * size_t(m.ld) + size_t(c);
    if (m.half_size) *reinterpret_cast<uint2 *>(static_cast<bfloat *>(m.p) + i) = uint2{pack_halves(x[0], x[1]), pack_halves(x[2], x[3])};
    else *reinterpret_cast<float4 *>(static_cast<float *>(m.p) + i) = float4{x[0], x[1], x[2], x[3]};
}

/* A run of W numbers of a row: 8 or 4 where all matrices of a kernel are wide, or 1. */
template <int W> struct Run { float x[W]; };
template <int W> __device__ inline Run<W> get_run(const Ref &m, size_t r, int c)
{
    Run<W> v;
    if constexpr (W == 1) v.x[0] = get(m, r, c);
    else if constexpr (W == 4) get_four(m, r, c, v.x);
    else get_eight(m, r, c, v.x);
    return v;
}
template <int W> __device__ inline void set_run(const Ref &m, size_t r, int c, const Run<W> &v)
{
    if constexpr (W == 1) set(m, r, c, v.x[0]);
    else if constexpr (W == 4) set_four(m, r, c, v.x);
    else set_eight(m, r, c, v.x);
}
template <int W> __device__ inline void add_scaled(Run<W> &sum, float scale, const Run<W> &y)
{
#pragma unroll
    for (int i = 0; i < W; i++) sum.x[i] = fmaf(scale, y.x[i], sum.x[i]);
}

/* Where thread i of a kernel over runs is: row and first column. Dividing numbers of 64 bits takes a hundred instructions. */
struct Spot { size_t r; int c; };
template <int W> __device__ inline Spot spot_of(size_t i, int cols)
{
    unsigned across = unsigned(cols / W);
    if (i >> 32) return {i / across, W * int(i % across)};
    return {unsigned(i) / across, W * int(unsigned(i) % across)};
}
__device__ inline size_t thread_of_all() { return size_t(blockIdx.x) * blockDim.x + threadIdx.x; }

/* A kernel over all runs of (rows, cols), in its two forms. */
constexpr int RUN_THREADS = 256;
template <class... P, class... A> void launch_runs(Backend *b, const char *what, int wide, void (*by_eight)(P...), void (*by_one)(P...), size_t rows, int cols, A... args)
{
    int eights = wide && cols % 8 == 0;
    launch(b, what, eights ? by_eight : by_one, dim3(blocks(rows * size_t(eights ? cols / 8 : cols), RUN_THREADS)), RUN_THREADS, args...);
}

__device__ inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ inline float silu(float x) { return x * sigmoid(x); }
__device__ inline float silu_slope(float x) { float s = sigmoid(x); return s * (1 + x * (1 - s)); }

template <class T> __device__ inline T warp_sum(T x)
{
    for (int m = 16; m; m >>= 1) x += __shfl_xor_sync(0xffffffffu, x, m);
    return x;
}
__device__ inline float warp_max(float x)
{
    for (int m = 16; m; m >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, m));
    return x;
}

/* Where the points of a token begin. */
__device__ inline const float *points_of(const Tables &t, int tok, int S)
{
    const Seg *s = &t.seg[t.seg_of[tok]];
    return t.points + s->pt + size_t(tok - s->tok) * size_t(S);
}

/* Whether the operands of a product with this weight are rounded. */
inline int rounds(const Backend *b, const Weight *w) { return b->dtype == BF16 && !w->full; }

/* Scratch bytes of the families that need any. */
size_t linear_scratch(const Backend *b, const Dims *d);
size_t elements_scratch(const Backend *b, const Dims *d);
size_t norm_scratch(const Backend *b, const Dims *d);
size_t attention_scratch(const Backend *b, const Dims *d);
size_t attention_shared(const Backend *b, const Dims *d);     /* bytes of shared memory that a block of attention takes */
size_t route_scratch(const Backend *b, const Dims *d);
size_t ffn_scratch(const Backend *b, const Dims *d);
size_t loss_scratch(const Backend *b, const Dims *d);
size_t optimizer_scratch(const Backend *b, const Dims *d);

#define OP(name, args, call) void cuda_##name args;
#include "kernels/ops.def"
#undef OP

}

#endif
