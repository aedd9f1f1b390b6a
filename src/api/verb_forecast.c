/* verb_forecast.c - series of a file are continued by a model: read, forecast and written some at a time, so that a file may be larger than memory. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "api/forecast_rows.h"
#include "api/task.h"
#include "report/picture.h"
#include "report/table.h"
#include "util/machine.h"

enum { AT_ONCE = 64 };                   /* series between a read and a write */

typedef struct Run {
    FtsTask *t;
    const ForecastOpts *o;
    Forecaster *f;
    Table     *table;
    Forecasts *out;
    int64_t    horizon, most;            /* most: points of context */
    Row        row[AT_ONCE];
    int        n;
    double    *x;                        /* (AT_ONCE, horizon) */
    Stamp     *time;                     /* (horizon) */
    Context    context[AT_ONCE];
    Charts     charts;
    Score      score;
    int64_t    series, empty, cut, odd;  /* so far; without an observed point; longer than the context that the model was made for; whose times show no frequency */
    char       why[sizeof ((Err *)0)->message];      /* of the first odd one */
    double     began;
} Run;

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && !strcasecmp(text + n - m, end);
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino && S_ISREG(x.st_mode);
}

/* Before any work: a name that promises what is not written, and the file that the forecasts are made of. */
static int wrong_output(const ForecastOpts *o, Err *e)
{
    static const char *const others[] = {".json", ".xlsx", ".xls", ".parquet", ".feather", ".arrow", ".npz", ".pkl", ".yaml", ".gz", ".zip", ".html", ".svg", ".png"};
    if (path_is_dir(o->output)) return err_set(e, FTS_USAGE, "--output: %.300s is a folder: name a file in it", o->output);
    if (same_file(o->output, o->input)) return err_set(e, FTS_USAGE, "--output: %.300s is the input, which the forecasts would replace: choose another name", o->output);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ends_with(o->output, others[i])) return err_set(e, FTS_USAGE, "--output: %.300s: forecasts are written as .csv, .tsv, .jsonl or .npy", o->output);
    return 0;
}

static int wrong_options(const ForecastOpts *o, Err *e)
{
    if (!o->model) return err_set(e, FTS_USAGE, "forecast needs --model: a run, a checkpoint of one, or a published checkpoint");
    if (!o->input) return err_set(e, FTS_USAGE, "forecast needs --input: the file of series to continue");
    if (o->prediction_length == OPT_UNSET && !o->holdout) return err_set(e, FTS_USAGE, "forecast needs --prediction-length: how many points to forecast");
    if (o->output && wrong_output(o, e)) return -1;
    return o->plot && picture_check(o->plot, e) ? err_wrap(e, "--plot") : 0;
}

/* The name of the output decides its form, and where it says no more than "text", so does the input. */
static Form form_of(const char *output, Form in)
{
    int text = in.kind != FORM_JSONL && in.kind != FORM_NPY;
    if (ends_with(output, ".jsonl")) in.kind = FORM_JSONL;
    else if (ends_with(output, ".npy")) in.kind = FORM_NPY;
    else if (ends_with(output, ".csv") || ends_with(output, ".tsv")) {
        if (!text) in = (Form){.kind = FORM_LONG, .separator = ',', .id = "item_id", .time = "timestamp"};
        if (ends_with(output, ".tsv")) in.separator = '\t';
    }
    return in;
}

static void tell_line(void *user, const char *text) { event_send(user, &(Event){.kind = FTS_EVENT_ANSWER, .text = text}); }

static int open_files(Run *r, Err *e)
{
    const ForecastOpts *o = r->o;
    Freq freq;
    if (o->freq && freq_read(&freq, o->freq, e)) return err_wrap(e, "--freq");
    TableOptions how = {.keep = r->most + o->holdout + r->horizon, .freq = o->freq ? &freq : NULL};     /* as many may be missing at the end */
    return table_open(&r->table, o->input, &how, e);
}

