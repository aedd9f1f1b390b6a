/* learn.c - a run from the first weights over as many points as asked for, and its validation loss on the way. */
#include <math.h>

#include "probe/attempt.h"

/* Steps until so many points were seen; every candidate sees the same ones. Uses up batches of the loader. */
static int count_steps(Probe *p, const Run *r, Err *e)
{
    const Batch *b = NULL;
    int64_t steps = 0, points = 0, pass = 1 + stream_windows(&r->train) / r->train.per_step;
    while (points < p->spec->probe->train_points && !probe_stop(p)) {
        if (loader_next(r->loader, &b, e)) return -1;
        points += b->npoints;
        if (++steps > pass && !points) return err_set(e, FTS_FORMAT, "--train-points: no window has %lld points in a row", (long long)p->min_points);
    }
    p->steps = p->stopped ? 0 : steps;
    p->points = p->stopped ? 0 : points;
    return 0;
}

/* The run is told how long it is, so that its learning rate rises and falls within it. */
static int open_learner(Attempt *t, Probe *p, Candidate *c, Err *e)
{
    const ProbeOpts *o = p->spec->probe;
    if (attempt_open(t, p, c, e)) return -1;
    t->train.batch_size = o->batch_size;
    t->train.grad_accum_steps = p->spec->train->grad_accum_steps;
    t->train.micro_batch_size = p->spec->train->micro_batch_size;
    if (run_rebatch(&t->r, e)) return -1;
    if (!p->steps && (count_steps(p, &t->r, e) || run_rebatch(&t->r, e))) return -1;
    t->r.steps = p->steps;
    t->train.warmup_steps = o->warmup_steps == OPT_UNSET ? (p->steps + 9) / 10 : o->warmup_steps;
    for (int i = 0; i < t->r.nvalidation; i++) t->r.validation[i].only = &p->origins;
    return 0;
}

static int take_mark(Attempt *t, double seconds, Err *e)
{
    Probe *p = t->p;
    Candidate *c = t->c;
    Run *r = &t->r;
    Mark m = {.step = r->progress.step, .points = r->progress.points, .tokens = r->progress.tokens, .seconds = seconds};
    for (int i = 0; i < r->nvalidation; i++) {
        int ood = r->validation[i].stream.kind == STREAM_ALL;
        Score *naive = ood ? &p->naive_ood : &p->naive;
        if (validate(&r->validation[i], r->m, &r->feed, ood ? &m.ood : &m.val, naive->targets ? NULL : naive, e)) return -1;
        *(ood ? &p->has_ood : &p->has_val) = 1;
    }
    c->mark[c->nmark++] = m;
    return 0;
}

static int is_mark(const Probe *p, int64_t step)
{
    for (int k = 1; k <= MARKS; k++)
        if (step == p->steps * k / MARKS) return 1;
    return 0;
}

static int learn_steps(Attempt *t, Err *e)
{
    double seconds = 0, took;
    if (take_mark(t, 0, e)) return -1;
    while (t->r.progress.step < t->p->steps && !probe_stop(t->p)) {
        if (attempt_step(t, NULL, &took, e)) return -1;
        seconds += took;
        if (is_mark(t->p, t->r.progress.step) && take_mark(t, seconds, e)) return -1;
    }
    return 0;
}

int learn(Probe *p, Candidate *c, Err *e)
{
    Attempt t;
    int bad = open_learner(&t, p, c, e) || (!p->stopped && learn_steps(&t, e));
    attempt_close(&t);
    return bad ? -1 : 0;
}

double loss_at(const Candidate *c, double seconds)
{
    int i = 1;
    if (c->nmark == 1 || seconds <= 0) return c->mark[0].val.pred;
    while (i < c->nmark - 1 && c->mark[i].seconds < seconds) i++;
    const Mark *a = &c->mark[i - 1], *b = &c->mark[i];
    double share = b->seconds > a->seconds ? (seconds - a->seconds) / (b->seconds - a->seconds) : 1;
    return a->val.pred + fmin(1, fmax(0, share)) * (b->val.pred - a->val.pred);
}
