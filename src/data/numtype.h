/* numtype.h - the number types that stand in binary files, little-endian. */
#ifndef DATA_NUMTYPE_H
#define DATA_NUMTYPE_H

#include <stddef.h>
#include <stdint.h>

typedef struct NumType {
    const char *name, *code;                                        /* "float32", "f4" */
    int size;                                                       /* bytes */
    void (*read)(double *out, const void *from, int64_t n);         /* from: aligned to size */
} NumType;

/* n numbers, of any alignment, each `step` behind the last; swapped: big-endian. */
void numtype_read(const NumType *t, int swapped, const unsigned char *from, int64_t step, int64_t n, double *out);

const NumType *numtype_find(const char *text);                      /* name or code, with or without '<', '=', '|'; NULL: none of ours */
void numtype_list(char *out, size_t size);                          /* "float16, bfloat16, ..." */

#endif
