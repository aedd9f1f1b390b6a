/* bin_write.h - a dataset in the binary layout: meta.json and data-i-of-n.bin, written so that half a dataset has no name. */
#ifndef DATA_BIN_WRITE_H
#define DATA_BIN_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct BinSpec {
    const char *dtype;                                   /* "float32" */
    size_t      size;                                    /* bytes of a number */
    int64_t     series;
    int64_t   (*length)(void *user, int64_t i);          /* points of series i */
    int       (*fill)(void *user, int64_t first, int64_t n, void *out, Err *e);     /* series [first, +n), one behind the other */
    void       *user;
    void      (*progress)(void *ud, int64_t done, int64_t total);                   /* series; may be NULL */
    void       *ud;
} BinSpec;

int bin_write(const char *dir, const BinSpec *s, Err *e);         /* into a folder that is there */

/* Lets `fill` write into a folder beside `dir`, which gets the name once all of it is on the disk. Refuses a `dir` that holds anything. */
int folder_write(const char *dir, int (*fill)(void *user, const char *dir, Err *e), void *user, Err *e);

#endif
