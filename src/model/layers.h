/* layers.h - the parts a model is made of: x_declare books parameters, x_forward and x_backward run on one micro-batch.
 * m->h is the residual stream on the way forward and its gradient on the way back; every norm keeps its own input. */
#ifndef MODEL_LAYERS_H
#define MODEL_LAYERS_H

#include "kernels/watch.h"
#include "model/model.h"
#include "util/machine.h"

void attention_declare(Block *k, Plan *p, const ModelConfig *c, int layer);
void attention_forward(Model *m, int layer, const Input *in);
/* With `row` (of the last layer) only those rows of the residual and of what attention gives go on: they become rows 0.. of it, as `last` says. */
void attention_infer(Model *m, int layer, KvCache *kv, const Input *in, const Input *last, const int *row);
void attention_backward(Model *m, int layer, const Input *in);

void moe_declare(Moe *x, Plan *p, const ModelConfig *c, int layer, int mixture);
void moe_forward(Model *m, int layer, int mixture, const Meter *t, const Input *in);
void moe_backward(Model *m, int layer, int mixture, const Meter *t, double aux_coef, const Input *in);

/* The first `rows` rows of a buffer made for more. */
static inline Mat mat_head(Mat m, int rows) { m.rows = rows; return m; }
static inline const Balance *balance_of(const Meter *t, const Model *m, int layer, int mixture) { return &t->balance[layer * m->c.B + mixture]; }
static inline void tap(const Model *m, int layer, int mixture, const char *stage, Mat value)
{
    if (m->tap) m->tap(m->tap_user, layer, mixture, stage, value);
}

/* Around a part of the work, so that a profile shows it; without one, two looks at a pointer. */
static inline double part_begin(const Model *m) { return m->b->watch ? machine_seconds() : 0; }
static inline void part_end(const Model *m, const char *name, int number, double began)
{
    if (m->b->watch) watch_part(m->b, name, number, began);
}

/* Activations for `tokens` tokens: called with base NULL to count bytes, then to place them (model/acts.c). */
typedef struct Carve { char *base; size_t kept, once; int keeping; } Carve;
void acts_place(Model *m, Carve *c, int tokens, int chunks, Recompute r);

#endif
