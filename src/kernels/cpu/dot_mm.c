/* dot_mm.c - the kernels of bf16_mm.h for processors with AVX512-BF16 (the Makefile says so to the compiler). */
#define BF16_TABLE dot_kernels
#define BF16_UNIT  "kernels/cpu/dot_unit.inc"
#include "kernels/cpu/bf16_all.inc"
