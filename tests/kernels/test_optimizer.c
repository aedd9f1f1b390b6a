/* sumsq and adamw: flat vectors in pieces of 65,536. */
#include "device.h"
#include "kernels/op_help.h"

#include <math.h>
#include <string.h>

typedef struct Square { Rig r; StepSum *sum; float *g; size_t n; Out *o; } Square;

static void run_sumsq(void *job, Backend *b, const Input *in, int tok)
{
    const Square *k = job;
    (void)in; (void)tok;
    b->ops.sumsq(b, k->sum, k->g, k->n);
}

static void sumsq_formula(void *job, Rig *r)
{
    Square *k = job;
    long double s = 0;
    (void)r;
    for (size_t i = 0; i < k->n; i++) s += (long double)k->g[i] * (long double)k->g[i];
    say(k->o, 0, 0, (double)s, (double)s);
}

/* Numbers of about the same size, none of them 0: each one counts, also where the square is no fp32 number. */
static void one_sumsq(size_t n, float scale)
{
    Square k = {.n = n};
    rig_open(&k.r, shapes[0], 1, 1, F32, 0);
    k.g = rig_mem(&k.r, n * sizeof(float));
    for (size_t i = 0; i < n; i++) k.g[i] = scale * ((float)(i % 1009) - 504.5f);
    k.sum = rig_mem(&k.r, sizeof *k.sum);
    *k.sum = (StepSum){.norm2 = 5};
    k.o = rig_out(&k.r, "norm2", 'd', &k.sum->norm2, 1, 1, 1, (int)n + 1);
    k.o->u = 0x1p-53;
    rig_check(&k.r, run_sumsq, sumsq_formula, &k);
    rig_close(&k.r);
}

static void sumsq_not_finite(const char *tier, float bad)
{
    static const size_t size[] = {1, 7, 70001}, where[] = {0, 6, 70000};
    StepSum *s = test_device_memory(sizeof *s);
    float *g = test_device_memory(70001 * sizeof *g);
    Backend *b = tier_open(tier, F32, 2, &(Dims){.tokens = 1, .chunks = 1, .longest = 1, .D = 1, .H = 1, .Hk = 1, .d = 2, .F = 1, .P = 1, .O = 1});
    for (int i = 0; b && i < 3; i++) {
        Err e;
        memset(g, 0, 70001 * sizeof *g);
        g[where[i]] = bad;
        b->ops.sumsq(b, s, g, size[i]);
        OK(backend_sync(b, &e));
        if (isfinite(s->norm2)) test_fail(__FILE__, __LINE__, "%s: %zu numbers, one of them %g, give the norm %g", tier, size[i], (double)bad, s->norm2);
    }
    if (b) tier_close(b);
    test_device_free(g);
    test_device_free(s);
}

TEST(op_sumsq)
{
    static const size_t size[] = {0, 1, 7, 8, 65535, 65536, 65537, 131085, 17000003};      /* the last: more than 256 pieces */
    for (int i = 0; i < 9; i++) one_sumsq(size[i], 0x1p-10f);
    one_sumsq(1000, 1e30f);
    one_sumsq(1000, 1e-30f);
    for (int t = 0; t < TIERS; t++) {
        sumsq_not_finite(tier_names[t], NAN);
        sumsq_not_finite(tier_names[t], -INFINITY);
    }
}

typedef struct Adam { Rig r; Flat f; const Range *decay; int nrange, steps; AdamW h; StepSum *sum; Out *p, *m, *v, *applied; } Adam;

static void run_adamw(void *job, Backend *b, const Input *in, int tok)
{
    const Adam *k = job;
    AdamW h = k->h;
    (void)in; (void)tok;
    for (int i = 0; i < k->steps; i++, h.step++) b->ops.adamw(b, k->sum, &k->f, k->decay, k->nrange, &h);
}

static int decays(const Range *r, int n, size_t i)
{
    int in = 0;
    for (int k = 0; k < n; k++) in += i >= r[k].at && i < r[k].at + r[k].n;
    return in;
}

/* A number and what it may be off by, in roundings; below TINY numbers have fewer digits. */
typedef struct Off { double x, off; } Off;
static const double TINY = 0x1p-126;

