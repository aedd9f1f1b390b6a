/* chart.h - curves over steps as a figure of a page: picture, legend, and the numbers as a table.
 *
 * A curve's look is a class of the page's style (k0, k1, ...: a colour and a dash); its run is one too (r0, r1, ...), so that a run can be hidden. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include <stdint.h>

#include "report/trace.h"
#include "util/err.h"
#include "util/str.h"

enum { CURVE_GREY = -1 };              /* a look that stands back */

typedef struct Curve {                 /* all is the caller's */
    const char    *name;
    const int64_t *step;               /* (n) ascending, at least 0 */
    const double  *value;              /* (n) what is not finite is a gap */
    int64_t        n;
    int            look;               /* 0, 1, ... or CURVE_GREY */
    int            run;                /* 0, 1, ...; -1: it stays when runs are hidden, and stands in the legend of the figure */
    int            noisy;              /* 1: a running mean is drawn over its values, which stand back */
    int            base;               /* 1: something to compare with: dotted, and in no legend, because the sentence above the picture says what it is */
} Curve;

typedef struct Chart {
    const char  *id;                   /* unique in the page, of letters and digits, at most 31 */
    const char  *title, *about;        /* about: a sentence, "" is none */
    const Curve *curve;                /* (n) */
    int          n;
    int64_t      to;                   /* steps 0..to are the width of the picture */
    int          wide;                 /* the picture of a whole row, with a narrow one for narrow screens */
    int          ratio;                /* 1: the scale is logarithmic where the values span more than CHART_RATIO */
} Chart;

enum { CHART_RATIO = 50 };

int  chart_has_points(const Curve *curve, int n);
int  chart_write(Str *page, const Chart *c, Err *e);
void chart_look(char out[16], int look);                     /* its class */
void chart_swatch(Str *page, int look);                      /* a piece of its line, for legends */

/* What is around the picture of every figure. */
void figure_begin(Str *page, const char *id, const char *classes, const char *title, const char *about);
void plot_begin(Str *page, const char *class, const Frame *f, double width);      /* of the picture; its end is a </div> */
void figure_end(Str *page);

#endif
