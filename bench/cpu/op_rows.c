/* op_rows.c - the ops of a training step, one function each: it runs the op as the model does and says what that costs at least.
 * Operations are those of the model: an attention that makes its scores again in the backward pass gets no credit for it. */
#include "model/layers.h"
#include "ops.h"

/* What every row needs. T: bytes of an activation, n tokens. */
#define HERE                                                                                              \
    const Model *m = l->m;                                                                                \
    const Input *in = &l->in;                                                                             \
    const ModelConfig *c = &m->c;                                                                         \
    const BlockActs *a = m->acts;                                                                         \
    const MoeActs *x = a->moe;                                                                            \
    const Block *k = m->block;                                                                            \
    const Flat *f = &m->flat;                                                                             \
    int rows = in->ntok;                                                                                  \
    double n = rows, D = c->D, T = (double)dtype_size(b->dtype);                                          \
    Mat h = mat_head(m->h, rows), xn = mat_head(m->xn, rows), dxn = mat_head(m->dxn, rows);               \
    Mat qkv = mat_head(a->qkv, rows), dqkv = {m->rows.p, rows, a->qkv.cols, a->qkv.cols, a->qkv.type};    \
    (void)c; (void)x; (void)k; (void)f; (void)n; (void)D; (void)T; (void)h; (void)xn; (void)dxn; (void)qkv; (void)dqkv
#define ROW(name) static OpCost name(const Layer *l, Backend *b)

static OpCost product(double rows, double out, double in) { return (OpCost){.flops = 2 * rows * out * in}; }
static OpCost moved(double bytes) { return (OpCost){.bytes = bytes}; }

ROW(embed)
{
    HERE;
    Weight g = weight_of(f, m->embed_g), e = weight_of(f, m->embed_e);
    b->ops.embed(b, h, &g, &e, in);
    return moved(4 * n * (D + c->P));
}

ROW(embed_bwd)
{
    HERE;
    Weight g = weight_of(f, m->embed_g), e = weight_of(f, m->embed_e);
    b->ops.embed_bwd(b, h, &g, &e, in);
    return moved(4 * n * (D + c->P));
}

ROW(norm)
{
    HERE;
    b->ops.norm(b, xn, mat_head(a->keep, rows), a->rstd, h, vec_of(f, k->norm), c->eps);
    return moved(n * D * (4 + 2 * T));
}

ROW(norm_bwd)
{
    HERE;
    b->ops.norm_bwd(b, h, dxn, mat_head(a->keep, rows), a->rstd, vec_of(f, k->norm), in);
    return moved(n * D * (8 + 2 * T));
}

ROW(qkv)
{
    HERE;
    Weight w = weight_of(f, k->qkv);
    b->ops.linear(b, qkv, xn, &w, vec_of(f, k->bias), SET, in);
    return product(n, w.out, w.in);
}

ROW(qkv_dx)
{
    HERE;
    Weight w = weight_of(f, k->qkv);
    b->ops.linear_dx(b, dxn, dqkv, &w, in);
    return product(n, w.out, w.in);
}

ROW(qkv_dw)
{
    HERE;
    Weight w = weight_of(f, k->qkv);
    b->ops.linear_dw(b, &w, vec_of(f, k->bias), dqkv, xn, in);
    return product(n, w.out, w.in);
}

ROW(out)
{
    HERE;
    Weight w = weight_of(f, k->o);
    b->ops.linear(b, h, mat_head(a->o, rows), &w, (Vec){0}, ADD, in);
    return product(n, w.out, w.in);
}

ROW(out_dx)
{
    HERE;
    Weight w = weight_of(f, k->o);
    b->ops.linear_dx(b, mat_head(m->d_o, rows), h, &w, in);
    return product(n, w.out, w.in);
}

ROW(out_dw)
{
    HERE;
    Weight w = weight_of(f, k->o);
    b->ops.linear_dw(b, &w, (Vec){0}, h, mat_head(a->o, rows), in);
    return product(n, w.out, w.in);
}

/* Two products, forward, of all (query, key) pairs; twice that backward. */
static OpCost attended(const Layer *l, double products) { return (OpCost){.flops = products * 2 * l->feed.pairs * l->m->c.D}; }

ROW(attention)
{
    HERE;
    Attn at = {c->H, c->Hk, c->D / c->H, c->theta};
    b->ops.attention(b, mat_head(a->o, rows), a->lse, qkv, &at, in);
    return attended(l, 2);
}

ROW(attention_bwd)
{
    HERE;
    Attn at = {c->H, c->Hk, c->D / c->H, c->theta};
    b->ops.attention_bwd(b, dqkv, mat_head(m->d_o, rows), mat_head(a->o, rows), a->lse, qkv, &at, in);
    return attended(l, 4);
}

static Router router(const Flat *f, const Moe *x, float eps)
{
    return (Router){weight_of(f, x->gate), weight_of(f, x->share), vec_of(f, x->norm), eps};
}

/* A norm and a narrow product that could read each row once: bound by memory. */
ROW(norm_route)
{
    HERE;
    Router r = router(f, k->moe, c->eps);
    Route to = x->route;
    b->ops.norm_route(b, &to, balance_of(&m->train, m, 0, 0), xn, mat_head(x->keep, rows), x->rstd, h, &r, in);
    return moved(n * (D * (4 + 2 * T) + 4 * c->E + 4 * c->K));
}

