/* decoded.h - series out of text or packed files, which have no places to jump to: decoded once at open into one block. */
#ifndef DATA_DECODED_H
#define DATA_DECODED_H

#include "data/source.h"

typedef struct Decoded {
    double  *point;                      /* (n) all series in a row; doubles, or whole numbers around 1e9 would be rounded; owned */
    int64_t  n, cap;
    int64_t *start;                      /* (count) where each begins; owned */
    int64_t  count, start_cap;
} Decoded;

int  decoded_series(Decoded *d, Err *e);                 /* what follows belongs to a new series */
int  decoded_point(Decoded *d, double x, Err *e);
void decoded_free(Decoded *d);                           /* zeroed is fine */

/* The body of a Format: `decode` turns a whole file into series, on an empty d; what it leaves there on failure is freed. */
typedef int Decode(Decoded *d, const void *text, size_t n, Err *e);
int  decoded_open(Source *s, Decode *decode, Err *e);    /* maps the file, decodes it, fills s */
int  decoded_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e);
void decoded_close(Source *s);

#endif
