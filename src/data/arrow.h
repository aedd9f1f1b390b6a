/* arrow.h - the series of Arrow tables, read in place: a column of lists of numbers (each list a series), of lists of such lists
 * (each inner list a series), or of plain numbers (all of it one series). Only where series begin and end is kept. */
#ifndef DATA_ARROW_H
#define DATA_ARROW_H

#include "data/arrow_schema.h"
#include "util/file.h"

typedef struct ArrowBatch {
    const unsigned char *values, *valid; /* in the file; a bit of valid each, NULL: none is missing */
    int64_t first;                       /* series before it; of plain numbers, points */
} ArrowBatch;

typedef struct Arrow {
    ArrowColumn column;                  /* of the first file */
    int         files;
    ArrowBatch *batch;                   /* (batches) owned */
    int64_t     batches, batch_cap;
    int64_t    *start, *length;          /* (count) first value in its batch, points; owned, not used for plain numbers */
    int64_t     count, start_cap, length_cap;
    int64_t     points;                  /* of plain numbers */
} Arrow;

/* Takes in a file, or a stream, whose bytes must stay. Several files are one table in this order. All places are checked here. */
int  arrow_add(Arrow *a, const unsigned char *p, size_t n, Err *e);
void arrow_read(const Arrow *a, int64_t i, int64_t at, int64_t n, double *out);      /* points [at, at+n) of series i; of plain numbers i is 0 */
void arrow_free(Arrow *a);               /* zeroed is fine */

/* What state.json, beside the shards that save_to_disk of datasets wrote, says: their names in order; owned by the caller, also on failure. */
int  arrow_state(Names *shards, const void *text, size_t n, Err *e);

#endif
