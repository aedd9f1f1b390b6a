/* tiles_ops.c - the ops of bf16 runs over AMX tiles in plain C, so that the op tests run over them on any machine. */
#define TIER        tiles
#define BF16_TABLE  tiles_kernels
#define LOWER(name) ref_##name
#include "kernels/bf16_help.h"
#include "kernels/op_help.h"

#include "kernels/cpu/bf16_ops.inc"
