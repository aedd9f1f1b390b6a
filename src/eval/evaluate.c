/* evaluate.c - see evaluate.h */
#include "eval/evaluate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/refuse.h"
#include "eval/naive.h"
#include "eval/pairs.h"
#include "util/machine.h"
#include "util/par.h"

enum { BATCH_POINTS = 1 << 24 };         /* of forecasts held at once, unless one alone has more */

typedef struct Run {
    const EvalSpec *spec;
    Evaluation *to;
    SeriesSet set;
    Par      *par;
    Naive     last, seasonal;
    Contender who[CONTENDERS_MAX];
    int       nwho;
    int64_t   done, total;               /* windows of all contenders and stages */
    double    began, work, work_total;   /* of the contender at hand: when, and points read and forecast */
} Run;

/* Windows first .. first + n of a stage, numbered series by series. */
typedef struct Batch {
    const SeriesSet *set;
    Stage   stage;
    int64_t first, look_back;
    int     n, room;
    float  *out;                         /* (room, horizon) owned, as are the others */
    Window *window;                      /* (room) */
    Sums   *sums;                        /* (room) */
} Batch;

static void batch_free(Batch *b)
{
    free(b->out);
    free(b->window);
    free(b->sums);
}

static int batch_make(Batch *b, const Predictor *p, Err *e)
{
    int64_t most = BATCH_POINTS / b->stage.horizon, all = b->set->count * b->stage.windows;
    if (most > p->at_once) most = p->at_once;
    if (most > all) most = all;
    b->room = most > 1 ? (int)most : 1;
    size_t bytes = (size_t)b->room * (size_t)b->stage.horizon * sizeof *b->out;
    b->out = malloc(bytes);
    b->window = malloc((size_t)b->room * sizeof *b->window);
    b->sums = malloc((size_t)b->room * sizeof *b->sums);
    return b->out && b->window && b->sums ? 0 : err_nomem(e, bytes, "forecasts");
}

/* The series of window i of the batch; *at: the first point that it forecasts. The first and the last of all are among those that are taken. */
static const Series *place(const Batch *b, int i, int64_t *at)
{
    int64_t k = b->first + i;
    const Series *s = &b->set->series[k / b->stage.windows];
    int64_t w = k % b->stage.windows, last = b->stage.windows - 1;
    *at = s->first + (last ? w * (b->stage.all - 1) / last : 0);
    return s;
}

static void fill(Batch *b)
{
    for (int i = 0; i < b->n; i++) {
        int64_t at, n;
        const Series *s = place(b, i, &at);
        n = at < b->look_back ? at : b->look_back;
        b->window[i] = (Window){s->x + at - n, (int)n};
    }
}

static void measure(void *arg, int i, int worker)
{
    Batch *b = arg;
    int64_t at;
    (void)worker;
    const Series *s = place(b, i, &at);
    assert(at + b->stage.horizon <= s->n);
    b->sums[i] = metrics_window(s, s->x + at, b->out + i * b->stage.horizon, b->stage.horizon);
}

static void add_up(const Batch *b, Sums *series, Meter *all)
{
    for (int i = 0; i < b->n; i++) {
        int64_t k = b->first + i + 1;
        metrics_add(series, &b->sums[i]);
        if (k % b->stage.windows) continue;
        metrics_series(all, &b->set->series[k / b->stage.windows - 1], series);
        *series = (Sums){.points = 0};
    }
}

static double work_of(const Stage *s) { return (double)(s->context + s->horizon); }

/* The naive rules go first and take no time beside a model, so the time left is that of the contender at hand. */
static void tell(Run *r, const Batch *b)
{
    double spent = machine_seconds() - r->began;
    r->done += b->n;
    r->work += b->n * work_of(&b->stage);
    double left = spent * (r->work_total - r->work) / r->work;
    event_send(&r->spec->events, &(Event){.kind = FTS_EVENT_STEP, .name = "evaluate", .step = r->done, .steps = r->total, .eta_s = left});
}

static int run_batches(Run *r, const Contender *c, Batch *b, Metrics *to, Err *e)
{
    const Predictor *p = c->predictor;
    Meter all = {.series = 0};
    Sums series = {.points = 0};
    int64_t windows = b->set->count * b->stage.windows;
    for (; b->first < windows; b->first += b->n) {
        b->n = windows - b->first < b->room ? (int)(windows - b->first) : b->room;
        if (r->spec->stop && atomic_load(r->spec->stop)) return err_set(e, FTS_STOPPED, "stopped before the end, nothing is known yet");
        fill(b);
        if (p->predict(p->user, b->window, b->n, (int)b->stage.horizon, b->out, e)) return err_wrap(e, "%s", p->name);
        par_for(r->par, b->n, measure, b);
        add_up(b, &series, &all);
        tell(r, b);
    }
    *to = metrics_end(&all);
    return 0;
}

