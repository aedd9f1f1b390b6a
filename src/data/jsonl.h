/* jsonl.h - one series a line: a list of numbers, or an object with "sequence" (GluonTS: "target").
 * The reader apart from the file, so that it can be tested on text alone. */
#ifndef DATA_JSONL_H
#define DATA_JSONL_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct Decoded {
    double  *point;                      /* (n) all series in a row; doubles, or whole numbers around 1e9 would be rounded; owned */
    int64_t  n, cap;
    int64_t *start;                      /* (count) where each begins; owned */
    int64_t  count, start_cap;
} Decoded;

int  jsonl_decode(Decoded *d, const void *text, size_t n, Err *e);    /* errors begin with "line 3, column 7: " */
void decoded_free(Decoded *d);                                        /* zeroed is fine */

#endif
