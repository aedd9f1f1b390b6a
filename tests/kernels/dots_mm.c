/* dots_mm.c - the kernels of bf16_mm.h over AVX512-BF16's products of pairs in plain C, on any machine. */
#define DOT_EMULATED
#define BF16_TABLE dots_kernels
#define BF16_UNIT  "kernels/cpu/dot_unit.inc"
#include "kernels/bf16_help.h"

#include "kernels/cpu/bf16_all.inc"
