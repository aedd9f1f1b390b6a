/* wide_ops.c - the vector tiers' source with vectors of 16 numbers, as AVX-512 has them, on any machine. */
#define TIER wide
#define VL 16
#include "kernels/op_help.h"

#include "kernels/cpu/tier_all.inc"
