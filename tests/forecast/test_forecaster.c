/* test_forecaster.c - whole forecasts against those that PyTorch made in double, encoding everything anew before each hop. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/golden.h"
#include "forecast/forecaster.h"
#include "forecast/schedule.h"
#include "test.h"

static const char *const cases[] = {"forecast_pointwise", "forecast_gqa", "forecast_patch", "forecast_patch_overlap", "forecast_horizons"};
enum { NCASES = sizeof cases / sizeof *cases, MOST = 8 };

typedef struct Told { Golden g; Forecaster *f; Past s[MOST]; double *x, *out; float *want, *scale; int64_t horizon; } Told;      /* scale (nseg, 2): mean and unit */

static int told_open(Told *t, const char *name, const char *dir, Dtype type, int threads, Err *e)
{
    *t = (Told){0};
    if (golden_open(&t->g, name, 1 << 20, e) || golden_save(&t->g, dir, e) || forecaster_open(&t->f, dir, "cpu", type, threads, e)) return -1;
    const StTensor *want = st_find(&t->g.st, "forecast");
    t->want = golden_floats(want);
    t->scale = golden_floats(st_find(&t->g.st, "scale"));
    t->horizon = want->shape[1];
    t->x = malloc((size_t)t->g.npoints * sizeof *t->x);
    t->out = malloc((size_t)t->g.nseg * (size_t)t->horizon * sizeof *t->out);
    for (int i = 0; i < t->g.npoints; i++) t->x[i] = (double)t->g.points[i];
    for (int i = 0; i < t->g.nseg; i++) t->s[i] = (Past){t->x + t->g.pt[i], t->g.npt[i]};
    return 0;
}

static void told_close(Told *t)
{
    forecaster_close(t->f);
    golden_close(&t->g);
    free(t->want);
    free(t->scale);
    free(t->x);
    free(t->out);
}

