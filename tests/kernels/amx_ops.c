/* amx_ops.c - the ops of the AMX tier over tiles in plain C, so that the op tests run over them on any machine. */
#define TIER        emulated
#define AMX_TABLE   emulated_kernels
#define LOWER(name) ref_##name
#include "kernels/amx_help.h"
#include "kernels/op_help.h"

#include "kernels/cpu/amx_ops.inc"
