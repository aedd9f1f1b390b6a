/* forecast_rows.h - series of a table on their way through the verb forecast: some at once, and what is said of all of them. */
#ifndef API_FORECAST_ROWS_H
#define API_FORECAST_ROWS_H

#include "data/table.h"
#include "forecast/forecaster.h"
#include "report/plot.h"

typedef struct Row {
    char    *id;                         /* owned */
    double  *x;                          /* (n) owned; the last `held` of them are held back */
    int64_t  n, held;
    char    *first;                      /* time of x[0] if nothing came before it, else ""; owned */
    int      has_time;                   /* 1: from, the time of the last point that is not held back, and freq are known */
    Stamp    from;
    Freq     freq;
} Row;

int  row_open(Row *r, const TableSeries *s, int64_t holdout, Err *e);
void row_close(Row *r);                  /* zeroed is fine */

/* Times of the steps that follow; time: (steps). 0, or -1 where the calendar ends. */
int  row_times(const Row *r, int64_t steps, Stamp *time, Err *e);
/* A forecast is known to some part of a millionth of the series' deviation: what is beyond is no digit worth writing. */
void row_round(double *x, int64_t n, double unit);

/* How far off forecasts of held back points are, and repeating the last observed one. */
typedef struct Score { double model, naive; int64_t n; } Score;
void score_add(Score *s, const Row *r, const double *x, int64_t steps);

/* The charts of a picture: the first PLOT_MOST series. */
typedef struct Charts { PlotSeries *series; char (*text)[2][STAMP_TEXT]; int n; int64_t all; } Charts;
int  charts_open(Charts *c, Err *e);
int  charts_add(Charts *c, const Row *r, const double *x, int64_t steps, const Stamp *time, Err *e);
int  charts_write(const Charts *c, const char *path, const char *heading, Err *e);
void charts_close(Charts *c);            /* zeroed is fine */

#endif