static int near(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

/* What is answered is scaled again, to the size that the model knows. */
static double distance(const Told *t, int i, Context c)
{
    float made[256];
    for (int64_t k = 0; k < t->horizon; k++) made[k] = (float)((t->out[i * t->horizon + k] - c.mean) / c.unit);
    return golden_distance(made, t->want + i * t->horizon, (size_t)t->horizon);
}

static void check_series(const Told *t, const char *name, int i, Context c)
{
    double far = distance(t, i, c);
    if (!(far <= 1e-4)) test_fail(__FILE__, __LINE__, "%s: series %d is off by %.1e", name, i, far);
    if (!near(c.mean, (double)t->scale[2 * i]) || !near(c.unit, (double)t->scale[2 * i + 1])) test_fail(__FILE__, __LINE__, "%s: series %d, mean %g, unit %g", name, i, c.mean, c.unit);
}

TEST(forecast_is_that_of_pytorch)
{
    for (int k = 0; k < NCASES; k++) {
        Told t;
        Err e;
        OK(told_open(&t, cases[k], test_folder(), F32, 2, &e));
        Context c[MOST];
        OK(forecaster_series(t.f, t.s, t.g.nseg, 0, t.horizon, t.out, c, &e));
        for (int i = 0; i < t.g.nseg; i++) check_series(&t, cases[k], i, c[i]);
        told_close(&t);
    }
}

/* Four steps of bf16 where little is fed back (the goldens of a pass have tighter bounds), but not what fp32 gives. */
TEST(forecast_in_bf16_is_near)
{
    for (int k = 0; k < 2; k++) {
        Told t;
        Err e;
        Context c[MOST];
        OK(told_open(&t, cases[k], test_folder(), BF16, 2, &e));
        OK(forecaster_series(t.f, t.s, t.g.nseg, 0, t.horizon, t.out, c, &e));
        for (int i = 0; i < t.g.nseg; i++) {
            double far = distance(&t, i, c[i]);
            if (!(far <= 0x1p-6 && far > 1e-3)) test_fail(__FILE__, __LINE__, "%s: series %d is off by %.1e", cases[k], i, far);
        }
        told_close(&t);
    }
}

/* The same bits alone, and when the forecaster was used for other sizes before. */
TEST(forecast_company_changes_nothing)
{
    for (int k = 0; k < NCASES; k++) {
        Told t;
        Err e;
        double alone[256];
        OK(told_open(&t, cases[k], test_folder(), F32, 1, &e));
        for (int i = t.g.nseg; i-- > 0;) {
            OK(forecaster_series(t.f, &t.s[i], 1, 0, t.horizon, alone, NULL, &e));
            OK(forecaster_series(t.f, t.s, t.g.nseg, 0, t.horizon, t.out, NULL, &e));
            CHECK(!memcmp(alone, t.out + i * t.horizon, (size_t)t.horizon * sizeof *alone));
        }
        told_close(&t);
    }
}

TEST(forecast_hops_with_the_longest_head_that_fits)
{
    static const struct { int S, nh, horizon[4]; int64_t ahead; const char *want; } table[] = {
        {1, 4, {1, 8, 32, 64}, 96, "64 32"}, {1, 4, {1, 8, 32, 64}, 192, "64 64 64"}, {1, 4, {1, 8, 32, 64}, 336, "64 64 64 64 64 8 8"},
        {1, 4, {1, 8, 32, 64}, 3, "1 1 1"}, {4, 4, {1, 8, 32, 64}, 77, "64 8 5/8"}, {32, 4, {1, 8, 32, 64}, 70, "64 6/8"}, {64, 4, {1, 8, 32, 64}, 50, "50/64"},
        {3, 4, {1, 8, 32, 64}, 41, "32! 8! 1!"}, {100, 2, {8, 64}, 70, "64! 6/8"}, {3, 3, {2, 6, 24}, 37, "24 6 6 1/2"}, {1, 1, {5}, 7, "5 2/5"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ModelConfig c = {.P = table[i].S, .S = table[i].S, .nh = table[i].nh};
        char got[128] = "";
        memcpy(c.horizon, table[i].horizon, sizeof table[i].horizon);
        for (int64_t left = table[i].ahead; left;) {
            Hop h = schedule_hop(&c, left);
            size_t n = strlen(got);
            CHECK(h.take >= 1 && h.take <= left && h.take <= c.horizon[h.head]);
            snprintf(got + n, sizeof got - n, "%s%d", n ? " " : "", h.take);
            n = strlen(got);
            if (h.take < c.horizon[h.head]) snprintf(got + n, sizeof got - n, "/%d", c.horizon[h.head]);
            else if (h.again) snprintf(got + n, sizeof got - n, "!");
            left -= h.take;
        }
        TEXT(got, table[i].want);
    }
}

static int same_context(Context c, int64_t n, int64_t late, int64_t cut, double mean, double unit)
{
    return c.n == n && c.late == late && c.cut == cut && fabs(c.mean - mean) <= 1e-12 * fabs(mean) && fabs(c.unit - unit) <= 1e-12 * unit;
}

TEST(forecast_context_is_scaled_and_whole)
{
    static const double holes[] = {NAN, INFINITY, 2, NAN, NAN, 8, 5, NAN};
    float x[8];
    CHECK(same_context(context_show(holes, 8, 100, x), 5, 1, 0, 5, 3));
    CHECK(x[0] == -1 && x[1] == (float)((4 - 5) / 3.0) && x[2] == (float)((6 - 5) / 3.0) && x[3] == 1 && x[4] == 0);
}

TEST(forecast_context_of_extremes)
{
    static const double one[] = {NAN, -7, NAN}, none[] = {NAN, -INFINITY}, flat[] = {3, 3, 3}, large[] = {1e308, NAN, -1e308, 5e307}, small[] = {1e-300, 3e-300};
    float x[8];
    CHECK(same_context(context_show(one, 3, 100, x), 1, 1, 0, -7, 1) && x[0] == 0);
    CHECK(context_show(none, 2, 100, x).n == 0 && context_show(none, 0, 100, x).n == 0);
    CHECK(same_context(context_show(flat, 3, 2, x), 2, 0, 1, 3, 1) && x[0] == 0 && x[1] == 0);
    Context c = context_show(large, 4, 100, x);
    CHECK(c.n == 4 && isfinite(c.mean) && isfinite(c.unit));
    for (int i = 0; i < 4; i++) CHECK(fabsf(x[i]) < 2);
    CHECK(same_context(context_show(small, 2, 100, x), 2, 0, 0, 2e-300, sqrt(2) * 1e-300) && fabsf(x[0] + sqrtf(0.5f)) < 1e-6f);
}

/* Sizes do not matter, constants stay, what was never observed is not forecast. */
TEST(forecast_of_extremes)
{
    Told t;
    Err e;
    double x[4][30], out[4][20];
    Context c[4];
    OK(told_open(&t, cases[0], test_folder(), F32, 1, &e));
    for (int i = 0; i < 30; i++) {
        x[0][i] = sin(i) + 2;
        x[1][i] = x[0][i] * 1e30;
        x[2][i] = x[0][i] * 1e-30;
        x[3][i] = NAN;
    }
    Past s[4] = {{x[0], 30}, {x[1], 30}, {x[2], 30}, {x[3], 30}};
    OK(forecaster_series(t.f, s, 4, 0, 20, out[0], c, &e));
    for (int i = 0; i < 20; i++) {
        CHECK(isfinite(out[0][i]) && isnan(out[3][i]));
        CHECK(fabs(out[1][i] * 1e-30 - out[0][i]) < 1e-5 && fabs(out[2][i] * 1e30 - out[0][i]) < 1e-5);
    }
    CHECK(c[0].n == 30 && c[3].n == 0);
    for (int i = 0; i < 30; i++) x[0][i] = 1e9 + 1;
    OK(forecaster_series(t.f, s, 1, 0, 20, out[0], c, &e));
    for (int i = 0; i < 20; i++) CHECK(fabs(out[0][i] - 1e9) < 100);
    told_close(&t);
}

/* Windows are what series are, without scaling; the last that fit are used. */
TEST(forecast_windows_use_the_last_points)
{
    Told t;
    Err e;
    float x[100], all[30], last[30];
    OK(told_open(&t, "forecast_gqa", test_folder(), F32, 2, &e));
    CHECK(forecaster_most_points(t.f) == 25);
    for (int i = 0; i < 100; i++) x[i] = (float)sin(i * 0.7);
    OK(forecaster_windows(t.f, &(Window){x, 100}, 1, 30, all, &e));
    OK(forecaster_windows(t.f, &(Window){x + 75, 25}, 1, 30, last, &e));
    CHECK(!memcmp(all, last, sizeof all));
    OK(forecaster_windows(t.f, &(Window){x + 74, 25}, 1, 30, last, &e));
    CHECK(memcmp(all, last, sizeof all));
    told_close(&t);
}

typedef struct Caller { Told *t; double out[8 * 128]; int bad; } Caller;
static void *call(void *arg)
{
    Caller *c = arg;
    Err e;
    for (int i = 0; i < 5; i++) c->bad |= forecaster_series(c->t->f, c->t->s, c->t->g.nseg, 0, c->t->horizon, c->out, NULL, &e);
    return NULL;
}

TEST(forecast_for_several_callers)
{
    enum { CALLERS = 4 };
    static Caller c[CALLERS];
    pthread_t thread[CALLERS];
    Told t;
    Err e;
    OK(told_open(&t, cases[0], test_folder(), F32, 2, &e));
    OK(forecaster_series(t.f, t.s, t.g.nseg, 0, t.horizon, t.out, NULL, &e));
    for (int i = 0; i < CALLERS; i++) {
        c[i].t = &t;
        CHECK(!pthread_create(&thread[i], NULL, call, &c[i]));
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < CALLERS; i++) CHECK(!c[i].bad && !memcmp(c[i].out, t.out, (size_t)t.g.nseg * (size_t)t.horizon * sizeof *t.out));
    told_close(&t);
}

TEST(forecast_models_that_cannot_be_opened)
{
    Told t;
    Err e;
    char want[600];
    Forecaster *f;
    const char *dir = test_folder();
    OK(told_open(&t, cases[0], dir, F32, 1, &e));
    told_close(&t);
    CHECK(forecaster_open(&f, "nowhere", "cpu", F32, 1, &e) == -1 && !f);
    TEXT(e.message, "nowhere: no folder of a model, which has config.json and model.safetensors");
    snprintf(want, sizeof want, "%s/model.safetensors", dir);
    remove(want);
    CHECK(forecaster_open(&f, dir, "cpu", F32, 1, &e) == -1 && !f && strstr(e.message, dir));
}

TEST(forecast_without_memory)
{
    Told t;
    Err e;
    const char *dir = test_folder();
    OK(told_open(&t, cases[1], dir, F32, 1, &e));
    forecaster_close(t.f);
    t.f = NULL;
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = forecaster_open(&t.f, dir, "cpu", F32, 1, &e) || forecaster_series(t.f, t.s, t.g.nseg, 0, t.horizon, t.out, NULL, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 5000);
        forecaster_close(t.f);
        t.f = NULL;
    }
    told_close(&t);
}
