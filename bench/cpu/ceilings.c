/* ceilings.c - the table of what the machine can do at most: best of several tries, with one thread and with all. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

enum { MAX_TRIES = 9 };
static const struct { int tries; double seconds; } effort[] = {[SMOKE] = {1, 0.001}, [QUICK] = {5, 0.06}, [FULL] = {MAX_TRIES, 0.15}};

void ceiling_row(const Bench *b, const char *name, const char *unit, Work *work, void *arg, double best[2])
{
    double x[2][MAX_TRIES];
    Sample s[2];
    int tries = effort[b->extent].tries;
    for (int i = 0; i < tries; i++)
        for (int many = ONE; many <= ALL; many++) x[many][i] = team_rate(many ? b->threads : 1, work, arg, effort[b->extent].seconds);
    for (int many = ONE; many <= ALL; many++) {
        s[many] = sample_of(x[many], tries);
        if (s[many].high > best[many]) best[many] = s[many].high;
    }
    printf("| %s | %s | %.0f | %.0f | %.2f | %.0f to %.0f |\n", name, unit, 1e-9 * s[ONE].high, 1e-9 * s[ALL].high, s[ALL].high / s[ONE].high,
           1e-9 * s[ALL].low, 1e-9 * s[ALL].high);
    fflush(stdout);
}

static void amx_rows(const Bench *b, Ceilings *c)
{
    size_t bytes = AMX_BYTES * (size_t)b->threads;
    double registers[2] = {0, 0};
    void *tiles = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (tiles == MAP_FAILED) abort();
    for (size_t i = 0; i < bytes; i += 4096) ((volatile char *)tiles)[i] = 0;          /* pages of its own, not the one page of zeros */
    ceiling_row(b, "bf16, AMX, from registers", "GFLOP/s", amx_registers, NULL, registers);
    ceiling_row(b, "bf16, AMX, from L2", "GFLOP/s", amx_l2, tiles, c->bf16);
    munmap(tiles, bytes);
}

void ceilings_measure(const Bench *b, Ceilings *c)
{
    progress("ceilings");
    *c = (Ceilings){0};
    memory_caches(c);
    printf("\n## Ceilings\n\nBest of %d tries of %.0f ms; the last column is the range with %d threads. Bytes are those the program reads and writes. Caches: %zu KB, %zu KB, %zu MB.\n\n",
           effort[b->extent].tries, 1e3 * effort[b->extent].seconds, b->threads, c->cache[0] >> 10, c->cache[1] >> 10, c->cache[2] >> 20);
    printf("| | | 1 thread | %d threads | ratio | range |\n|---|---|---:|---:|---:|---:|\n", b->threads);
    for (int i = 0; i < nisas; i++) {
        char name[64];
        snprintf(name, sizeof name, "fp32, %s", isas[i].name);
        if (isas[i].here()) ceiling_row(b, name, "GFLOP/s", isas[i].work, NULL, c->fma);
    }
    if (dot_here()) ceiling_row(b, "bf16, AVX512-BF16", "GFLOP/s", dot_registers, NULL, c->bf16);
    if (amx_here()) amx_rows(b, c);
    memory_measure(b, c);
}

double ceiling_flops(const Ceilings *c, Dtype type, int many)
{
    return type == BF16 && c->bf16[many] > 0 ? c->bf16[many] : c->fma[many];
}

double ceiling_bytes(const Ceilings *c, double footprint, int many)
{
    int level = 0;
    while (level < LEVELS - 1 && (footprint > (double)c->cache[level] || !(c->bytes[level][many] > 0))) level++;
    return c->bytes[level][many];
}