/* Scale, times 1 - b (twice g in v), the sum, its storage: up to 5 roundings of a term of m, 8 of v; K = 2 and 4 allow 5.7 and 8.
 * In p: 2 of keep p, 6 of the update beside those of m and half of those of v, the difference, its storage; K = 4 allows 8. */
static void adam_step(const Adam *k, int64_t step, int decay, double g, Off *p, Off *m, Off *v)
{
    double b1 = k->h.beta1, b2 = k->h.beta2, lr = k->h.lr, c1 = 1 - pow(b1, (double)step), c2 = 1 - pow(b2, (double)step);
    double keep = decay ? 1 - lr * (double)k->h.decay : 1;
    m->off = b1 * m->off + b1 * fabs(m->x) + (1 - b1) * fabs(g) + TINY;
    v->off = b2 * v->off + b2 * v->x + (1 - b2) * g * g + TINY;
    m->x = (double)(float)(b1 * m->x + (1 - b1) * g);
    v->x = (double)(float)(b2 * v->x + (1 - b2) * g * g);
    double den = sqrt(v->x / c2) + (double)k->h.eps, update = lr * (m->x / c1) / den;
    double den_off = 0.5 * v->off / sqrt(c2 * (v->x + TINY)) / den;
    p->off += fabs(p->x) + fabs(update) * (1 + den_off) + lr / c1 * m->off / den + TINY;
    p->x = (double)(float)(keep * p->x - update);
}

static double clip_of(const Adam *k)
{
    double norm = sqrt(k->sum->norm2);
    return k->h.max_norm > 0 && norm > (double)k->h.max_norm ? (double)k->h.max_norm / (norm + 1e-6) : 1;
}

static void adamw_formula(void *job, Rig *r)
{
    Adam *k = job;
    (void)r;
    for (size_t i = 0; i < k->f.n; i++) {
        Off p = {(double)k->f.p[i], 0}, m = {(double)k->f.m[i], 0}, v = {(double)k->f.v[i], 0};
        int in = decays(k->decay, k->nrange, i);
        for (int s = 0; s < k->steps; s++) adam_step(k, k->h.step + s, in, clip_of(k) * (double)k->f.g[i], &p, &m, &v);
        say(k->p, 0, (int)i, p.x, p.off);
        say(k->m, 0, (int)i, m.x, m.off);
        say(k->v, 0, (int)i, v.x, v.off);
    }
    say(k->applied, 0, 0, 1, 0);
}

/* Moments as after some steps, or 0 as before the first; here and there gradients that are 0 or whose square nearly is. */
static void adam_open(Adam *k, size_t n, int64_t step, float max_norm)
{
    *k = (Adam){.steps = 1, .h = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = max_norm, .step = step}};
    rig_open(&k->r, shapes[0], 1, 1, F32, 0);
    double begun = step > 1;
    k->f = (Flat){.p = rig_floats(&k->r, n, 0, 1), .g = rig_floats(&k->r, n, 0, 0.1), .m = rig_floats(&k->r, n, 0, 0.02 * begun), .v = rig_floats(&k->r, n, 0, 0.05 * begun), .n = n};
    for (size_t i = 0; i < n; i++) k->f.v[i] *= k->f.v[i];
    for (size_t i = 3; i < n; i += 11) k->f.g[i] = i % 2 ? 0 : 1e-21f;
    k->sum = rig_mem(&k->r, sizeof *k->sum);
    *k->sum = (StepSum){.norm2 = 25, .applied = 9};
}

static void one_adamw(size_t n, const Range *decay, int nrange, int64_t step, int steps, float max_norm)
{
    Adam k;
    adam_open(&k, n, step, max_norm);
    k.steps = steps;
    k.decay = decay;
    k.nrange = nrange;
    k.p = rig_out(&k.r, "p", 'f', k.f.p, 1, (int)n, (int)n, 4);
    k.m = rig_out(&k.r, "m", 'f', k.f.m, 1, (int)n, (int)n, 2);
    k.v = rig_out(&k.r, "v", 'f', k.f.v, 1, (int)n, (int)n, 4);
    k.applied = rig_out(&k.r, "applied", 'i', &k.sum->applied, 1, 1, 1, 0);
    rig_check(&k.r, run_adamw, adamw_formula, &k);
    rig_close(&k.r);
}

