/* test_forecaster.c - forecasts through the public door: the bits of what stands behind it, for one caller or several. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/golden.h"
#include "forecast/forecaster.h"
#include "foundationts.h"
#include "test.h"
#include "util/file.h"

enum { SERIES = 300, POINTS = 40, AHEAD = 11 };          /* more series than go through at once */

typedef struct Asked { double x[SERIES][POINTS]; const double *at[SERIES]; int64_t n[SERIES]; double want[SERIES][AHEAD]; } Asked;

static int save_model(const char *dir, Err *e)
{
    Golden g;
    if (golden_open(&g, "forecast_gqa", 1 << 20, e)) return -1;
    int bad = golden_save(&g, dir, e);
    golden_close(&g);
    return bad;
}

/* Series of all lengths, from none on, with missing points at the beginning, inside and at the end, and what the room says of them. */
static int ask(Asked *a, const char *dir, int64_t most, Err *e)
{
    Past past[SERIES];
    Forecaster *f;
    for (int i = 0; i < SERIES; i++) {
        for (int t = 0; t < POINTS; t++) a->x[i][t] = sin(t * 0.3 + i) * (i + 1) + i;
        a->x[i][i % 7] = a->x[i][8 + i % 11] = a->x[i][POINTS - 1] = i % 3 ? NAN : INFINITY;
        a->n[i] = i % (POINTS + 1);
        a->at[i] = a->n[i] ? a->x[i] : NULL;
        past[i] = (Past){a->at[i], a->n[i]};
    }
    if (forecaster_open(&f, dir, "cpu", F32, 1, e)) return -1;
    int bad = forecaster_series(f, past, SERIES, most, AHEAD, a->want[0], NULL, e);
    forecaster_close(f);
    return bad;
}

TEST(api_forecaster_answers_the_bits_of_the_room)
{
    static const int64_t most[] = {0, 1, 7, 1000000};
    static Asked a;
    static double out[SERIES][AHEAD];
    FtsForecaster *f;
    Err e;
    const char *dir = test_folder();
    OK(save_model(dir, &e));
    OK(fts_forecaster_open(&f, dir, 2, &e));
    for (size_t k = 0; k < sizeof most / sizeof *most; k++) {
        OK(ask(&a, dir, most[k], &e));
        OK(fts_forecast(f, a.at, a.n, SERIES, most[k], AHEAD, out[0], &e));
        CHECK(!memcmp(out, a.want, sizeof out));
    }
    CHECK(isnan(out[0][0]) && isnan(out[POINTS + 1][AHEAD - 1]) && isnan(out[POINTS + 2][0]));           /* no point; none; one, which is missing */
    CHECK(isfinite(out[1][0]) && isfinite(out[40][AHEAD - 1]) && isfinite(out[SERIES - 1][AHEAD - 1]));
    OK(fts_forecast(f, NULL, NULL, 0, 0, AHEAD, NULL, &e));
    fts_forecaster_close(f);
    fts_forecaster_close(NULL);
}

typedef struct Caller { FtsForecaster *f; const Asked *a; int wrong; } Caller;

/* Half of all series at a time, so that calls of several sizes meet. */
static void *call(void *arg)
{
    Caller *c = arg;
    double *out = malloc(sizeof c->a->want);
    FtsError e;
    for (int i = 0; out && i < 6; i++) {
        int from = i % 2 * (SERIES / 2), n = SERIES - from;
        c->wrong |= fts_forecast(c->f, c->a->at + from, c->a->n + from, n, 0, AHEAD, out, &e) || memcmp(out, c->a->want[from], (size_t)n * sizeof *c->a->want);
    }
    c->wrong |= !out;
    free(out);
    return NULL;
}

TEST(api_forecaster_for_several_callers)
{
    enum { CALLERS = 4 };
    static Asked a;
    Caller c[CALLERS];
    pthread_t thread[CALLERS];
    FtsForecaster *f;
    Err e;
    const char *dir = test_folder();
    OK(save_model(dir, &e));
    OK(ask(&a, dir, 0, &e));
    OK(fts_forecaster_open(&f, dir, 2, &e));
    for (int i = 0; i < CALLERS; i++) {
        c[i] = (Caller){f, &a, 0};
        CHECK(!pthread_create(&thread[i], NULL, call, &c[i]));
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < CALLERS; i++) CHECK(!c[i].wrong);
    fts_forecaster_close(f);
}

TEST(api_forecaster_says_what_the_model_is)
{
    Golden g;
    FtsForecaster *f;
    Err e;
    struct { FtsForecasterInfo now; int64_t later; } info;
    const char *dir = test_folder();
    OK(golden_open(&g, "forecast_patch_overlap", 1 << 20, &e));
    OK(golden_save(&g, dir, &e));
    OK(fts_forecaster_open(&f, dir, 1, &e));
    memset(&info, 0xff, sizeof info);
    fts_forecaster_info(f, &info.now, sizeof info);
    CHECK(info.now.parameters == config_params(&g.c) && info.now.active == config_active(&g.c) && info.now.patch_length == g.c.P && info.now.patch_stride == g.c.S);
    CHECK(info.now.most_points == (g.c.max_positions - 1) * g.c.S + g.c.P && info.now.horizons == g.c.nh && info.now.horizon[g.c.nh - 1] == g.c.horizon[g.c.nh - 1]);
    CHECK(info.now.horizon[FTS_MAX_HORIZONS - 1] == 0 && info.later == 0);             /* a field that this library does not know */
    memset(&info, 0xff, sizeof info);
    fts_forecaster_info(f, &info.now, offsetof(FtsForecasterInfo, patch_length));      /* a program that knows less */
    CHECK(info.now.active == config_active(&g.c) && info.now.patch_length == -1);
    fts_forecaster_close(f);
    golden_close(&g);
}

