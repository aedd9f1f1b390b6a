/* infer.c - see infer.h */
#include "model/infer.h"

#include <assert.h>
#include <stdlib.h>

#include "model/layers.h"

static KvCache cache_of(const ModelConfig *c, int slots, int cap)
{
    return (KvCache){.layers = c->L, .slots = slots, .cap = cap, .Hk = c->Hk, .d = c->D / c->H};
}

static size_t out_bytes(const Infer *f) { return (size_t)f->kv.slots * (size_t)config_outputs(&f->m->c) * sizeof(float); }

int infer_open(Infer *f, Model *m, int tokens, int slots, int cap, Err *e)
{
    size_t n = (size_t)slots;
    *f = (Infer){.m = m, .kv = cache_of(&m->c, slots, cap)};
    f->one = calloc(n, sizeof *f->one);
    f->chunk = calloc(n + 1, sizeof *f->chunk);
    f->last = calloc(n, sizeof *f->last);
    if (!f->one || !f->chunk || !f->last) {
        infer_close(f);
        return err_nomem(e, n * sizeof *f->one, "the series of a forecast");
    }
    for (int i = 0; i < slots; i++) f->one[i] = (Seg){.tok = i, .ntok = 1, .npt = 1};
    for (int i = 0; i <= slots; i++) f->chunk[i] = i;
    int bad = model_reserve(m, tokens > slots ? tokens : slots, slots, cap, FORWARD_ONLY, e)
        || backend_alloc(m->b, backend_cache_bytes(m->b, &f->kv), &f->kv.p, "the cache of keys and values", e)
        || backend_alloc(m->b, out_bytes(f), (void **)&f->out, "predictions", e);
    if (bad) infer_close(f);
    return bad ? -1 : 0;
}

void infer_close(Infer *f)
{
    if (f->kv.p) backend_free(f->m->b, f->kv.p, backend_cache_bytes(f->m->b, &f->kv));
    if (f->out) backend_free(f->m->b, f->out, out_bytes(f));
    free(f->one);
    free(f->chunk);
    free(f->last);
    *f = (Infer){0};
}

size_t infer_bytes(const Backend *b, const ModelConfig *c, int tokens, int slots, int cap)
{
    ModelMemory mm;
    KvCache kv = cache_of(c, slots, cap);
    Err ignored;
    if (model_memory(&mm, c, b->dtype, 0, FORWARD_ONLY, &ignored)) return SIZE_MAX;
    return (mm.kept + mm.once) * (size_t)tokens + backend_cache_bytes(b, &kv);
}

static void call_ops(Infer *f, const Input *in, const Input *last)
{
    Model *m = f->m;
    const Ops *op = &m->b->ops;
    int n = last->ntok, O = config_outputs(&m->c);
    Weight g = weight_of(&m->flat, m->embed_g), x = weight_of(&m->flat, m->embed_e), heads = weight_of(&m->flat, m->heads);
    op->embed(m->b, mat_head(m->h, in->ntok), &g, &x, in);
    for (int l = 0; l < m->c.L; l++) {
        int final = l == m->c.L - 1;
        attention_infer(m, l, &f->kv, in, last, final ? f->last : NULL);
        for (int b = 0; b < m->c.B; b++) moe_forward(m, l, b, &m->eval, final ? last : in);
    }
    op->norm(m->b, mat_head(m->xn, n), mat_head(m->keep, n), m->rstd, mat_head(m->h, n), vec_of(&m->flat, m->norm), m->c.eps);
    op->linear(m->b, (Mat){f->out, n, O, O, F32}, mat_head(m->xn, n), &heads, (Vec){0}, SET, last);
}

void infer_pass(Infer *f, const Input *host, float *out)
{
    Model *m = f->m;
    int n = host->nseg, O = config_outputs(&m->c);
    Input in[] = {*host, {.points = host->points, .seg = f->one, .chunk = f->chunk, .nseg = n, .nchunk = n, .ntok = n, .longest = 1, .P = host->P, .S = host->S}};
    assert(host->ntok <= m->cap_tokens && n <= f->kv.slots && host->longest <= f->kv.cap && host->nchunk == n);
    for (int i = 0; i < n; i++) f->last[i] = host->seg[i].tok + host->seg[i].ntok - 1;
    if (!backend_begin(m->b, m->tap ? NULL : f->kv.p, in, 2, f->kv.cap))
        do call_ops(f, &in[0], &in[1]);
        while (backend_end(m->b));
    backend_download(m->b, out, f->out, (size_t)n * (size_t)O * sizeof *out);
}
