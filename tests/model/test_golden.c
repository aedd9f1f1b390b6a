/* test_golden.c - every activation, loss, gradient and ten steps against PyTorch, by name, for every CPU tier and the CUDA kernels in
 * the emulator, or on the device that FTS_TEST_DEVICE names. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "golden.h"
#include "util/num.h"

static const char *const cases[] = {"pointwise", "k1", "patch", "patch_overlap", "expert_layers2", "gqa", "unequal", "one_token", "dense"};
enum { NCASES = sizeof cases / sizeof *cases };
static const char *const tiers[] = {"ref", "base", "avx2", "avx512", "cuda"};
enum { NTIERS = sizeof tiers / sizeof *tiers };

/* NULL: this machine or this build lacks the tier. */
static Backend *open_tier(const char *tier, Dtype type)
{
    Err e;
    Backend *b;
    if (!strcmp(tier, "cuda")) return test_device_open(&b, type, 0, &e) ? NULL : b;
    setenv("FTS_TIER", tier, 1);
    int none = backend_open(&b, "cpu", type, 2, &e);
    unsetenv("FTS_TIER");
    return none ? NULL : b;
}

/* One comparison: which file, how far a tensor may be off, and which of them were seen. */
typedef struct Watch { const Golden *g; Backend *b; const char *label; int force, seen, failed; double limit; } Watch;

/* bf16: twice the distance of a copy that rounds where we do. The CUDA kernels round probabilities before they are divided by
 * their sum, and make the gradient of a row's scale from rounded numbers: other errors of the same size, so twice that again. */
static double limit_of(const Watch *w, const char *name, double otherwise)
{
    const StTensor *t = golden_tensor(w->g, "dist.", name);
    if (!t) return otherwise;
    float *d = golden_floats(t);
    double limit = (strcmp(w->b->name, "cuda") ? 2 : 4) * (double)d[0];
    free(d);
    return limit;
}

static void compare(Watch *w, const char *name, const float *got, size_t n, double tolerance)
{
    const StTensor *t = st_find(&w->g->st, name);
    if (!t) { test_fail(__FILE__, __LINE__, "%s: no %s in the golden file", w->label, name); w->failed++; return; }
    float *want = golden_floats(t);
    size_t have = 1;
    for (int i = 0; i < t->rank; i++) have *= (size_t)t->shape[i];
    double d = have == n ? golden_distance(got, want, n) : INFINITY, limit = limit_of(w, name, tolerance);
    if (!(d <= limit)) { test_fail(__FILE__, __LINE__, "%s: %s is off by %.3g, allowed %.3g", w->label, name, d, limit); w->failed++; }
    w->seen++;
    free(want);
}

