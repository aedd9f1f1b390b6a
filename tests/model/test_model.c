/* test_model.c - counts, config.json, and what must hold for any weights: causality, micro-batches, memory as planned. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "model/model.h"
#include "util/rng.h"

static ModelOpts options(int preset, int64_t hidden, int64_t layers, int64_t experts, int64_t k, int64_t heads)
{
    return (ModelOpts){.preset = preset, .hidden_size = hidden, .n_decoder_layers = layers, .num_experts = experts,
                       .num_expert_layers = OPT_UNSET, .k = k, .n_head = heads, .d_ff = OPT_UNSET, .d_expert = OPT_UNSET,
                       .patch_len = 32, .patch_stride = 32};
}

TEST(model_published_parameter_counts)
{
    static const struct { int preset; int64_t total, active; } want[] = {
        {1, 113352192, 49651200}, {2, 453196800, 198392832}, {3, 2416545792, 1057591296}};
    Err e;
    for (int i = 0; i < 3; i++) {
        ModelConfig c;
        ModelOpts o = options(want[i].preset, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET);
        OK(config_from_opts(&c, &o, &e));
        CHECK(config_params(&c) == want[i].total);
        CHECK(config_active(&c) == want[i].active);
    }
}

TEST(model_a_given_option_beats_the_preset)
{
    Err e;
    ModelConfig c;
    ModelOpts o = options(1, 256, OPT_UNSET, OPT_UNSET, OPT_UNSET, 8);
    OK(config_from_opts(&c, &o, &e));
    CHECK(c.D == 256 && c.H == 8 && c.L == 12 && c.F == 1024 && c.Fe == 512);
}

TEST(model_bad_shapes_are_refused)
{
    static const struct { ModelOpts o; const char *text; } bad[] = {
        {{.hidden_size = 64, .n_decoder_layers = 2, .num_experts = 2, .num_expert_layers = 1, .k = 1, .n_head = 3, .d_ff = -1, .d_expert = -1},
         "hidden size 64 is not divisible by 3 heads"},
        {{.hidden_size = 64, .n_decoder_layers = 2, .num_experts = 2, .num_expert_layers = 1, .k = 3, .n_head = 2, .d_ff = -1, .d_expert = -1},
         "k is 3 but there are 2 experts: each token needs k different ones"},
        {{.hidden_size = 6, .n_decoder_layers = 2, .num_experts = 2, .num_expert_layers = 1, .k = 1, .n_head = 2, .d_ff = -1, .d_expert = -1},
         "head size 3 (hidden size 6 / 2 heads) is odd: rotary positions need pairs"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Err e;
        ModelConfig c;
        CHECK(config_from_opts(&c, &bad[i].o, &e) == -1);
        TEXT(e.message, bad[i].text);
        CHECK(e.code == FTS_USAGE);
    }
}

/* Small, uneven: grouped heads, patches with a stride, two mixtures. */
static ModelConfig small(int P, int S, int B)
{
    return (ModelConfig){.D = 24, .L = 2, .H = 4, .Hk = 2, .E = 3, .K = 2, .B = B, .F = 40, .Fe = 14, .P = P, .S = S, .nh = 4,
                         .horizon = {1, 8, 32, 64}, .eps = 1e-6f, .theta = 10000, .init_range = 0.2f, .max_positions = 4096};
}

TEST(model_counts_are_those_of_the_tensors)
{
    Err e;
    for (int P = 1; P <= 3; P += 2)
        for (int dense = 0; dense < 2; dense++) {
            Backend *b;
            Model *m;
            int64_t n = 0;
            ModelConfig c = small(P, P, 2);
            c.dense = dense;
            OK(backend_open(&b, "cpu", F32, 1, &e));
            OK(model_open(&m, &c, b, 0, &e));
            for (int i = 0; i < m->plan.n; i++) n += (int64_t)m->plan.entry[i].rows * (m->plan.entry[i].cols ? m->plan.entry[i].cols : 1);
            CHECK(n == config_params(&c));
            model_close(m);
            backend_close(b);
        }
}

