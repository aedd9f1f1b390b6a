/* amx_ops.c - the tier for bf16 runs on processors with AMX, above that of AVX512-BF16 (the Makefile says so to the compiler). */
#define TIER        amx
#define BF16_TABLE  amx_kernels
#define LOWER(name) avx512_##name
#include "kernels/cpu/cpu.h"

LINEAR_OF(avx512)

#include "kernels/cpu/bf16_ops.inc"
