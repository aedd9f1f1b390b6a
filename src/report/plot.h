/* plot.h - forecasts as a picture: the last of the past, the forecast, and what came true where it is known.
 *
 * One series fills the page; more stand side by side, each with axes of its own. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include <stdint.h>

#include "util/err.h"

enum { PLOT_MOST = 64 };               /* charts on a page; the heading says how many series there are beside them */

typedef struct PlotSeries {            /* all is the caller's; what is not finite is a gap in its line */
    const char   *title;               /* NULL: none */
    const double *history;             /* (nhistory) */
    int64_t       nhistory;
    const double *forecast;            /* (horizon) */
    const double *truth;               /* (horizon), NULL: not known */
    int64_t       horizon;
    const char   *first, *split, *last;    /* the time of the first value of history, of the first forecast and of its last; all NULL: steps are numbered from 0 */
} PlotSeries;

/* The end of path's name says what is written (picture.h). heading: NULL: none. */
int plot_write(const char *path, const PlotSeries *s, int n, const char *heading, Err *e);

#endif