TEST(api_forecaster_wrong_arguments_are_named)
{
    static const double x[] = {1, 2, 3};
    static const struct { int64_t n, count, context, horizon; int null; const char *says; } wrong[] = {
        {3, -1, 0, 1, 0, "count is -1, but cannot be negative"},
        {3, 1, -2, 1, 0, "context_length is -2, but cannot be negative"},
        {3, 1, 0, 0, 0, "horizon is 0, but must be 1 to 1000000"},
        {3, 1, 0, 1000001, 0, "horizon is 1000001, but must be 1 to 1000000"},
        {-3, 1, 0, 1, 0, "series 0: -3 points, but that cannot be negative"},
        {3, 1, 0, 1, 1, "series 0: 3 points at NULL"},
    };
    FtsForecaster *f;
    Err e;
    double out[4];
    const char *dir = test_folder();
    OK(save_model(dir, &e));
    CHECK(fts_forecaster_open(&f, dir, -1, &e) == -1 && !f && e.code == FTS_USAGE);
    TEXT(e.message, "threads is -1, but must be 1 to 1024, or 0 for what the machine allows");
    CHECK(fts_forecaster_open(&f, "nowhere", 0, &e) == -1 && !f && e.code == FTS_IO);
    TEXT(e.message, "nowhere: no folder of a model, which has config.json and model.safetensors");
    OK(fts_forecaster_open(&f, dir, 1, &e));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const double *at[] = {wrong[i].null ? NULL : x};
        CHECK(fts_forecast(f, at, &wrong[i].n, wrong[i].count, wrong[i].context, wrong[i].horizon, out, &e) == -1 && e.code == FTS_USAGE);
        TEXT(e.message, wrong[i].says);
    }
    fts_forecaster_close(f);
}

TEST(api_forecaster_without_memory)
{
    static const double x[] = {1, 2, 3};
    const double *at[] = {x};
    const int64_t n[] = {3};
    double out[AHEAD];
    FtsForecaster *f;
    Err e;
    const char *dir = test_folder();
    OK(save_model(dir, &e));
    for (long k = 1;; k++) {
        test_alloc_fail(k);
        int bad = fts_forecaster_open(&f, dir, 1, &e) || fts_forecast(f, at, n, 1, 0, AHEAD, out, &e);
        test_alloc_fail(0);
        fts_forecaster_close(f);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && k < 5000);
    }
}

/* The example of the documentation, as it stands there. */
TEST(api_forecaster_example_runs)
{
    static const char text[] = "[1, 2, 3, 4, 5, 6, 7]\n[10, null, 30, 40]\n";
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 10, NAN, 30, 40};
    const double *at[] = {x, x + 7};
    const int64_t n[] = {7, 4};
    char path[512], command[1200], line[256], want[256];
    double out[2][3];
    FtsForecaster *f;
    Err e;
    const char *program = getenv("FTS_PROGRAM"), *dir = test_folder();
    if (!program) { test_skip("FTS_PROGRAM is not set"); return; }
    OK(save_model(dir, &e));
    OK(fts_forecaster_open(&f, dir, 1, &e));
    OK(fts_forecast(f, at, n, 2, 0, 3, out[0], &e));
    fts_forecaster_close(f);
    snprintf(path, sizeof path, "%s/x.jsonl", dir);
    OK(file_write(path, text, sizeof text - 1, &e));
    snprintf(command, sizeof command, "%.*s/docs/forecast.exe %s %s 3 2>/dev/null", (int)(strrchr(program, '/') - program), program, dir, path);
    FILE *p = popen(command, "r");
    CHECK(p);
    for (int i = 0; i < 2; i++) {
        snprintf(want, sizeof want, "%.6g %.6g %.6g\n", out[i][0], out[i][1], out[i][2]);
        CHECK(fgets(line, sizeof line, p));
        TEXT(line, want);
    }
    CHECK(pclose(p) == 0);
}

/* Programs see the functions of the header in the shared library, and no others. */
TEST(api_shared_library_shows_the_header)
{
    static const char *const script =
        "grep -o 'FTS_API.*' include/foundationts.h | grep -o 'fts_[a-z_]*(' | tr -d '(' | sort >%s/header && "
        "nm -D --defined-only %.*s/libfoundationts.so | awk '{ print $3 }' | sort >%s/library && test -s %s/header && diff %s/header %s/library >&2";
    char command[1500];
    const char *program = getenv("FTS_PROGRAM"), *dir = test_folder();
    if (!program || system("command -v nm >/dev/null")) { test_skip("FTS_PROGRAM is not set, or there is no nm"); return; }
    snprintf(command, sizeof command, script, dir, (int)(strrchr(program, '/') - program), program, dir, dir, dir, dir);
    CHECK(system(command) == 0);
}
