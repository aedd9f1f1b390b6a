/* ptx.cuh - the instructions that C++ has no words for. */
#ifndef KERNELS_CUDA_PTX_CUH
#define KERNELS_CUDA_PTX_CUH

/* c (16,8) += a (16,16) b (16,8) by a warp. With g = lane/4, t = lane%4: c holds (g,2t) (g,2t+1) (g+8,2t) (g+8,2t+1); a pairs of
 * columns (g,2t) (g+8,2t) (g,2t+8) (g+8,2t+8); b pairs of rows (2t,g) (2t+8,g). */
static __device__ __forceinline__ void mma_bf16(float c[4], const unsigned a[4], const unsigned b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Two numbers rounded to bf16. */
static __device__ __forceinline__ unsigned pack_halves(float low, float high)
{
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

/* 1 / (1 + e^-x) by two instructions of the special unit: within 2^-20 of it. */
static __device__ __forceinline__ float quick_sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/* The block's shared memory of a size that the launch says. */
static __device__ __forceinline__ void *launch_memory()
{
    extern __shared__ __align__(16) char memory[];
    return memory;
}

#endif
