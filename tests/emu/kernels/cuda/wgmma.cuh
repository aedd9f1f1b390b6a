/* wgmma.cuh - in the place of src/kernels/cuda/wgmma.cuh for the emulator: what its instructions do, from the tables of the PTX manual. When they happen: see copies.cuh. */
#ifndef KERNELS_CUDA_WGMMA_CUH
#define KERNELS_CUDA_WGMMA_CUH

#include "kernels/cuda/copies.cuh"

namespace fts_cuda {

inline int emu_wgmma_count;              /* of products by a group of threads, for tests: the last thread of each counts */

struct EmuProduct { float *c; uint64_t a, b; int add, a_across, b_across, group; };
inline EmuQueue<EmuProduct, 16> emu_products[256];

/* The 16 bytes in which number (row, k) of an operand lies: exchanged pieces are those whose address has other bits 4..6. */
static inline const unsigned short *emu_piece(uint64_t d, int across, int row, int k)
{
    unsigned at = unsigned(d & 0x3fff) << 4, slab = unsigned(d >> 16 & 0x3fff) << 4, step = unsigned(d >> 32 & 0x3fff) << 4;
    if (d >> 62 != 1) abort();
    at += across ? unsigned(row / 64) * slab + unsigned(k / 8) * step + unsigned(k % 8 * 128 + row % 64 * 2) : unsigned(row / 8) * step + unsigned(row % 8 * 128 + k * 2);
    at ^= (at >> 7 & 7) << 4;
    return reinterpret_cast<const unsigned short *>(static_cast<const char *>(launch_memory()) + at / 16 * 16);
}
static inline float emu_operand(uint64_t d, int across, int row, int k) { return emu_half_of(emu_piece(d, across, row, k)[(across ? row : k) % 8], 0); }

/* Columns 8 j + 2 t and 8 j + 2 t + 1 of the second operand, all j. */
static inline void emu_columns(float (&b)[16][64], const EmuProduct &p, int t)
{
    for (int j = 0; j < 32; j++)
        for (int i = 0; i < (p.b_across ? 16 : 4); i++) {
            const unsigned short *x = p.b_across ? emu_piece(p.b, 1, 8 * j + 2 * t, i) + 2 * t : emu_piece(p.b, 0, 8 * j + 2 * t + i / 2, i % 2 * 8);
            for (int e = 0; e < (p.b_across ? 2 : 8); e++) (p.b_across ? b[i][2 * j + e] : b[i % 2 * 8 + e][2 * j + i / 2]) = emu_half_of(x[e], 0);
        }
}

/* The 128 numbers of this thread. A product of two halves is exact. Rows of zeros, which tiles are full of, cost nothing. */
static inline void emu_do(const EmuProduct &p)
{
    int row = int(threadIdx.x) % 128 / 32 * 16 + emu::lane() / 4, some = 0;
    float a[2][16], b[16][64], sum[2][64];
    for (int h = 0; h < 2; h++)
        for (int k = 0; k < 16; k++) {
            a[h][k] = emu_operand(p.a, p.a_across, row + 8 * h, k);
            some |= a[h][k] != 0;
        }
    for (int i = 0; i < 128; i++)
        if (!p.add) p.c[i] = 0;
    if (!some) return;
    emu_columns(b, p, emu::lane() % 4);
    for (int h = 0; h < 2; h++) {
        for (int i = 0; i < 64; i++) sum[h][i] = p.c[i / 2 * 4 + 2 * h + i % 2];
        for (int k = 0; k < 16; k++)
            for (int i = 0; i < 64; i++) sum[h][i] += a[h][k] * b[k][i];
        for (int i = 0; i < 64; i++) p.c[i / 2 * 4 + 2 * h + i % 2] = sum[h][i];
    }
}

static inline void products_see_copies() { emu_unseen[threadIdx.x] = false; }
static inline void products_begin() { if (emu_unseen[threadIdx.x]) abort(); }
static inline void products_end() { emu_products[threadIdx.x].groups++; }
template <int LEFT> static inline void products_wait() { emu_wait(emu_products[threadIdx.x], LEFT); }
static inline void products_arrived(float (&)[128]) {}

template <int A_ACROSS, int B_ACROSS> static inline void product_64_256(float (&c)[128], uint64_t a, uint64_t b, int add)
{
    emu_wgmma_count += threadIdx.x % 128 == 127;
    emu_start(emu_products[threadIdx.x], EmuProduct{c, a, b, add, A_ACROSS, B_ACROSS, 0});
}

}

#endif