TEST(model_config_json_round_trip)
{
    Err e;
    char path[256];
    ModelConfig a = small(4, 2, 2), b;
    Str s = {0};
    snprintf(path, sizeof path, "%s/config.json", test_folder());
    OK(config_write(&a, path, 0.02, F32, &e));
    OK(config_read(&b, path, &e));
    CHECK(config_same(&a, &b, &s));
    CHECK(a.eps == b.eps && a.theta == b.theta && a.max_positions == b.max_positions);
    b.F = 41;
    CHECK(!config_same(&a, &b, &s));
    TEXT(s.p, "d_ff 40 against 41");
    str_free(&s);
}

static void brute_valid(const ModelConfig *c, int64_t n, int64_t *valid)
{
    for (int64_t t = 0; t < config_tokens(c, n); t++)
        for (int j = 0; j < c->nh; j++)
            for (int s = 0; s < c->horizon[j]; s++) valid[j] += t * c->S + c->P + s < n;
}

TEST(model_valid_targets_are_counted_in_closed_form)
{
    static const int shape[][2] = {{1, 1}, {4, 4}, {6, 3}, {3, 5}, {32, 32}};
    for (int k = 0; k < 5; k++)
        for (int64_t n = 0; n < 300; n++) {
            ModelConfig c = small(shape[k][0], shape[k][1], 1);
            int64_t got[4] = {0}, want[4] = {0};
            loss_valid(&c, n, got);
            brute_valid(&c, n, want);
            CHECK(!memcmp(got, want, sizeof got));
        }
}

TEST(model_repeat_last_loss)
{
    ModelConfig c = small(4, 2, 1);
    float x[150];
    int pt[] = {0, 90}, npt[] = {90, 60};
    double abs = 0, sq = 0, wa = 0, ws = 0;
    int64_t n = 0, wn = 0;
    for (int i = 0; i < 150; i++) x[i] = (float)rng_normal(1, RNG_TEST, (uint64_t)i);
    loss_naive(&c, x, pt, npt, 2, &abs, &sq, &n);
    for (int g = 0; g < 2; g++)
        for (int t = 0; t < config_tokens(&c, npt[g]); t++)
            for (int j = 0; j < c.nh; j++)
                for (int s = 0; s < c.horizon[j] && t * c.S + c.P + s < npt[g]; s++, wn++) {
                    double d = (double)x[pt[g] + t * c.S + c.P - 1] - (double)x[pt[g] + t * c.S + c.P + s];
                    wa += fabs(d);
                    ws += d * d;
                }
    CHECK(n == wn && fabs(abs - wa) < 1e-9 * wa && fabs(sq - ws) < 1e-9 * ws);
}

/* A batch of segments of given lengths, one chunk every two segments. */
typedef struct Fixture { Backend *b; Model *m; float *points; Seg seg[8]; int chunk[8]; Input in; int64_t valid[4]; } Fixture;

/* FTS_TIER is "cuda": the emulator, or the device that FTS_TEST_DEVICE names. */
static int open_device(Backend **b, int threads, Err *e)
{
    const char *tier = getenv("FTS_TIER");
    return tier && !strcmp(tier, "cuda") ? test_device_open(b, F32, threads > 1, e) : backend_open(b, "cpu", F32, threads, e);
}

static int fixture_open(Fixture *f, ModelConfig c, const int *npt, int nseg, int threads, Recompute r, Err *e)
{
    int pt = 0, tok = 0, nchunk = 0;
    *f = (Fixture){0};
    f->points = calloc(4096, sizeof *f->points);
    for (int i = 0; i < 4096; i++) f->points[i] = (float)rng_normal(2, RNG_TEST, (uint64_t)i);
    for (int i = 0; i < nseg; i++) {
        int n = (int)config_tokens(&c, npt[i]);
        f->seg[i] = (Seg){.tok = tok, .ntok = n, .pt = pt, .npt = npt[i]};
        pt += npt[i];
        tok += n;
        if (i % 2 || i == nseg - 1) f->chunk[++nchunk] = tok;
        loss_valid(&c, npt[i], f->valid);
        if (n > f->in.longest) f->in.longest = n;
    }
    f->in = (Input){f->points, f->seg, f->chunk, nseg, nchunk, tok, f->in.longest, c.P, c.S, NULL};
    if (open_device(&f->b, threads, e) || model_open(&f->m, &c, f->b, 1, e)) return -1;
    model_init(f->m, 7);
    return model_reserve(f->m, tok, nchunk, f->in.longest, r, e);
}