static int run_stage(Run *r, const Contender *c, const Stage *stage, EvalRow *row, Err *e)
{
    Batch b = {.set = &r->set, .stage = *stage, .look_back = stage->context > c->reach ? stage->context : c->reach};
    row->stage = *stage;
    snprintf(row->model, sizeof row->model, "%s", c->predictor->name);
    int bad = batch_make(&b, c->predictor, e) || run_batches(r, c, &b, &row->metrics, e);
    batch_free(&b);
    return bad ? -1 : 0;
}

static int run_contender(Run *r, int c, Err *e)
{
    const Stages *s = &r->to->stages;
    r->began = machine_seconds();
    r->work = r->work_total = 0;
    for (int i = 0; i < s->n; i++) r->work_total += work_of(&s->stage[i]) * (double)(s->stage[i].windows * r->set.count);
    for (int i = 0; i < s->n; i++)
        if (run_stage(r, &r->who[c], &s->stage[i], &r->to->row[i * r->nwho + c], e)) return -1;
    return 0;
}

static int run_all(Run *r, Err *e)
{
    const Stages *s = &r->to->stages;
    for (int i = 0; i < s->n; i++) r->total += s->stage[i].windows * r->set.count * r->nwho;
    for (int c = r->nwho - 1; c >= 0; c--)
        if (run_contender(r, c, e)) return -1;
    r->to->n = s->n * r->nwho;
    return 0;
}

/* Where forecasts begin inside a table, a rule that reaches back behind its first row would be another rule. */
static int add_contender(Run *r, Contender c, Err *e)
{
    const Stages *s = &r->to->stages;
    for (int i = 0; i < r->nwho; i++)
        if (!strcmp(r->who[i].predictor->name, c.predictor->name)) return 0;
    if (s->first && c.reach > s->first)
        return err_set(e, FTS_FORMAT, "%s looks back on %lld points, and there are %lld before the first forecast", c.predictor->name, (long long)c.reach,
                       (long long)s->first);
    r->who[r->nwho++] = c;
    return 0;
}

/* A season of one point is repeat-last under another name. */
static int add_contenders(Run *r, Err *e)
{
    int64_t season = r->to->stages.season;
    assert(r->spec->nasked <= ASKED_MAX);
    for (int i = 0; i < r->spec->nasked; i++)
        if (add_contender(r, r->spec->asked[i], e)) return -1;
    naive_repeat_last(&r->last);
    naive_seasonal(&r->seasonal, (int)season);
    if (add_contender(r, (Contender){&r->last.predictor, 0}, e)) return -1;
    return season > 1 ? add_contender(r, (Contender){&r->seasonal.predictor, season}, e) : 0;
}

static int open_source(Source *s, const char *path, Err *e)
{
    const Format *f = source_sniff(path);
    return f ? source_open(s, f, path, NULL, e) : refuse_path(path, e);
}

static int read_series(Run *r, const Source *past, const Source *future, Err *e)
{
    Stages *s = &r->to->stages;
    int64_t *future_of = NULL;
    if ((future && pairs_find(&future_of, past, future, e)) || stages_plan(s, r->spec->opts, past, future, e) || add_contenders(r, e)) return free(future_of), -1;
    int bad = series_read(&r->set, &(SeriesFrom){past, future, future_of, s->train, s->first, s->end, stages_horizon(s), s->season}, e);
    free(future_of);
    return bad;
}

/* The files are closed before anything is forecast: what is needed of them is in the set. */
static int read_files(Run *r, const char *past, const char *future, Err *e)
{
    Source p, f = {0};
    if (open_source(&p, past, e)) return -1;
    int bad = (future && open_source(&f, future, e)) || read_series(r, &p, future ? &f : NULL, e);
    source_close(&f);
    source_close(&p);
    return bad ? -1 : 0;
}

int evaluate(Evaluation *to, const EvalSpec *spec, Err *e)
{
    const EvalOpts *o = spec->opts;
    Run r = {.spec = spec, .to = to};
    *to = (Evaluation){.n = 0};
    assert(o->data);
    if (read_files(&r, o->data, o->test_data, e)) return -1;
    to->series = r.set.count;
    int bad = par_open(&r.par, o->threads == OPT_UNSET ? machine_threads() : (int)o->threads, e) || run_all(&r, e);
    par_close(r.par);
    series_free(&r.set);
    return bad ? -1 : 0;
}
