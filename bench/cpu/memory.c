/* memory.c - bytes per second of reading, copying (with the sign turned, so that no memcpy is made of it) and a[i] + k b[i] (the triad), from arrays of the size of each cache and far beyond.
 * Counted are the bytes the program moves: a written line that is first read from memory counts once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "util/machine.h"

#if defined __x86_64__
#define EVERY_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EVERY_ISA
#endif
enum { LINE = 16, PASS = 1 << 19 };                                        /* floats of a cache line; floats that a piece of work moves at least */

typedef struct Arrays { float *a, *b, *c; int ready; } Arrays;             /* (n) each, of a thread */
typedef struct Stream { Arrays *of; size_t n; } Stream;                    /* n: a multiple of 4 lines */
typedef uint32_t __attribute__((may_alias)) Word;

/* As integers, whose sum may be made in any order and so in vectors; four of them, because one would wait for itself. */
EVERY_ISA static uint32_t read_all(const float *from, size_t n)
{
    const Word *a = (const Word *)from;
    size_t quarter = n / 4;
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (size_t i = 0; i < quarter; i++) {
        s0 += a[i];
        s1 += a[quarter + i];
        s2 += a[2 * quarter + i];
        s3 += a[3 * quarter + i];
    }
    return s0 + s1 + s2 + s3;
}

/* memcpy would choose other stores. */
EVERY_ISA static void copy_all(float *restrict to, const float *restrict a, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = -a[i];
}

EVERY_ISA static void triad_all(float *restrict to, const float *restrict a, const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = a[i] + 0.5f * b[i];
}

/* Each thread writes its own arrays first, so that their pages lie in the memory next to it. */
static Arrays *arrays_of(const Stream *s, int thread)
{
    Arrays *x = &s->of[thread];
    if (x->ready) return x;
    for (size_t i = 0; i < s->n; i++) x->a[i] = x->b[i] = x->c[i] = (float)(i & 7);
    x->ready = 1;
    return x;
}

static size_t turns(const Stream *s) { return s->n < PASS ? PASS / s->n : 1; }

static double work_read(void *arg, int thread)
{
    const Stream *s = arg;
    const Arrays *x = arrays_of(s, thread);
    uint32_t sum = 0;
    for (size_t i = 0; i < turns(s); i++) sum += read_all(x->a, s->n);
    volatile uint32_t kept = sum;
    (void)kept;
    return (double)(turns(s) * s->n * sizeof(float));
}

static double work_copy(void *arg, int thread)
{
    const Stream *s = arg;
    const Arrays *x = arrays_of(s, thread);
    for (size_t i = 0; i < turns(s); i++) copy_all(x->b, x->a, s->n);
    return 2.0 * (double)(turns(s) * s->n * sizeof(float));
}

static double work_triad(void *arg, int thread)
{
    const Stream *s = arg;
    const Arrays *x = arrays_of(s, thread);
    for (size_t i = 0; i < turns(s); i++) triad_all(x->c, x->a, x->b, s->n);
    return 3.0 * (double)(turns(s) * s->n * sizeof(float));
}

static float *map_floats(size_t n)
{
    void *p = mmap(NULL, n * sizeof(float), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) abort();
    (void)madvise(p, n * sizeof(float), MADV_HUGEPAGE);
    return p;
}

static void stream_open(Stream *s, int threads, size_t bytes_each)
{
    s->n = bytes_each / sizeof(float) / (4 * LINE) * (4 * LINE);
    s->of = calloc((size_t)threads, sizeof *s->of);
    if (!s->of) abort();
    for (int t = 0; t < threads; t++) s->of[t] = (Arrays){map_floats(s->n), map_floats(s->n), map_floats(s->n), 0};
}

static void stream_close(Stream *s, int threads)
{
    for (int t = 0; t < threads; t++) {
        munmap(s->of[t].a, s->n * sizeof(float));
        munmap(s->of[t].b, s->n * sizeof(float));
        munmap(s->of[t].c, s->n * sizeof(float));
    }
    free(s->of);
}

/* The first word of a file about the i-th cache of the first core. */
static void cache_fact(int i, const char *name, char text[32])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, name);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%31s", text) != 1) text[0] = 0;
    if (f) fclose(f);
}

/* Not asked of the C library, which may name the cache of a whole socket. */
static size_t cache_bytes(int level, size_t otherwise)
{
    for (int i = 0; i < 8; i++) {
        char at[32], type[32], kb[32];
        cache_fact(i, "level", at);
        cache_fact(i, "type", type);
        cache_fact(i, "size", kb);
        if (atoi(at) == level && atoi(kb) > 0 && strcmp(type, "Instruction")) return (size_t)atoi(kb) << 10;
    }
    return otherwise;
}

void memory_caches(Ceilings *c)
{
    c->cache[0] = cache_bytes(1, 32 << 10);
    c->cache[1] = cache_bytes(2, 512 << 10);
    c->cache[2] = cache_bytes(3, 8 << 20);
}

/* All three arrays together fill half of a cache. The third level is shared, in a virtual machine with strangers too: eight times the
 * second lie in it on any of them. Memory: twice the third level, as far as an eighth of what there is goes. */
static size_t footprint(const Bench *b, const Ceilings *c, int level)
{
    size_t share = c->cache[2] / 2 / (size_t)b->threads, most = (size_t)machine_memory() / 8 / (size_t)b->threads;
    if (level < 2) return c->cache[level] / 2;
    if (level == 2) return share < 8 * c->cache[1] ? share : 8 * c->cache[1];
    return 2 * c->cache[2] < most ? 2 * c->cache[2] : most;
}

void memory_measure(const Bench *b, Ceilings *c)
{
    static const char *const place[LEVELS] = {"L1", "L2", "L3", "memory"};
    static const struct { const char *name; Work *work; } kind[] = {{"read", work_read}, {"copy", work_copy}, {"triad", work_triad}};
    for (int level = 0; level < (b->extent == SMOKE ? 2 : LEVELS); level++) {
        Stream s;
        stream_open(&s, b->threads, footprint(b, c, level) / 3);
        for (int k = 0; k < 3; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s, %s", kind[k].name, place[level]);
            ceiling_row(b, name, "GB/s", kind[k].work, &s, c->bytes[level]);
        }
        stream_close(&s, b->threads);
    }
}
