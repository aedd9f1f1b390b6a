/* acts.c - where activations lie: what is kept from forward to backward per layer, and what all layers share. */
#include "model/layers.h"

#include <stdlib.h>

static void *carve(Carve *c, size_t bytes)
{
    size_t *used = c->keeping ? &c->kept : &c->once;
    void *p = c->base ? c->base + c->kept + c->once : NULL;
    *used += (bytes + 63) / 64 * 64;
    return p;
}

static Mat mat(Carve *c, int rows, int cols, Dtype type)
{
    return (Mat){carve(c, (size_t)rows * (size_t)cols * dtype_size(type)), rows, cols, cols, type};
}

static float *floats(Carve *c, size_t n) { return carve(c, n * sizeof(float)); }
static int *ints(Carve *c, size_t n) { return carve(c, n * sizeof(int)); }

static void place_route(Route *r, Carve *c, const ModelConfig *mc, size_t n, size_t chunks)
{
    size_t K = (size_t)mc->K, E = (size_t)mc->E;
    *r = (Route){.E = mc->E, .K = mc->K};
    r->prob = floats(c, n * E);
    r->expert = ints(c, n * K);
    r->row = ints(c, n * K);
    r->routed = (Rows){.start = ints(c, E * chunks), .count = ints(c, E * chunks), .token = ints(c, n * K),
                       .scale = floats(c, n * K), .dscale = floats(c, n * K)};
    r->shared = (Rows){.scale = floats(c, n), .dscale = floats(c, n)};
}

static void place_moe(Model *m, MoeActs *a, Carve *c, int n, int chunks, Recompute r)
{
    const ModelConfig *mc = &m->c;
    Dtype t = m->b->dtype;
    *a = (MoeActs){.keep = mat(c, n, mc->D, t), .rstd = floats(c, (size_t)n)};
    if (mc->dense) a->route = (Route){0};
    else place_route(&a->route, c, mc, (size_t)n, (size_t)chunks);
    if (r != RECOMPUTE_NONE) return;
    if (!mc->dense) a->keep_e = mat(c, mc->K * n, 2 * mc->Fe, t);
    a->keep_s = mat(c, n, 2 * mc->F, t);
}

static void place_qkv(Carve *c, const ModelConfig *mc, Dtype t, int n, Mat *qkv, Mat *o, float **lse)
{
    *qkv = mat(c, n, (mc->H + 2 * mc->Hk) * (mc->D / mc->H), t);
    *o = mat(c, n, mc->D, t);
    *lse = floats(c, (size_t)n * (size_t)mc->H);
}

/* dqkv uses the memory of the expert rows: the two are never alive together. */
static void place_once(Model *m, Carve *c, int n)
{
    const ModelConfig *mc = &m->c;
    Dtype t = m->b->dtype;
    int qkv = (mc->H + 2 * mc->Hk) * (mc->D / mc->H), rows = ((mc->dense ? 0 : mc->K) + 1) * mc->D;
    m->h = mat(c, n, mc->D, F32);
    m->xn = mat(c, n, mc->D, t);
    if (m->recompute != FORWARD_ONLY) {
        m->dxn = mat(c, n, mc->D, t);
        m->d_o = mat(c, n, mc->D, t);
    }
    m->rows = mat(c, n, rows > qkv ? rows : qkv, t);
    m->keep = mat(c, n, mc->D, t);
    m->rstd = floats(c, (size_t)n);
    if (m->recompute >= RECOMPUTE_LAYER) place_qkv(c, mc, t, n, &m->qkv, &m->o, &m->lse);
}

static void place_layer(Model *m, int l, Carve *c, int n, int chunks)
{
    BlockActs *a = &m->acts[l];
    a->keep = mat(c, n, m->c.D, m->b->dtype);
    a->rstd = floats(c, (size_t)n);
    if (m->recompute >= RECOMPUTE_LAYER) { a->qkv = m->qkv; a->o = m->o; a->lse = m->lse; }
    else place_qkv(c, &m->c, m->b->dtype, n, &a->qkv, &a->o, &a->lse);
    for (int b = 0; b < m->c.B; b++) place_moe(m, &a->moe[b], c, n, chunks, m->recompute);
}

/* On a way without return all layers use what the first has. */
static void share_layer(Model *m, int l)
{
    MoeActs *own = m->acts[l].moe;
    m->acts[l] = m->acts[0];
    m->acts[l].moe = own;
    for (int b = 0; b < m->c.B; b++) own[b] = m->acts[0].moe[b];
}

void acts_place(Model *m, Carve *c, int n, int chunks, Recompute r)
{
    m->recompute = r;
    c->keeping = 0;
    place_once(m, c, n);
    c->keeping = 1;
    for (int l = 0; l < m->c.L; l++) {
        if (l && r == FORWARD_ONLY) share_layer(m, l);
        else place_layer(m, l, c, n, chunks);
    }
}
