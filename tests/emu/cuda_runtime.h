/* cuda_runtime.h - an emulator in the place of NVIDIA's header: with this folder first among those of includes, g++ compiles
 * the files of src/kernels/cuda as they are, and their kernels run on the CPU.
 *
 * One fiber per CUDA thread, one block after the other. Fibers change only where a kernel waits for its warp or block, in
 * ascending or descending order of threads (emu_order), so what depends on that order shows. A wait that not all reach ends
 * the process with a message. Device memory is malloc'ed, full of garbage, so AddressSanitizer sees what is out of bounds; shared memory
 * of a size that the launch says is full of garbage for each block, and AddressSanitizer sees what lies behind it.
 *
 * While a stream is captured, launches, sets and copies on the device are written down with their arguments and done when the graph is launched.
 * Whatever allocates, frees, waits or moves memory of the host spoils the capture, as NVIDIA's rules for capture say or would be broken by. */
#ifndef EMU_CUDA_RUNTIME_H
#define EMU_CUDA_RUNTIME_H

#include <math.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct dim3 { unsigned x, y, z; constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {} };

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };

namespace emu {
struct Now { dim3 thread, block, threads, grid; };
extern Now now;
typedef void Body(void *job);
void run(dim3 grid, dim3 block, size_t bytes, Body *body, void *job);        /* bytes: of shared memory */
enum { SHARED = 228 << 10, SHARED_FROM = 16 };               /* a block's begins at a multiple of 16, and of no more */
extern char shared[SHARED];
void block_wait();
const unsigned *exchange(const unsigned *mine, int n);       /* of the warp: (32, 8) numbers, lane by lane; good until the call after next */
int  lane();
bool late();                                                  /* what need not be done yet is not done yet */
void *device_alloc(size_t bytes);
void write_down(Body *work, const void *job, size_t bytes);  /* of the capture that is under way */
}
extern "C" void emu_order(int descending);
extern "C" long long emu_busy;           /* nanoseconds that the device's clock is ahead of the host's: what stands for a library says so how long it works */
extern "C" int emu_recorded;             /* set by a test: the stream is being recorded as a graph */

[[maybe_unused]] static const dim3 &threadIdx = emu::now.thread, &blockIdx = emu::now.block, &blockDim = emu::now.threads, &gridDim = emu::now.grid;

static inline void __syncthreads() { emu::block_wait(); }
static inline void __syncwarp(unsigned = 0xffffffffu) { unsigned x = 0; emu::exchange(&x, 1); }

template <class T> static inline T emu_from(T v, int source)
{
    unsigned bits[2] = {0, 0};
    memcpy(bits, &v, sizeof v);
    const unsigned *all = emu::exchange(bits, 2);
    T got;
    memcpy(&got, all + 8 * source, sizeof got);
    return got;
}
template <class T> static inline T __shfl_sync(unsigned, T v, int source) { return emu_from(v, source); }
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int mask) { return emu_from(v, emu::lane() ^ mask); }
static inline unsigned __ballot_sync(unsigned, int p)
{
    unsigned mine = p != 0, r = 0;
    const unsigned *all = emu::exchange(&mine, 1);
    for (int i = 0; i < 32; i++) r |= all[8 * i] << i;
    return r;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }

/* The part of the runtime that is used. */
typedef enum {
    cudaSuccess, cudaErrorMemoryAllocation = 2, cudaErrorNotSupported = 801, cudaErrorStreamCaptureUnsupported = 900, cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorCapturedEvent = 907
} cudaError_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraph_st *cudaGraphExec_t;                  /* has what the graph had */
typedef struct CUstream_st { cudaGraph_t captured; int spoilt; } *cudaStream_t;      /* captured: or NULL */
typedef struct CUevent_st { timespec at; int captured; } *cudaEvent_t;     /* the device's clock when it was recorded */
typedef enum { cudaStreamCaptureModeThreadLocal = 1 } cudaStreamCaptureMode;
extern "C" {
extern int emu_graph_fails;                                  /* 1: no capture begins; 2: none ends well; 3: no graph becomes executable; 4: none starts */
int emu_spoil();                                             /* 1: a capture was under way, it is spoilt now */
}
/* Under other names than those of the real runtime, which may be linked beside it. */
namespace emu {
cudaError_t capture_begin(cudaStream_t s);
cudaError_t capture_end(cudaStream_t s, cudaGraph_t *g);
cudaError_t graph_make(cudaGraphExec_t *run, cudaGraph_t g);
cudaError_t graph_start(cudaGraphExec_t run);
cudaError_t graph_free(cudaGraph_t g);
}
static inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) { return emu::capture_begin(s); }
static inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g) { return emu::capture_end(s, g); }
static inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t *run, cudaGraph_t g, unsigned long long) { return emu::graph_make(run, g); }
static inline cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t) { return emu::graph_start(run); }
static inline cudaError_t cudaGraphDestroy(cudaGraph_t g) { return emu::graph_free(g); }
static inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run) { return emu::graph_free(run); }
/* Now, or when the graph is launched: what f holds is copied. */
template <class F> static inline cudaError_t emu_do(cudaStream_t s, F f)
{
    static_assert(std::is_trivially_copyable_v<F> && alignof(F) <= 16);
    if (s->spoilt) return cudaErrorStreamCaptureInvalidated;
    if (s->captured) emu::write_down([](void *job) { (*static_cast<F *>(job))(); }, &f, sizeof f);
    else f();
    return cudaSuccess;
}
static inline cudaError_t emu_forbidden() { return emu_spoil() ? cudaErrorStreamCaptureUnsupported : cudaSuccess; }
typedef enum { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice } cudaMemcpyKind;
enum { cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2 };
struct cudaDeviceProp { char name[256]; size_t totalGlobalMem, sharedMemPerBlockOptin; int multiProcessorCount, major, minor; };
struct cudaLaunchConfig_t { dim3 gridDim, blockDim; size_t dynamicSmemBytes; cudaStream_t stream; void *attrs; unsigned numAttrs; };

