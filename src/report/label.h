/* label.h - text in a picture: made safe to draw, measured and cut to fit. */
#ifndef REPORT_LABEL_H
#define REPORT_LABEL_H

#include <stddef.h>

enum { LABEL_TEXT = 512 };             /* room for the longest that is drawn */

double label_width(const char *text, double size);                 /* about: no font is asked, so that a picture is laid out the same everywhere */
/* What a drawing may hold for the character of *n bytes at p, 0 if it is none: no control characters, and not the two code points that XML forbids. *n: of the answer. */
const char *label_char(const char *p, size_t *n);
/* text (NULL: "") as UTF-8 without control characters, cut with an ellipsis where it would be wider than `width` or longer than room - 1 bytes (room >= 4). */
void   label_fit(char *out, size_t room, const char *text, double size, double width);

#endif
