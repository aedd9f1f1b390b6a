/* Algorithms of cuBLASLt: tried once a shape comes again and again, and never at the price of a bit. In the emulator, whose library
 * (tests/emu/cublasLt.c) has six: the first, a slower one, one that is the fastest and off by a unit of fp32, a faster one, one that fails, and one that is hardly faster still. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/lt.h"
#include "test.h"
#include "util/num.h"

__attribute__((weak)) Lt *emu_lt_open(void *stream, Err *e);
__attribute__((weak)) void emu_lt_close(Lt *lt);
__attribute__((weak)) int emu_lt_product(Lt *lt, const LtProduct *p);
__attribute__((weak)) void *emu_stream_open(void);
__attribute__((weak)) void emu_stream_close(void *stream);
__attribute__((weak)) extern int emu_lt_made[8], emu_lt_missing, emu_recorded;

enum { FIRST, SLOWER, OFF, FASTER, FAILS, HARDLY_FASTER, ALL, ROUNDS = 3 };

static void equal(int line, const char *what, long got, long want)
{
    if (got != want) test_fail(__FILE__, line, "%s is %ld, not %ld", what, got, want);
}
#define EQUAL(got, want) equal(__LINE__, #got, got, want)

/* A product with operands of its own; rows are `pad` numbers further apart than they are long. */
typedef struct Made { LtProduct p; void *a, *b, *y, *before; float *bias; size_t size; } Made;

/* Between -1 and 1, with all bits of an fp32. */
static void *numbers(size_t n, Dtype type, uint32_t seed)
{
    char *p = malloc(n * dtype_size(type));
    if (!p) abort();
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        float x = (float)(int32_t)(seed ^ seed >> 16) * 0x1p-31f;
        if (type == BF16) ((bf16 *)(void *)p)[i] = f32_to_bf16(x);
        else ((float *)(void *)p)[i] = x;
    }
    return p;
}

static void make(Made *m, LtProduct p, int pad, int bias)
{
    p.lda = (p.ta ? p.n : p.k) + pad;
    p.ldb = (p.tb ? p.k : p.m) + pad;
    p.ldy = p.m + pad;
    *m = (Made){.size = (size_t)p.n * (size_t)p.ldy * dtype_size(p.out)};
    p.a = m->a = numbers((size_t)(p.ta ? p.k : p.n) * (size_t)p.lda, p.in, 0);
    p.b = m->b = numbers((size_t)(p.tb ? p.m : p.k) * (size_t)p.ldb, p.in, 1);
    p.y = m->y = numbers((size_t)p.n * (size_t)p.ldy, p.out, 2);
    m->before = numbers((size_t)p.n * (size_t)p.ldy, p.out, 2);
    p.bias = m->bias = bias ? numbers((size_t)p.m, F32, 3) : NULL;
    m->p = p;
}

static void made_free(Made *m)
{
    void *all[] = {m->a, m->b, m->y, m->before, m->bias};
    for (int i = 0; i < 5; i++) free(all[i]);
}

typedef struct Library { Lt *lt; void *stream; } Library;

/* -1: there is no emulator, which is said. */
static int library_open(Library *l, const char *tune)
{
    Err e;
    if (!emu_lt_open) { test_skip("the emulator of CUDA is not built in"); return -1; }
    setenv("FTS_CUBLAS_TUNE", tune, 1);
    *l = (Library){.stream = emu_stream_open()};
    l->lt = emu_lt_open(l->stream, &e);
    unsetenv("FTS_CUBLAS_TUNE");
    memset(emu_lt_made, 0, sizeof emu_lt_made);
    if (!l->lt) test_fail(__FILE__, __LINE__, "%s", e.message);
    return l->lt ? 0 : -1;
}

static void library_close(Library *l)
{
    emu_lt_close(l->lt);
    emu_stream_close(l->stream);
}

static int all_made(void)
{
    int n = 0;
    for (int i = 0; i < ALL; i++) n += emu_lt_made[i];
    return n;
}

/* From the same y as ever; how many products the library made for it. */
static int again(const Library *l, Made *m)
{
    int before = all_made();
    memcpy(m->y, m->before, m->size);
    EQUAL(emu_lt_product(l->lt, &m->p), 0);
    return all_made() - before;
}

