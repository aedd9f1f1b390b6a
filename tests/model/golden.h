/* golden.h - a golden file made by tools/golden: a small model, its input, and what PyTorch computed from them. */
#ifndef TESTS_MODEL_GOLDEN_H
#define TESTS_MODEL_GOLDEN_H

#include "model/model.h"
#include "model/safetensors.h"

typedef struct Golden {
    St st;
    ModelConfig c;
    double aux_weight;
    float *points;  int *npt, *pt; int nseg, npoints;
    Seg *seg; int ntok;
    int chunk[16], nchunk, longest;
    int64_t valid[MAX_HORIZONS];
} Golden;

/* Reads tests/golden/NAME.safetensors. at_least: tokens that close a chunk (the program uses CHUNK; small values make several). */
int  golden_open(Golden *g, const char *name, int at_least, Err *e);
void golden_close(Golden *g);
const StTensor *golden_tensor(const Golden *g, const char *prefix, const char *name);    /* NULL if absent */
float *golden_floats(const StTensor *t);                                                 /* malloc'ed */
int  golden_model(Model **m, const Golden *g, Backend *b, Recompute r, Err *e);          /* with the file's weights */
int  golden_save(const Golden *g, const char *dir, Err *e);                               /* the model as a folder on disk, in a folder that is there */
Input golden_input(const Golden *g, int first_chunk, int nchunk, Seg *seg, int *chunk);  /* a micro-batch of those chunks; seg, chunk: room */
double golden_distance(const float *got, const float *want, size_t n);                   /* max|a-b| / max|b| ; NaN gives infinity */

#endif
