/* array.h - arrays that grow. */
#ifndef UTIL_ARRAY_H
#define UTIL_ARRAY_H

#include <stdlib.h>
#include <string.h>

#include "util/err.h"

/* `array` is the address of an owned pointer of any type: copied, because a pointer of one type may not be read as one of another.
 * On failure it is what it was. what: for the message, "the index of a dataset". */
static inline int array_resize(void *array, size_t bytes, const char *what, Err *e)
{
    void *p;
    memcpy(&p, array, sizeof p);
    p = realloc(p, bytes);
    if (!p) return err_nomem(e, bytes, what);
    memcpy(array, &p, sizeof p);
    return 0;
}

#endif
