/* tier.h - what the vector tiers are written with. A file base_x.c, avx2_x.c or avx512_x.c defines TIER, then includes
 * this and the tier_*.inc; vectors are as long as the instruction set it is compiled for, so an op is written once.
 * VL, numbers of a vector, may be set before: the compiler then makes the vectors out of those that there are. */
#ifndef KERNELS_CPU_TIER_H
#define KERNELS_CPU_TIER_H

#include <string.h>

#include "kernels/cpu/cpu.h"
#include "util/num.h"

#if defined __SSE2__
#include <immintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

#define CAT_(a, b) a##_##b
#define CAT(a, b)  CAT_(a, b)
#define FN(name)   CAT(TIER, name)
#define INLINE     static inline __attribute__((always_inline, unused))

LINEAR_OF(TIER)

#ifdef VL
#elif defined __AVX512F__ && defined __FMA__
#define VL 16
#elif defined __AVX2__ && defined __FMA__
#define VL 8
#else
#define VL 4
#endif

enum { PAD = VL > 8 ? 2 * VL : 16 };                     /* rows of scratch are padded to this: a multiple of 2*VL, at most MAX_PAD */
INLINE int padded(int n) { return pieces(n, PAD) * PAD; }

typedef float    vf __attribute__((vector_size(4 * VL)));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
typedef float    vf_any __attribute__((vector_size(4 * VL), aligned(4), may_alias));      /* at any address */

