/* synth_kernel.h - KernelSynth (Ansari et al. 2024, algorithm 2): a series is a draw from a Gaussian process
 * whose kernel is a random sum and product of one to five kernels of a bank, over x = 0 .. 1. */
#ifndef DATA_SYNTH_KERNEL_H
#define DATA_SYNTH_KERNEL_H

#include <stdint.h>

#include "util/err.h"

enum { KERNEL_BANK = 31, KERNEL_MIX_MAX = 5, KERNEL_LENGTH_MAX = 8192 };

/* ((k0 op k1) op k2) ...; times[i]: the i-th is multiplied with what came before it, else added. times[0] is not looked at. */
typedef struct KernelMix { int n, kernel[KERNEL_MIX_MAX], times[KERNEL_MIX_MAX]; } KernelMix;

/* Covariance = L L^T + diag(excess): L smooth and mostly of low rank, excess what White adds. Row i of L is point order[i]. */
typedef struct KernelFactor {
    double *l;                  /* owned; the columns of L one after the other, the k-th without its first k rows, which are 0 */
    double *rest, *excess;      /* owned, (length): diagonal of what L does not explain yet, by row; excess by point */
    double *sum;                /* owned, (length) */
    int    *order;              /* owned, (length) */
    int     rank;
} KernelFactor;

typedef struct KernelSynth {
    int     length, threads;
    double *table;              /* owned, (KERNEL_BANK, length): value by lag, of the stationary kernels */
    KernelFactor *factor;       /* owned, (threads) */
} KernelSynth;

int  kernel_open(KernelSynth *k, int64_t length, int threads, Err *e);     /* refuses a length above KERNEL_LENGTH_MAX */
void kernel_close(KernelSynth *k);                                         /* zeroed or failed is fine */

/* A key is a random number for each series. Same key, same result, whatever the worker. */
KernelMix kernel_draw(uint64_t key);
void kernel_factor(const KernelSynth *k, const KernelMix *mix, KernelFactor *to);
void kernel_sample(const KernelSynth *k, const KernelFactor *f, double *sum, uint64_t key, float *out);
double *kernel_column(const KernelSynth *k, const KernelFactor *f, int column);       /* its [row] is valid for row >= column */

void kernel_series(const KernelSynth *k, uint64_t key, int worker, float *out);       /* out: (length) */

#endif
