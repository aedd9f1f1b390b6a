/* curves.h - several curves in each of several charts, as a picture: numbers against numbers, as of a measurement. */
#ifndef REPORT_CURVES_H
#define REPORT_CURVES_H

#include "util/err.h"

enum { CURVES_GREY = -1 };             /* a line to compare with, which has no name in the legend */

typedef struct Curve { const double *x, *y; int n, colour; } Curve;          /* x ascending; colour: place of its name in the legend, or CURVES_GREY; y not finite: a gap */
typedef struct CurveChart {            /* all is the caller's */
    const char  *title, *axis;         /* what y is, what x is */
    const Curve *curve;
    int          n;
    int          powers;               /* x is spread by its logarithm and labelled where there are values; else evenly, at round numbers */
    int          from_zero;            /* y begins at 0 */
} CurveChart;

/* Two charts beside each other. names (nnames): the legend. */
int curves_write(const char *path, const CurveChart *chart, int n, const char *const *names, int nnames, const char *heading, Err *e);

#endif
