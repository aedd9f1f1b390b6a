/* axis.h - what charts over steps have in common: the range of their values, and the two axes. */
#ifndef REPORT_AXIS_H
#define REPORT_AXIS_H

#include "report/ticks.h"
#include "report/trace.h"

extern const uint32_t AXIS_LINE, AXIS_GRID, AXIS_TEXT;

typedef struct Range { double lo, hi; int any; } Range;           /* of what is finite; any 0: nothing was */
void range_add(Range *r, const double *v, int64_t n);             /* v NULL: nothing */
void range_pad(const Range *r, Frame *f);                         /* lo and hi of the frame: some air above and below */

/* Round steps for labels of this size below the frame, as many as have room. */
void axis_steps(Ticks *t, const Frame *f, double size);
double axis_label_width(const Ticks *t, double size);             /* of the widest */
void axis_draw_value(Canvas *c, const Frame *f, double value, const char *text, double size);      /* a line across, its label at the left */
void axis_draw_values(Canvas *c, const Frame *f, const Ticks *t, double size);
void axis_draw_base(Canvas *c, const Frame *f);
void axis_draw_mark(Canvas *c, const Frame *f, double x, double size, int row, const char *text, Anchor anchor);      /* below the base */

#endif
