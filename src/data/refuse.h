/* refuse.h - why a file is no data: what it is instead, or what is wrong in it, and what to do. */
#ifndef DATA_REFUSE_H
#define DATA_REFUSE_H

#include <stddef.h>

#include "util/err.h"

/* Of a path in which source_sniff() sees nothing: always -1, errors begin with the path. */
int refuse_path(const char *path, Err *e);

/* What the first bytes are the begin of, if not of text: "an Excel workbook: save its sheet as CSV"; NULL: text as far as can be seen. */
const char *refuse_bytes(const void *bytes, size_t n);

#endif
