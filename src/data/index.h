/* index.h - what opening a Time-300B folder found out, kept in one file: the next opening maps it instead of reading meta.json,
 * and the scaling of a series, once known, is not computed again. It is a cache: an index that is damaged or does not belong to
 * the files as they are is as good as none, and a failure to keep one loses nothing. */
#ifndef DATA_INDEX_H
#define DATA_INDEX_H

#include <stdint.h>

#include "data/bin_meta.h"
#include "data/scale.h"

enum { INDEX_SCALINGS = 2 };             /* zero and max: the places of Scaling in dataset.h */

typedef struct Index {
    Map      map;
    int      fd;                         /* to keep what becomes known; -1: the file may not be written */
    uint64_t key;
    int64_t  count;                      /* series */
    size_t   known[INDEX_SCALINGS];      /* where in the map the scalings lie, one Known a series */
} Index;

/* Parses the n bytes at p, 8-byte aligned, which m will point into. Everything but the keeping of scalings is checked. */
int  index_parse(Index *x, Meta *m, const unsigned char *p, size_t n);

int  index_open(Index **out, Meta *m, const char *path);           /* -1: no index there that can be used. The caller compares the key, and calls meta_free first */
void index_close(Index *x);                                        /* NULL is fine */
int  index_write(const char *path, const Meta *m, uint64_t key, Err *e);

int  index_known(const Index *x, int scaling, int64_t i, Affine *a);                    /* 1: the scaling of series i is there. x may be NULL */
/* Keeps the scalings of series [first, +n), n at most INDEX_BLOCK, of those that are ready; the first that cannot be written is the last that is tried. */
enum { INDEX_BLOCK = 1024 };
void index_keep(Index *x, int scaling, int64_t first, int n, const Affine *a, const unsigned char *ready);

#endif