INLINE vf   v_load(const float *p) { return *(const vf_any *)p; }
INLINE void v_store(float *p, vf x) { *(vf_any *)p = x; }
#if VL == 16
INLINE vf v_set1(float x) { return (vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
#elif VL == 8
INLINE vf v_set1(float x) { return (vf){x, x, x, x, x, x, x, x}; }
#else
INLINE vf v_set1(float x) { return (vf){x, x, x, x}; }
#endif

/* max and min give the second where one is no number: write v_max(limit, x) and NaN stays NaN. */
#if VL == 16 && defined __AVX512F__
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
#elif VL == 8 && defined __AVX2__
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
#elif VL == 4 && defined __SSE2__
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf v_max(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
#else
INLINE vf v_pick(vu m, vf a, vf b) { return (vf)((m & (vu)a) | (~m & (vu)b)); }
INLINE vf v_max(vf a, vf b) { return v_pick((vu)(a > b), a, b); }
INLINE vf v_min(vf a, vf b) { return v_pick((vu)(a < b), a, b); }
INLINE vf v_sqrt(vf a)
{
    for (int i = 0; i < VL; i++) a[i] = sqrtf(a[i]);
    return a;
}
#if VL == 4 && defined __ARM_NEON
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
#endif
#endif

/* For plain loops over elements, which the compiler turns into vectors by itself. */
#if defined __FMA__ || defined __ARM_FEATURE_FMA
INLINE float f_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
INLINE float f_fma(float a, float b, float c) { return a * b + c; }
#endif

INLINE vf v_abs(vf x) { return (vf)((vu)x & ((vu)v_set1(0) + 0x7fffffffu)); }

INLINE vf v_load_part(const float *p, int n)             /* n < VL: zeros behind them */
{
    vf x = v_set1(0);
    for (int i = 0; i < n; i++) x[i] = p[i];
    return x;
}
INLINE void v_store_part(float *p, vf x, int n) { for (int i = 0; i < n; i++) p[i] = x[i]; }

INLINE float v_sum(vf x)                                 /* halves onto each other: the same order on every machine */
{
    float s[VL];
    v_store(s, x);
    for (int n = VL / 2; n; n /= 2)
        for (int i = 0; i < n; i++) s[i] += s[i + n];
    return s[0];
}
INLINE float v_highest(vf x)
{
    float s[VL];
    v_store(s, x);
    for (int n = VL / 2; n; n /= 2)
        for (int i = 0; i < n; i++) s[i] = s[i] > s[i + n] ? s[i] : s[i + n];
    return s[0];
}

/* The numbers of two vectors in turn: those of their lower halves, and of their upper ones. */
#if VL == 16
#define V_LOWER(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define V_UPPER(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VL == 8
#define V_LOWER(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define V_UPPER(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define V_LOWER(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define V_UPPER(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

typedef uint16_t vh_any __attribute__((vector_size(2 * VL), aligned(2), may_alias));
INLINE vf v_load_bf16(const bf16 *p) { return (vf)(__builtin_convertvector(*(const vh_any *)p, vu) << 16); }


/* The upper halves are x rounded to nearest even; NaN stays NaN. */
INLINE vu v_bf16_bits(vf x)
{
    vu u = (vu)x, nan = (vu)((u & 0x7fffffffu) > 0x7f800000u);
    return (nan & (u | 0x400000u)) | (~nan & (u + 0x7fffu + ((u >> 16) & 1u)));
}
INLINE vf v_round_bf16(vf x) { return (vf)(v_bf16_bits(x) & 0xffff0000u); }
INLINE void v_store_bf16(bf16 *p, vf x) { *(vh_any *)p = __builtin_convertvector(v_bf16_bits(x) >> 16, vh_any); }

/* Element i of an array of either type. */
INLINE float f_read(Dtype t, const void *p, size_t i) { return t == F32 ? ((const float *)p)[i] : bf16_to_f32(((const bf16 *)p)[i]); }
INLINE vf v_read(Dtype t, const void *p, size_t i) { return t == F32 ? v_load((const float *)p + i) : v_load_bf16((const bf16 *)p + i); }

/* VL rows of VL numbers from element `at` on, transposed: every round interleaves row i with row i + VL/2 (Stone's perfect shuffle). */
INLINE void v_transpose(Dtype t, float *to, size_t ld_to, const void *from, size_t at, size_t ld)
{
    vf a[VL], b[VL];
    for (int i = 0; i < VL; i++) a[i] = v_read(t, from, at + (size_t)i * ld);
    for (int round = VL; round > 1; round /= 2) {
        for (int i = 0; i < VL / 2; i++) {
            b[2 * i] = V_LOWER(a[i], a[i + VL / 2]);
            b[2 * i + 1] = V_UPPER(a[i], a[i + VL / 2]);
        }
        for (int i = 0; i < VL; i++) a[i] = b[i];
    }
    for (int i = 0; i < VL; i++) v_store(to + (size_t)i * ld_to, a[i]);
}

/* 2^(n+f), |f| <= 1/2: a minimax polynomial of degree 6 (relative error 2e-9 before rounding, 8e-8 after) times 2^n.
 * `shifted` is n + 1.5*2^23, whose low bits are n; below 2^-126 the result is 0. */
INLINE vf v_scale2(vf f, vf shifted)
{
    vf p = v_set1(0.0001534581199f);
    p = v_fma(p, f, v_set1(0.001339993122f));
    p = v_fma(p, f, v_set1(0.009618488957f));
    p = v_fma(p, f, v_set1(0.05550328777f));
    p = v_fma(p, f, v_set1(0.2402264689f));
    p = v_fma(p, f, v_set1(0.6931472057f));
    p = v_fma(p, f, v_set1(1));
    return p * (vf)(((vu)shifted + 127u) << 23);         /* times, not bits added to bits: NaN stays NaN */
}
#define EXP_SHIFT 12582912.0f
INLINE vf v_exp2(vf x)
{
    x = v_min(v_set1(128), v_max(v_set1(-127), x));
    vf s = x + v_set1(EXP_SHIFT);
    return v_scale2(x - (s - v_set1(EXP_SHIFT)), s);
}
INLINE vf v_exp(vf x)                                    /* ln 2 in two parts, the first exact times n (Cody and Waite) */
{
    const float log2e = 1.44269504f;
    x = v_min(v_set1(88.8f), v_max(v_set1(-88), x));
    vf s = v_fma(x, v_set1(log2e), v_set1(EXP_SHIFT)), n = s - v_set1(EXP_SHIFT);
    vf r = v_fma(n, v_set1(2.12194440e-4f), v_fma(n, v_set1(-0.693359375f), x));
    return v_scale2(r * v_set1(log2e), s);
}
INLINE vf v_sigmoid(vf x) { return v_set1(1) / (v_set1(1) + v_exp(-x)); }

/* n numbers become fp32, rounded to bf16 if `round`; and fp32 ones are stored. */
INLINE void row_read(float *restrict to, Dtype t, const void *restrict from, int n, int round)
{
    int i = 0;
    for (; i + VL <= n; i += VL) {
        vf x = v_read(t, from, (size_t)i);
        v_store(to + i, round ? v_round_bf16(x) : x);
    }
    for (; i < n; i++) to[i] = round ? bf16_round(f_read(t, from, (size_t)i)) : f_read(t, from, (size_t)i);
}
INLINE void row_round(bf16 *restrict to, const float *restrict from, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) v_store_bf16(to + i, v_load(from + i));
    for (; i < n; i++) to[i] = f32_to_bf16(from[i]);
}
INLINE void round_row(float *x, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) v_store(x + i, v_round_bf16(v_load(x + i)));
    for (; i < n; i++) x[i] = bf16_round(x[i]);
}

INLINE char *at_number(Mat m, int r, int c) { return (char *)m.p + ((size_t)r * (size_t)m.ld + (size_t)c) * dtype_size(m.type); }
INLINE float *at_row(Mat m, int r) { return (float *)m.p + (size_t)r * (size_t)m.ld; }

/* A row where ops compute: in place if it is fp32, else in `buf`; row_in() brings it there, row_done() takes it back. */
INLINE float *row_at(Mat m, int r, float *buf) { return m.type == F32 ? at_row(m, r) : buf; }
INLINE const float *row_in(Mat m, int r, float *buf)
{
    if (m.type == F32) return at_row(m, r);
    row_read(buf, BF16, at_number(m, r, 0), m.cols, 0);
    return buf;
}
INLINE void row_done(Mat m, int r, const float *made)
{
    if (m.type == BF16) row_round((bf16 *)(void *)at_number(m, r, 0), made, m.cols);
}

/* The same of rows [at,+n), columns [c,+cols); as operands of a product that rounds, if `round`. */
INLINE Mat part_at(Mat m, int at, int n, int c, int cols, float *buf)
{
    if (m.type == F32) return (Mat){at_number(m, at, c), n, cols, m.ld, F32};
    return (Mat){buf, n, cols, cols, F32};
}
INLINE Mat part_in(Mat m, int at, int n, int c, int cols, int round, float *buf)
{
    if (m.type == F32 && !round) return part_at(m, at, n, c, cols, buf);
    for (int i = 0; i < n; i++) row_read(buf + (size_t)i * (size_t)cols, m.type, at_number(m, at + i, c), cols, round && m.type == F32);
    return (Mat){buf, n, cols, cols, F32};
}
INLINE Mat rows_in(Mat m, int at, int n, int round, float *buf) { return part_in(m, at, n, 0, m.cols, round, buf); }
INLINE Mat rows_at(Mat m, int at, int n, float *buf) { return part_at(m, at, n, 0, m.cols, buf); }
INLINE void part_done(Mat m, int at, int c, Mat made)
{
    if (m.type == F32) return;
    for (int i = 0; i < made.rows; i++) row_round((bf16 *)(void *)at_number(m, at + i, c), at_row(made, i), made.cols);
}
INLINE void rows_done(Mat m, int at, Mat made) { part_done(m, at, 0, made); }

/* Does this run round the operands of a product with w? */
INLINE int rounds(const Backend *b, const Weight *w) { return b->dtype == BF16 && !w->full; }

/* Rows [at,+n) of one chunk: what one item of most ops works on. A chunk's first block starts with the chunk, so a row
 * meets the same neighbours however chunks are spread over micro-batches. */
typedef struct Block { int at, n, group, local; } Block;

INLINE int most_blocks(int rows, int chunks) { return rows / BLOCK + chunks; }
INLINE int cut(Block *b, int at, int n, int group, int local)
{
    int k = 0;
    for (int i = 0; i < n; i += BLOCK) b[k++] = (Block){at + i, imin(BLOCK, n - i), group, local + i};
    return k;
}
/* Rows whose results stand alone may be cut anywhere: so that every thread has some, in whole tiles of a product. */
INLINE int rows_each(int rows, int threads)
{
    int most = 252, per = imax(1, imin(4, rows / (threads * 48)));
    return imax(24, imin(most, pieces(pieces(rows, threads * per), 12) * 12));
}
INLINE int most_parts(int rows, int parts, int threads) { return rows / 252 + 4 * threads + parts; }
INLINE int cut_rows(Block *b, int at, int n, int group, int each)
{
    int k = 0;
    for (int i = 0; i < n; i += each) b[k++] = (Block){at + i, imin(each, n - i), group, i};
    return k;
}
INLINE int cut_chunks(Block *b, const Input *in)
{
    int k = 0;
    for (int c = 0; c < in->nchunk; c++) k += cut(b + k, in->chunk[c], in->chunk[c + 1] - in->chunk[c], 0, 0);
    return k;
}

INLINE float v_dot(const float *a, const float *b, int n)
{
    vf s[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
    int i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        for (int j = 0; j < 4; j++) s[j] = v_fma(v_load(a + i + j * VL), v_load(b + i + j * VL), s[j]);
    for (; i + VL <= n; i += VL) s[0] = v_fma(v_load(a + i), v_load(b + i), s[0]);
    float t = v_sum((s[0] + s[1]) + (s[2] + s[3]));
    for (; i < n; i++) t = f_fma(a[i], b[i], t);
    return t;
}
INLINE void axpy(float *restrict y, float a, const float *restrict x, int n)
{
    for (int i = 0; i < n; i++) y[i] = f_fma(a, x[i], y[i]);
}
INLINE void add_to(float *restrict y, const float *restrict x, int n)
{
    for (int i = 0; i < n; i++) y[i] += x[i];
}

/* dbias += sum of dy over [at,+n), for columns [c,+m), m <= 256: the block's sum first. */
INLINE void add_columns(float *db, Mat dy, int at, int n, int c, int m)
{
    float s[256] = {0}, row[256];
    for (int i = at; i < at + n; i++) add_to(s, part_in(dy, i, 1, c, m, 0, row).p, m);
    add_to(db + c, s, m);
}

#endif
