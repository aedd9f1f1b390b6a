/* amx_help.h - the kernels of amx_mm.h over tiles in plain C. */
#ifndef AMX_HELP_H
#define AMX_HELP_H

#include "kernels/cpu/amx_mm.h"

extern const AmxKernels emulated_kernels;

#endif
