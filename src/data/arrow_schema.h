/* arrow_schema.h - which column of an Arrow table holds the series, and where its parts stand among those of the others: a batch
 * is a row of nodes (one an array) and a row of buffers, told apart by the order of the schema alone. */
#ifndef DATA_ARROW_SCHEMA_H
#define DATA_ARROW_SCHEMA_H

#include "data/flatbuf.h"
#include "data/numtype.h"

enum { ARROW_LEVELS = 2 };

typedef struct ArrowCount { int64_t nodes, buffers, views; } ArrowCount;     /* views: arrays of which each batch says how many buffers they have beside these */

typedef struct ArrowColumn {
    char name[64], shape[192];           /* "target"; "list<float>" */
    int  levels;                         /* 0: plain numbers; 1: a list is a series; 2: a list of series */
    struct { int offset; int64_t fixed; } level[ARROW_LEVELS];     /* outer first: bytes of an offset, or 0 and how many items each list has */
    const NumType *type;                 /* of the numbers; NULL: no column of series or numbers */
    int  bits;                           /* 1: "bool", eight in a byte */
    ArrowCount before;                   /* parts of the columns before it */
} ArrowColumn;

typedef struct ArrowSchema { ArrowColumn column; ArrowCount all; } ArrowSchema;

int arrow_schema(ArrowSchema *s, FlatTable schema, int version, Err *e);     /* version: 4 or 5 */

#endif
