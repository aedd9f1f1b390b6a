/* bf16_help.h - the kernels of bf16_mm.h in plain C. */
#ifndef BF16_HELP_H
#define BF16_HELP_H

#include "kernels/cpu/bf16_mm.h"

extern const Bf16Kernels tiles_kernels, dots_kernels;

#endif
