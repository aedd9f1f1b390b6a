/* bf16_plain.h - pairs of bf16 numbers in plain C, as processors multiply them: for the tests, on any machine. */
#ifndef KERNELS_CPU_BF16_PLAIN_H
#define KERNELS_CPU_BF16_PLAIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float plain_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
/* Denormal numbers are zeros of their sign, read or made. */
static inline float plain_flush(float x) { return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x; }

/* A tile as numbers: the first of each pair, and the second. */
typedef struct PlainPairs { float first[16][16], second[16][16]; } PlainPairs;

/* Returns whether all are 0 or between 2^-50 and 2^50: then products are exact, and no sum of them is denormal. */
static inline int plain_pairs(PlainPairs *to, uint32_t t[16][16])
{
    int tame = 1;
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++) {
            float x = plain_float(t[i][k] << 16), y = plain_float(t[i][k] & 0xffff0000u), a = fabsf(x), b = fabsf(y);
            tame &= (a == 0 || (a > 0x1p-50f && a < 0x1p50f)) & (b == 0 || (b > 0x1p-50f && b < 0x1p50f));
            to->first[i][k] = plain_flush(x);
            to->second[i][k] = plain_flush(y);
        }
    return tame;
}

static inline void plain_add(float *restrict s, float x, const float *restrict y, int tame)
{
    if (tame) for (int n = 0; n < 16; n++) s[n] += x * y[n];
    else      for (int n = 0; n < 16; n++) s[n] = plain_flush(fmaf(x, y[n], s[n]));
}

#endif
