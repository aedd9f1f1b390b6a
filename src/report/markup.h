/* markup.h - text and numbers in XML and HTML: whatever a file said, it stays text. */
#ifndef REPORT_MARKUP_H
#define REPORT_MARKUP_H

#include <stdint.h>

#include "util/str.h"

void markup_text(Str *s, const char *text);                  /* escaped, without control characters and broken UTF-8; NULL: nothing */
void markup_number(Str *s, double x, int digits);            /* in so many significant ones: 12,500  0.4123  1e-06; a dash for what is not finite */
void markup_fixed(Str *s, double x, int digits);             /* the same, but with its zeros: 0.2980 */
void markup_whole(Str *s, int64_t x);                        /* 12,500 */
void markup_seconds(Str *s, double seconds);                 /* 2 h 05 min, 3 min 20 s, 4.1 s */
void markup_time(Str *s, double seconds);                    /* since 1970: 2025-11-25 14:10 UTC */

#endif
