/* safetensors.h - the file format of weights: read by mapping with every check of the reference, written byte-compatible with it. */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include "util/err.h"
#include "util/file.h"

typedef struct StTensor {
    char  *name;                         /* owned */
    char   dtype[12];                    /* "F32", "BF16", ... */
    int    rank;
    int64_t shape[8];
    const unsigned char *data;           /* into the map; may be unaligned */
    size_t bytes;
} StTensor;

typedef struct St { Map map; StTensor *tensor; int n; char *metadata; } St;    /* tensor (n) sorted by name; metadata: the JSON object as text, or NULL; owned */

int  st_open(St *s, const char *path, Err *e);
void st_close(St *s);                                                          /* zeroed is fine */
const StTensor *st_find(const St *s, const char *name);                        /* NULL if absent */
int  st_floats(const StTensor *t, float *out, Err *e);                         /* F32, F16, BF16, F64 to fp32: as many as t->bytes hold, so a copy with data and bytes changed reads a piece */
int  st_dtype(const char *dtype, int *bits);                                   /* place in the reference's order and bits of an element; -1: no dtype */

/* The weights of a folder: its model.safetensors, else the shards that model.safetensors.index.json lists. */
typedef struct StSet { St *st; int n; } StSet;
int  st_set_open(StSet *w, const char *dir, Err *e);
void st_set_close(StSet *w);                                                   /* zeroed is fine */
const StTensor *st_set_find(const StSet *w, const char *name);                 /* NULL if absent */

/* A tensor to be written: `get` fills `out` with elements [at, at+n) when its turn comes, so nothing is held twice. */
typedef struct StOut { const char *name; const char *dtype; int rank; int64_t shape[8]; size_t elements, element_size; const void *from; } StOut;
typedef int StGet(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e);
int  st_write(const char *path, const StOut *t, int n, const char *metadata, StGet *get, void *user, Err *e);   /* get NULL: elements lie at `from`. Atomic */

#endif
