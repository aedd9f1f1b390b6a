/* report_samples.c - see report_samples.h */
#include "api/report_samples.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/order.h"
#include "forecast/forecaster.h"
#include "model/weights.h"
#include "util/file.h"
#include "util/json.h"

enum { LOOKED_AT = 400, LEAST_POINTS = 8 };      /* windows that are tried; a shorter one shows nothing */

typedef struct Maker {
    const SamplesAsk *ask;
    Samples    *s;
    Dataset    *data;
    Order      *order;
    Forecaster *f;
    float      *points;                /* (dataset_window_points) */
    int        *at, *n;                /* (dataset_max_segments) each */
    Origin     *origin;                /* same */
    int64_t     most;                  /* windows that are looked at */
    char       *taken;                 /* (most) */
    char       *seen;                  /* (sources) a window of it is shown */
    char        folder[4096];          /* the checkpoint */
} Maker;

static int open_data(Maker *m, Err *e)
{
    const Settings *s = m->ask->settings;
    int64_t least = forecaster_config(m->f)->P + 1;
    return dataset_open(&m->data, &s->data.dataset_path, s->train.ood_val_dataset_path, &s->data, least, m->ask->to, e)
        || order_open(&m->order, m->data, s->train.val_split, (uint64_t)s->train.seed, e) ? -1 : 0;
}

/* The value of a key of the object that comes next; 0: it is not there. */
static int find_key(Json *j, const char *want)
{
    char key[32];
    Err e;
    if (json_open(j, '{', &e)) return 0;
    while (json_more(j, &e) > 0 && !json_key(j, key, sizeof key, &e)) {
        if (!strcmp(key, want)) return 1;
        if (json_skip(j, &e)) return 0;
    }
    return 0;
}

/* With other data, windows that validate now may be ones that it has learned from. */
static int check_data(const Maker *m, Err *e)
{
    char path[4096], there[32], here[32];
    Map file;
    Json j;
    Err why;
    snprintf(here, sizeof here, "%016" PRIx64, dataset_fingerprint(m->data));
    if (path_join(path, sizeof path, m->folder, "state.json", e) || map_open(&file, path, e)) return -1;
    json_init(&j, file.p, file.n);
    int same = find_key(&j, "facts") && find_key(&j, "fingerprint") && !json_string(&j, there, sizeof there, &why) && !strcmp(here, there);
    map_close(&file);
    return same ? 0 : err_set(e, FTS_FORMAT, "the data is not what the run was trained on");
}

static int room(Maker *m, Err *e)
{
    int64_t held = order_val_count(m->order);
    size_t segments = (size_t)dataset_max_segments(m->data), points = (size_t)dataset_window_points(m->data);
    if (!held) return err_set(e, FTS_USAGE, "the run held no windows back (--val-split)");
    m->most = held < LOOKED_AT ? held : LOOKED_AT;
    m->points = malloc(points * sizeof *m->points);
    m->at = malloc(segments * sizeof *m->at);
    m->n = malloc(segments * sizeof *m->n);
    m->origin = malloc(segments * sizeof *m->origin);
    m->taken = calloc((size_t)m->most, 1);
    m->seen = calloc((size_t)dataset_sources(m->data), 1);
    return m->points && m->at && m->n && m->origin && m->taken && m->seen ? 0 : err_nomem(e, points * sizeof *m->points, "sample forecasts");
}

static int open_all(Maker *m, Err *e)
{
    ModelConfig c;
    if (weights_folder(m->folder, sizeof m->folder, &c, m->ask->dir, e) || forecaster_open(&m->f, m->folder, "cpu", F32, m->ask->threads, e)) return -1;
    return open_data(m, e) || check_data(m, e) || room(m, e) ? -1 : 0;
}

static void close_all(Maker *m)
{
    forecaster_close(m->f);
    order_close(m->order);
    dataset_close(m->data);
    free(m->points);
    free(m->at);
    free(m->n);
    free(m->origin);
    free(m->taken);
    free(m->seen);
}

/* The longest piece of window i in the order of validation; 0: there is none worth showing. */
static int longest_piece(Maker *m, int64_t i, Origin *from, int *n, Err *e)
{
    int64_t cut;
    int best = -1, pieces = dataset_window(m->data, order_val(m->order, i), m->points, m->at, m->n, m->origin, &cut, e);
    if (pieces < 0) return -1;
    for (int k = 0; k < pieces; k++)
        if (best < 0 || m->n[k] > m->n[best]) best = k;
    if (best < 0 || m->n[best] < LEAST_POINTS) return 0;
    const float *x = m->points + m->at[best];
    int same = 1;
    while (same < m->n[best] && x[same] == x[0]) same++;
    *from = m->origin[best];
    *n = m->n[best];
    return same < *n;                  /* a series that does not change is no test */
}