static void fixture_close(Fixture *f)
{
    model_close(f->m);
    backend_close(f->b);
    free(f->points);
}

typedef struct Finals { float x[64 * 24]; int n; } Finals;
static void keep_final(void *user, int l, int b, const char *stage, Mat v)
{
    Finals *f = user;
    (void)l; (void)b;
    if (strcmp(stage, "final")) return;
    f->n = v.rows;
    memcpy(f->x, v.p, (size_t)v.rows * (size_t)v.cols * sizeof(float));
}

TEST(model_the_future_changes_no_earlier_output)
{
    static const int shape[][2] = {{1, 1}, {4, 2}};
    for (int k = 0; k < 2; k++) {
        Err e;
        Fixture f;
        Finals before = {.n = 0}, after = {.n = 0};
        ModelConfig c = small(shape[k][0], shape[k][1], 1);
        int npt[] = {40}, changed = 25;
        OK(fixture_open(&f, c, npt, 1, 2, RECOMPUTE_NONE, &e));
        f.m->tap = keep_final;
        f.m->tap_user = &before;
        model_eval_begin(f.m);
        model_eval(f.m, &f.in, 0);
        f.m->tap_user = &after;
        f.points[changed] += 3;
        model_eval(f.m, &f.in, 0);
        int first = changed < c.P ? 0 : (changed - c.P) / c.S + 1;        /* the first token that covers the changed point */
        CHECK(before.n == after.n && first > 0 && first < before.n);
        CHECK(!memcmp(before.x, after.x, (size_t)(first * c.D) * sizeof(float)));
        CHECK(memcmp(before.x + first * c.D, after.x + first * c.D, (size_t)c.D * sizeof(float)));
        fixture_close(&f);
    }
}

/* The chunks [first, +n) of the fixture's input as a micro-batch. */
static Input part(const Fixture *f, int first, int n, Seg *seg, int *chunk, int *first_seg)
{
    Input in = f->in;
    int from = f->chunk[first], to = f->chunk[first + n];
    in.nseg = 0;
    *first_seg = -1;
    for (int i = 0; i < f->in.nseg; i++)
        if (f->seg[i].tok >= from && f->seg[i].tok < to) {
            if (*first_seg < 0) *first_seg = i;
            seg[in.nseg] = f->seg[i];
            seg[in.nseg++].tok -= from;
        }
    for (int i = 0; i <= n; i++) chunk[i] = f->chunk[first + i] - from;
    in.seg = seg;
    in.chunk = chunk;
    in.nchunk = n;
    in.ntok = to - from;
    return in;
}

static void two_steps(Fixture *f, int chunks_at_once, StepSum *s)
{
    Err e;
    for (int step = 1; step <= 2; step++) {
        model_begin(f->m);
        for (int c = 0; c < f->in.nchunk; c += chunks_at_once) {
            Seg seg[8];
            int chunk[8], first, n = f->in.nchunk - c < chunks_at_once ? f->in.nchunk - c : chunks_at_once;
            Input in = part(f, c, n, seg, chunk, &first);
            model_train(f->m, &in, first, f->valid, 0.02 * f->m->c.E / (config_routers(&f->m->c) * (double)f->in.ntok));
        }
        model_update(f->m, &(AdamW){.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = 1, .step = step});
    }
    model_read(f->m, &f->m->train, s, &e);
}

static int same_numbers(Fixture *f, const float *x, Fixture *g, const float *y)
{
    size_t bytes = f->m->flat.n * sizeof *x;
    void *a = malloc(bytes), *b = malloc(bytes);
    backend_download(f->b, a, x, bytes);
    backend_download(g->b, b, y, bytes);
    int same = !memcmp(a, b, bytes);
    free(a);
    free(b);
    return same;
}

