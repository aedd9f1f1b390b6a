/* copies.cuh - copies from global into shared memory that go on while a block computes, and matrices read from there as operands of mma_bf16(). */
#ifndef KERNELS_CUDA_COPIES_CUH
#define KERNELS_CUDA_COPIES_CUH

#include <stdint.h>

namespace fts_cuda {

static __device__ __forceinline__ unsigned shared_address(const void *p) { return unsigned(__cvta_generic_to_shared(p)); }

/* 16 bytes from global to shared memory, both at multiples of 16; bytes 0: zeros, and nothing is read. */
static __device__ __forceinline__ void copy_16(void *to, const void *from, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
/* Likewise 4 bytes. */
static __device__ __forceinline__ void copy_4(void *to, const void *from, int bytes)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" :: "r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
static __device__ __forceinline__ void copies_end() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Until all groups of this thread but the last LEFT have come. */
template <int LEFT> static __device__ __forceinline__ void copies_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(LEFT) : "memory"); }

/* Four matrices of 8 x 8 halves: lane 8 i + r says where row r of matrix i lies, 16 bytes at a multiple of 16; of matrix i lane 4 r + c gets numbers 2 c and 2 c + 1
 * of row r, or, turned, of column r. */
static __device__ __forceinline__ void load_matrices(unsigned (&x)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)) : "memory");
}
static __device__ __forceinline__ void load_matrices_turned(unsigned (&x)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)) : "memory");
}

/* 2^x by the special unit: within 2^-22 of it. */
static __device__ __forceinline__ float quick_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

}

#endif
