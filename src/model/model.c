/* model.c - opening a model: book, allocate, fill. What it computes is in timemoe.c. */
#include "model/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/layers.h"
#include "util/rng.h"

static void declare(Model *m)
{
    const ModelConfig *c = &m->c;
    Plan *p = &m->plan;
    int at = 0;
    m->embed_e = plan_matrix(p, c->D, c->P, 1, "model.embed_layer.emb_layer.weight");
    m->embed_g = plan_matrix(p, c->D, c->P, 1, "model.embed_layer.gate_layer.weight");
    for (int l = 0; l < c->L; l++) {
        attention_declare(&m->block[l], p, c, l);
        for (int b = 0; b < c->B; b++) moe_declare(&m->block[l].moe[b], p, c, l, b);
    }
    m->norm = plan_vector(p, c->D, INIT_ONE, "model.norm.weight");
    m->heads = plan_book(p, 1, config_outputs(c), c->D, 0);
    for (int j = 0; j < c->nh; at += c->horizon[j++])
        plan_name(p, &m->heads, at, c->horizon[j], INIT_NORMAL, "lm_heads.%d.out_layer.weight", j);
}

/* The lists of layers, which exist without any memory for tensors. */
static int skeleton_open(Model *m, Err *e)
{
    size_t L = (size_t)m->c.L, LB = L * (size_t)m->c.B;
    m->block = calloc(L, sizeof *m->block);
    m->acts = calloc(L, sizeof *m->acts);
    Moe *moe = calloc(LB, sizeof *moe);
    MoeActs *acts = calloc(LB, sizeof *acts);
    if (!m->block || !m->acts || !moe || !acts) {
        free(moe);
        free(acts);
        return err_nomem(e, LB * sizeof *acts, "the list of layers");
    }
    for (size_t l = 0; l < L; l++) {
        m->block[l].moe = moe + l * (size_t)m->c.B;
        m->acts[l].moe = acts + l * (size_t)m->c.B;
    }
    declare(m);
    return plan_ok(&m->plan, e);
}

static void skeleton_close(Model *m)
{
    if (m->block) free(m->block[0].moe);
    if (m->acts) free(m->acts[0].moe);
    free(m->block);
    free(m->acts);
    plan_free(&m->plan);
}

static int flat_open(Model *m, int training, Err *e)
{
    size_t bytes = m->plan.floats * sizeof(float);
    float **part[] = {&m->flat.p, &m->flat.g, &m->flat.m, &m->flat.v};
    const char *what[] = {"parameters", "gradients", "first moments", "second moments"};
    m->flat.n = m->plan.floats;
    for (int i = 0; i < (training ? 4 : 1); i++)
        if (backend_alloc(m->b, bytes, (void **)part[i], what[i], e)) return -1;
    return 0;
}

/* Of plan_rounded(), of which there are at most as many as tensors. Owned by who asks; NULL: no memory. */
static Range *rounded_of(const Plan *p, int grouped, int *n)
{
    Range *r = calloc((size_t)p->n, sizeof *r);
    *n = r ? plan_rounded(p, r, p->n, grouped) : 0;
    return r;
}

static int copies_open(Model *m, Err *e)
{
    int n;
    Range *r = rounded_of(&m->plan, backend_copies_bytes(m->b, 0, 1) > 0, &n);
    int bad = r ? backend_copies(m->b, m->flat.p, r, n, e) : err_nomem(e, (size_t)m->plan.n * sizeof *r, "the list of matrices");
    free(r);
    return bad;
}

static int meter_open(Meter *t, const Model *m, Err *e)
{
    size_t M = (size_t)config_routers(&m->c), E = (size_t)m->c.E, head = (sizeof(StepSum) + 63) / 64 * 64;
    t->bytes = head + M * E * (sizeof(int64_t) + sizeof(double) + sizeof(float));
    t->balance = calloc(M ? M : 1, sizeof *t->balance);
    if (!t->balance) return err_nomem(e, M * sizeof *t->balance, "expert counters");
    if (backend_alloc(m->b, t->bytes, &t->memory, "sums", e)) return -1;
    t->sum = t->memory;
    int64_t *count = (int64_t *)(void *)((char *)t->memory + head);
    double *psum = (double *)(void *)(count + M * E);
    float *share = (float *)(void *)(psum + M * E);
    for (size_t r = 0; r < M; r++) t->balance[r] = (Balance){count + r * E, psum + r * E, share + r * E};
    return 0;
}

static void meter_close(Meter *t, Backend *b)
{
    free(t->balance);
    backend_free(b, t->memory, t->bytes);
}

/* Weight decay ranges, merged; there are at most as many as tensors. */
static int decay_open(Model *m, Err *e)
{
    m->decay = calloc((size_t)m->plan.n, sizeof *m->decay);
    if (!m->decay) return err_nomem(e, (size_t)m->plan.n * sizeof *m->decay, "weight decay ranges");
    m->ndecay = plan_decay(&m->plan, m->decay, m->plan.n);
    return 0;
}

