/* layer_moe.c - h += mixture of experts over RMSNorm(h): top-k routed experts, not renormalised, and a shared one with a
 * sigmoid gate; or, when the model is dense, one gated MLP. No token is dropped: rows = K * tokens, exactly. */
#include "model/layers.h"

#include <stdio.h>

static void names(char prefix[64], char norm[96], int layer, int mixture)
{
    if (mixture) {
        snprintf(prefix, 64, "model.layers.%d.extra_ffn.%d", layer, mixture);
        snprintf(norm, 96, "%s.layernorm.weight", prefix);
    } else {
        snprintf(prefix, 64, "model.layers.%d.ffn_layer", layer);
        snprintf(norm, 96, "model.layers.%d.post_attention_layernorm.weight", layer);
    }
}

static Param experts(Plan *p, int groups, int out, int in, const char *prefix, const char *leaf)
{
    Param t = plan_book(p, groups, out, in, 0);
    for (int g = 0; g < groups; g++)
        plan_name(p, &t, g * out, out, INIT_NORMAL, "%s.experts.%d.%s.weight", prefix, g, leaf);
    return t;
}

void moe_declare(Moe *x, Plan *p, const ModelConfig *c, int layer, int mixture)
{
    char prefix[64], norm[96];
    names(prefix, norm, layer, mixture);
    x->norm = plan_vector(p, c->D, INIT_ONE, "%s", norm);
    const char *shared = c->dense ? "" : ".shared_expert";
    if (!c->dense) {
        x->gate = plan_matrix(p, c->E, c->D, 1, "%s.gate.weight", prefix);
        x->eg = experts(p, c->E, c->Fe, c->D, prefix, "gate_proj");
        x->eu = experts(p, c->E, c->Fe, c->D, prefix, "up_proj");
        x->ed = experts(p, c->E, c->D, c->Fe, prefix, "down_proj");
        x->share = plan_matrix(p, 1, c->D, 1, "%s.shared_expert_gate.weight", prefix);
    }
    x->sg = plan_matrix(p, c->F, c->D, 0, "%s%s.gate_proj.weight", prefix, shared);
    x->su = plan_matrix(p, c->F, c->D, 0, "%s%s.up_proj.weight", prefix, shared);
    x->sd = plan_matrix(p, c->D, c->F, 0, "%s%s.down_proj.weight", prefix, shared);
}

static Ffn ffn_of(const Flat *f, Param gate, Param up, Param down)
{
    return (Ffn){weight_of(f, gate), weight_of(f, up), weight_of(f, down)};
}

/* Outputs or gradients of the rows: the routed ones first, then one per token of the shared expert. */
static Mat routed_rows(const Model *m, int n) { return (Mat){m->rows.p, m->c.dense ? 0 : m->c.K * n, m->c.D, m->c.D, m->rows.type}; }
static Mat shared_rows(const Model *m, int n)
{
    size_t skip = (size_t)(m->c.dense ? 0 : m->c.K) * (size_t)n * (size_t)m->c.D * dtype_size(m->rows.type);
    return (Mat){(char *)m->rows.p + skip, n, m->c.D, m->c.D, m->rows.type};
}

static Router router_of(const Model *m, const Moe *x)
{
    return (Router){weight_of(&m->flat, x->gate), weight_of(&m->flat, x->share), vec_of(&m->flat, x->norm), m->c.eps};
}

/* The normalised rows, and who computes what of them. */
static void route(Model *m, int l, int b, const Meter *t, const Input *in)
{
    int n = in->ntok;
    MoeActs *a = &m->acts[l].moe[b];
    Router r = router_of(m, &m->block[l].moe[b]);
    m->b->ops.norm_route(m->b, &a->route, balance_of(t, m, l, b), mat_head(m->xn, n), mat_head(a->keep, n), a->rstd, mat_head(m->h, n), &r, in);
    tap(m, l, b, "prob", (Mat){a->route.prob, in->ntok, m->c.E, m->c.E, F32});
    tap(m, l, b, "share", (Mat){a->route.shared.scale, in->ntok, 1, 1, F32});
    tap(m, l, b, "expert", (Mat){a->route.expert, in->ntok, m->c.K, m->c.K, F32});
    m->b->ops.dispatch(m->b, &a->route, balance_of(t, m, l, b), in);
}

void moe_forward(Model *m, int l, int b, const Meter *t, const Input *in)
{
    int n = in->ntok;
    double began = part_begin(m);
    const Ops *op = &m->b->ops;
    const Moe *x = &m->block[l].moe[b];
    MoeActs *a = &m->acts[l].moe[b];
    Mat h = mat_head(m->h, n), xn = mat_head(m->xn, n), y = routed_rows(m, n), ys = shared_rows(m, n);
    a->route.shared.n = n;
    a->route.routed.n = y.rows;
    if (m->c.dense) op->norm(m->b, xn, mat_head(a->keep, n), a->rstd, h, vec_of(&m->flat, x->norm), m->c.eps);
    else {
        Ffn experts_w = ffn_of(&m->flat, x->eg, x->eu, x->ed);
        route(m, l, b, t, in);
        op->ffn(m->b, y, mat_head(a->keep_e, y.rows), xn, &experts_w, &a->route.routed, in);
    }
    tap(m, l, b, "moe_norm", xn);
    Ffn shared = ffn_of(&m->flat, x->sg, x->su, x->sd);
    op->ffn(m->b, ys, mat_head(a->keep_s, n), xn, &shared, &a->route.shared, in);
    op->combine(m->b, h, y, ys, &a->route, in);
    tap(m, l, b, "moe_h", h);
    part_end(m, "mixture", b, began);
}

void moe_backward(Model *m, int l, int b, const Meter *t, double aux_coef, const Input *in)
{
    int n = in->ntok;
    double began = part_begin(m);
    const Ops *op = &m->b->ops;
    const Moe *x = &m->block[l].moe[b];
    MoeActs *a = &m->acts[l].moe[b];
    Vec norm = vec_of(&m->flat, x->norm);
    Mat dh = mat_head(m->h, n), xn = mat_head(m->xn, n), dxn = mat_head(m->dxn, n), dy = routed_rows(m, n), dys = shared_rows(m, n);
    Mat keep = mat_head(a->keep, n);
    op->norm(m->b, xn, (Mat){0}, a->rstd, keep, norm, m->c.eps);
    if (!m->c.dense) {
        Ffn experts_w = ffn_of(&m->flat, x->eg, x->eu, x->ed);
        op->ffn_bwd(m->b, dy, dh, mat_head(a->keep_e, dy.rows), xn, &experts_w, &a->route.routed, in);
    }
    Ffn shared = ffn_of(&m->flat, x->sg, x->su, x->sd);
    op->ffn_bwd(m->b, dys, dh, mat_head(a->keep_s, n), xn, &shared, &a->route.shared, in);
    op->combine_bwd(m->b, dxn, dy, dys, &a->route, in);
    if (!m->c.dense) {
        Router r = router_of(m, x);
        op->route_bwd(m->b, dxn, xn, &r, &a->route, balance_of(t, m, l, b), aux_coef, in);
    }
    op->norm_bwd(m->b, dh, dxn, keep, a->rstd, norm, in);
    part_end(m, "mixture", b, began);
}
