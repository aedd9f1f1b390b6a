/* layer.c - see ops.h */
#include <stdlib.h>

#include "ops.h"
#include "util/rng.h"

static int fill_batch(Batch *x, const Size *s, Err *e)
{
    int each = s->C + 1, n = s->batch;
    size_t points = (size_t)each * (size_t)n;
    *x = (Batch){.nseg = n, .npoints = (int64_t)points, .windows = n};
    x->points = malloc(points * sizeof *x->points);
    x->pt = malloc((size_t)n * sizeof *x->pt);
    x->npt = malloc((size_t)n * sizeof *x->npt);
    if (!x->points || !x->pt || !x->npt) return err_nomem(e, points * sizeof *x->points, "points to measure with");
    for (int i = 0; i < n; i++) {
        x->pt[i] = i * each;
        x->npt[i] = each;
    }
    for (size_t i = 0; i < points; i++) x->points[i] = (float)rng_normal(1, RNG_TEST, i);
    return 0;
}

/* A whole step, then its forward half again: every buffer is as it is when backward begins. */
static int warm(Layer *l, Err *e)
{
    int first;
    StepSum sums;
    if (feed_batch(&l->feed, &l->batch, e)) return -1;
    (void)feed_next(&l->feed, &l->in, &first);
    if (model_reserve(l->m, l->in.ntok, l->in.nchunk, l->in.longest, RECOMPUTE_NONE, e)) return -1;
    Dims d = model_dims(&l->m->c, l->in.ntok, l->in.nchunk, l->in.longest);
    if (backend_reserve(l->b[ONE], &d, e)) return -1;
    model_init(l->m, 1);
    model_begin(l->m);
    model_train(l->m, &l->in, first, l->feed.valid, 0);
    return model_read(l->m, &l->m->train, &sums, e);
}

int layer_open(Layer *l, const Bench *b, const Size *s, Dtype type, Err *e)
{
    ModelConfig c;
    *l = (Layer){0};
    if (size_config(s, &c, e)) return -1;
    c.L = 1;
    feed_init(&l->feed, NULL, s->C * s->batch + CHUNK, 0);
    int bad = fill_batch(&l->batch, s, e) || backend_open(&l->b[ONE], "cpu", type, 1, e) || backend_open(&l->b[ALL], "cpu", type, b->threads, e)
           || model_open(&l->m, &c, l->b[ALL], 1, e);
    if (!bad) {
        l->feed.c = &l->m->c;
        bad = warm(l, e);
    }
    if (bad) layer_close(l);
    return bad ? -1 : 0;
}

void layer_close(Layer *l)
{
    model_close(l->m);
    backend_close(l->b[ONE]);
    backend_close(l->b[ALL]);
    feed_free(&l->feed);
    free(l->batch.points);
    free(l->batch.pt);
    free(l->batch.npt);
    *l = (Layer){0};
}
