/* fma.c - multiply and add from registers, in fp32 and in pairs of bf16: the rate that no product can exceed. One body, once per instruction set. */
#include <string.h>

#include "bench.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

/* Twelve independent chains cover the latency of two units; with the two constants they fit into sixteen registers. */
enum { CHAINS = 12, TURNS = 4096 };
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* A piece of work; ONCE(i) is a[i] = a[i] * x + y, which goes towards 1. */
#define PIECE(name, target, V, SET1, ONCE)                                          \
    target static double name(void *arg, int thread)                                \
    {                                                                               \
        V a[CHAINS], x = SET1(0.999f), y = SET1(0.001f);                            \
        float first;                                                                \
        for (int i = 0; i < CHAINS; i++) a[i] = SET1((float)(i + thread));          \
        for (int i = 0; i < TURNS; i++) { EACH(ONCE) }                              \
        for (int i = 1; i < CHAINS; i++) a[0] = a[0] + a[i];                        \
        memcpy(&first, &a[0], sizeof first);                                        \
        volatile float kept = first;                                                \
        (void)kept; (void)arg;                                                      \
        return 2.0 * CHAINS * TURNS * (double)(sizeof(V) / sizeof(float));          \
    }

static int always(void) { return 1; }

#if defined __x86_64__
#define SSE(i)  a[i] = _mm_add_ps(_mm_mul_ps(a[i], x), y);
#define AVX2(i) a[i] = _mm256_fmadd_ps(a[i], x, y);
#define AVX512(i) a[i] = _mm512_fmadd_ps(a[i], x, y);
PIECE(sse, , __m128, _mm_set1_ps, SSE)
PIECE(avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps, AVX2)
PIECE(avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps, AVX512)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f") != 0; }

#define PAIRS(i) a[i] = _mm512_dpbf16_ps(a[i], (__m512bh)x, (__m512bh)y);
PIECE(avx512_pairs, __attribute__((target("avx512f,avx512bf16"))), __m512, _mm512_set1_ps, PAIRS)
double dot_registers(void *arg, int thread) { return 2 * avx512_pairs(arg, thread); }

const Isa isas[] = {{"SSE2 (multiply, then add)", always, sse}, {"AVX2 + FMA", has_avx2, avx2}, {"AVX-512", has_avx512, avx512}};
#elif defined __aarch64__
#define NEON(i) a[i] = vfmaq_f32(y, a[i], x);
PIECE(neon, , float32x4_t, vdupq_n_f32, NEON)
const Isa isas[] = {{"NEON", always, neon}};
#else
#define SCALAR(i) a[i] = a[i] * x + y;
PIECE(scalar, , float, , SCALAR)
const Isa isas[] = {{"plain C", always, scalar}};
#endif
#if !defined __x86_64__
double dot_registers(void *arg, int thread) { (void)arg; (void)thread; return 0; }
#endif
const int nisas = (int)(sizeof isas / sizeof *isas);

const Isa *isa_best(void)
{
    int best = nisas - 1;
    while (best && !isas[best].here()) best--;
    return &isas[best];
}
