/* progress.h - a bar on stderr with the time left, above it one for each of its parts that is under way, where stderr is a
 * terminal; silent elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "foundationts.h"

enum { BAR_PARTS = 8 };                                        /* more than these are not shown */
typedef struct BarPart { char name[256]; int64_t step, steps; } BarPart;      /* a file being fetched; steps 0: the place is free */

/* drawn: there is a bar on the line of the cursor; above: bars of parts over it; last: when it was drawn */
typedef struct Bar { int on, drawn, above; double last; BarPart part[BAR_PARTS]; } Bar;

void bar_init(Bar *b);
void bar_step(Bar *b, const FtsEvent *step);                  /* draws at most five times a second; with step->text: of the part so named */
void bar_clear(Bar *b);                                       /* before anything else is printed */
const char *progress_unit(const FtsEvent *step);              /* what its steps count: " MiB", "" for those of training */
int  bar_text(char *out, size_t size, const FtsEvent *step, int width);   /* the bar in `width` characters at most; length */
int  bar_part_text(char *out, size_t size, const BarPart *p, int width);

#endif
