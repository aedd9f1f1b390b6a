/* verb_report.c - one or several runs as a page. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/report_samples.h"
#include "util/file.h"

typedef struct Report {
    FtsTask *t;
    int      n;
    char    *name[PAGE_RUNS];          /* owned */
    RunLog   log[PAGE_RUNS];
    Samples  samples[PAGE_RUNS];
    PageRun  run[PAGE_RUNS];
    Str      defaults;
} Report;

/* The last part of a path, "." and links resolved; where two runs have the same, the whole path as given. */
static char *name_of(const FtsTask *t, int run, int whole, Err *e)
{
    char real[PATH_MAX];
    const char *path = t->operand[run], *slash;
    if (!whole && realpath(path, real)) {
        slash = strrchr(real, '/');
        if (slash && slash[1]) path = slash + 1;
    }
    char *copy = strdup(path);
    if (!copy) err_nomem(e, strlen(path) + 1, "the name of a run");
    return copy;
}

static int name_runs(Report *r, Err *e)
{
    int same = 0;
    for (int i = 0; i < r->n; i++) {
        if (!(r->name[i] = name_of(r->t, i, 0, e))) return -1;
        for (int k = 0; k < i; k++) same |= !strcmp(r->name[i], r->name[k]);
    }
    for (int i = 0; i < r->n && same; i++) {
        free(r->name[i]);
        if (!(r->name[i] = name_of(r->t, i, 1, e))) return -1;
    }
    return 0;
}

/* What a run has if nothing is said, with the shape of the model as it is then. */
static int write_defaults(Str *json, Err *e)
{
    FtsTask *t;
    if (fts_task_open(&t, "train", e)) return -1;
    config_resolve(&t->s.model);
    opt_write(t->set, t->nset - 1, json);
    fts_task_close(t);
    return str_ok(json, e);
}

static int make_samples(Report *r, int i, const FtsTask *trained, Err *e)
{
    const ReportOpts *o = &r->t->s.report;
    SamplesAsk ask = {.dir = r->t->operand[i], .settings = &trained->s, .want = o->samples, .threads = o->threads == OPT_UNSET ? 0 : (int)o->threads,
                      .to = &r->t->events, .stop = &r->t->stop};
    return samples_make(&r->samples[i], &ask, e);
}

/* What its settings say of the model, and samples of it. Settings that this version cannot take cost no more than that. */
static int look_at_model(Report *r, int i, Err *e)
{
    PageRun *run = &r->run[i];
    FtsTask *trained;
    ModelConfig c;
    Err why;
    const char *settings = run->log->settings;
    if (fts_task_open(&trained, "train", e)) return -1;
    int bad = 0, unknown = !settings || task_config(trained, settings, strlen(settings), &why) || config_from_opts(&c, &trained->s.model, &why);
    if (!unknown) {
        run->parameters = config_params(&c);
        run->active = config_active(&c);
        run->mixtures = c.B;
        bad = make_samples(r, i, trained, e);
    } else if (r->t->s.report.samples) snprintf(r->samples[i].said, SAMPLES_SAID, "No sample forecasts: the settings of the run: %s.", settings ? why.message : "its log has none");
    fts_task_close(trained);
    run->sample = r->samples[i].sample;
    run->nsamples = r->samples[i].n;
    run->said = *r->samples[i].said ? r->samples[i].said : NULL;
    return bad;
}

static int open_run(Report *r, int i, Err *e)
{
    const RunLog *l = &r->log[i];
    r->run[i] = (PageRun){.name = r->name[i], .log = l};
    if (runlog_open(&r->log[i], r->t->operand[i], e) || look_at_model(r, i, e)) return -1;
    if (l->bad) event_say(&r->t->events, FTS_EVENT_NOTICE, "%s: %" PRId64 " line%s of log.jsonl could not be read, the first is line %" PRId64 ": %s", r->t->operand[i], l->bad,
                          l->bad == 1 ? "" : "s", l->bad_line, l->bad_why);
    return 0;
}

static int output_path(const Report *r, char *path, size_t size, Err *e)
{
    const char *o = r->t->s.report.output, *dir = r->n == 1 && path_is_dir(r->t->operand[0]) ? r->t->operand[0] : "";
    return o ? path_join(path, size, "", o, e) : path_join(path, size, dir, "report.html", e);
}

static int write_page(Report *r, Err *e)
{
    char path[4096];
    Str html = {0};
    int bad = output_path(r, path, sizeof path, e) || page_write(&html, r->run, r->n, r->defaults.p, e) || file_write(path, html.p, html.n, e);
    if (!bad) event_say(&r->t->events, FTS_EVENT_ANSWER, "%s: %d run%s, %zu kB", path, r->n, r->n == 1 ? "" : "s", html.n / 1000);
    str_free(&html);
    return bad ? -1 : 0;
}

static int make(Report *r, Err *e)
{
    if (name_runs(r, e) || write_defaults(&r->defaults, e)) return -1;
    for (int i = 0; i < r->n; i++)
        if (open_run(r, i, e)) return -1;
    return write_page(r, e);
}

int verb_report(FtsTask *t, Err *e)
{
    Report *r = calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r, "a report");
    r->t = t;
    r->n = t->noperand;
    int bad = make(r, e);
    for (int i = 0; i < r->n; i++) {
        free(r->name[i]);
        runlog_close(&r->log[i]);
        samples_free(&r->samples[i]);
    }
    str_free(&r->defaults);
    free(r);
    return bad ? -1 : 0;
}
