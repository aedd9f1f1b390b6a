/* append.h - files that only grow: what log.jsonl and event files share. */
#ifndef REPORT_APPEND_H
#define REPORT_APPEND_H

#include <stddef.h>

#include "util/err.h"

int    append_write(int fd, const char *path, const void *p, size_t n, Err *e);    /* all of it, in one call where the system takes it so */
void   append_close(int *fd);                                                      /* 0 and -1 are fine */
double append_time(void);                                                          /* seconds since 1970 */

#endif
