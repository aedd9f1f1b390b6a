/* avx512_ops.c - the ops for AVX-512 as servers have it since 2017: F, BW, DQ and VL (the Makefile says so to the compiler). */
#define TIER avx512
#include "kernels/cpu/tier_all.inc"
