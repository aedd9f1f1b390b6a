/* dnn.h - attention by cuDNN, which is loaded by name when a device is opened. A shape keeps its plan. */
#ifndef KERNELS_CUDA_DNN_H
#define KERNELS_CUDA_DNN_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct Dnn Dnn;

enum { DNN_Q, DNN_K, DNN_V, DNN_O, DNN_LSE, DNN_DO, DNN_DELTA, DNN_DQ, DNN_DK, DNN_DV, DNN_PARTS };

/* Segment s of it begins at p + at[s] numbers, its tokens are `row` numbers apart, heads lie behind each other: d numbers of bf16, or
 * one of fp32 (lse, delta). All of it on the device; at (segs + 1). */
typedef struct DnnPart { void *p; const int64_t *at; int64_t row; } DnnPart;

/* Causal attention inside segments of at most `longest` tokens; some may have none. Backward reads q, k, v, o, lse and do, and writes
 * the rest: delta is room for <do, o>. */
typedef struct DnnAttention {
    int segs, longest, H, d, backward;
    float scale;                         /* of the scores; lse is that of scaled ones */
    DnnPart part[DNN_PARTS];
    const int *length;                   /* (segs) tokens of each, on the device */
    void *room; size_t room_size;        /* on the device, for what lies between */
} DnnAttention;

int  dnn_wanted(void);                   /* FTS_CUDNN=yes: not without being asked, since it has never run */
Dnn *dnn_open(void *stream);             /* NULL: the library is not there, or too old */
Dnn *dnn_open_described(const char *json, Err *e);       /* for a device that is not there: plans alone */
void dnn_close(Dnn *d);                  /* NULL is fine */
int64_t dnn_room(Dnn *d, const DnnAttention *a);         /* bytes of room that the shape needs; -1: there is no plan for it */
int  dnn_attention(Dnn *d, const DnnAttention *a);       /* 0: done; -1: not this shape, or not in this room: do it yourself */
const char *dnn_text(const Dnn *d);      /* "cuDNN 9.19.0" */

#endif
