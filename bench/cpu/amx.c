/* amx.c - products of bf16 tiles, 16 x 32 by 32 x 16: from registers, and with one tile loaded from the L2 cache per product. */
#include "bench.h"

#if defined __x86_64__
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "util/machine.h"

enum { TURNS = 2048, TILE = 1024, PER_TURN = 4 };      /* a tile is 16 rows of 64 bytes */
static const double TILE_FLOPS = 2.0 * 16 * 16 * 32;

typedef struct __attribute__((packed)) Tiles { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } Tiles;

#define AMX __attribute__((target("amx-tile,amx-bf16")))

/* The compiler believes that the instruction reads 8 bytes: the barrier keeps the stores above it. */
AMX static void tiles_begin(void)
{
    Tiles t;
    memset(&t, 0, sizeof t);
    t.palette = 1;
    for (int i = 0; i < 8; i++) {
        t.bytes[i] = 64;
        t.rows[i] = 16;
    }
    __asm__ volatile("" : : "r"(&t) : "memory");
    _tile_loadconfig(&t);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

AMX double amx_registers(void *arg, int thread)
{
    (void)arg; (void)thread;
    tiles_begin();
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int i = 0; i < TURNS; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return TURNS * PER_TURN * TILE_FLOPS;
}

/* Two by two tiles of a product, each operand read once: four loads for four products. arg: AMX_BYTES for each thread. */
AMX double amx_l2(void *arg, int thread)
{
    const char *from = (const char *)arg + (size_t)thread * AMX_BYTES;
    size_t at = 0;
    tiles_begin();
    for (int i = 0; i < TURNS; i++) {
        _tile_loadd(4, from + at, 64);
        _tile_loadd(6, from + at + TILE, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, from + at + 2 * TILE, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, from + at + 3 * TILE, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        at = (at + 4 * TILE) % AMX_BYTES;
    }
    _tile_release();
    return TURNS * PER_TURN * TILE_FLOPS;
}
#else
double amx_registers(void *arg, int thread) { (void)arg; (void)thread; return 0; }
double amx_l2(void *arg, int thread) { (void)arg; (void)thread; return 0; }
#endif
