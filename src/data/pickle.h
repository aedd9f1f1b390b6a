/* pickle.h - Python's pickles of lists, dicts and numpy arrays, protocols 0 to 5. Nothing in a file is executed: see pickle_vm.h.
 * Lists, tuples and arrays of numbers are a series; of such, of dicts with "sequence" or "target", and 2-d arrays are several. */
#ifndef DATA_PICKLE_H
#define DATA_PICKLE_H

#include "data/decoded.h"

/* A Decode; of several pickles in a row each is one series. Errors begin with "byte 12: " or "series 3, point 4: ". */
int pickle_decode(Decoded *d, const void *bytes, size_t n, Err *e);

/* Only the first pickle, for bytes that stand inside another file; used: its size. */
int pickle_decode_one(Decoded *d, const void *bytes, size_t n, size_t *used, Err *e);

#endif
