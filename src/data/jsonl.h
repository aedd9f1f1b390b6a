/* jsonl.h - one series a line: a list of numbers, or an object with "sequence" (GluonTS: "target").
 * The reader apart from the file, so that it can be tested on text alone. */
#ifndef DATA_JSONL_H
#define DATA_JSONL_H

#include "data/decoded.h"
#include "util/json.h"

int json_series(Decoded *d, Json *j, Err *e);                  /* the next value as one series: a list of numbers, or an object with "sequence" or "target" */
/* The same with an ear for the other keys of an object: key() reads the value and returns 1, or leaves it and returns 0; -1: failed. */
typedef struct JsonOther { int (*key)(void *user, const char *key, Json *j, Err *e); void *user; } JsonOther;
int json_series_and(Decoded *d, Json *j, const JsonOther *other, Err *e);
int json_decode(Decoded *d, const void *text, size_t n, Err *e);      /* a Decode: one array of such values, or of numbers, which are one series */
int json_word(const char *p, size_t n, double *x);             /* what stands for a number in quotes, nan, inf, -Infinity: 1, or 0 if it is none of these */
int jsonl_decode(Decoded *d, const void *text, size_t n, Err *e);     /* a Decode; errors begin with "line 3, column 7: " */

#endif
