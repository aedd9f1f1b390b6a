/* npy.h - numpy's arrays: a header that is a Python dict as text, then the numbers as they lay in memory.
 * A 1-d array is a series, the rows of a 2-d array are series; an array of objects is a pickle of lists or arrays. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include "data/decoded.h"
#include "data/numtype.h"

typedef struct Npy {
    const NumType *type;                 /* NULL: objects, a pickle stands at data */
    int      swapped, fortran;           /* big-endian; first index fastest */
    int64_t  rows, points;               /* series and points of each */
    size_t   at;                         /* bytes before the numbers */
    uint64_t bytes;                      /* of the numbers; of objects 0 */
} Npy;

/* Reads the header out of the first n bytes of a file. What follows it need not be there yet. */
int  npy_head(Npy *a, const void *bytes, size_t n, Err *e);
/* Points [at, at+n) of a row. data: a->bytes bytes, of any alignment. */
void npy_read(const Npy *a, const unsigned char *data, int64_t row, int64_t at, int64_t n, double *out);
int  npy_whole(const Npy *a, size_t n, Err *e);                          /* -1: a file of n bytes is cut short */
int  npy_decode(Decoded *d, const void *bytes, size_t n, Err *e);        /* a Decode; what follows the array is let be, as numpy does */
int  npygz_decode(Decoded *d, const void *bytes, size_t n, Err *e);      /* a Decode of the same in gzip, in one or several members */

#endif
