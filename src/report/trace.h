/* trace.h - a series of values as a line in a chart: broken where values are missing, and never of more points than can be seen. */
#ifndef REPORT_TRACE_H
#define REPORT_TRACE_H

#include <stdint.h>

#include "report/canvas.h"

/* The box of a chart on its page, and the steps from..to and values lo..hi that it spans, both ends included. */
typedef struct Frame { double x, y, w, h; int64_t from, to; double lo, hi; } Frame;

double frame_x(const Frame *f, double step);
double frame_y(const Frame *f, double value);

typedef struct Trace {
    const double *value;               /* (n) what is not finite is a gap */
    int64_t  at, n;
    double   lead;                     /* at step at - 1: where the line sets out from; NaN: nowhere */
    double   width;
    uint32_t rgb;
    const int64_t *step;               /* (n) the step of each value, ascending; NULL: at + i */
} Trace;

void trace_draw(Canvas *c, const Frame *f, const Trace *t);

#endif
