/* probe.c - see probe.h: first the plans of all models, then each is run, then each learns. */
#include "probe/probe.h"

#include <string.h>

#include "probe/attempt.h"
#include "util/machine.h"

static int wrong_options(const ProbeSpec *s, Err *e)
{
    const TrainOpts *t = s->train;
    if (t->resume_checkpoint || t->init_from) return err_set(e, FTS_USAGE, "--%s: probe compares models that begin with random weights", t->init_from ? "init-from" : "resume-checkpoint");
    if (s->probe->train_points != OPT_UNSET && t->val_split <= 0) return err_set(e, FTS_USAGE, "--train-points needs windows to validate with: --val-split is 0");
    return 0;
}

const Candidate *probe_strictest(const Probe *p)
{
    int i = 0;
    while (p->candidate[i].c.P + 1 < p->min_points) i++;
    return &p->candidate[i];
}

/* What all candidates have in common, as they see the same windows. */
static void take_data(Probe *p, const Run *r)
{
    MemoryAsk a;
    int64_t windows = dataset_windows(r->data);
    run_ask(r, &a);
    p->window_points = a.window_points;
    p->windows = order_train_count(r->order);
    p->mean_points = windows ? (double)dataset_points(r->data) / (double)windows : 1;
    if (p->mean_points > (double)a.window_points) p->mean_points = (double)a.window_points;
    if (p->mean_points < (double)p->min_points) p->mean_points = (double)p->min_points;
}

static double window_flops(const ModelConfig *c, int64_t points)
{
    int64_t tokens = config_tokens(c, points);
    return config_flops(c, tokens, 0.5 * (double)tokens * ((double)tokens + 1));
}

static int plan_one(Attempt *t, Probe *p, Candidate *c, Err *e)
{
    if (attempt_plan(t, p, c, e)) return -1;
    if (c == probe_strictest(p)) take_data(p, &t->r);
    if (p->spec->probe->train_points != OPT_UNSET && !order_val_count(t->r.order))
        return err_set(e, FTS_USAGE, "--train-points needs windows to validate with: the data have too few");
    return largest_find(t, e);
}

static int plan_all(Probe *p, Err *e)
{
    Attempt t;
    for (int i = 0; i < p->n; i++) {
        Candidate *c = &p->candidate[i];
        int bad = plan_one(&t, p, c, e);
        attempt_close(&t);
        if (bad) return -1;
        if (!c->largest.windows)
            probe_notice(p, "%s does not fit: one window needs %lld MB, the limit is %lld MB", c->name, (long long)(c->largest.planned / 1000000), (long long)(p->limit / 1000000));
    }
    return 0;
}

/* What is known only when all have been planned. */
static int prepare(Probe *p, Err *e)
{
    ModelConfig all[CANDIDATES_MAX];
    for (int i = 0; i < p->n; i++) {
        Candidate *c = &p->candidate[i];
        all[i] = c->c;
        c->flops = window_flops(&c->c, (int64_t)p->mean_points);
        c->full = window_flops(&c->c, p->window_points);
        if (sizes_make(p, c, e)) return -1;
    }
    return p->spec->probe->train_points == OPT_UNSET ? 0 : origins_common(&p->origins, all, p->n, p->window_points, e);
}

static void estimate(Probe *p)
{
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        for (int k = 0; k < c->nsize; k++) p->all += speed_flops(p, c, c->size[k]);
        p->all += largest_flops(p, c);
        if (p->spec->probe->train_points != OPT_UNSET) p->all += c->flops * (double)p->spec->probe->train_points / p->mean_points;
    }
    if (p->usable < p->limit) probe_notice(p, "%lld MB of the limit of %lld MB are free now: nothing larger is run", (long long)(p->usable / 1000000), (long long)(p->limit / 1000000));
}

static int measure(Probe *p, Candidate *c, Err *e)
{
    Attempt t;
    int bad = attempt_open(&t, p, c, e) || speed_measure(&t, e) || largest_run(&t, e);
    attempt_close(&t);
    return bad ? -1 : 0;
}

/* One model too large is an answer, and no reason to lose those of the others. */
static int each(Probe *p, int (*stage)(Probe *p, Candidate *c, Err *e), Err *e)
{
    for (int i = 0; i < p->n && !probe_stop(p); i++) {
        Candidate *c = &p->candidate[i];
        if (!c->runnable || !stage(p, c, e)) continue;
        if (e->code != FTS_NOMEM) return -1;
        probe_notice(p, "%s: %s", c->name, e->message);
    }
    return 0;
}

int probe_run(Probe *p, const ProbeSpec *s, Err *e)
{
    *p = (Probe){.spec = s, .began = machine_seconds(), .min_points = 2};
    if (wrong_options(s, e) || candidates_make(p, e) || plan_all(p, e) || prepare(p, e)) return -1;
    if (s->train->dry_run) return 0;
    estimate(p);
    if (each(p, measure, e)) return -1;
    return s->probe->train_points == OPT_UNSET ? 0 : each(p, learn, e);
}
