/* progress.h - a bar on stderr with the time left, where stderr is a terminal; silent elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "foundationts.h"

typedef struct Bar { int on, drawn; double last; } Bar;       /* drawn: there is a bar on the line of the cursor; last: when it was drawn */

void bar_init(Bar *b);
void bar_step(Bar *b, const FtsEvent *step);                  /* draws at most five times a second */
void bar_clear(Bar *b);                                       /* before anything else is printed */
int  bar_text(char *out, size_t size, const FtsEvent *step, int width);   /* the bar in `width` characters at most; length */

#endif
