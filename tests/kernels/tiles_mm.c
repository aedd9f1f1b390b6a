/* tiles_mm.c - the kernels of bf16_mm.h over AMX tiles in plain C, on any machine. */
#define AMX_EMULATED
#define BF16_TABLE tiles_kernels
#define BF16_UNIT  "kernels/cpu/amx_unit.inc"
#include "kernels/bf16_help.h"

#include "kernels/cpu/bf16_all.inc"
