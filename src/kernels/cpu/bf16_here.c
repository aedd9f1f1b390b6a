/* bf16_here.c - may this process use AMX, or AVX512-BF16? Compiled for any processor. */
#include "kernels/cpu/bf16_mm.h"

#if defined __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GET_RIGHT = 0x1023, TILE_DATA = 18 };             /* ARCH_REQ_XCOMP_PERM of Linux 5.16, and the state it is asked for */

/* CPUID: OSXSAVE in leaf 1; AVX-512 F, DQ, BW, VL, then AMX-BF16 and AMX-TILE in leaf 7.0; AVX512-BF16 in 7.1. */
static int processor_has(void)
{
    const unsigned ebx7 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, edx7 = 1u << 22 | 1u << 24;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27) || !(c & 1u << 12)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & ebx7) != ebx7 || (d & edx7) != edx7 || !a) return 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1u << 5;
}

/* XCR0: the system saves SSE and AVX, the three parts of AVX-512, and both parts of AMX. */
static int system_saves(void)
{
    const unsigned all = 1u << 1 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 17 | 1u << 18;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & all) == all;
}

int amx_here(void) { return processor_has() && system_saves() && syscall(SYS_arch_prctl, GET_RIGHT, TILE_DATA) == 0; }

/* The compiler's own test asks the operating system, too, whether it saves the registers. */
int dot_here(void)
{
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#else
int amx_here(void) { return 0; }
int dot_here(void) { return 0; }
#endif
