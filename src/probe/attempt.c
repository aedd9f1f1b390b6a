/* attempt.c - see attempt.h */
#include "probe/attempt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/machine.h"

const double STEP_SECONDS = 20;
static const int64_t RESERVE_LEAST = 128 << 20, RESERVE_MOST = 1 << 30;

void probe_notice(const Probe *p, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    event_say(&p->spec->events, FTS_EVENT_NOTICE, "%s", text);
}

int probe_stop(Probe *p)
{
    double limit = p->spec->train->max_wall_time_s;
    p->stopped |= p->spec->stop && atomic_load(p->spec->stop);
    p->stopped |= limit > 0 && machine_seconds() - p->began >= limit;
    return p->stopped;
}

void probe_did(Probe *p, double flops)
{
    double spent = machine_seconds() - p->began, giga = 1e-9 * p->all;
    p->done += flops;
    if (p->done > p->all) p->done = p->all;
    event_send(&p->spec->events, &(Event){.kind = FTS_EVENT_STEP, .name = "probe", .step = (int64_t)(1e-9 * p->done), .steps = giga < 1 ? 1 : (int64_t)giga,
                                          .eta_s = p->done > 0 ? spent / p->done * (p->all - p->done) : 0});
}

/* Of what a run tells, people hear what is wrong, and what is the same for all runs once. The progress of its steps is the probe's. */
static void hear(void *user, const Event *ev)
{
    const Attempt *t = user;
    if (ev->kind == FTS_EVENT_NOTICE ? !t->quiet : ev->kind == FTS_EVENT_STEP && ev->name) event_send(&t->p->spec->events, ev);
}

/* What others need to go on without being swapped out or killed. */
static int64_t reserve(void)
{
    int64_t sixteenth = machine_memory() / 16;
    return sixteenth < RESERVE_LEAST ? RESERVE_LEAST : sixteenth > RESERVE_MOST ? RESERVE_MOST : sixteenth;
}

/* Of the device that computes. One that is not open cannot be asked, unless it is the machine itself. */
static int64_t usable(const Attempt *t)
{
    const Probe *p = t->p;
    const Backend *b = t->r.b;
    if (!b && !p->device->on_host) return p->usable;
    int64_t free = p->device->unused(b) + p->device->used(b) - (p->device->on_host ? reserve() : 0);
    return free < p->limit ? (free > 0 ? free : 1) : p->limit;
}

int64_t attempt_memory(const Attempt *t) { return backend_used(t->r.b); }

/* A run of one window a step, which writes nothing. */
static void prepare(Attempt *t, Probe *p, Candidate *c)
{
    const ProbeSpec *s = p->spec;
    *t = (Attempt){.p = p, .c = c, .train = *s->train, .device = *s->device, .quiet = 1};
    TrainOpts *o = &t->train;
    o->batch_size = o->grad_accum_steps = o->log_every = 1;
    o->micro_batch_size = o->checkpoint_every = 0;
    o->checkpoint_dir = NULL;
    o->log_perf_metrics = o->dry_run = 0;
    t->spec = (TrainSpec){.train = o, .data = s->data, .model = &c->opts, .device = &t->device, .events = {hear, t}, .min_points = p->min_points};
}

/* With the windows that train would have for this model alone: how many segments they may be cut into is a matter of memory too. */
int attempt_plan(Attempt *t, Probe *p, Candidate *c, Err *e)
{
    prepare(t, p, c);
    t->spec.min_points = 0;
    t->quiet = c != probe_strictest(p);
    if (run_plan(&t->r, &t->spec, e)) return -1;
    p->device = t->r.b->device;
    p->limit = t->r.memory.limit;
    p->usable = usable(t);
    return 0;
}

void attempt_limit(Attempt *t)
{
    int64_t now = usable(t);
    if (now < t->p->usable) t->p->usable = now;
    t->device.memory_limit = t->p->usable;
}

int attempt_open(Attempt *t, Probe *p, Candidate *c, Err *e)
{
    prepare(t, p, c);
    attempt_limit(t);
    if (run_plan(&t->r, &t->spec, e)) return -1;
    t->quiet = 0;
    return run_open(&t->r, e);
}

void attempt_close(Attempt *t) { run_close(&t->r); }

int attempt_step(Attempt *t, const Batch *b, double *seconds, Err *e)
{
    double from = machine_seconds();
    if (run_step(&t->r, b, e)) return -1;
    *seconds = machine_seconds() - from;
    probe_did(t->p, b ? t->c->full * (double)b->windows : t->c->flops * (double)(t->train.batch_size * t->train.grad_accum_steps));
    return 0;
}
