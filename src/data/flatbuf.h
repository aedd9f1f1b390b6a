/* flatbuf.h - tables of FlatBuffers, read out of a block of bytes. Every place is checked against the block: one that points
 * outside marks the block as bad and reads as absent, so that a caller asks flatbuf_ok() once, when it has read what it needs.
 * Tables may point back at each other: who follows them without end in sight keeps count. */
#ifndef DATA_FLATBUF_H
#define DATA_FLATBUF_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct FlatBuf { const unsigned char *p; size_t n; int bad; } FlatBuf;           /* p: (n) of the caller */
typedef struct FlatTable { FlatBuf *in; size_t at, fields, nfields; } FlatTable;         /* at 0: absent; fields: (nfields) places in it, of 2 bytes */
typedef struct FlatVector { FlatBuf *in; size_t at; int64_t n; } FlatVector;             /* of n items, inside the block; absent is empty */

/* A slot is the number of a field in its table's schema. */
FlatTable  flat_root(FlatBuf *b);
FlatTable  flat_table(FlatTable t, int slot);
FlatVector flat_vector(FlatTable t, int slot, size_t item);             /* item: bytes of each */
FlatTable  flat_item(FlatVector v, int64_t i);                          /* of a vector of tables (items of 4 bytes); 0 <= i < v.n */
int64_t    flat_int(FlatTable t, int slot, int size, int64_t absent);   /* of 1, 2, 4 or 8 bytes, with a sign */
int64_t    flat_item_int(FlatVector v, int64_t i, size_t item, size_t field, int size);       /* `field` bytes into item i */
void       flat_text(FlatTable t, int slot, char *out, size_t size);    /* cut to fit; control characters as ? */
int        flatbuf_ok(const FlatBuf *b, Err *e);

#endif
