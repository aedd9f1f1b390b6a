/* arrow_message.h - how Arrow IPC frames its messages: a stream is a row of them, a file ("ARROW1" at both ends) has a footer
 * that says where they are. Spec: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc */
#ifndef DATA_ARROW_MESSAGE_H
#define DATA_ARROW_MESSAGE_H

#include "data/flatbuf.h"

enum { ARROW_SCHEMA = 1, ARROW_DICTIONARY = 2, ARROW_BATCH = 3 };

typedef struct ArrowMessage {
    FlatBuf   meta;                      /* header points here, so a message is not copied */
    FlatTable header;                    /* a table of `kind` */
    int       kind;
    const unsigned char *body;           /* (size) in the file */
    int64_t   size;
    size_t    at, end;                   /* of the whole message, in bytes of the file */
} ArrowMessage;

typedef struct ArrowReader {
    const unsigned char *p;              /* (n) the file, of the caller */
    size_t     n, next;                  /* next: no message that is still to come begins before it */
    FlatBuf    footer;                   /* of a file */
    FlatVector blocks;                   /* of a file: where its batches are */
    int64_t    block;                    /* the next of them */
    ArrowMessage schema;                 /* of a stream */
    FlatTable  fields;                   /* the table Schema; it points into footer or schema, so a reader is not copied */
    int        version;                  /* 4: V4, 5: V5 */
} ArrowReader;

int arrow_reader(ArrowReader *r, const unsigned char *p, size_t n, Err *e);      /* finds the schema */
int arrow_reader_next(ArrowReader *r, ArrowMessage *m, Err *e);                  /* 1: a batch of records, not packed; 0: no more; -1 */

#endif