/* Empty ones, neighbours, beginnings and ends inside a vector, at a piece, across one, at the end. */
static const Range many[] = {{0, 5}, {7, 0}, {7, 9}, {100, 0}, {1000, 64}, {65530, 6}, {65536, 10}, {65546, 0}, {131070, 4}, {131077, 8}},
    all[] = {{0, 131085}}, most[] = {{3, 131079}}, across[] = {{0, 0}, {65535, 2}, {131085, 0}}, few[] = {{1, 2}, {4, 3}};
enum { LONG = 131085, NMANY = sizeof many / sizeof *many };

/* Nothing to learn: what decays becomes smaller, and of the rest not a bit changes. */
static void only_ranges_decay(const char *tier)
{
    Adam k;
    adam_open(&k, LONG, 1, 1);
    Backend *b = tier_open(tier, F32, 2, &k.r.dims);
    float *was = rig_mem(&k.r, LONG * sizeof *was);
    size_t wrong = 0;
    memset(k.f.g, 0, LONG * sizeof *k.f.g);
    memcpy(was, k.f.p, LONG * sizeof *was);
    if (b) b->ops.adamw(b, k.sum, &k.f, many, NMANY, &k.h);
    for (size_t i = 0; b && i < LONG; i++) {
        double keep = decays(many, NMANY, i) ? 1 - (double)k.h.lr * (double)k.h.decay : 1, p = (double)k.f.p[i];
        wrong += keep < 1 ? fabs(p - keep * (double)was[i]) > 0x1p-22 * fabs(p) : memcmp(&was[i], &k.f.p[i], sizeof *was) != 0;
    }
    if (wrong) test_fail(__FILE__, __LINE__, "%s: %zu parameters decay wrongly", tier, wrong);
    if (b) tier_close(b);
    rig_close(&k.r);
}

static int same_numbers(const float *a, const float *b, size_t n) { return !memcmp(a, b, n * sizeof *a); }

static void one_not_finite(Adam *k, Backend *b, const float *was, int horizon, double bad)
{
    size_t n = k->f.n;
    *k->sum = (StepSum){.norm2 = horizon < 0 ? bad : 25, .applied = 1};
    if (horizon >= 0) k->sum->huber[horizon] = bad;
    b->ops.adamw(b, k->sum, &k->f, few, 2, &k->h);
    if (k->sum->applied != 0 || !same_numbers(k->f.p, was, n) || !same_numbers(k->f.m, was + n, n) || !same_numbers(k->f.v, was + 2 * n, n))
        test_fail(__FILE__, __LINE__, "%s: applied %d with %g at %d", b->tier, k->sum->applied, bad, horizon);
}

static void not_finite(const char *tier, float max_norm)
{
    static const double bad[] = {NAN, INFINITY};
    enum { N = 77 };
    float was[3 * N];
    Adam k;
    adam_open(&k, N, 3, max_norm);
    Backend *b = tier_open(tier, F32, 1, &k.r.dims);
    memcpy(was, k.f.p, N * sizeof *was);
    memcpy(was + N, k.f.m, N * sizeof *was);
    memcpy(was + 2 * N, k.f.v, N * sizeof *was);
    for (int h = -1; b && h < MAX_HORIZONS; h++)
        for (int i = 0; i < 2; i++) one_not_finite(&k, b, was, h, bad[i]);
    if (b) tier_close(b);
    rig_close(&k.r);
}

TEST(op_adamw)
{
    static const size_t size[] = {0, 1, 7, 8, 9, 100, 65536};
    static const int64_t step[] = {1, 2, 1000};
    for (int i = 0; i < 7; i++) one_adamw(size[i], few, size[i] > 6 ? 2 : 0, step[i % 3], 1, i % 2 ? 1 : 0);
    for (int i = 0; i < 3; i++) one_adamw(LONG, many, NMANY, step[i], 1, i == 1 ? 0 : i == 2 ? 100 : 2);
    one_adamw(1001, few, 2, 1, 5, 1);
    one_adamw(LONG, NULL, 0, 2, 1, 1);
    one_adamw(LONG, all, 1, 1000, 1, 1);
    one_adamw(LONG, most, 1, 2, 1, 0);
    one_adamw(LONG, across, 3, 1000, 1, 1);
    for (int t = 0; t < TIERS; t++) {
        only_ranges_decay(tier_names[t]);
        not_finite(tier_names[t], 1);
        not_finite(tier_names[t], 0);
    }
}
