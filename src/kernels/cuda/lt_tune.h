/* lt_tune.h - which of a product's algorithms is the fastest of those that give the bits of the first one. */
#ifndef KERNELS_CUDA_LT_TUNE_H
#define KERNELS_CUDA_LT_TUNE_H

#include "kernels/cuda/lt.h"

/* Enqueues algorithm i of a product: y = a x b + more * y. 0: the library took it. */
typedef int LtRun(void *own, int i, float more);

typedef struct LtTrial {
    const LtProduct *p;                  /* with the operands of a call that is to be made */
    int n;                               /* algorithms, from the one that is wanted if time does not matter */
    LtRun *run; void *own;
    void *stream;
    char *room;                          /* lt_tune_room() bytes of the device, at a multiple of 256 */
} LtTrial;

enum { LT_LATER = -1 };

size_t lt_tune_room(const LtProduct *p);
/* The number of the fastest; LT_LATER: these operands, with zeros for the most part, do not tell, or the stream is being recorded.
 * A y that is added to is afterwards what it was; any other is garbage. Waits for the device. */
int lt_fastest(const LtTrial *t);

#endif
