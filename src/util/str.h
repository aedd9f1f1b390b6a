/* str.h - a text that grows. Zeroed is empty; a failed allocation is remembered and reported once by str_ok(). */
#ifndef UTIL_STR_H
#define UTIL_STR_H

#include "util/err.h"

typedef struct Str { char *p; size_t n, cap; int failed; } Str;    /* p: owned, NUL-terminated once anything was added */

void str_add(Str *s, const void *bytes, size_t n);
void str_addf(Str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int  str_ok(const Str *s, Err *e);                                 /* -1 if memory ran out while adding */
void str_free(Str *s);

size_t str_utf8(const char *text, size_t left);                      /* bytes of the character there (RFC 3629: no overlong forms, no surrogates, up to 10FFFF), 0 if it is none; left: at least 1 */
const char *str_shown(const char *p, size_t n, char out[32]);         /* for a message: the beginning of p[0..n), without control characters */
int  str_distance(const char *a, const char *b);                     /* Levenshtein's: bytes to change, add or leave out */

#endif
