/* bin_meta.h - meta.json of a Time-300B folder, apart from its shards, so that it can be tested on text alone. */
#ifndef DATA_BIN_META_H
#define DATA_BIN_META_H

#include "data/numtype.h"
#include "data/tell.h"
#include "util/err.h"
#include "util/file.h"

typedef struct Shard {
    char   *name;                        /* owned */
    int64_t number;                      /* after the first '-': the order of shards; -1: none */
    int64_t first, count;                /* elements [first, +count) of all shards in a row */
    Map     map;                         /* filled by the source */
} Shard;

typedef struct Meta {
    int64_t count;                       /* num_sequences */
    int64_t entries, cap;                /* of scales, at least count */
    int64_t *offset, *length;            /* (entries) in elements; owned */
    double  *mean, *std;                 /* (entries) value = x * std + mean; NULL: no entry has them; owned */
    int      borrowed;                   /* 1: the four arrays above belong to an index */
    Shard   *shard;                      /* (nshard) in order; owned */
    int      nshard, shard_cap;
    unsigned seen;                       /* which of the four keys */
    const Tell *tell;                    /* while it is read */
    const NumType *type;
} Meta;

/* Every offset, length and sum is checked here; whether the shards are as long as promised is for the source. */
int  meta_read(Meta *m, const void *text, size_t n, const Tell *tell, Err *e);      /* tells of bytes; tell may be NULL */
int  meta_add_shard(Meta *m, const char *name, int64_t count, Err *e);      /* count at least 0 */
int  meta_check(Meta *m, Err *e);        /* sorts the shards and checks all numbers: what meta_read does in the end */
void meta_free(Meta *m);                 /* zeroed is fine; closes no map */

#endif
