/* amx_tile.h - the tile registers of AMX: eight, each 16 rows of 64 bytes, and the five things that kernels do with them.
 *
 * With AMX_EMULATED they are plain C, which computes the same bits, so that kernels are tested on any machine. Tile numbers
 * are constants. Memory is ordered here: to the compiler, a tile instruction touches no memory at all, or too little. */
#ifndef KERNELS_CPU_AMX_TILE_H
#define KERNELS_CPU_AMX_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64, NTILES = 8 };

#ifndef AMX_EMULATED
#include <immintrin.h>

/* What LDTILECFG reads. */
typedef struct Tiles { uint8_t palette, start_row, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } Tiles;
_Static_assert(sizeof(Tiles) == 64, "as the instruction reads it");

#define TILE_ORDER() __asm__ volatile("" ::: "memory")

static inline void tiles_open(Tiles *t)
{
    memset(t, 0, sizeof *t);
    t->palette = 1;
    for (int i = 0; i < NTILES; i++) {
        t->bytes[i] = TILE_BYTES;
        t->rows[i] = TILE_ROWS;
    }
    __asm__ volatile("" :: "r"(t) : "memory");           /* gcc 12 believes that 8 of the 64 bytes are read */
    _tile_loadconfig(t);
}
static inline void tiles_close(Tiles *t) { (void)t; _tile_release(); }

#define tile_zero(t, n)               do { (void)(t); _tile_zero(n); } while (0)
#define tile_load(t, n, p, stride)    do { (void)(t); TILE_ORDER(); _tile_loadd(n, p, stride); } while (0)
#define tile_stream(t, n, p, stride)  do { (void)(t); TILE_ORDER(); _tile_stream_loadd(n, p, stride); } while (0)     /* leaves the first cache alone */
#define tile_store(t, n, p, stride)   do { (void)(t); _tile_stored(n, p, stride); TILE_ORDER(); } while (0)
#define tile_dot(t, c, a, b)          do { (void)(t); _tile_dpbf16ps(c, a, b); } while (0)                           /* c += a b */

#else
#include "kernels/cpu/bf16_plain.h"

typedef struct Tiles { uint32_t at[NTILES][TILE_ROWS][TILE_BYTES / 4]; } Tiles;

static inline void tiles_open(Tiles *t) { memset(t, 0, sizeof *t); }
static inline void tiles_close(Tiles *t) { memset(t, 0xff, sizeof *t); }         /* what is read after it is no number */
static inline void tile_zero(Tiles *t, int n) { memset(t->at[n], 0, sizeof t->at[n]); }
static inline void tile_load(Tiles *t, int n, const void *p, size_t stride)
{
    for (int r = 0; r < TILE_ROWS; r++) memcpy(t->at[n][r], (const char *)p + (size_t)r * stride, TILE_BYTES);
}
static inline void tile_stream(Tiles *t, int n, const void *p, size_t stride) { tile_load(t, n, p, stride); }
static inline void tile_store(const Tiles *t, int n, void *p, size_t stride)
{
    for (int r = 0; r < TILE_ROWS; r++) memcpy((char *)p + (size_t)r * stride, t->at[n][r], TILE_BYTES);
}

/* As Intel documents TDPBF16PS: the first and the second of each pair are summed apart, in order, beginning with 0, each
 * product and sum rounded once; the two sums are added, then c. To nearest even, whatever the thread has set. */
static inline void tile_dot(Tiles *t, int c, int a, int b)
{
    PlainPairs x, y;
    int tame = plain_pairs(&x, t->at[a]) & plain_pairs(&y, t->at[b]);
    for (int m = 0; m < TILE_ROWS; m++) {
        float first[16] = {0}, second[16] = {0};
        for (int k = 0; k < 16; k++) {
            plain_add(first, x.first[m][k], y.first[k], tame);
            plain_add(second, x.second[m][k], y.second[k], tame);
        }
        for (int n = 0; n < 16; n++) {
            float sum = plain_flush(plain_flush(plain_float(t->at[c][m][n])) + plain_flush(first[n] + second[n]));
            memcpy(&t->at[c][m][n], &sum, 4);
        }
    }
}
#endif

#endif
