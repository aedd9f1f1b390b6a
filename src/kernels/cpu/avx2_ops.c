/* avx2_ops.c - the ops for AVX2 and FMA (the Makefile says so to the compiler). */
#define TIER avx2
#include "kernels/cpu/tier_all.inc"