TEST(model_threads_micro_batches_and_recomputation_change_no_bit)
{
    static const struct { int threads, at_once; Recompute r; } way[] = {
        {1, 8, RECOMPUTE_NONE}, {1, 8, RECOMPUTE_NONE}, {2, 8, RECOMPUTE_NONE}, {3, 1, RECOMPUTE_NONE}, {2, 2, RECOMPUTE_NONE},
        {2, 1, RECOMPUTE_MLP}, {1, 3, RECOMPUTE_LAYER}};
    static const char *const tiers[] = {"ref", "base", "avx2", "avx512", "cuda"};
    static const int npt[2][7] = {{90, 2, 33, 300, 7, 64, 5}, {30, 2, 5, 3, 7, 2, 5}};      /* the emulator takes its time */
    for (int t = 0; t < 5; t++) {
        Fixture first = {0};
        StepSum want = {0};
        for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
            Err e;
            Fixture f;
            StepSum got;
            if (t == 4 && i % 3) continue;
            setenv("FTS_TIER", tiers[t], 1);
            int bad = fixture_open(&f, small(1, 1, 2), npt[t == 4], 7, way[i].threads, way[i].r, &e);
            unsetenv("FTS_TIER");
            if (bad) { fixture_close(&f); break; }        /* a tier that this machine lacks */
            two_steps(&f, way[i].at_once, &got);
            CHECK(got.applied == 1 && got.bad_seg == -1);
            if (!i) { first = f; want = got; continue; }
            CHECK(same_numbers(&f, f.m->flat.p, &first, first.m->flat.p));
            CHECK(same_numbers(&f, f.m->flat.v, &first, first.m->flat.v));
            CHECK(got.abs == want.abs && got.norm2 == want.norm2 && got.aux == want.aux);
            fixture_close(&f);
        }
        fixture_close(&first);
    }
}

TEST(model_a_bad_point_is_found_and_nothing_is_applied)
{
    Err e;
    Fixture f;
    StepSum s;
    int npt[] = {20, 30, 40};
    OK(fixture_open(&f, small(1, 1, 1), npt, 3, 2, RECOMPUTE_NONE, &e));
    float *was = malloc(f.m->flat.n * sizeof *was);
    memcpy(was, f.m->flat.p, f.m->flat.n * sizeof *was);
    f.points[25] = NAN;
    two_steps(&f, 8, &s);
    CHECK(s.applied == 0 && s.bad_seg == 1);
    CHECK(!memcmp(was, f.m->flat.p, f.m->flat.n * sizeof *was));
    free(was);
    fixture_close(&f);
}

TEST(model_initial_weights)
{
    Err e;
    Fixture f;
    int npt[] = {20};
    ModelConfig c = small(1, 1, 1);
    c.D = 96;
    c.init_range = 0.02f;
    OK(fixture_open(&f, c, npt, 1, 2, RECOMPUTE_NONE, &e));
    for (int i = 0; i < f.m->plan.n; i++) {
        const Entry *x = &f.m->plan.entry[i];
        size_t n = (size_t)x->rows * (size_t)(x->cols ? x->cols : 1);
        const float *w = f.m->flat.p + x->at;
        double s = 0, q = 0;
        for (size_t k = 0; k < n; k++) { s += (double)w[k]; q += (double)w[k] * (double)w[k]; }
        if (x->init == INIT_ONE) CHECK(s == (double)n);
        if (x->init == INIT_ZERO) CHECK(q == 0);
        if (x->init == INIT_NORMAL) CHECK(fabs(sqrt(q / (double)n) / 0.02 - 1) < 4 / sqrt(2.0 * (double)n) && fabs(s / (double)n) < 5 * 0.02 / sqrt((double)n));
    }
    fixture_close(&f);
}

TEST(model_activations_take_what_the_plan_says)
{
    Err e;
    for (Recompute r = RECOMPUTE_NONE; r <= RECOMPUTE_LAYER; r++) {
        ModelMemory mm;
        Fixture f;
        int npt[] = {129, 257};
        OK(fixture_open(&f, small(1, 1, 2), npt, 2, 1, r, &e));
        OK(model_memory(&mm, &f.m->c, F32, 1, r, &e));
        double plan = (double)(mm.kept + mm.once) * 384, have = (double)f.m->act_bytes;      /* 384 tokens */
        CHECK(fabs(have / plan - 1) < 0.02);
        CHECK(mm.params == f.m->flat.n * sizeof(float) && mm.moments == 2 * mm.params);
        fixture_close(&f);
    }
}
