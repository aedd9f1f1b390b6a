/* origins.h - the points of a segment at which a token of each of several models ends: what they predict from there can be compared.
 *
 * Tokens of a model end at points P-1, P-1+S, P-1+2S, ..., so those that several models share are such a row again: they are what a
 * model with other patches would have, and the loss of its tokens is the loss at the shared points. */
#ifndef TRAIN_ORIGINS_H
#define TRAIN_ORIGINS_H

#include "model/model.h"

typedef struct Origins { int first, every; } Origins;         /* points first, first + every, ... of each segment, counted from 0 */

/* In segments of up to `points` points; an error if there are none. */
int origins_common(Origins *o, const ModelConfig *c, int n, int64_t points, Err *e);
ModelConfig origins_config(const Origins *o, const ModelConfig *c);          /* c with the patches whose tokens end at the origins and nowhere else */

/* Of a micro-batch the tokens that end at the origins, as an Input of their own. */
typedef struct Picked {
    Input in;                           /* in.seg, in.chunk: those below; valid until the next pick */
    int  *row;                          /* (in.ntok) their places in the micro-batch, ascending; owned, as are the next two */
    Seg  *seg;                          /* (in.nseg) segments without any are left out */
    int  *chunk;                        /* (in.nchunk+1) */
    int   cap_tokens, cap_seg, cap_chunks;
} Picked;

int  picked_take(Picked *p, const Origins *o, const ModelConfig *c, const Input *in, Err *e);
void picked_free(Picked *p);                                                 /* zeroed is fine */

#endif
