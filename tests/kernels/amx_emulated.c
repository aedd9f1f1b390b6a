/* amx_emulated.c - the kernels of amx_mm.h over tiles in plain C, on any machine. */
#define AMX_EMULATED
#define AMX_TABLE emulated_kernels
#include "kernels/amx_help.h"

#include "kernels/cpu/amx_all.inc"