/* What the first algorithm makes of it: (size) bytes, to free(). */
static void *by_the_first(Made *m)
{
    Library l;
    void *y = malloc(m->size);
    if (library_open(&l, "no") || !y) abort();
    for (int i = 0; i < 2 * ROUNDS; i++) again(&l, m);
    memcpy(y, m->y, m->size);
    EQUAL(emu_lt_made[FIRST], 2 * ROUNDS);
    EQUAL(all_made(), 2 * ROUNDS);
    library_close(&l);
    return y;
}

static const struct { LtProduct p; int pad, bias; } kinds[] = {
    {{.n = 40, .m = 24, .k = 33, .tb = 1, .in = F32, .out = F32, .acc = SET}, 0, 0},
    {{.n = 40, .m = 24, .k = 33, .tb = 1, .in = F32, .out = F32, .acc = SET}, 3, 1},
    {{.n = 24, .m = 40, .k = 64, .in = BF16, .out = BF16, .acc = SET}, 8, 0},
    {{.n = 300, .m = 8, .k = 20, .tb = 1, .in = BF16, .out = BF16, .acc = SET}, 0, 0},
    {{.n = 24, .m = 40, .k = 64, .ta = 1, .in = BF16, .out = F32, .acc = ADD}, 5, 0},
    {{.n = 17, .m = 16, .k = 9, .tb = 1, .in = F32, .out = F32, .acc = ADD}, 2, 1},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

TEST(lt_keeps_the_fastest_algorithm_with_the_bits_of_the_first)
{
    for (int i = 0; i < KINDS; i++) {
        Made m;
        make(&m, kinds[i].p, kinds[i].pad, kinds[i].bias);
        Library l;
        if (library_open(&l, "yes")) { made_free(&m); return; }
        void *want = by_the_first(&m);
        memset(emu_lt_made, 0, sizeof emu_lt_made);
        for (int round = 1; round <= 2 * ROUNDS; round++) {
            int made = again(&l, &m), kept = emu_lt_made[FASTER];
            CHECK(round == ROUNDS ? made > 4 * 7 && kept > 7 && emu_lt_made[OFF] && emu_lt_made[OFF] < 3 && emu_lt_made[FAILS] == 1 : made == 1);
            CHECK(!memcmp(m.y, want, m.size));
        }
        EQUAL(emu_lt_made[FIRST], ROUNDS - 1 + (i < 2 ? 1 : 2) + 7);
        EQUAL(emu_lt_made[FASTER], (i < 2 ? 1 : 2) + 7 + ROUNDS + 1);
        free(want);
        library_close(&l);
        made_free(&m);
    }
}

/* Layers have products of one shape and weights of their own; ragged batches have shapes that never come again. */
TEST(lt_tries_nothing_where_a_shape_does_not_come_again)
{
    enum { LAYERS = 12 };
    Made m[LAYERS];
    Library l;
    if (library_open(&l, "yes")) return;
    for (int i = 0; i < LAYERS; i++) make(&m[i], kinds[2].p, 0, 0);
    for (int i = 0; i < 2 * LAYERS; i++) EQUAL(again(&l, &m[i % LAYERS]), 1);
    CHECK(again(&l, &m[0]) > 1);
    for (int n = 1; n < 20; n++)
        for (int i = 0; i < 2; i++) {
            m[0].p.n = n;
            EQUAL(again(&l, &m[0]), 1);
        }
    for (int i = 0; i < LAYERS; i++) made_free(&m[i]);
    library_close(&l);
}

static void clear(void *p, size_t n, Dtype type) { memset(p, 0, n * dtype_size(type)); }

/* Zeros in most of an operand, and what was lost to them is made good later. */
TEST(lt_waits_for_operands_that_tell)
{
    for (int i = 0; i < KINDS; i += 2)
        for (int which = 0; which < 2; which++) {
            Made m, full;
            make(&m, kinds[i].p, kinds[i].pad, kinds[i].bias);
            make(&full, kinds[i].p, kinds[i].pad, kinds[i].bias);
            Library l;
            if (library_open(&l, "yes")) { made_free(&m); made_free(&full); return; }
            int rows = which ? m.p.tb ? m.p.m : m.p.k : m.p.ta ? m.p.k : m.p.n, ld = which ? m.p.ldb : m.p.lda;
            clear(which ? m.b : m.a, (size_t)(rows * 2 / 3) * (size_t)ld, m.p.in);
            for (int round = 1; round < 2 * ROUNDS; round++) EQUAL(again(&l, &m), 1);
            memcpy(m.a, full.a, (size_t)(m.p.ta ? m.p.k : m.p.n) * (size_t)m.p.lda * dtype_size(m.p.in));
            memcpy(m.b, full.b, (size_t)(m.p.tb ? m.p.m : m.p.k) * (size_t)m.p.ldb * dtype_size(m.p.in));
            CHECK(again(&l, &m) > 1);
            EQUAL(again(&l, &m), 1);
            library_close(&l);
            made_free(&m);
            made_free(&full);
        }
}

/* Operands are full, and yet no number meets another: half of a sum's are zero in one of them, the other half in the other. */
TEST(lt_waits_for_a_result_that_tells)
{
    Made m;
    make(&m, (LtProduct){.n = 32, .m = 32, .k = 32, .ta = 1, .in = F32, .out = F32, .acc = ADD}, 0, 0);
    Library l;
    if (library_open(&l, "yes")) { made_free(&m); return; }
    clear(m.a, 16 * 32, F32);
    clear((float *)m.b + 16 * 32, 16 * 32, F32);
    for (int round = 1; round < ROUNDS; round++) EQUAL(again(&l, &m), 1);
    EQUAL(again(&l, &m), 3);                 /* by the first alone */
    CHECK(!memcmp(m.y, m.before, m.size));
    library_close(&l);
    made_free(&m);
}

TEST(lt_tries_nothing_while_a_graph_is_recorded)
{
    Made m;
    make(&m, kinds[4].p, 0, 0);
    Library l;
    if (library_open(&l, "yes")) { made_free(&m); return; }
    emu_recorded = 1;
    for (int round = 1; round <= ROUNDS; round++) EQUAL(again(&l, &m), 1);
    emu_recorded = 0;
    for (int round = ROUNDS + 1; round < 2 * ROUNDS; round++) EQUAL(again(&l, &m), 1);
    CHECK(again(&l, &m) > 1);
    library_close(&l);
    made_free(&m);
}

/* Few numbers may agree by chance, bf16 hides what is added to it, and a y that has no room cannot be added to twice. */
TEST(lt_tries_nothing_that_it_cannot_compare)
{
    static const LtProduct not[] = {
        {.n = 15, .m = 17, .k = 64, .tb = 1, .in = BF16, .out = BF16, .acc = SET},
        {.n = 32, .m = 32, .k = 32, .tb = 1, .in = BF16, .out = BF16, .acc = ADD},
        {.n = 2900, .m = 2900, .k = 1, .tb = 1, .in = BF16, .out = F32, .acc = ADD},
    };
    for (size_t i = 0; i < sizeof not / sizeof *not; i++) {
        Library l;
        if (library_open(&l, "yes")) return;
        Made m;
        make(&m, not[i], 0, 0);
        for (int round = 1; round <= ROUNDS; round++) EQUAL(again(&l, &m), 1);
        library_close(&l);
        made_free(&m);
    }
}

/* Some shapes are free; then a trial is earned by 10,000 products. */
TEST(lt_tries_no_more_than_is_worth_it)
{
    enum { FREE = 64, EARNED = 10000 };
    Made m;
    int tried = 0;
    make(&m, (LtProduct){.n = 8, .m = 32, .k = FREE + 1, .tb = 1, .in = F32, .out = F32, .acc = SET}, 0, 0);
    Library l;
    if (library_open(&l, "yes")) { made_free(&m); return; }
    for (m.p.k = 1; m.p.k <= FREE + 1; m.p.k++)
        for (int round = 1; round <= ROUNDS; round++) tried += again(&l, &m) > 1;
    EQUAL(tried, FREE);
    m.p.k--;
    for (int i = (FREE + 1) * ROUNDS + 1; i < EARNED; i++) tried += again(&l, &m) > 1;
    EQUAL(tried, FREE);
    CHECK(again(&l, &m) > 1);
    library_close(&l);
    made_free(&m);
}

TEST(lt_that_is_not_there_is_told)
{
    Err e;
    if (!emu_lt_open) { test_skip("the emulator of CUDA is not built in"); return; }
    emu_lt_missing = 1;
    CHECK(!emu_lt_open(NULL, &e) && e.code == FTS_DEVICE);
    emu_lt_missing = 0;
    TEXT(e.message, "--device cuda: libcublasLt.so.13 was not found: install cuBLAS of CUDA 13 or name its folder in LD_LIBRARY_PATH; FTS_CUBLAS=no does without it, slower");
}
