/* page.h - one or several runs as a page of HTML that needs nothing but itself: no network, no file beside it, no script to be complete. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdint.h>

#include "report/plot.h"
#include "report/runlog.h"
#include "util/str.h"

enum { PAGE_RUNS = 32 };

typedef struct PageSample {            /* a forecast of points that are known */
    PlotSeries series;                 /* title, history, forecast and truth; not owned */
    double     mae, naive;             /* mean absolute error of the forecast, and of repeating the last value */
} PageSample;

typedef struct PageRun {               /* nothing is owned */
    const char   *name;                /* unique in the page */
    const RunLog *log;
    int64_t       parameters, active;  /* 0: not known */
    int           mixtures;            /* of experts in a layer, 0: not known */
    const PageSample *sample;          /* (nsamples) */
    int           nsamples;
    const char   *said;                /* a sentence about the samples: of which checkpoint they are, or why there are none */
} PageRun;

/* defaults: the settings that a run has if nothing is said, as the JSON object that a log has of them; NULL: not known. n: 1..PAGE_RUNS. */
int page_write(Str *html, const PageRun *run, int n, const char *defaults, Err *e);

#endif
