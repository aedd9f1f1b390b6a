/* memory.h - what a run takes, known before anything is allocated, and how many tokens that leaves for a micro-batch.
 *
 * It follows from the limit and the settings, never from what happens to be free. */
#ifndef TRAIN_MEMORY_H
#define TRAIN_MEMORY_H

#include "data/loader.h"
#include "model/model.h"
#include "util/event.h"

typedef struct MemoryAsk {
    const ModelConfig *c;
    const Backend *b;
    Recompute recompute;
    int64_t limit;                       /* bytes that the run may take, of the device's memory */
    int64_t batch, accum;                /* windows of a batch, batches of a step */
    int64_t step_windows;                /* most windows that are ever one step or one batch of a validation */
    int64_t micro_windows;               /* --micro-batch-size, 0: as many as fit */
    int64_t window_points;               /* points of the longest window */
    int64_t data_bytes;                  /* held by the datasets */
    const Stream *train, *val, *ood;     /* what loaders deliver; val, ood: NULL without */
    int     prefetch, val_prefetch;
} MemoryAsk;

typedef struct Memory {
    ModelMemory model;                   /* bytes; kept and once are for one token */
    int64_t limit, copies, routing, scratch, inputs, loaders, data, libraries, total;
    int     on_host;                     /* the device's memory is the machine's: loaders and data count, too */
    int     tokens, chunks, longest;     /* of a micro-batch: at most */
    int     fits;                        /* 0: `tokens` is the least that would work, and total is above the limit */
    int     window_tokens;               /* of a full window */
    int     micro_batches;               /* of the largest step, if all its windows are full */
    int64_t most_windows;                /* largest batch that is one micro-batch */
} Memory;

int  memory_plan(Memory *m, const MemoryAsk *a, Err *e);
void memory_print(const Memory *m, const Events *to);               /* the table of --dry-run */
int  memory_check(const Memory *m, Err *e);                         /* -1 with one sentence if it does not fit */

#endif
