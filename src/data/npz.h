/* npz.h - several arrays of numpy in a zip archive: the series of each, in the order of the archive. */
#ifndef DATA_NPZ_H
#define DATA_NPZ_H

#include "data/decoded.h"

int npz_decode(Decoded *d, const void *bytes, size_t n, Err *e);      /* a Decode; errors in a member begin with its name */

#endif