static void tap_name(char *out, size_t size, int l, int b, const char *stage)
{
    static const struct { const char *stage, *leaf; int scope; } map[] = {
        {"embed", "embed", 0}, {"final", "norm", 0}, {"norm", "attn_norm", 1}, {"qkv", "qkv", 1}, {"attention", "attention", 1}, {"attn_h", "h", 1},
        {"moe_norm", "norm", 2}, {"prob", "prob", 2}, {"expert", "expert", 2}, {"share", "share", 2}, {"moe_h", "h", 2},
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (!strcmp(stage, map[i].stage)) {
            if (map[i].scope == 0) snprintf(out, size, "act.%s", map[i].leaf);
            if (map[i].scope == 1) snprintf(out, size, "act.%d.%s", l, map[i].leaf);
            if (map[i].scope == 2) snprintf(out, size, "act.%d.%d.%s", l, b, map[i].leaf);
        }
}

static void watch_experts(Watch *w, const char *name, Mat v)
{
    const StTensor *t = st_find(&w->g->st, name);
    if (!t) { test_fail(__FILE__, __LINE__, "no %s", name); return; }
    size_t bytes = (size_t)v.rows * (size_t)v.cols * sizeof(int);
    int *got = malloc(bytes + 1);
    backend_download(w->b, got, v.p, bytes);
    if (w->force) backend_upload(w->b, v.p, t->data, bytes);
    else if (memcmp(got, t->data, bytes)) { test_fail(__FILE__, __LINE__, "%s: %s differs", w->label, name); w->failed++; }
    w->seen++;
    free(got);
}

static void watch(void *user, int l, int b, const char *stage, Mat v)
{
    Watch *w = user;
    char name[64] = "";
    tap_name(name, sizeof name, l, b, stage);
    if (!strcmp(stage, "expert")) { watch_experts(w, name, v); return; }
    size_t n = (size_t)v.rows * (size_t)v.cols;
    float *x = malloc((n + 1) * sizeof *x);
    void *got = malloc((n + 1) * sizeof *x);
    backend_download(w->b, got, v.p, n * dtype_size(v.type));
    for (size_t i = 0; i < n; i++) x[i] = v.type == F32 ? ((float *)got)[i] : bf16_to_f32(((bf16 *)got)[i]);
    compare(w, name, x, n, 1e-5);
    free(got);
    free(x);
}

static double coef_of(const Golden *g)
{
    int M = config_routers(&g->c);
    return M ? g->aux_weight * g->c.E / ((double)M * g->ntok) : 0;
}

static void check_losses(Watch *w, const StepSum *s)
{
    const Golden *g = w->g;
    float huber[MAX_HORIZONS], pred = 0, valid = 0, mae, mse, aux = (float)s->aux;
    for (int j = 0; j < g->c.nh; j++) {
        double n = (double)(g->valid[j] > 1 ? g->valid[j] : 1);
        huber[j] = (float)(s->huber[j] / n);
        pred += huber[j] / (float)g->c.nh;
        valid += (float)g->valid[j];
    }
    mae = (float)s->abs / valid;
    mse = (float)s->sq / valid;
    float total = pred + (g->c.dense ? 0 : (float)g->aux_weight * aux);
    compare(w, "loss.huber", huber, (size_t)g->c.nh, 1e-5);
    compare(w, "loss.pred", &pred, 1, 1e-5);
    compare(w, "loss.aux", &aux, 1, 1e-5);
    compare(w, "loss.total", &total, 1, 1e-5);
    compare(w, "loss.mae", &mae, 1, 1e-5);
    compare(w, "loss.mse", &mse, 1, 1e-5);
}

static void check_gradients(Watch *w, const Model *m)
{
    float *g = malloc(m->flat.n * sizeof *g);
    backend_download(w->b, g, m->flat.g, m->flat.n * sizeof *g);
    for (int i = 0; i < m->plan.n; i++) {
        const Entry *x = &m->plan.entry[i];
        char name[160];
        snprintf(name, sizeof name, "grad.%s", x->name);
        compare(w, name, g + x->at, (size_t)x->rows * (size_t)(x->cols ? x->cols : 1), 1e-4);
    }
    free(g);
}

static void set_share(Model *m, const Golden *g)
{
    const StTensor *t = st_find(&g->st, "aux.share");
    double share[256];
    if (!t || !config_routers(&g->c)) return;
    float *f = golden_floats(t);
    for (int i = 0; i < config_routers(&g->c) * g->c.E; i++) share[i] = (double)f[i];
    model_set_share(m, share);
    free(f);
}

static int count_prefix(const Golden *g, const char *prefix)
{
    int n = 0;
    for (int i = 0; i < g->st.n; i++) n += !strncmp(g->st.tensor[i].name, prefix, strlen(prefix));
    return n;
}

/* One forward and backward; act.pred exists nowhere in the program, so it is the one activation that is not compared. */
static void one_pass(const char *name, const char *tier, Dtype type, Recompute r, int at_least)
{
    Golden g;
    Err e;
    Backend *b = open_tier(tier, type);
    Model *m;
    StepSum s;
    char label[128];
    if (!b) return;
    OK(golden_open(&g, name, at_least, &e));
    OK(golden_model(&m, &g, b, r, &e));
    snprintf(label, sizeof label, "%s %s", name, tier);
    Watch w = {.g = &g, .b = b, .label = label, .force = type == BF16};
    Seg seg[64];
    int chunk[16];
    set_share(m, &g);
    model_begin(m);
    if (g.nchunk == 1) { m->tap = watch; m->tap_user = &w; }
    for (int c = 0; c < g.nchunk; c++) {
        Input in = golden_input(&g, c, 1, seg, chunk);
        model_train(m, &in, 0, g.valid, coef_of(&g));
    }
    m->tap = NULL;
    check_gradients(&w, m);
    model_update(m, &(AdamW){.step = 1, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f});
    OK(model_read(m, &m->train, &s, &e));
    check_losses(&w, &s);
    int expected = count_prefix(&g, "grad.") + 6 + (g.nchunk == 1 ? count_prefix(&g, "act.") - 1 : 0);
    if (w.seen != expected) test_fail(__FILE__, __LINE__, "%s: compared %d tensors, the file has %d", label, w.seen, expected);
    model_close(m);
    golden_close(&g);
    backend_close(b);
}

TEST(golden_fp32)
{
    for (int i = 0; i < NCASES; i++)
        for (int t = 0; t < NTIERS; t++) one_pass(cases[i], tiers[t], F32, RECOMPUTE_NONE, 1 << 30);
}

TEST(golden_recompute)
{
    for (int t = 0; t < NTIERS; t++)
        for (Recompute r = RECOMPUTE_MLP; r <= RECOMPUTE_LAYER; r++) {
            one_pass("pointwise", tiers[t], F32, r, 1 << 30);
            one_pass("expert_layers2", tiers[t], F32, r, 1 << 30);
        }
}

TEST(golden_in_micro_batches)
{
    for (int i = 0; i < NCASES; i++)
        for (int t = 0; t < NTIERS; t++) one_pass(cases[i], tiers[t], F32, RECOMPUTE_NONE, 10);
}

TEST(golden_bf16)
{
    one_pass("bf16_pointwise", "ref", BF16, RECOMPUTE_NONE, 1 << 30);
    one_pass("bf16_patch", "ref", BF16, RECOMPUTE_NONE, 1 << 30);
    one_pass("bf16_pointwise", "cuda", BF16, RECOMPUTE_NONE, 1 << 30);
    one_pass("bf16_patch", "cuda", BF16, RECOMPUTE_NONE, 1 << 30);
}

TEST(golden_bf16_by_wgmma)
{
    int before = test_wgmma_count(0) + test_wgmma_count(1);
    test_wgmma_ask(1);
    one_pass("bf16_pointwise", "cuda", BF16, RECOMPUTE_NONE, 1 << 30);
    one_pass("bf16_patch", "cuda", BF16, RECOMPUTE_LAYER, 1 << 30);
    test_wgmma_ask(0);
    CHECK(before < 0 || test_wgmma_count(0) + test_wgmma_count(1) > before);
}

static float lr_at(int step)                 /* what tools/golden uses: peak 1e-3, warm-up 5 of 10 */
{
    return step <= 5 ? 1e-3f * (float)step / 5 : (float)(1e-3 * 0.5 * (1 + cos(M_PI * (step - 5) / 5.0)));
}

static void ten_steps(const char *name, const char *tier)
{
    Golden g;
    Err e;
    Backend *b = open_tier(tier, F32);
    Model *m;
    float loss[10], pred[10], aux[10], norm[10];
    Seg seg[64];
    int chunk[16];
    if (!b) return;
    OK(golden_open(&g, name, 1 << 30, &e));
    OK(golden_model(&m, &g, b, RECOMPUTE_NONE, &e));
    Input in = golden_input(&g, 0, g.nchunk, seg, chunk);
    for (int i = 0; i < 10; i++) {
        StepSum s;
        model_begin(m);
        model_train(m, &in, 0, g.valid, coef_of(&g));
        model_update(m, &(AdamW){.lr = lr_at(i + 1), .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = 1, .step = i + 1});
        OK(model_read(m, &m->train, &s, &e));
        pred[i] = 0;
        for (int j = 0; j < g.c.nh; j++) pred[i] += (float)(s.huber[j] / (double)(g.valid[j] > 1 ? g.valid[j] : 1)) / (float)g.c.nh;
        aux[i] = (float)s.aux;
        norm[i] = (float)sqrt(s.norm2);
        loss[i] = pred[i] + (g.c.dense ? 0 : (float)g.aux_weight * aux[i]);
    }
    Watch w = {.g = &g, .b = b, .label = name};
    compare(&w, "steps.loss", loss, 10, 1e-4);
    compare(&w, "steps.pred", pred, 10, 1e-4);
    compare(&w, "steps.aux", aux, 10, 1e-4);
    compare(&w, "steps.norm", norm, 10, 1e-4);
    model_close(m);
    golden_close(&g);
    backend_close(b);
}

TEST(golden_ten_steps)
{
    for (int i = 0; i < NCASES; i++)
        for (int t = 0; t < (i % 4 ? NTIERS - 1 : NTIERS); t++) ten_steps(cases[i], tiers[t]);       /* the emulator takes its time */
}
