/* dot_ops.c - the tier for bf16 runs on processors with AVX512-BF16, above that of AVX-512 (the Makefile says so to the compiler). */
#define TIER        dot
#define BF16_TABLE  dot_kernels
#define LOWER(name) avx512_##name
#include "kernels/cpu/cpu.h"

LINEAR_OF(avx512)

#include "kernels/cpu/bf16_ops.inc"