static void share_even(Model *m)
{
    float even = 1.0f / (float)m->c.E;
    for (int r = 0; r < config_routers(&m->c); r++)
        for (int x = 0; x < m->c.E; x++) backend_upload(m->b, m->train.balance[r].share + x, &even, sizeof even);
}

int model_open(Model **out, const ModelConfig *c, Backend *b, int training, Err *e)
{
    Model *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m) return err_nomem(e, sizeof *m, "the model");
    m->c = *c;
    m->b = b;
    if (skeleton_open(m, e) || decay_open(m, e) || flat_open(m, training, e) || copies_open(m, e) || meter_open(&m->train, m, e) || meter_open(&m->eval, m, e)) {
        model_close(m);
        return -1;
    }
    share_even(m);
    *out = m;
    return 0;
}

void model_close(Model *m)
{
    Err e;
    if (!m) return;
    size_t bytes = m->flat.n * sizeof(float);
    float *part[] = {m->flat.p, m->flat.g, m->flat.m, m->flat.v};
    (void)backend_copies(m->b, m->flat.p, NULL, 0, &e);
    for (int i = 0; i < 4; i++) backend_free(m->b, part[i], bytes);
    backend_free(m->b, m->act_memory, m->act_bytes);
    meter_close(&m->train, m->b);
    meter_close(&m->eval, m->b);
    skeleton_close(m);
    free(m->decay);
    free(m->stored);
    st_set_close(&m->file);
    free(m);
}

enum { PIECE = 4096 };
typedef struct Fill { Model *m; const Entry *x; uint64_t seed; } Fill;

static void fill_piece(void *arg, int i, int worker)
{
    const Fill *f = arg;
    float buf[PIECE];
    size_t len = (size_t)f->x->rows * (size_t)(f->x->cols ? f->x->cols : 1), at = (size_t)i * PIECE;
    size_t n = len - at < PIECE ? len - at : PIECE;
    (void)worker;
    for (size_t k = 0; k < n; k++)
        buf[k] = f->x->init == INIT_ONE ? 1 : f->x->init == INIT_ZERO ? 0
               : (float)(f->m->c.init_range * rng_normal(f->seed, RNG_INIT, f->x->at + at + k));
    backend_upload(f->m->b, f->m->flat.p + f->x->at + at, buf, n * sizeof *buf);
}

void model_init(Model *m, uint64_t seed)
{
    for (int i = 0; i < m->plan.n; i++) {
        Fill f = {m, &m->plan.entry[i], seed};
        size_t len = (size_t)f.x->rows * (size_t)(f.x->cols ? f.x->cols : 1);
        par_for(m->b->par, (int)((len + PIECE - 1) / PIECE), fill_piece, &f);
    }
}

Dims model_dims(const ModelConfig *c, int tokens, int chunks, int longest)
{
    return (Dims){.tokens = tokens, .chunks = chunks, .longest = longest, .D = c->D, .H = c->H, .Hk = c->Hk, .d = c->D / c->H,
                  .E = c->dense ? 0 : c->E, .K = c->dense ? 0 : c->K, .F = c->F, .Fe = c->dense ? 0 : c->Fe, .P = c->P, .S = c->S,
                  .O = config_outputs(c), .routers = config_routers(c)};
}

int model_reserve(Model *m, int tokens, int chunks, int longest, Recompute r, Err *e)
{
    Carve size = {0}, place = {0};
    Dims d = model_dims(&m->c, tokens, chunks, longest);
    d.forecast = r == FORWARD_ONLY;
    backend_free(m->b, m->act_memory, m->act_bytes);
    m->act_memory = NULL;
    acts_place(m, &size, tokens, chunks, r);
    m->act_bytes = size.kept + size.once;
    if (backend_alloc(m->b, m->act_bytes, &m->act_memory, "activations", e)) return -1;
    place.base = m->act_memory;
    acts_place(m, &place, tokens, chunks, r);
    m->cap_tokens = tokens;
    m->cap_chunks = chunks;
    return backend_reserve(m->b, &d, e);
}

static size_t rounded_floats(const Plan *p, int grouped)
{
    int n;
    size_t sum = 0;
    Range *r = rounded_of(p, grouped, &n);
    for (int i = 0; i < n; i++) sum += (r[i].n + 15) / 16 * 16;
    free(r);
    return sum;
}

/* Every buffer is linear in tokens and 64 of anything fill whole lines, so 64 tokens tell the bytes of one exactly. */
int model_memory(ModelMemory *mm, const ModelConfig *c, Dtype type, int training, Recompute r, Err *e)
{
    Backend shape = {.dtype = type};
    Model m = {.c = *c, .b = &shape};
    Carve size = {0};
    *mm = (ModelMemory){0};
    int bad = skeleton_open(&m, e);
    if (!bad) {
        acts_place(&m, &size, 64, 0, r);
        size_t flat = m.plan.floats * sizeof(float);
        *mm = (ModelMemory){.params = flat, .grads = training ? flat : 0, .moments = training ? 2 * flat : 0, .kept = size.kept / 64, .once = size.once / 64,
                            .dense = rounded_floats(&m.plan, 0), .rounded = rounded_floats(&m.plan, 1)};
    }
    skeleton_close(&m);
    return bad;
}
