/* jsonl.h - one series a line: a list of numbers, or an object with "sequence" (GluonTS: "target").
 * The reader apart from the file, so that it can be tested on text alone. */
#ifndef DATA_JSONL_H
#define DATA_JSONL_H

#include "data/decoded.h"

int jsonl_decode(Decoded *d, const void *text, size_t n, Err *e);     /* a Decode; errors begin with "line 3, column 7: " */

#endif
