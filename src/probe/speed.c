/* speed.c - how fast batches of several sizes are learned from, with the windows of the data. */
#include <stdlib.h>

#include "probe/attempt.h"
#include "train/lines.h"
#include "util/machine.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

void speed_from(Speed *s, double *seconds, double *tokens, double *points, int n)
{
    if (!n) return;
    for (int i = 0; i < n; i++) {
        double took = seconds[i] > 1e-9 ? seconds[i] : 1e-9;
        tokens[i] /= took;
        points[i] /= took;
    }
    s->steps = n;
    s->step_s = median(seconds, n);
    s->tokens_per_s = median(tokens, n);
    s->points_per_s = median(points, n);
}

static int one_size(Attempt *t, Speed *s, Err *e)
{
    double seconds[MEASURE_MAX + 1], tokens[MEASURE_MAX + 1], points[MEASURE_MAX + 1], spent = 0;
    int n = 0, most = 1 + (int)t->p->spec->probe->measure_steps;
    while (n < most && !(n > 1 && spent > STEP_SECONDS) && !probe_stop(t->p)) {
        Progress before = t->r.progress;
        if (attempt_step(t, NULL, &seconds[n], e)) return -1;
        tokens[n] = (double)(t->r.progress.tokens - before.tokens);
        points[n] = (double)(t->r.progress.points - before.points);
        spent += seconds[n++];
    }
    s->peak = attempt_memory(t);
    speed_from(s, seconds + 1, tokens + 1, points + 1, n - 1);      /* the first step finds the memory untouched and the data unread */
    return 0;
}

/* Where nobody asked for this size. */
static int takes_too_long(const Attempt *t, int64_t windows)
{
    const Candidate *c = t->c;
    if (t->p->spec->probe->batch_sizes || !c->nspeed) return 0;
    const Speed *last = &c->speed[c->nspeed - 1];
    double seconds = last->step_s * (double)windows / (double)last->windows;
    if (seconds <= STEP_SECONDS) return 0;
    probe_notice(t->p, "%s: speed is measured up to %s windows: of %s a step would take about %.0f s (--batch-sizes chooses)", c->name, digits_of(last->windows).text,
                 digits_of(windows).text, seconds);
    return 1;
}

double speed_flops(const Probe *p, const Candidate *c, int64_t windows) { return c->flops * (double)windows * (double)(1 + p->spec->probe->measure_steps); }

int speed_measure(Attempt *t, Err *e)
{
    Candidate *c = t->c;
    for (int i = 0; i < c->nsize && !probe_stop(t->p); i++) {
        if (takes_too_long(t, c->size[i])) {
            for (; i < c->nsize; i++) t->p->all -= speed_flops(t->p, c, c->size[i]);
            return 0;
        }
        Speed s = {.windows = t->train.batch_size = c->size[i]};
        if (run_rebatch(&t->r, e)) return -1;
        s.planned = t->r.memory.total;
        s.micro_batches = t->r.memory.micro_batches;
        if (one_size(t, &s, e)) return -1;
        if (s.steps) c->speed[c->nspeed++] = s;
    }
    return 0;
}

const Speed *speed_best(const Candidate *c)
{
    const Speed *best = NULL;
    for (int i = 0; i < c->nspeed; i++)
        if (!best || c->speed[i].points_per_s > best->points_per_s) best = &c->speed[i];
    return best ? best : c->largest.ran.steps ? &c->largest.ran : NULL;
}
