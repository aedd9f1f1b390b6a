/* amx_mm.c - the kernels of bf16_mm.h for processors with AMX (the Makefile says so to the compiler). */
#define BF16_TABLE amx_kernels
#define BF16_UNIT  "kernels/cpu/amx_unit.inc"
#include "kernels/cpu/bf16_all.inc"