/* An array says at its begin how many series it has: where the file does not know that beforehand, it is read once for it. */
static int count_series(const Run *r, int64_t *n, Err *e)
{
    Table *t;
    TableSeries s;
    int more = table_open(&t, r->o->input, &(TableOptions){.keep = 1, .freq = &(Freq){.unit = FREQ_COUNT, .every = 1}}, e);
    if (more) return -1;
    for (*n = 0; (more = table_next(t, &s, e)) > 0;) ++*n;
    table_close(t);
    return more;
}

/* With the first forecasts, so that what fails before them leaves nothing, and not a header on a terminal. */
static int open_out(Run *r, Err *e)
{
    const ForecastOpts *o = r->o;
    ForecastsTo to = {.form = form_of(o->output, table_form(r->table)), .steps = r->horizon, .series = table_count(r->table), .path = o->output, .line = tell_line, .user = &r->t->events};
    if (r->out) return 0;
    if (to.form.kind == FORM_NPY && to.series < 0 && count_series(r, &to.series, e)) return -1;
    return forecasts_open(&r->out, &to, e);
}

static int open_run(Run *r, Err *e)
{
    const ForecastOpts *o = r->o;
    if (forecaster_open(&r->f, o->model, o->device, o->bf16 ? BF16 : F32, o->threads == OPT_UNSET ? 0 : (int)o->threads, e)) return err_wrap(e, "--model");
    int64_t fit = forecaster_most_points(r->f);
    r->most = o->context_length == OPT_UNSET || o->context_length > fit ? fit : o->context_length;
    r->x = malloc(AT_ONCE * (size_t)r->horizon * sizeof *r->x);
    r->time = malloc((size_t)r->horizon * sizeof *r->time);
    if (!r->x || !r->time) return err_nomem(e, AT_ONCE * (size_t)r->horizon * sizeof *r->x, "forecasts");
    if (fit < o->context_length && o->context_length != OPT_UNSET)
        event_say(&r->t->events, FTS_EVENT_NOTICE, "--context-length %" PRId64 ": this model was made for %" PRId64 " points, the last of them are used", o->context_length, fit);
    return (o->plot && charts_open(&r->charts, e)) || open_files(r, e) ? -1 : 0;
}

static int read_rows(Run *r, Err *e)
{
    TableSeries s;
    int more = 1;
    for (r->n = 0; r->n < AT_ONCE && (more = table_next(r->table, &s, e)) > 0;) {
        if (s.why && !r->odd++) snprintf(r->why, sizeof r->why, "%s", s.why);
        if (row_open(&r->row[r->n++], &s, r->o->holdout, e)) return -1;
    }
    return more;
}

static int put_row(Run *r, int i, Err *e)
{
    Row *row = &r->row[i];
    double *x = r->x + i * r->horizon;
    const Stamp *time = row->has_time ? r->time : NULL;
    if (time && row_times(row, r->horizon, r->time, e)) return -1;
    row_round(x, r->horizon, r->context[i].unit);
    score_add(&r->score, row, x, r->horizon);
    r->series++;
    r->empty += !r->context[i].n;
    r->cut += r->context[i].cut > 0;
    return forecasts_add(r->out, row->id, time, x, e) || (r->o->plot && charts_add(&r->charts, row, x, r->horizon, time, e)) ? -1 : 0;
}

static int forecast_rows(Run *r, Err *e)
{
    Past past[AT_ONCE];
    for (int i = 0; i < r->n; i++) past[i] = (Past){r->row[i].x, r->row[i].n - r->row[i].held};
    if (forecaster_series(r->f, past, r->n, r->most, r->horizon, r->x, r->context, e) || open_out(r, e)) return -1;
    for (int i = 0; i < r->n; i++)
        if (put_row(r, i, e)) return -1;
    return 0;
}

static void close_rows(Run *r)
{
    for (int i = 0; i < r->n; i++) row_close(&r->row[i]);
    r->n = 0;
}