/* The longest horizon of the model, if that leaves three times as much to look back on. */
static int horizon_for(const Forecaster *f, int n)
{
    const ModelConfig *c = forecaster_config(f);
    int most = c->horizon[c->nh - 1] > 1 ? c->horizon[c->nh - 1] : 64;      /* a model of single steps takes as many as one likes */
    return most < n / 4 ? most : n / 4;
}

static void score(PageSample *p)
{
    const PlotSeries *s = &p->series;
    double last = NAN, model = 0, naive = 0;
    int n = 0;
    for (int64_t i = 0; i < s->nhistory; i++)
        if (isfinite(s->history[i])) last = s->history[i];
    for (int64_t i = 0; i < s->horizon; i++) {
        if (!isfinite(s->truth[i]) || !isfinite(s->forecast[i])) continue;
        model += fabs(s->forecast[i] - s->truth[i]);
        naive += fabs(last - s->truth[i]);
        n++;
    }
    p->mae = n ? model / n : NAN;
    p->naive = n ? naive / n : NAN;
}

/* The points as stored, in one block: history, truth, forecast. */
static int add_sample(Maker *m, Origin from, int n, Err *e)
{
    PageSample *p = &m->s->sample[m->s->n];
    const Source *source = dataset_source(m->data, from.source);
    int h = horizon_for(m->f, n);
    char title[512];
    double *x = malloc((size_t)(n + h) * sizeof *x);
    if (!x) return err_nomem(e, (size_t)(n + h) * sizeof *x, "a sample forecast");
    dataset_where(m->data, from, title, sizeof title);
    *p = (PageSample){.series = {.title = strdup(title), .history = x, .nhistory = n - h, .truth = x + n - h, .forecast = x + n, .horizon = h}};
    m->s->n++;
    if (!p->series.title) return err_nomem(e, strlen(title) + 1, "a sample forecast");
    if (source->format->read(source, from.series, from.at, n, x, e)) return err_wrap(e, "%s", source->path);
    if (forecaster_series(m->f, &(Past){x, n - h}, 1, forecaster_most_points(m->f), h, x + n, NULL, e)) return -1;
    score(p);
    return 0;
}

/* At first a window of each source, so that samples are of all kinds; then the others in their order. */
static int choose(Maker *m, int again, Err *e)
{
    for (int64_t i = 0; i < m->most && m->s->n < m->ask->want; i++) {
        Origin from;
        int n;
        if (m->taken[i]) continue;
        if (atomic_load(m->ask->stop)) return err_set(e, FTS_STOPPED, "stopped, nothing written");
        int good = longest_piece(m, i, &from, &n, e);
        if (good < 0) return -1;
        m->taken[i] = !good;           /* need not be looked at a second time */
        if (!good || (!again && m->seen[from.source])) continue;
        m->seen[from.source] = m->taken[i] = 1;
        if (add_sample(m, from, n, e)) return -1;
    }
    return 0;
}

/* Of "runs/a/latest" what the link stands for. */
static void say(Maker *m)
{
    char real[PATH_MAX];
    const char *path = realpath(m->folder, real) ? real : m->folder, *slash = strrchr(path, '/');
    snprintf(m->s->said, sizeof m->s->said, "By the checkpoint %.200s: %d of %" PRId64 " held-back windows, the first of their order, at first one of each dataset.",
             slash && slash[1] ? slash + 1 : path, m->s->n, order_val_count(m->order));
    if (!m->s->n) snprintf(m->s->said, sizeof m->s->said, "No sample forecasts: the held-back windows are too short, or do not change.");
}

int samples_make(Samples *s, const SamplesAsk *ask, Err *e)
{
    Maker m = {.ask = ask, .s = s};
    s->n = 0;
    s->said[0] = 0;
    if (!ask->want) return 0;
    int bad = open_all(&m, e) || choose(&m, 0, e) || choose(&m, 1, e);
    if (!bad) say(&m);
    close_all(&m);
    if (bad && (e->code == FTS_NOMEM || e->code == FTS_STOPPED)) return -1;
    if (!bad) return 0;
    samples_free(s);
    snprintf(s->said, sizeof s->said, "No sample forecasts: %s.", e->message);
    return 0;
}

void samples_free(Samples *s)
{
    for (int i = 0; i < s->n; i++) {
        free((void *)(uintptr_t)s->sample[i].series.title);
        free((void *)(uintptr_t)s->sample[i].series.history);
    }
    s->n = 0;
}
