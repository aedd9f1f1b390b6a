/* err.c - see err.h */
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(Err *e, ErrCode code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    e->code = code;
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(Err *e, const char *fmt, ...)
{
    char inner[sizeof e->message];
    va_list ap;
    memcpy(inner, e->message, sizeof inner);
    va_start(ap, fmt);
    int n = vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->message)
        snprintf(e->message + n, sizeof e->message - (size_t)n, ": %s", inner);
    return -1;
}

int err_nomem(Err *e, size_t bytes, const char *what)
{
    return err_set(e, FTS_NOMEM, "no memory for %s (%.1f MB)", what, (double)bytes / 1e6);
}

int err_errno(Err *e, int number, const char *what)
{
    char text[128];                 /* the GNU strerror_r may answer from its own table */
    return err_set(e, FTS_IO, "%s: %s", what, strerror_r(number, text, sizeof text));
}
