/* amx_mm.c - the kernels of amx_mm.h for processors with AMX (the Makefile says so to the compiler). */
#define AMX_TABLE amx_kernels
#include "kernels/cpu/amx_all.inc"