static void tell_progress(const Run *r)
{
    int64_t all = table_count(r->table);
    double spent = machine_seconds() - r->began;
    if (all > 0) event_send(&r->t->events, &(Event){.kind = FTS_EVENT_STEP, .name = "forecast", .step = r->series, .steps = all, .eta_s = spent / (double)r->series * (double)(all - r->series)});
}

static int to_file(const Run *r) { return r->o->output && strcmp(r->o->output, "-"); }

static int run_all(Run *r, Err *e)
{
    int more;
    do {
        more = read_rows(r, e);
        if (more < 0 || (r->n && forecast_rows(r, e))) return -1;
        if (r->n) tell_progress(r);
        close_rows(r);
        if (atomic_load(&r->t->stop)) return err_set(e, FTS_STOPPED, "stopped after %" PRId64 " series, %s", r->series, to_file(r) ? "nothing written" : "where the answer ends");
    } while (more);
    return r->series ? 0 : err_set(e, FTS_FORMAT, "%s: no series in this file", r->o->input);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

/* Columns of a wide table have one time for all. */
static void tell_odd(const Run *r)
{
    const Events *to = &r->t->events;
    if (r->odd) event_say(to, FTS_EVENT_NOTICE, "%s", r->why);
    if (r->odd > 1 && table_form(r->table).kind == FORM_LONG)
        event_say(to, FTS_EVENT_NOTICE, "%" PRId64 " of %" PRId64 " series have irregular times, or one alone: --freq gives all of them one frequency", r->odd, r->series);
}

static void tell_end(const Run *r)
{
    const Events *to = &r->t->events;
    tell_odd(r);
    if (r->empty) event_say(to, FTS_EVENT_NOTICE, "%" PRId64 " series without any observed point: no forecast of %s", r->empty, r->empty == 1 ? "it" : "them");
    if (r->cut && r->o->context_length == OPT_UNSET)
        event_say(to, FTS_EVENT_NOTICE, "%" PRId64 " series longer than the %" PRId64 " points that this model was made for: the last of them were used", r->cut, r->most);
    const ModelConfig *c = forecaster_config(r->f);
    if (r->horizon / c->S > c->max_positions) event_say(to, FTS_EVENT_NOTICE, "--prediction-length %" PRId64 " goes beyond the %d tokens that this model was made for", r->horizon, c->max_positions);
    if (r->score.n)
        event_say(to, FTS_EVENT_NOTICE, "%" PRId64 " points held back: mean absolute error %.6g, of repeating the last value %.6g", r->score.n, r->score.model / (double)r->score.n,
                  r->score.naive / (double)r->score.n);
    if (to_file(r))
        event_say(to, FTS_EVENT_NOTICE, "%s: %" PRId64 " point%s of each of %" PRId64 " series in %.2f s", r->o->output, r->horizon, plural(r->horizon), r->series, machine_seconds() - r->began);
}

static int finish(Run *r, Err *e)
{
    char heading[256];
    Forecasts *out = r->out;
    r->out = NULL;
    if (forecasts_close(out, e)) return -1;
    snprintf(heading, sizeof heading, "Forecast of %" PRId64 " step%s", r->horizon, plural(r->horizon));
    return r->o->plot && charts_write(&r->charts, r->o->plot, heading, e) ? -1 : 0;
}

int verb_forecast(FtsTask *t, Err *e)
{
    Run r = {.t = t, .o = &t->s.forecast, .began = machine_seconds()};
    if (wrong_options(r.o, e)) return -1;
    r.horizon = r.o->prediction_length == OPT_UNSET ? r.o->holdout : r.o->prediction_length;
    int bad = open_run(&r, e) || run_all(&r, e) || finish(&r, e);
    if (!bad) tell_end(&r);
    close_rows(&r);
    forecasts_drop(r.out);
    table_close(r.table);
    charts_close(&r.charts);
    forecaster_close(r.f);
    free(r.x);
    free(r.time);
    return bad ? -1 : 0;
}
