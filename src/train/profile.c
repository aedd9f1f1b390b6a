/* profile.c - see profile.h */
#include "train/profile.h"

#include <inttypes.h>
#include <stdio.h>

#include "train/perf.h"
#include "util/file.h"
#include "util/machine.h"

enum { SPANS_MAX = 1 << 15 };            /* 3 MB of them: within what the memory plan leaves for libraries */

/* Ops and parts of a micro-batch: those of a layer there and back, those of a mixture, and a few around them. */
static int spans_of(const ModelConfig *c, int micro_batches, int64_t steps)
{
    double n = (double)steps * (16 + (double)micro_batches * (16 + c->L * (20.0 + 16.0 * c->B)));
    return n < SPANS_MAX ? (int)n : SPANS_MAX;
}

/* The last steps of a run that is too short for what was asked. */
static void choose_steps(Profile *p, const TrainOpts *o, int64_t done, int64_t steps)
{
    p->first = done + 1 + o->profile_after;
    if (p->first + o->profile_steps - 1 > steps) p->first = steps - o->profile_steps + 1;
    if (p->first <= done) p->first = done + 1;
    p->last = p->first + o->profile_steps - 1 < steps ? p->first + o->profile_steps - 1 : steps;
}

static void name_lanes(Spans *s)
{
    snprintf(s->lane[0].name, sizeof s->lane->name, "steps");
    for (int i = 1; i < s->nlane; i++) snprintf(s->lane[i].name, sizeof s->lane->name, "loader %d", i);
}

int profile_open(Profile *p, const TrainOpts *o, const ProfileAsk *a, Err *e)
{
    int workers = loader_workers(a->loader);
    *p = (Profile){.loader = a->loader, .peak = a->peak};
    choose_steps(p, o, a->done, a->steps);
    int64_t n = p->last - p->first + 1;
    if (n < 1) return 0;
    if (o->profile_dir) snprintf(p->dir, sizeof p->dir, "%s", o->profile_dir);
    else if (path_join(p->dir, sizeof p->dir, o->checkpoint_dir, "profiler", e)) return -1;
    if (perf_measure_copy(&p->copy, a->b, e) || spans_open(&p->spans, 1 + workers, spans_of(a->c, a->micro_batches, n), (int)(4 * (n + o->prefetch_factor)), e)) return -1;
    name_lanes(&p->spans);
    p->b = a->b;
    return 0;
}

void profile_close(Profile *p)
{
    if (p->b) watch_end(p->b);
    spans_close(&p->spans);
    p->b = NULL;
}

void profile_begin(Profile *p, int64_t step)
{
    if (!p->b || step < p->first || step > p->last) return;
    p->now = step;
    p->began = machine_seconds();
    if (!p->spans.start) {
        p->watch.spans = &p->spans;
        p->spans.start = p->began;
        loader_watch(p->loader, &p->spans, 1);
    }
    watch_begin(&p->watch, p->b);
}

void profile_waited(Profile *p, double from)
{
    if (!p->b || !p->b->watch) return;
    double took = machine_seconds() - from;
    p->waited += took;
    spans_add(&p->spans, 0, &(Span){.name = "wait for data", .number = -1, .kind = SPAN_WAIT, .from = from, .took = took});
}

void profile_end(Profile *p)
{
    if (!p->b || !p->b->watch) return;
    watch_end(p->b);
    p->ended = machine_seconds();
    p->seconds += p->ended - p->began;
    p->steps++;
    spans_add(&p->spans, 0, &(Span){.name = "step", .number = (int)p->now, .kind = SPAN_PART, .from = p->began, .took = p->ended - p->began});
}

int profile_complete(const Profile *p) { return p->b && p->now == p->last && p->steps; }

static int write_files(Profile *p, const Str *table, char *path, size_t size, Err *e)
{
    char title[128];
    snprintf(title, sizeof title, "foundationts train, steps %" PRId64 " to %" PRId64, p->first, p->now);
    if (str_ok(table, e) || dir_make(p->dir, e) || path_join(path, size, p->dir, "ops.txt", e) || file_write(path, table->p, table->n, e)) return -1;
    return path_join(path, size, p->dir, "trace.json", e) || spans_write(&p->spans, title, path, e) ? -1 : 0;
}

/* A profile that cannot be written does not stop the training. */
void profile_write(Profile *p, const Events *to)
{
    char path[4096];
    Err why;
    Str table = {0}, said = {0};
    if (!p->b || !p->steps) return;
    loader_watch(p->loader, NULL, 0);
    p->data = loader_time(p->loader);
    profile_table(p, &table);
    if (write_files(p, &table, path, sizeof path, &why)) event_say(to, FTS_EVENT_NOTICE, "%s; the run goes on without a profile", why.message);
    else {
        str_addf(&said, "%s is for https://ui.perfetto.dev; where the time went (%s/ops.txt):\n%s", path, p->dir, table.p);
        while (said.n && said.p[said.n - 1] == '\n') said.p[--said.n] = 0;
        if (!said.failed) event_send(to, &(Event){.kind = FTS_EVENT_NOTICE, .text = said.p});
    }
    str_free(&table);
    str_free(&said);
    profile_close(p);
}
