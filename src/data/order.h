/* order.h - which windows validate, and in which order the others are visited: held in no array.
 *
 * One permutation keyed by the seed makes the split; pass p over the training windows has its own, keyed by
 * (seed, p). With overlapping windows (stride < C) whole series are held out instead, as design and help say. */
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "data/dataset.h"
#include "util/rng.h"

typedef struct Order Order;

/* val_split in [0,1): validation gets max(1, floor(val_split * W)) windows; none if val_split is 0 or W < 2. */
int     order_open(Order **o, const Dataset *d, double val_split, uint64_t seed, Err *e);
void    order_close(Order *o);
int64_t order_train_count(const Order *o);
int64_t order_val_count(const Order *o);
int64_t order_train(const Order *o, int64_t pass, int64_t i);        /* window number */
int64_t order_val(const Order *o, int64_t i);

/* What a loader delivers as batch `number` (0, 1, ...): */
typedef enum {
    STREAM_TRAIN,      /* pass after pass; with drop_last a pass ends at its last full step, unless the whole pass is less than one: then a step is the pass */
    STREAM_VAL,        /* the validation windows in order, the last batch may be short */
    STREAM_ALL         /* every window of the dataset in an order keyed by the seed (out-of-distribution validation) */
} StreamKind;
typedef struct Stream { StreamKind kind; const Dataset *data; const Order *order; uint64_t seed; int64_t per_step; int drop_last; } Stream;
int64_t stream_windows(const Stream *s);                             /* windows of one pass */
int64_t stream_count(const Stream *s, int64_t number);               /* windows of that batch, 0 past the end of VAL and ALL */
int64_t stream_window(const Stream *s, int64_t number, int64_t i);   /* window number of its i-th */

#endif
