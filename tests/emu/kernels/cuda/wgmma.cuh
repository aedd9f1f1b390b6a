/* wgmma.cuh - in the place of src/kernels/cuda/wgmma.cuh for the emulator: what its instructions do, from the tables of the PTX manual. When they happen: see copies.cuh. */
#ifndef KERNELS_CUDA_WGMMA_CUH
#define KERNELS_CUDA_WGMMA_CUH

#include "kernels/cuda/copies.cuh"

namespace fts_cuda {

inline int emu_wgmma_count[2];           /* of products by a group of threads, with 128 columns and with 256, for tests: the last thread of each counts */

struct EmuProduct { float *c; uint64_t a, b; int n, add, a_across, b_across, group; };      /* c: (n) */
inline EmuQueue<EmuProduct, 16> emu_products[256];

/* The 16 bytes in which number (row, k) of an operand lies: exchanged pieces are those whose address has other bits 4..6. */
static inline const unsigned short *emu_piece(uint64_t d, int across, int row, int k)
{
    unsigned at = unsigned(d & 0x3fff) << 4, slab = unsigned(d >> 16 & 0x3fff) << 4, step = unsigned(d >> 32 & 0x3fff) << 4;
    if (d >> 62 != 1) abort();
    at += across ? unsigned(row / 64) * slab + unsigned(k / 8) * step + unsigned(k % 8 * 128 + row % 64 * 2) : unsigned(row / 8) * step + unsigned(row % 8 * 128 + k * 2);
    at ^= (at >> 7 & 7) << 4;
    return reinterpret_cast<const unsigned short *>(emu::shared + at / 16 * 16);
}
static inline float emu_operand(uint64_t d, int across, int row, int k) { return emu_half_of(emu_piece(d, across, row, k)[(across ? row : k) % 8], 0); }

/* Columns 8 j + 2 t and 8 j + 2 t + 1 of the second operand, all j. */
template <int COLUMNS> static inline void emu_columns(float (&b)[16][COLUMNS], const EmuProduct &p, int t)
{
    for (int j = 0; j < COLUMNS / 2; j++)
        for (int i = 0; i < (p.b_across ? 16 : 4); i++) {
            const unsigned short *x = p.b_across ? emu_piece(p.b, 1, 8 * j + 2 * t, i) + 2 * t : emu_piece(p.b, 0, 8 * j + 2 * t + i / 2, i % 2 * 8);
            for (int e = 0; e < (p.b_across ? 2 : 8); e++) (p.b_across ? b[i][2 * j + e] : b[i % 2 * 8 + e][2 * j + i / 2]) = emu_half_of(x[e], 0);
        }
}

/* This thread's numbers, COLUMNS of two rows. A product of two halves is exact. Rows of zeros, which tiles are full of, cost nothing. */
template <int COLUMNS> static inline void emu_multiply(const EmuProduct &p)
{
    int row = int(threadIdx.x) % 128 / 32 * 16 + emu::lane() / 4, some = 0;
    float a[2][16], b[16][COLUMNS], sum[2][COLUMNS];
    for (int h = 0; h < 2; h++)
        for (int k = 0; k < 16; k++) {
            a[h][k] = emu_operand(p.a, p.a_across, row + 8 * h, k);
            some |= a[h][k] != 0;
        }
    for (int i = 0; i < 2 * COLUMNS; i++)
        if (!p.add) p.c[i] = 0;
    if (!some) return;
    emu_columns<COLUMNS>(b, p, emu::lane() % 4);
    for (int h = 0; h < 2; h++) {
        for (int i = 0; i < COLUMNS; i++) sum[h][i] = p.c[i / 2 * 4 + 2 * h + i % 2];
        for (int k = 0; k < 16; k++)
            for (int i = 0; i < COLUMNS; i++) sum[h][i] += a[h][k] * b[k][i];
        for (int i = 0; i < COLUMNS; i++) p.c[i / 2 * 4 + 2 * h + i % 2] = sum[h][i];
    }
}

static inline void emu_do(const EmuProduct &p)
{
    if (p.n == 128) emu_multiply<64>(p);
    else emu_multiply<32>(p);
}

static inline void products_see_copies() { emu_unseen[threadIdx.x] = false; }
static inline void products_begin() { if (emu_unseen[threadIdx.x]) abort(); }
static inline void products_end() { emu_products[threadIdx.x].groups++; }
template <int LEFT> static inline void products_wait() { emu_wait(emu_products[threadIdx.x], LEFT); }
template <int NUMBERS> static inline void products_arrived(float (&)[NUMBERS]) {}

template <int A_ACROSS, int B_ACROSS, int NUMBERS> static inline void product_of_64(float (&c)[NUMBERS], uint64_t a, uint64_t b, int add)
{
    emu_wgmma_count[NUMBERS / 128] += threadIdx.x % 128 == 127;
    emu_start(emu_products[threadIdx.x], EmuProduct{c, a, b, NUMBERS, add, A_ACROSS, B_ACROSS, 0});
}

}

#endif
