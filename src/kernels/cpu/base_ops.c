/* base_ops.c - the ops for what every processor of the architecture has. */
#define TIER base
#include "kernels/cpu/tier_all.inc"
