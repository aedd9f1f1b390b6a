/* infer.h - the model for forecasts: forward only, going on behind what a cache holds, and predictions after last tokens alone. */
#ifndef MODEL_INFER_H
#define MODEL_INFER_H

#include "model/model.h"

typedef struct Infer {
    Model  *m;                           /* not owned; its activations belong to this while it is open */
    KvCache kv;                          /* p owned */
    float  *out;                         /* (slots, O) device memory, owned */
    Seg    *one;                         /* (slots) the last tokens as segments of their own */
    int    *chunk, *last;                /* (slots + 1), (slots) */
} Infer;

/* For passes of up to `tokens` tokens; slots of up to `cap` tokens each. May be opened again for other sizes after it was closed. */
int  infer_open(Infer *f, Model *m, int tokens, int slots, int cap, Err *e);
void infer_close(Infer *f);              /* zeroed is fine */
size_t infer_bytes(const Backend *b, const ModelConfig *c, int tokens, int slots, int cap);      /* cache and activations */

/* The new tokens of each segment join its slot. out (nseg, O): what all heads, one behind the other, predict after its last token; host memory.
 * Each segment is a chunk of its own, so it gets the same bits in any company. */
void infer_pass(Infer *f, const Input *in, float *out);

#endif
