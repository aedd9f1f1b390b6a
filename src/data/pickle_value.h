/* pickle_value.h - the values that a pickle makes: numbers stand by themselves, what can be shared or grow is a node of a pool. */
#ifndef DATA_PICKLE_VALUE_H
#define DATA_PICKLE_VALUE_H

#include "data/numtype.h"
#include "util/err.h"

typedef enum { V_UNSET, V_MARK, V_NONE, V_NUMBER, V_GLOBAL, V_BYTES, V_TEXT, V_LIST, V_TUPLE, V_DICT, V_DTYPE, V_ARRAY } ValueKind;

typedef struct Value {
    ValueKind kind;
    union {
        double number;               /* False and True are 0 and 1; whole numbers beyond 2^53 are rounded as by numpy */
        size_t node;                 /* its place in the pool; GLOBAL: the row of the table in pickle_numpy.c */
    };
} Value;

typedef struct Array {
    const NumType *type;             /* NULL: of objects */
    int      swapped, fortran;       /* big-endian; first index fastest */
    int      ndim;
    int64_t  dim[2], count;          /* the first two dimensions; elements in all */
    const unsigned char *data;       /* (count) of type, not aligned; belongs to a node or the file */
    Value    list;                   /* objects: the list that holds them, in C order; it may have grown since */
} Array;

typedef struct Node {
    union {
        const unsigned char *bytes;  /* (n) BYTES, TEXT (UTF-8): owned if cap, else in the file */
        Value   *item;               /* (n) LIST, TUPLE; DICT: key, value, key, ...; owned */
        Array   *array;              /* owned */
        const NumType *type;         /* DTYPE; NULL: of objects */
    };
    size_t  n, cap;
    uint8_t kind, swapped;           /* ValueKind; a DTYPE is big-endian */
} Node;

/* One opcode makes one node at most, so a pool is as large as the pickle justifies. */
typedef struct Pool { Node *node; size_t n, cap; } Pool;       /* node: (n) owned */

int   values_room(Value **values, size_t n, size_t *cap, Err *e);                  /* for n of them */
int   pool_add(Pool *p, ValueKind kind, Value *v, Err *e);                         /* an empty one */
int   pool_bytes(Pool *p, ValueKind kind, const unsigned char *bytes, size_t n, Value *v, Err *e);     /* that lie in the file */
int   pool_buffer(Pool *p, ValueKind kind, size_t size, unsigned char **bytes, Value *v, Err *e);      /* to be filled; the caller sets n of the node */
int   pool_extend(Pool *p, Value to, const Value *item, size_t n, Err *e);         /* LIST, TUPLE, DICT */
Array *pool_array(const Pool *p, Value v);                                         /* NULL: v is none */
void  pool_clear(Pool *p);                                                         /* keeps the room */
void  pool_free(Pool *p);

static inline Node *node_of(const Pool *p, Value v) { return &p->node[v.node]; }
static inline Value value_number(double x) { return (Value){.kind = V_NUMBER, .number = x}; }
const char *value_name(Value v);                                                   /* "a list" */
int   value_is(const Pool *p, Value v, const char *text);                          /* TEXT or BYTES: Python 2 does not tell them apart */
int   value_whole(Value v, int64_t *x);                                            /* 1: a whole number from 0 to 2^53 */

#endif
