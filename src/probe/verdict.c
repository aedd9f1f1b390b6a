/* verdict.c - what the numbers say, in words. */
#include <math.h>
#include <stdlib.h>

#include "probe/probe.h"
#include "train/lines.h"

static const double SAME = 0.01;         /* losses that differ by less are called equal */

static void put_largest(Str *out, const Probe *p)
{
    str_addf(out, "Within %s MB the largest batch in one micro-batch is ", digits_of(p->limit / 1000000).text);
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        str_addf(out, "%s%s window%s with %s", !i ? "" : i < p->n - 1 ? ", " : " and ", digits_of(c->largest.windows).text, c->largest.windows == 1 ? "" : "s", c->name);
    }
}

static double speed_of(const Candidate *c) { return speed_best(c) ? speed_best(c)->points_per_s : 0; }

static void put_speed(Str *out, const Probe *p)
{
    const Candidate *fast = NULL, *slow = NULL;
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        if (!speed_best(c)) continue;
        if (!fast || speed_of(c) > speed_of(fast)) fast = c;
        if (!slow || speed_of(c) < speed_of(slow)) slow = c;
    }
    if (!fast) return;
    str_addf(out, "; %s takes %s points a second", fast->name, digits_of((int64_t)speed_of(fast)).text);
    if (slow != fast) str_addf(out, ", %.*f times as many as %s", speed_of(fast) < 9.95 * speed_of(slow) ? 1 : 0, speed_of(fast) / speed_of(slow), slow->name);
}

static int is_done(const Probe *p, const Candidate *c) { return c->nmark > 1 && c->mark[c->nmark - 1].step == p->steps; }
static double last_loss(const Candidate *c) { return c->mark[c->nmark - 1].val.pred; }
static double loss_by(const Candidate *c, double seconds) { return seconds < 0 ? last_loss(c) : loss_at(c, seconds); }

/* The two lowest losses after so many seconds, at the end if negative. */
static void best_two(const Probe *p, double seconds, const Candidate *best[2])
{
    best[0] = best[1] = NULL;
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        if (!is_done(p, c)) continue;
        if (!best[0] || loss_by(c, seconds) < loss_by(best[0], seconds)) {
            best[1] = best[0];
            best[0] = c;
        } else if (!best[1] || loss_by(c, seconds) < loss_by(best[1], seconds)) best[1] = c;
    }
}

/* NaN comes out as not ahead. */
static int ahead(const Candidate *const best[2], double seconds)
{
    return loss_by(best[0], seconds) < (1 - SAME) * loss_by(best[1], seconds);
}

static void put_learning(Str *out, const Probe *p)
{
    const Candidate *point[2], *second[2], *fast = NULL;
    best_two(p, -1, point);
    if (!point[0] || !point[1]) return;
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        if (is_done(p, c) && (!fast || c->mark[c->nmark - 1].seconds < fast->mark[fast->nmark - 1].seconds)) fast = c;
    }
    double seconds = fast->mark[fast->nmark - 1].seconds;
    best_two(p, seconds, second);
    str_addf(out, " After %s points ", digits_of(p->points).text);
    if (ahead(point, -1)) str_addf(out, "%s has the lowest validation loss, %.4f against %.4f of %s, so it learns more per point", point[0]->name, last_loss(point[0]), last_loss(point[1]), point[1]->name);
    else str_addf(out, "%s and %s are even at validation losses of %.4f and %.4f", point[0]->name, point[1]->name, last_loss(point[0]), last_loss(point[1]));
    str_addf(out, "; after %.3g s, the time that %s took, ", seconds, fast->name);
    if (ahead(second, seconds)) str_addf(out, "%s is at %.4f and %s at %.4f, so %s learns more per second.", second[0]->name, loss_at(second[0], seconds), second[1]->name, loss_at(second[1], seconds), second[0]->name);
    else str_addf(out, "%s and %s are even.", second[0]->name, second[1]->name);
}

void probe_verdict(Str *out, const Probe *p)
{
    put_largest(out, p);
    put_speed(out, p);
    str_addf(out, ".");
    put_learning(out, p);
}