extern "C" size_t emu_shared_memory;         /* that a block may have: a Hopper's, until a test says otherwise */
static inline cudaError_t cudaGetDeviceCount(int *n) { *n = 1; return cudaSuccess; }
static inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
static inline cudaError_t cudaDriverGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
    memset(p, 0, sizeof *p);
    strcpy(p->name, "emulator");
    p->totalGlobalMem = (size_t)1 << 30;
    p->sharedMemPerBlockOptin = emu_shared_memory;
    p->multiProcessorCount = 1;
    p->major = 9;
    return cudaSuccess;
}
static inline cudaError_t cudaMemGetInfo(size_t *free, size_t *total) { *free = *total = (size_t)1 << 30; return cudaSuccess; }
static inline cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = nullptr;
    if (emu_spoil()) return cudaErrorStreamCaptureUnsupported;
    *p = n > (size_t)1 << 40 ? nullptr : emu::device_alloc(n);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
static inline cudaError_t cudaFree(void *p) { free(p); return emu_forbidden(); }
static inline cudaError_t cudaMallocHost(void **p, size_t n) { return cudaMalloc(p, n); }
static inline cudaError_t cudaFreeHost(void *p) { return cudaFree(p); }
static inline cudaError_t cudaMemsetAsync(void *p, int byte, size_t n, cudaStream_t s) { return emu_do(s, [=] { memset(p, byte, n); }); }
static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t s)
{
    if (s->captured && kind != cudaMemcpyDeviceToDevice) return emu_forbidden();
    return emu_do(s, [=] { memcpy(to, from, n); });
}
static inline cudaError_t cudaMemcpy2DAsync(void *to, size_t ldto, const void *from, size_t ldfrom, size_t bytes, size_t rows, cudaMemcpyKind, cudaStream_t s)
{
    return emu_do(s, [=] { for (size_t r = 0; r < rows; r++) memcpy(static_cast<char *>(to) + r * ldto, static_cast<const char *>(from) + r * ldfrom, bytes); });
}
typedef enum { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive } cudaStreamCaptureStatus;
static inline cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus *is)
{
    *is = s->captured || emu_recorded ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) { *s = static_cast<cudaStream_t>(calloc(1, sizeof **s)); return *s ? cudaSuccess : cudaErrorMemoryAllocation; }
static inline cudaError_t cudaStreamDestroy(cudaStream_t s) { free(s); return cudaSuccess; }
static inline cudaError_t cudaStreamSynchronize(cudaStream_t s) { return s->captured ? emu_forbidden() : cudaSuccess; }
static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { *e = static_cast<cudaEvent_t>(calloc(1, sizeof **e)); return *e ? cudaSuccess : cudaErrorMemoryAllocation; }
static inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    e->captured = s->captured != nullptr;
    clock_gettime(CLOCK_MONOTONIC, &e->at);
    long long ns = e->at.tv_nsec + emu_busy;
    e->at.tv_sec += ns / 1000000000;
    e->at.tv_nsec = ns % 1000000000;
    return cudaSuccess;
}
static inline cudaError_t cudaEventSynchronize(cudaEvent_t e) { return e->captured ? cudaErrorCapturedEvent : emu_forbidden(); }
static inline cudaError_t cudaEventDestroy(cudaEvent_t e) { free(e); return cudaSuccess; }
static inline cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b)
{
    *ms = float(1e3 * double(b->at.tv_sec - a->at.tv_sec) + 1e-6 * double(b->at.tv_nsec - a->at.tv_nsec));
    return cudaSuccess;
}
typedef enum { cudaFuncAttributeMaxDynamicSharedMemorySize } cudaFuncAttribute;
static inline cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute, int) { return cudaSuccess; }
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }
static inline const char *cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : e == cudaErrorMemoryAllocation ? "out of memory" : "not supported"; }

template <class... P, class... A> static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *c, void (*kernel)(P...), A... args)
{
    auto call = [=] { kernel(args...); };
    dim3 grid = c->gridDim, block = c->blockDim;
    size_t bytes = c->dynamicSmemBytes;
    return emu_do(c->stream, [=] {
        auto job = call;
        emu::run(grid, block, bytes, [](void *p) { (*static_cast<decltype(call) *>(p))(); }, &job);
    });
}

#endif