ROW(route_bwd)
{
    HERE;
    Router r = router(f, k->moe, c->eps);
    b->ops.route_bwd(b, dxn, xn, &r, &x->route, balance_of(&m->train, m, 0, 0), 0, in);
    return moved(n * (3 * T * D + 4 * c->E + 8 * c->K));
}

ROW(dispatch)
{
    HERE;
    Route to = x->route;
    b->ops.dispatch(b, &to, balance_of(&m->train, m, 0, 0), in);
    return moved(20 * n * c->K);
}

static Mat routed(const Model *m, int rows) { return (Mat){m->rows.p, rows, m->c.D, m->c.D, m->rows.type}; }
static Mat shared(const Model *m, int routed_rows, int rows)
{
    return (Mat){(char *)m->rows.p + (size_t)routed_rows * (size_t)m->c.D * dtype_size(m->rows.type), rows, m->c.D, m->c.D, m->rows.type};
}
static Ffn experts(const Flat *f, const Moe *x) { return (Ffn){weight_of(f, x->eg), weight_of(f, x->eu), weight_of(f, x->ed)}; }
static Ffn shared_expert(const Flat *f, const Moe *x) { return (Ffn){weight_of(f, x->sg), weight_of(f, x->su), weight_of(f, x->sd)}; }
static OpCost three(double rows, double D, double F, double times) { return (OpCost){.flops = times * 6 * rows * D * F}; }

ROW(ffn_experts)
{
    HERE;
    Ffn w = experts(f, k->moe);
    int R = c->K * rows;
    b->ops.ffn(b, routed(m, R), mat_head(x->keep_e, R), xn, &w, &x->route.routed, in);
    return three(R, D, c->Fe, 1);
}

ROW(ffn_shared)
{
    HERE;
    Ffn w = shared_expert(f, k->moe);
    b->ops.ffn(b, shared(m, c->K * rows, rows), mat_head(x->keep_s, rows), xn, &w, &x->route.shared, in);
    return three(n, D, c->F, 1);
}

ROW(ffn_bwd_experts)
{
    HERE;
    Ffn w = experts(f, k->moe);
    int R = c->K * rows;
    b->ops.ffn_bwd(b, routed(m, R), h, mat_head(x->keep_e, R), xn, &w, &x->route.routed, in);
    return three(R, D, c->Fe, 2);
}

ROW(ffn_bwd_shared)
{
    HERE;
    Ffn w = shared_expert(f, k->moe);
    b->ops.ffn_bwd(b, shared(m, c->K * rows, rows), h, mat_head(x->keep_s, rows), xn, &w, &x->route.shared, in);
    return three(n, D, c->F, 2);
}

ROW(combine)
{
    HERE;
    int R = c->K * rows;
    b->ops.combine(b, h, routed(m, R), shared(m, R, rows), &x->route, in);
    return moved(n * D * (8 + T * (c->K + 1)));
}

ROW(combine_bwd)
{
    HERE;
    int R = c->K * rows;
    b->ops.combine_bwd(b, dxn, routed(m, R), shared(m, R, rows), &x->route, in);
    return moved(n * D * T * (c->K + 2));
}

ROW(heads_loss)
{
    HERE;
    Heads w = {.w = weight_of(f, m->heads), .n = c->nh, .delta = 2};
    for (int j = 0; j < w.n; j++) {
        w.h[j] = c->horizon[j];
        w.scale[j] = 1.0 / ((double)w.n * (double)l->feed.valid[j]);
    }
    b->ops.heads_loss(b, m->train.sum, dxn, xn, &w, in);
    return product(3 * n, w.w.out, w.w.in);
}

ROW(sumsq)
{
    HERE;
    b->ops.sumsq(b, m->train.sum, f->g, f->n);
    return moved(4.0 * (double)f->n);
}

/* With a rate of 0 the parameters are written but stay what they are. */
ROW(adamw)
{
    HERE;
    AdamW w = {.beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = 1, .step = 1};
    b->ops.adamw(b, m->train.sum, f, m->decay, m->ndecay, &w);
    return moved(28.0 * (double)f->n);
}

/* In an order in which each finds what it needs. */
const OpRow op_rows[] = {
    {"embed", 0, embed}, {"norm", 0, norm}, {"linear qkv", 0, qkv}, {"attention", 1, attention}, {"linear out", 0, out}, {"norm_route", 0, norm_route},
    {"dispatch", 0, dispatch}, {"ffn, experts", 0, ffn_experts}, {"ffn, shared", 0, ffn_shared}, {"combine", 0, combine}, {"heads_loss, with gradients", 0, heads_loss},
    {"ffn_bwd, experts", 0, ffn_bwd_experts}, {"ffn_bwd, shared", 0, ffn_bwd_shared}, {"combine_bwd", 0, combine_bwd}, {"route_bwd", 0, route_bwd},
    {"norm_bwd", 0, norm_bwd}, {"linear_dx out", 0, out_dx}, {"linear_dw out", 0, out_dw}, {"attention_bwd", 1, attention_bwd}, {"linear_dx qkv", 0, qkv_dx},
    {"linear_dw qkv", 0, qkv_dw}, {"embed_bwd", 0, embed_bwd}, {"sumsq", 0, sumsq}, {"adamw", 0, adamw},
};
const int nop_rows = (int)(sizeof op_rows / sizeof *op_rows);
