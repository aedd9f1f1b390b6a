/* largest.c - the largest batch that is one micro-batch: found in the plan, then run with windows of full length, which the data may not have. */
#include <stdlib.h>

#include "probe/attempt.h"
#include "util/machine.h"
#include "util/rng.h"

enum { SHIFTS = 512, STEPS = 2 };
static const double MOST_SECONDS = 90;   /* of a step that nobody has asked for */

/* The plan of a step of so many windows, all of full length, within the limit of the run or another. */
static int plan(Memory *m, const Run *r, int64_t windows, int64_t limit, Err *e)
{
    MemoryAsk a;
    run_ask(r, &a);
    a.batch = a.step_windows = windows;
    a.limit = limit;
    return memory_plan(m, &a, e);
}

int largest_find(Attempt *t, Err *e)
{
    const Run *r = &t->r;
    Candidate *c = t->c;
    Memory m;
    int64_t windows = r->memory.most_windows, more = windows + (windows + 9) / 10;
    if (more == windows) more++;
    if (plan(&m, r, windows ? windows : 1, t->p->limit, e)) return -1;
    c->largest = (Largest){.windows = windows, .planned = m.total, .more = more};
    if (plan(&m, r, more, t->p->limit, e)) return -1;
    c->largest.more_micro_batches = m.micro_batches;
    if (plan(&m, r, 1, t->p->usable, e)) return -1;
    c->runnable = m.most_windows;
    return 0;
}

/* A batch whose windows begin at different points of one walk: no memory that a plan would have to know of. */
typedef struct Full { Batch b; float *points; int *pt, *npt; Origin *origin; } Full;

static void full_free(Full *f)
{
    free(f->points);
    free(f->pt);
    free(f->npt);
    free(f->origin);
}

static int full_make(Full *f, int64_t windows, int64_t points, Err *e)
{
    size_t n = (size_t)windows, floats = (size_t)points + SHIFTS;
    double x = 0;
    *f = (Full){.points = malloc(floats * sizeof *f->points), .pt = malloc(n * sizeof *f->pt), .npt = malloc(n * sizeof *f->npt), .origin = calloc(n, sizeof *f->origin)};
    if (!f->points || !f->pt || !f->npt || !f->origin) {
        full_free(f);
        return err_nomem(e, floats * sizeof *f->points + n * (2 * sizeof *f->pt + sizeof *f->origin), "a batch of full windows");
    }
    for (size_t i = 0; i < floats; i++) f->points[i] = (float)(x = 0.95 * x + 0.3 * rng_normal(1, RNG_TEST, i));
    for (size_t i = 0; i < n; i++) {
        f->pt[i] = (int)(i * 37 % SHIFTS);
        f->npt[i] = (int)points;
    }
    f->b = (Batch){.points = f->points, .pt = f->pt, .npt = f->npt, .origin = f->origin, .nseg = (int)windows, .npoints = windows * points, .windows = windows};
    return 0;
}

/* The batch counts as so many windows as it has, also where the data have fewer. */
static int make_room(Attempt *t, int64_t windows, Err *e)
{
    Run *r = &t->r;
    t->train.batch_size = windows;
    if (run_rebatch(r, e) || plan(&r->memory, r, windows, r->memory.limit, e)) return -1;
    feed_free(&r->feed);
    feed_init(&r->feed, &r->c, r->memory.tokens, 0);
    return model_reserve(r->m, r->memory.tokens, r->memory.chunks, r->memory.longest, (Recompute)t->device.recompute, e);
}

static int micro_batches(Feed *f, const Batch *b, int *n, Err *e)
{
    Input in;
    int first;
    if (feed_batch(f, b, e)) return -1;
    for (*n = 0; feed_next(f, &in, &first);) ++*n;
    return 0;
}

static int run_full(Attempt *t, const Batch *b, Speed *s, Err *e)
{
    double seconds[STEPS], tokens[STEPS], points[STEPS];
    int n = 0;
    while (n < STEPS && !probe_stop(t->p) && !(n && seconds[0] > STEP_SECONDS)) {
        int64_t before = t->r.progress.tokens;
        if (attempt_step(t, b, &seconds[n], e)) return -1;
        tokens[n] = (double)(t->r.progress.tokens - before);
        points[n++] = (double)b->npoints;
        int64_t own = attempt_memory(t);
        if (own > s->peak) s->peak = own;
    }
    if (n) s->windows = b->windows;
    speed_from(s, seconds, tokens, points, n);
    return 0;
}

double largest_flops(const Probe *p, const Candidate *c) { return p->spec->probe->confirm ? STEPS * c->full * (double)c->runnable : 0; }

/* As fast as the best batch of the data. */
static int takes_too_long(const Attempt *t, int64_t windows)
{
    const Candidate *c = t->c;
    const Speed *s = speed_best(c);
    double seconds = s ? c->full * (double)windows * s->step_s / (c->flops * (double)s->windows) : 0;
    if (t->p->spec->probe->confirm == 1 || seconds <= MOST_SECONDS) return 0;
    probe_notice(t->p, "%s: the largest batch is not run, a step would take about %.0f s (--confirm runs it)", c->name, seconds);
    t->p->all -= largest_flops(t->p, c);
    return 1;
}

int largest_run(Attempt *t, Err *e)
{
    Full f;
    Candidate *c = t->c;
    Memory m;
    if (!t->p->spec->probe->confirm) return 0;
    attempt_limit(t);
    if (plan(&m, &t->r, 1, t->p->usable, e)) return -1;
    int64_t windows = m.most_windows < c->largest.windows ? m.most_windows : c->largest.windows;
    if (windows < 1 || probe_stop(t->p) || takes_too_long(t, windows)) return 0;
    if (windows < c->largest.windows)
        probe_notice(t->p, "%s: only %lld MB are free, so %lld windows are run instead of the %lld that fit the limit", c->name, (long long)(t->p->usable / 1000000), (long long)windows,
                     (long long)c->largest.windows);
    if (make_room(t, windows, e) || full_make(&f, windows, t->p->window_points, e)) return -1;
    Speed *s = &c->largest.ran;
    s->planned = t->r.memory.total;
    int bad = micro_batches(&t->r.feed, &f.b, &s->micro_batches, e) || run_full(t, &f.b, s, e);
    full_free(&f);
    return bad ? -1 : 0;
}
