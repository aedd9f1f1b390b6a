/* timemoe.c - the model as a list of calls: forward, loss, backward, update (spec, Forward pass and Loss). */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "model/layers.h"

static void forward(Model *m, const Input *in, const Meter *t)
{
    int n = in->ntok;
    double began = part_begin(m);
    Weight g = weight_of(&m->flat, m->embed_g), x = weight_of(&m->flat, m->embed_e);
    assert(n <= m->cap_tokens && in->nchunk <= m->cap_chunks);
    m->b->ops.embed(m->b, mat_head(m->h, n), &g, &x, in);
    tap(m, 0, 0, "embed", mat_head(m->h, n));
    for (int l = 0; l < m->c.L; l++) {
        double layer = part_begin(m);
        attention_forward(m, l, in);
        for (int b = 0; b < m->c.B; b++) moe_forward(m, l, b, t, in);
        part_end(m, "layer", l, layer);
    }
    m->b->ops.norm(m->b, mat_head(m->xn, n), mat_head(m->keep, n), m->rstd, mat_head(m->h, n), vec_of(&m->flat, m->norm), m->c.eps);
    tap(m, 0, 0, "final", mat_head(m->xn, n));
    part_end(m, "forward", -1, began);
}

/* From the gradient of the last norm's output in m->dxn down to the points. */
static void backward(Model *m, const Input *in, double aux_coef)
{
    int n = in->ntok;
    double began = part_begin(m);
    Mat dh = mat_head(m->h, n);
    Weight g = weight_of(&m->flat, m->embed_g), x = weight_of(&m->flat, m->embed_e);
    m->b->ops.zero(m->b, dh.p, (size_t)n * (size_t)m->c.D * sizeof(float));
    m->b->ops.norm_bwd(m->b, dh, mat_head(m->dxn, n), mat_head(m->keep, n), m->rstd, vec_of(&m->flat, m->norm), in);
    for (int l = m->c.L; l-- > 0;) {
        double layer = part_begin(m);
        for (int b = m->c.B; b-- > 0;) moe_backward(m, l, b, &m->train, aux_coef, in);
        attention_backward(m, l, in);
        part_end(m, "layer", l, layer);
    }
    m->b->ops.embed_bwd(m->b, dh, &g, &x, in);
    part_end(m, "backward", -1, began);
}

static Heads heads_of(const Model *m, const int64_t *valid)
{
    Heads h = {.w = weight_of(&m->flat, m->heads), .n = m->c.nh, .delta = 2};
    for (int j = 0; j < h.n; j++) {
        h.h[j] = m->c.horizon[j];
        if (valid) h.scale[j] = 1.0 / ((double)h.n * (double)(valid[j] > 1 ? valid[j] : 1));
    }
    return h;
}

static void sums_begin(Model *m, Meter *t)
{
    StepSum zero = {.bad_seg = -1};
    backend_upload(m->b, t->sum, &zero, sizeof zero);
}

static void first_segment_is(Model *m, Meter *t, int first)
{
    backend_upload(m->b, (char *)t->sum + offsetof(StepSum, seg0), &first, sizeof first);
}

void model_begin(Model *m)
{
    m->b->ops.zero(m->b, m->flat.g, m->flat.n * sizeof(float));
    sums_begin(m, &m->train);
}

void model_train(Model *m, const Input *host, int first_segment, const int64_t *valid, double aux_coef)
{
    Heads h = heads_of(m, valid);
    Input mine = *host, *in = &mine;
    if (!in->ntok) return;
    backend_input(m->b, in);
    first_segment_is(m, &m->train, first_segment);
    forward(m, in, &m->train);
    m->b->ops.heads_loss(m->b, m->train.sum, mat_head(m->dxn, in->ntok), mat_head(m->xn, in->ntok), &h, in);
    backward(m, in, aux_coef);
}

void model_update(Model *m, const AdamW *h)
{
    double began = part_begin(m);
    m->b->ops.sumsq(m->b, m->train.sum, m->flat.g, m->flat.n);
    m->b->ops.adamw(m->b, m->train.sum, &m->flat, m->decay, m->ndecay, h);
    m->b->ops.balance(m->b, m->train.sum, m->train.balance, config_routers(&m->c), m->c.E, m->c.K, 1);
    part_end(m, "update", -1, began);
}

void model_eval_begin(Model *m) { sums_begin(m, &m->eval); }

static void eval_forward(Model *m, const Input *in, int first_segment)
{
    first_segment_is(m, &m->eval, first_segment);
    forward(m, in, &m->eval);
}

static void eval_loss(Model *m, const Input *in)
{
    Heads h = heads_of(m, NULL);
    m->b->ops.heads_loss(m->b, m->eval.sum, (Mat){0}, mat_head(m->xn, in->ntok), &h, in);
}

void model_eval(Model *m, const Input *host, int first_segment)
{
    Input in = *host;
    if (!in.ntok) return;
    backend_input(m->b, &in);
    eval_forward(m, &in, first_segment);
    eval_loss(m, &in);
}

void model_eval_rows(Model *m, const Input *host, const Input *host_some, const int *row, int first_segment)
{
    Input in = *host, some = *host_some;
    if (!in.ntok) return;
    backend_input(m->b, &in);
    eval_forward(m, &in, first_segment);
    if (!some.ntok) return;
    backend_input(m->b, &some);
    m->b->ops.rows(m->b, mat_head(m->xn, some.ntok), mat_head(m->xn, in.ntok), row);
    eval_loss(m, &some);
}

void model_eval_end(Model *m)
{
    m->b->ops.balance(m->b, m->eval.sum, m->eval.balance, config_routers(&m->c), m->c.E, m->c.K, 0);
}

int model_read(Model *m, const Meter *t, StepSum *out, Err *e)
{
    if (backend_sync(m->b, e)) return -1;
    backend_download(m->b, out, t->sum, sizeof *out);
    return 0;
}

/* The shares of all routers lie one behind the other. A router has a few experts and a model a few dozen routers: one transfer. */
void model_share(Model *m, const Meter *t, double *share)
{
    float f[256];
    int n = config_routers(&m->c) * m->c.E;
    for (int at = 0; at < n; at += 256) {
        int k = n - at < 256 ? n - at : 256;
        backend_download(m->b, f, t->balance[0].share + at, (size_t)k * sizeof *f);
        for (int i = 0; i < k; i++) share[at + i] = (double)f[i];
    }
}

void model_set_share(Model *m, const double *share)
{
    int n = config_routers(&m->c) * m->c.E;
    for (int i = 0; i < n; i++) {
        float f = (float)share[i];
        backend_upload(m->b, m->train.balance[0].share + i, &f, sizeof f);
    }
}
