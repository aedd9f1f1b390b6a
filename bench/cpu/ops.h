/* ops.h - one layer of a model whose buffers hold what they hold in training, so that its ops can be run one at a time. */
#ifndef CPU_OPS_H
#define CPU_OPS_H

#include "bench.h"
#include "train/feed.h"

typedef struct Layer {
    Model *m;                            /* one layer; owned */
    Backend *b[2];                       /* with one thread, with all; owned */
    Feed   feed;
    Batch  batch;                        /* owned; full windows of random numbers */
    Input  in;
} Layer;

int  layer_open(Layer *l, const Bench *b, const Size *s, Dtype type, Err *e);
void layer_close(Layer *l);              /* zeroed is fine */

/* What an op does: fp operations of products, or else bytes that must come and go at least. */
typedef struct OpCost { double flops, bytes; } OpCost;
typedef struct OpRow { const char *name; int attention; OpCost (*run)(const Layer *l, Backend *b); } OpRow;   /* attention: depends on the length of the windows */
extern const OpRow op_rows[];
extern const int nop_rows;

#endif
