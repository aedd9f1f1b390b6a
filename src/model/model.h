/* model.h - the transformer: parameters, one training step in micro-batches, and what it costs in memory.
 *
 *     model_open -> model_init or checkpoint -> model_reserve
 *     step:  model_begin(m); for each micro-batch: model_train(m, in, ...); model_update(m, &adamw); model_read(m, &m->train, &sums) */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/config.h"
#include "model/plan.h"
#include "model/safetensors.h"

typedef enum { RECOMPUTE_NONE, RECOMPUTE_MLP, RECOMPUTE_LAYER, FORWARD_ONLY } Recompute;      /* FORWARD_ONLY: nothing is kept, and there is no way back */

typedef struct Moe { Param norm, gate, share, eg, eu, ed, sg, su, sd; } Moe;      /* router, experts gate/up/down, shared gate/up/down */
typedef struct Block { Param norm, qkv, bias, o; Moe *moe; } Block;               /* moe (B) */
typedef struct MoeActs { Mat keep; float *rstd; Route route; Mat keep_e, keep_s; } MoeActs;
typedef struct BlockActs { Mat keep; float *rstd; Mat qkv, o; float *lse; MoeActs *moe; } BlockActs;

/* What a pass over some batches sums up: one for training, one for validation. */
typedef struct Meter { StepSum *sum; Balance *balance; void *memory; size_t bytes; } Meter;   /* sum: device; balance (routers): host structs of device pointers */

/* Called after each stage with its result, for tests: stage "embed", "norm", "qkv", "attention", "attn_h", "moe_norm", "prob", "expert"
 * (rows of int), "share", "moe_h", "final", in device memory. It may overwrite "expert". */
typedef void Tap(void *user, int layer, int mixture, const char *stage, Mat value);

typedef struct Model {
    ModelConfig c;
    Backend *b;                          /* not owned */
    Plan  plan;
    Flat  flat;                          /* owned; g, m, v NULL without training */
    StSet   file;                        /* owned: mapped weights, and */
    Stored *stored;                      /* (plan.n) owned: where they lie; NULL: everything is in flat */
    Param embed_g, embed_e, norm, heads;
    Block *block;                        /* (L) */
    Range *decay; int ndecay;
    BlockActs *acts;                     /* (L) */
    Mat   h, xn, dxn, d_o, rows, keep;   /* per token, once: residual and its gradient; normed; gradients; expert rows or dqkv; kept input of the last norm */
    float *rstd;
    Mat   qkv, o; float *lse;            /* once, when layers are recomputed */
    void *act_memory; size_t act_bytes;
    int   cap_tokens, cap_chunks;
    Recompute recompute;
    Meter train, eval;
    Tap  *tap; void *tap_user;
} Model;

int  model_open(Model **m, const ModelConfig *c, Backend *b, int training, Err *e);
void model_close(Model *m);                                              /* NULL is fine */
void model_init(Model *m, uint64_t seed);                                /* N(0, init_range) from counters: the same weights on every machine */

/* Memory for micro-batches of up to `tokens` tokens in `chunks` chunks, segments up to `longest` tokens; what was reserved before is given back. */
int  model_reserve(Model *m, int tokens, int chunks, int longest, Recompute r, Err *e);

void model_begin(Model *m);                                              /* gradients and sums to zero */
/* Forward, loss, backward of one micro-batch; gradients and sums add up. valid (nh): valid targets of the whole step; aux_coef = weight*E/(routers*tokens of the step). */
void model_train(Model *m, const Input *in, int first_segment, const int64_t *valid, double aux_coef);
void model_update(Model *m, const AdamW *h);                             /* norm, clip, update, balance */
void model_eval_begin(Model *m);
void model_eval(Model *m, const Input *in, int first_segment);           /* forward and loss sums into m->eval */
/* The same with the loss of some tokens only: row (some->ntok), ascending, are their places in `in`; some says of them where their points lie. */
void model_eval_rows(Model *m, const Input *in, const Input *some, const int *row, int first_segment);
void model_eval_end(Model *m);                                           /* aux of all that was evaluated */
int  model_read(Model *m, const Meter *t, StepSum *out, Err *e);         /* waits for the device */
void model_share(Model *m, const Meter *t, double *share);               /* (routers, E) f of the last applied step */
void model_set_share(Model *m, const double *share);                     /* from a checkpoint */

/* Bytes before anything is allocated; everything else of a run is in train/memory.h. */
typedef struct ModelMemory {
    size_t params, grads, moments;                                       /* whole model */
    size_t dense, rounded;                                               /* numbers of matrices that a device may keep copies of: without experts', all */
    size_t kept, once;                                                   /* per token: kept for backward, and shared by all layers */
} ModelMemory;
int  model_memory(ModelMemory *mm, const ModelConfig *c, Dtype type, int training, Recompute r, Err *e);
Dims model_dims(const ModelConfig *c, int tokens, int chunks, int longest);

/* |e| and e^2 of repeating the last point of each token, over the same targets; adds to *abs, *sq and *n. points, pt, npt as in a Batch. */
void loss_naive(const ModelConfig *c, const float *points, const int *pt, const int *npt, int nseg, double *abs, double *sq, int64_t *n);
/* Valid targets per horizon of a window of n points; adds to valid (nh). */
void loss_valid(const ModelConfig *c, int64_t n, int64_t *valid);

#endif
