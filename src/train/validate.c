/* validate.c - see validate.h */
#include "train/validate.h"

typedef struct Tally { int64_t valid[MAX_HORIZONS], targets, naive_targets; double abs, sq; int first; Picked picked; } Tally;

/* of: the config whose tokens are the scored ones */
static void count(const ModelConfig *of, const Batch *b, Tally *t, int naive)
{
    for (int i = 0; i < b->nseg; i++) loss_valid(of, b->npt[i], t->valid);
    t->targets = 0;
    for (int j = 0; j < of->nh; j++) t->targets += t->valid[j];
    if (naive) loss_naive(of, b->points, b->pt, b->npt, b->nseg, &t->abs, &t->sq, &t->naive_targets);
}

static int one_batch(const Validation *v, Model *m, Feed *f, const Batch *b, Tally *t, int naive, Err *e)
{
    Input in;
    int first;
    if (feed_batch(f, b, e)) return -1;
    while (feed_next(f, &in, &first)) {
        if (v->only && picked_take(&t->picked, v->only, &m->c, &in, e)) return -1;
        if (v->only) model_eval_rows(m, &in, &t->picked.in, t->picked.row, t->first + first);
        else model_eval(m, &in, t->first + first);
    }
    ModelConfig of = v->only ? origins_config(v->only, &m->c) : m->c;
    count(&of, b, t, naive);
    t->first += b->nseg;
    return backend_sync(m->b, e);                     /* the batch is the loader's again after the next one is asked for */
}

static int all_batches(const Validation *v, Loader *l, Model *m, Feed *f, Tally *t, int naive, Err *e)
{
    const Batch *b = NULL;
    for (int64_t i = 0; i < v->batches; i++) {
        if (loader_next(l, &b, e)) return -1;
        if (!b) return 0;
        if (one_batch(v, m, f, b, t, naive, e)) return -1;
    }
    return 0;
}

static double mean(double sum, int64_t n) { return sum / (double)(n > 1 ? n : 1); }

static void finish(const Model *m, const Tally *t, const StepSum *sum, Score *s)
{
    *s = (Score){.aux = config_routers(&m->c) ? sum->aux : 0, .mae = mean(sum->abs, t->targets), .mse = mean(sum->sq, t->targets), .targets = t->targets};
    for (int j = 0; j < m->c.nh; j++) s->pred += mean(sum->huber[j], t->valid[j]) / m->c.nh;
}

int validate(const Validation *v, Model *m, Feed *f, Score *s, Score *naive, Err *e)
{
    Loader *l;
    StepSum sum;
    Tally t = {.first = 0};
    if (loader_open(&l, &v->stream, 0, v->workers, VALIDATION_PREFETCH, e)) return -1;
    model_eval_begin(m);
    int bad = all_batches(v, l, m, f, &t, naive != NULL, e);
    loader_close(l);
    picked_free(&t.picked);
    if (bad) return err_wrap(e, "%s", v->name);
    model_eval_end(m);
    if (model_read(m, &m->eval, &sum, e)) return -1;
    finish(m, &t, &sum, s);
    if (naive) *naive = (Score){.mae = mean(t.abs, t.naive_targets), .mse = mean(t.sq, t.naive_targets), .targets = t.naive_targets};
    return 0;
}
