/* ptx.cuh - in the place of src/kernels/cuda/ptx.cuh for the emulator: what its instructions do, from the tables of the PTX manual. */
#ifndef KERNELS_CUDA_PTX_CUH
#define KERNELS_CUDA_PTX_CUH

#include <cuda_runtime.h>

#include "util/num.h"

static inline float emu_half_of(unsigned word, int upper)
{
    unsigned u = upper ? word & 0xffff0000u : word << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Element (row, k) of A lies with lane row%8*4 + k%8/2, in register row/8 + 2*(k/8); (k, col) of B with lane col*4 + k%8/2, in register k/8. */
static inline void mma_bf16(float c[4], const unsigned a[4], const unsigned b[2])
{
    unsigned mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const unsigned *all = emu::exchange(mine, 6);
    int g = emu::lane() / 4, t = emu::lane() % 4;
    for (int e = 0; e < 4; e++) {
        int row = g + 8 * (e / 2), col = 2 * t + e % 2;
        for (int k = 0; k < 16; k++)
            c[e] = fmaf(emu_half_of(all[8 * (row % 8 * 4 + k % 8 / 2) + row / 8 + 2 * (k / 8)], k % 2), emu_half_of(all[8 * (col * 4 + k % 8 / 2) + 4 + k / 8], k % 2), c[e]);
    }
}

static inline unsigned pack_halves(float low, float high) { return unsigned(f32_to_bf16(low)) | unsigned(f32_to_bf16(high)) << 16; }

static inline float quick_sigmoid(float x) { return 1 / (1 + expf(-x)); }

/* The block's shared memory of a size that the launch says. */
static inline void *launch_memory() { return emu::shared + emu::SHARED_FROM; }

#endif
