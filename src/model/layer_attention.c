/* layer_attention.c - h += W_o Attention(RMSNorm(h)): q, k, v with bias, output without (spec, Forward pass). */
#include "model/layers.h"

void attention_declare(Block *k, Plan *p, const ModelConfig *c, int l)
{
    int d = c->D / c->H, kv = c->Hk * d;
    k->norm = plan_vector(p, c->D, INIT_ONE, "model.layers.%d.input_layernorm.weight", l);
    k->qkv = plan_book(p, 1, c->D + 2 * kv, c->D, 0);
    plan_name(p, &k->qkv, 0, c->D, INIT_NORMAL, "model.layers.%d.self_attn.q_proj.weight", l);
    plan_name(p, &k->qkv, c->D, kv, INIT_NORMAL, "model.layers.%d.self_attn.k_proj.weight", l);
    plan_name(p, &k->qkv, c->D + kv, kv, INIT_NORMAL, "model.layers.%d.self_attn.v_proj.weight", l);
    k->bias = plan_book(p, 1, c->D + 2 * kv, 0, 1);
    plan_name(p, &k->bias, 0, c->D, INIT_ZERO, "model.layers.%d.self_attn.q_proj.bias", l);
    plan_name(p, &k->bias, c->D, kv, INIT_ZERO, "model.layers.%d.self_attn.k_proj.bias", l);
    plan_name(p, &k->bias, c->D + kv, kv, INIT_ZERO, "model.layers.%d.self_attn.v_proj.bias", l);
    k->o = plan_matrix(p, c->D, c->D, 0, "model.layers.%d.self_attn.o_proj.weight", l);
}

static Attn attn_of(const ModelConfig *c) { return (Attn){c->H, c->Hk, c->D / c->H, c->theta}; }

/* From the normed input in m->xn to the attention output, before the output product. */
static void attend(Model *m, int l, const Input *in)
{
    const Ops *op = &m->b->ops;
    BlockActs *a = &m->acts[l];
    Weight qkv = weight_of(&m->flat, m->block[l].qkv);
    Attn at = attn_of(&m->c);
    op->linear(m->b, mat_head(a->qkv, in->ntok), mat_head(m->xn, in->ntok), &qkv, vec_of(&m->flat, m->block[l].bias), SET, in);
    op->attention(m->b, mat_head(a->o, in->ntok), a->lse, mat_head(a->qkv, in->ntok), &at, in);
}

void attention_forward(Model *m, int l, const Input *in)
{
    int n = in->ntok;
    double began = part_begin(m);
    BlockActs *a = &m->acts[l];
    Weight o = weight_of(&m->flat, m->block[l].o);
    m->b->ops.norm(m->b, mat_head(m->xn, n), mat_head(a->keep, n), a->rstd, mat_head(m->h, n), vec_of(&m->flat, m->block[l].norm), m->c.eps);
    tap(m, l, 0, "norm", mat_head(m->xn, n));
    attend(m, l, in);
    tap(m, l, 0, "qkv", mat_head(a->qkv, n));
    tap(m, l, 0, "attention", mat_head(a->o, n));
    m->b->ops.linear(m->b, mat_head(m->h, n), mat_head(a->o, n), &o, (Vec){0}, ADD, in);
    tap(m, l, 0, "attn_h", mat_head(m->h, n));
    part_end(m, "attention", -1, began);
}

void attention_infer(Model *m, int l, KvCache *kv, const Input *in, const Input *last, const int *row)
{
    int n = in->ntok;
    const Ops *op = &m->b->ops;
    BlockActs *a = &m->acts[l];
    Weight o = weight_of(&m->flat, m->block[l].o), qkv = weight_of(&m->flat, m->block[l].qkv);
    Attn at = attn_of(&m->c);
    op->norm(m->b, mat_head(m->xn, n), mat_head(a->keep, n), a->rstd, mat_head(m->h, n), vec_of(&m->flat, m->block[l].norm), m->c.eps);
    op->linear(m->b, mat_head(a->qkv, n), mat_head(m->xn, n), &qkv, vec_of(&m->flat, m->block[l].bias), SET, in);
    op->attend_cache(m->b, mat_head(a->o, n), kv, l, mat_head(a->qkv, n), &at, in);
    if (row) {
        n = last->ntok;
        op->rows(m->b, mat_head(m->h, n), m->h, row);
        op->rows(m->b, mat_head(a->o, n), a->o, row);
    }
    op->linear(m->b, mat_head(m->h, n), mat_head(a->o, n), &o, (Vec){0}, ADD, row ? last : in);
}

void attention_backward(Model *m, int l, const Input *in)
{
    int n = in->ntok;
    double began = part_begin(m);
    const Ops *op = &m->b->ops;
    BlockActs *a = &m->acts[l];
    Vec norm = vec_of(&m->flat, m->block[l].norm);
    Weight o = weight_of(&m->flat, m->block[l].o), qkv = weight_of(&m->flat, m->block[l].qkv);
    Attn at = attn_of(&m->c);
    Mat xn = mat_head(m->xn, n), dxn = mat_head(m->dxn, n), d_o = mat_head(m->d_o, n), dh = mat_head(m->h, n), keep = mat_head(a->keep, n);
    Mat dqkv = {m->rows.p, n, a->qkv.cols, a->qkv.cols, a->qkv.type};

    op->norm(m->b, xn, (Mat){0}, a->rstd, keep, norm, m->c.eps);
    if (m->recompute == RECOMPUTE_LAYER) attend(m, l, in);
    op->linear_dx(m->b, d_o, dh, &o, in);
    op->linear_dw(m->b, &o, (Vec){0}, dh, mat_head(a->o, n), in);
    op->attention_bwd(m->b, dqkv, d_o, mat_head(a->o, n), a->lse, mat_head(a->qkv, n), &at, in);
    op->linear_dw(m->b, &qkv, vec_of(&m->flat, m->block[l].bias), dqkv, xn, in);
    op->linear_dx(m->b, dxn, dqkv, &qkv, in);
    op->norm_bwd(m->b, dh, dxn, keep, a->rstd, norm, in);
    part_end(m, "attention", -1, began);
}
