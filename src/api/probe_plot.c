/* probe_plot.c - see probe_plot.h */
#include "api/probe_plot.h"

#include <stdlib.h>

#include "report/curves.h"

typedef enum { SPEED, MEMORY, BY_POINTS, BY_SECONDS, CHARTS } Which;
enum { POINTS_MAX = SIZES_MAX + 1 };

typedef struct Plot {
    double x[CHARTS][CANDIDATES_MAX + 1][POINTS_MAX], y[CHARTS][CANDIDATES_MAX + 1][POINTS_MAX];
    Curve  curve[CHARTS][CANDIDATES_MAX + 1];
    const char *name[CANDIDATES_MAX];
} Plot;

static void put(Plot *o, Which w, int i, double x, double y)
{
    Curve *c = &o->curve[w][i];
    o->x[w][i][c->n] = x;
    o->y[w][i][c->n++] = y;
}

static void put_speed(Plot *o, int i, const Speed *s, int of_data)
{
    if (of_data) put(o, SPEED, i, (double)s->windows, s->points_per_s);
    put(o, MEMORY, i, (double)s->windows, 1e-6 * (double)s->peak);
}

/* The largest batch may be that of the last speed too, which then was of shorter windows. */
static void put_candidate(Plot *o, int i, const Candidate *c)
{
    for (int k = 0; k < c->nspeed; k++)
        if (c->speed[k].windows < c->largest.ran.windows || !c->largest.ran.windows) put_speed(o, i, &c->speed[k], 1);
        else put(o, SPEED, i, (double)c->speed[k].windows, c->speed[k].points_per_s);
    if (c->largest.ran.steps) put_speed(o, i, &c->largest.ran, 0);
    for (int k = 0; k < c->nmark; k++) {
        put(o, BY_POINTS, i, (double)c->mark[k].points, c->mark[k].val.pred);
        put(o, BY_SECONDS, i, c->mark[k].seconds, c->mark[k].val.pred);
    }
}

static void put_limit(Plot *o, const Probe *p)
{
    double most = 0;
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < o->curve[MEMORY][i].n; k++)
            if (o->x[MEMORY][i][k] > most) most = o->x[MEMORY][i][k];
    if (most < 1) return;
    put(o, MEMORY, p->n, 1, 1e-6 * (double)p->limit);
    put(o, MEMORY, p->n, most, 1e-6 * (double)p->limit);
}

static int draw(const char *path, Plot *o, const Probe *p, Err *e)
{
    int learned = 0;
    for (int w = 0; w < CHARTS; w++)
        for (int i = 0; i <= p->n; i++) o->curve[w][i] = (Curve){o->x[w][i], o->y[w][i], 0, i < p->n ? i : CURVES_GREY};
    for (int i = 0; i < p->n; i++) {
        o->name[i] = p->candidate[i].name;
        put_candidate(o, i, &p->candidate[i]);
        learned |= p->candidate[i].nmark > 0;
    }
    put_limit(o, p);
    const CurveChart chart[CHARTS] = {
        {"points learned from in a second", "windows of a batch", o->curve[SPEED], p->n, 1, 1},
        {"MB of memory, and their limit", "windows of a batch", o->curve[MEMORY], p->n + 1, 1, 1},
        {"validation loss by points", "points learned from", o->curve[BY_POINTS], p->n, 0, 0},
        {"validation loss by time", "seconds of training", o->curve[BY_SECONDS], p->n, 0, 0},
    };
    return curves_write(path, chart, learned ? CHARTS : BY_POINTS, o->name, p->n, "Probe of models", e);
}

int probe_plot(const char *path, const Probe *p, Err *e)
{
    Plot *o = calloc(1, sizeof *o);
    if (!o) return err_nomem(e, sizeof *o, "a plot");
    int bad = draw(path, o, p, e);
    free(o);
    return bad;
}
