/* forecast_rows.c - see forecast_rows.h */
#include "api/forecast_rows.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *copy(const void *from, size_t bytes, Err *e)
{
    void *p = malloc(bytes + !bytes);
    if (!p) err_nomem(e, bytes, "a series");
    else if (bytes) memcpy(p, from, bytes);
    return p;
}

static char *copy_text(const char *text, Err *e) { return copy(text, strlen(text) + 1, e); }

/* The last point that is not held back has its own time if all are given; of the file's last time alone there is no way back. */
static void take_time(Row *r, const TableSeries *s)
{
    int64_t known = s->n - r->held;
    r->has_time = s->has_time && (!r->held || (s->time && known > 0));
    r->freq = s->freq;
    if (r->has_time) r->from = r->held ? s->time[known - 1] : s->last;
}

int row_open(Row *r, const TableSeries *s, int64_t holdout, Err *e)
{
    char first[STAMP_TEXT];
    *r = (Row){.n = s->n, .held = holdout < s->n ? holdout : s->n};
    int whole = s->time && s->n && s->n == s->total;
    r->id = copy_text(s->id, e);
    r->first = copy_text(whole ? stamp_text(&s->time[0], first) : "", e);
    r->x = copy(s->x, (size_t)s->n * sizeof *r->x, e);
    take_time(r, s);
    return r->id && r->first && r->x ? 0 : -1;
}

void row_close(Row *r)
{
    free(r->id);
    free(r->x);
    free(r->first);
    *r = (Row){0};
}

int row_times(const Row *r, int64_t steps, Stamp *time, Err *e)
{
    for (int64_t k = 0; k < steps; k++)
        if (calendar_next(&r->freq, &r->from, k + 1, &time[k], e)) return err_wrap(e, "series %s", r->id);
    return 0;
}

void row_round(double *x, int64_t n, double unit)
{
    int digits = unit > 0 ? 6 - (int)floor(log10(unit)) : 0;
    if (!(unit > 0) || digits > 22 || digits < -22) return;          /* powers of ten are exact up to there */
    double p = pow(10, abs(digits));
    for (int64_t i = 0; i < n; i++) {
        double y = digits < 0 ? nearbyint(x[i] / p) * p : nearbyint(x[i] * p) / p;
        if (isfinite(y)) x[i] = y;
    }
}

static double last_observed(const double *x, int64_t n)
{
    while (n && !isfinite(x[n - 1])) n--;
    return n ? x[n - 1] : NAN;
}

void score_add(Score *s, const Row *r, const double *x, int64_t steps)
{
    const double *truth = r->x + (r->n - r->held);
    double last = last_observed(r->x, r->n - r->held);
    for (int64_t i = 0; i < steps && i < r->held; i++) {
        if (!isfinite(truth[i]) || !isfinite(x[i])) continue;
        s->model += fabs(x[i] - truth[i]);
        s->naive += fabs(last - truth[i]);
        s->n++;
    }
}

int charts_open(Charts *c, Err *e)
{
    *c = (Charts){.series = calloc(PLOT_MOST, sizeof *c->series), .text = calloc(PLOT_MOST, sizeof *c->text)};
    return c->series && c->text ? 0 : err_nomem(e, PLOT_MOST * sizeof *c->series, "a picture");
}

int charts_add(Charts *c, const Row *r, const double *x, int64_t steps, const Stamp *time, Err *e)
{
    c->all++;
    if (c->n == PLOT_MOST) return 0;
    int64_t past = r->n - r->held, known = r->held < steps ? r->held : steps;
    PlotSeries *s = &c->series[c->n];
    char (*text)[STAMP_TEXT] = c->text[c->n++];
    *s = (PlotSeries){.title = copy_text(r->id, e), .history = copy(r->x, (size_t)past * sizeof *x, e), .nhistory = past,
                      .forecast = copy(x, (size_t)steps * sizeof *x, e), .horizon = steps};
    double *truth = r->held ? malloc((size_t)steps * sizeof *truth) : NULL;
    for (int64_t i = 0; truth && i < steps; i++) truth[i] = i < known ? r->x[past + i] : NAN;
    s->truth = truth;
    if (time) {
        s->first = copy_text(r->first, e);
        s->split = stamp_text(&time[0], text[0]);
        s->last = stamp_text(&time[steps - 1], text[1]);
    }
    if (r->held && !truth) return err_nomem(e, (size_t)steps * sizeof *truth, "a picture");
    return s->title && s->history && s->forecast && (!time || s->first) ? 0 : -1;
}

int charts_write(const Charts *c, const char *path, const char *heading, Err *e)
{
    return plot_write(path, c->series, c->all < INT_MAX ? (int)c->all : INT_MAX, heading, e);
}

void charts_close(Charts *c)
{
    for (int i = 0; i < c->n; i++) {
        PlotSeries *s = &c->series[i];
        free((void *)(uintptr_t)s->title);
        free((void *)(uintptr_t)s->history);
        free((void *)(uintptr_t)s->forecast);
        free((void *)(uintptr_t)s->truth);
        free((void *)(uintptr_t)s->first);
    }
    free(c->series);
    free(c->text);
    *c = (Charts){0};
}
