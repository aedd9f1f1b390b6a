/* test_evaluate.c - made series, with every number computed a second time in the open. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../data/support.h"
#include "support.h"
#include "test.h"

enum { ROWS = 100, COLUMNS = 3, TRAIN = 70, FIRST = 80, HORIZON = 4, SEASON = 5, WINDOWS = ROWS - FIRST - HORIZON };

/* Waves on a slope, and mostly zeros. */
static double value(int c, int t)
{
    if (c == 2) return t % 6 == 0 ? 4 : 0;
    return 3 * sin(0.7 * t + c) + 0.1 * t - 2;
}

static const char *made(const char *dir, const char *name)
{
    Str s = {0};
    str_addf(&s, "date,a,b,c\n");
    for (int t = 0; t < ROWS; t++) str_addf(&s, "day %d,%.17g,%.17g,%.17g\n", t, value(0, t), value(1, t), value(2, t));
    const char *path = put_text(dir, name, s.p);
    str_free(&s);
    return path;
}

/* The metrics of repeating `period` points over the windows at these places, straight from their definitions. */
static Metrics by_places(int period, const int *place, int windows)
{
    double square = 0, absolute = 0, relative = 0, mase = 0;
    int n = 0;
    for (int c = 0; c < COLUMNS; c++) {
        double mean = 0, var = 0, step = 0, own = 0;
        for (int t = 0; t < TRAIN; t++) mean += value(c, t) / TRAIN;
        for (int t = 0; t < TRAIN; t++) var += (value(c, t) - mean) * (value(c, t) - mean) / TRAIN;
        for (int t = SEASON; t < TRAIN; t++) step += fabs(value(c, t) - value(c, t - SEASON)) / (TRAIN - SEASON);
        for (int i = 0; i < windows; i++)
            for (int h = 0; h < HORIZON; h++, n++) {
                int w = FIRST + place[i];
                double y = value(c, w + h), f = value(c, w - period + h % period), d = (f - y) / sqrt(var);
                square += d * d;
                absolute += fabs(d);
                own += fabs(f - y);
                if (y != f) relative += 200 * fabs(y - f) / (fabs(y) + fabs(f));
            }
        mase += own / (windows * HORIZON) / step / COLUMNS;
    }
    return (Metrics){.mse = square / n, .mae = absolute / n, .smape = relative / n, .mase = mase};
}

static Metrics by_hand(int period, int windows)
{
    int place[ROWS];
    for (int i = 0; i < windows; i++) place[i] = i;
    return by_places(period, place, windows);
}

static int near(double got, double want) { return fabs(got - want) <= 1e-6 * fabs(want); }

static void same_metrics(const EvalRow *r, Metrics want)
{
    const Metrics *m = &r->metrics;
    if (!near(m->mse, want.mse) || !near(m->mae, want.mae) || !near(m->mase, want.mase) || !near(m->smape, want.smape) || m->mase_series != COLUMNS)
        test_fail(__FILE__, __LINE__, "%s: mse %.9g mae %.9g mase %.9g smape %.9g, want %.9g %.9g %.9g %.9g", r->model, m->mse, m->mae, m->mase, m->smape, want.mse, want.mae, want.mase,
                  want.smape);
}

TEST(evaluate_windows_spread_evenly)
{
    static const int five[] = {0, 3, 7, 11, 15}, one[] = {0};
    Evaluation v;
    Err e = {0};
    EvalOpts o = eval_settings(made(test_folder(), "made.csv"), NULL, "4");
    o.season = SEASON;
    o.max_windows = 5;
    CHECK(WINDOWS == 16);
    OK(eval_rules(&v, &o, &e));
    same_metrics(eval_row(&v, "repeat-last", 4), by_places(1, five, 5));
    CHECK(v.row[0].stage.windows == 5);
    o.max_windows = 1;
    OK(eval_rules(&v, &o, &e));
    same_metrics(eval_row(&v, "repeat-last", 4), by_places(1, one, 1));
    o.max_windows = 17;
    OK(eval_rules(&v, &o, &e));
    same_metrics(eval_row(&v, "repeat-last", 4), by_hand(1, WINDOWS));
}

TEST(evaluate_metrics_are_those_of_their_definitions)
{
    for (int all = 0; all < 2; all++) {
        Err e = {0};
        Evaluation v;
        EvalOpts o = eval_settings(made(test_folder(), "made.csv"), NULL, "4");
        o.season = SEASON;
        o.all_windows = all;
        OK(eval_rules(&v, &o, &e));
        CHECK(v.n == 2 && v.series == COLUMNS && v.row[0].stage.windows == WINDOWS + all && v.row[0].stage.context == 16);
        TEXT(v.row[0].model, "repeat-last");
        TEXT(v.row[1].model, "seasonal-naive:5");
        same_metrics(&v.row[0], by_hand(1, WINDOWS + all));
        same_metrics(&v.row[1], by_hand(SEASON, WINDOWS + all));
    }
}

/* A contender that looks at what it is given: every window once, in order, and only points before its forecast. */
typedef struct Watcher { int seen, calls, most, wrong, context, fail_at, nan_at; } Watcher;

static int watch(void *user, const Window *w, int count, int horizon, float *out, Err *e)
{
    Watcher *k = user;
    if (++k->calls == k->fail_at) return err_set(e, FTS_DEVICE, "the device went away");
    if (count > k->most) k->most = count;
    for (int i = 0; i < count; i++, k->seen++) {
        int c = k->seen / WINDOWS, at = FIRST + k->seen % WINDOWS;
        double mean = 0, var = 0;
        for (int t = 0; t < TRAIN; t++) mean += value(c, t) / TRAIN;
        for (int t = 0; t < TRAIN; t++) var += (value(c, t) - mean) * (value(c, t) - mean) / TRAIN;
        k->wrong += w[i].n != k->context || horizon != HORIZON;
        for (int t = 0; t < w[i].n; t++) k->wrong += fabs(w[i].x[t] - (value(c, at - w[i].n + t) - mean) / sqrt(var)) > 1e-5;
        for (int h = 0; h < horizon; h++) *out++ = k->nan_at && k->seen == k->nan_at ? (float)NAN : w[i].x[w[i].n - 1];
    }
    return 0;
}

static int watched(Evaluation *v, Watcher *k, int at_once, int threads, const char *dir, Err *e)
{
    Predictor p = {"watcher", watch, k, at_once};
    Contender c = {&p, 0};
    EvalOpts o = eval_settings(made(dir, "made.csv"), NULL, "4");
    o.season = SEASON;
    o.threads = threads;
    if (k->context != 16) o.context_length = k->context;
    return evaluate(v, &(EvalSpec){.opts = &o, .asked = &c, .nasked = 1}, e);
}

TEST(evaluate_gives_a_contender_every_window_and_nothing_behind_it)
{
    static const struct { int at_once, threads, context, most, calls; } row[] = {{1, 1, 16, 1, 48}, {7, 3, 16, 7, 7}, {1000, 2, 2, 48, 1}, {16, 1, 80, 16, 3}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Evaluation v;
        Watcher k = {.context = row[i].context};
        OK(watched(&v, &k, row[i].at_once, row[i].threads, test_folder(), &e));
        CHECK(k.seen == COLUMNS * WINDOWS && k.wrong == 0 && k.most == row[i].most && k.calls == row[i].calls);
        CHECK(v.n == 3 && !strcmp(v.row[0].model, "watcher") && v.row[0].stage.context == row[i].context);
        same_metrics(&v.row[0], by_hand(1, WINDOWS));
    }
}

TEST(evaluate_has_the_same_bits_for_any_number_of_threads_and_windows_at_once)
{
    Err e = {0};
    Evaluation one, other;
    OK(watched(&one, &(Watcher){.context = 16}, 1, 1, test_folder(), &e));
    for (int threads = 1; threads <= 3; threads += 2)
        for (int at_once = 5; at_once < 100; at_once += 31) {
            OK(watched(&other, &(Watcher){.context = 16}, at_once, threads, test_folder(), &e));
            CHECK(other.n == one.n);
            for (int i = 0; i < one.n; i++) CHECK(!memcmp(&one.row[i].metrics, &other.row[i].metrics, sizeof one.row[i].metrics));
        }
}

TEST(evaluate_passes_on_what_a_contender_says)
{
    Err e = {0};
    Evaluation v;
    CHECK(watched(&v, &(Watcher){.context = 16, .fail_at = 2}, 16, 1, test_folder(), &e) && e.code == FTS_DEVICE);
    TEXT(e.message, "watcher: the device went away");
    OK(watched(&v, &(Watcher){.context = 16, .nan_at = 20}, 16, 1, test_folder(), &e));
    CHECK(isnan(v.row[0].metrics.mse) && isnan(v.row[0].metrics.mase) && isfinite(v.row[1].metrics.mse));
}

/* Series of different lengths; the third does not change, the fourth is shorter than a season. */
TEST(evaluate_pairs_take_each_series_from_its_end)
{
    Err e = {0};
    Evaluation v;
    const char *dir = test_folder();
    const char *past = put_text(dir, "past.jsonl", "[1, 2, 3, 4, 6]\n[0, 4, 0]\n[5, 5, 5, 5]\n[2]\n");
    const char *future = put_text(dir, "future.jsonl", "[6, 9]\n[0, 0]\n[5, 10]\n[2, 6]\n");
    EvalOpts o = eval_settings(past, future, NULL);
    o.season = 2;
    OK(eval_rules(&v, &o, &e));
    CHECK(v.n == 2 && v.series == 4 && v.row[0].stage.horizon == 2 && v.row[0].stage.windows == 1);
    /* repeat-last: |d| is 0 3, 0 0, 0 5, 0 4; steps over two points: 2 2 3, and 0 for the second series, as for the third */
    CHECK(near(v.row[0].metrics.smape, (200 * 3 / 15.0 + 200 * 5 / 15.0 + 200 * 4 / 8.0) / 8));
    CHECK(near(v.row[0].metrics.mase, 1.5 / (7 / 3.0)) && v.row[0].metrics.mase_series == 1);
    CHECK(near(v.row[0].metrics.mae, (3 / sqrt(2.96) + 5 + 4) / 8) && near(v.row[0].metrics.mse, (9 / 2.96 + 25 + 16) / 8));
    /* seasonal-naive:2: 4 6, 4 0, 5 5, and 2 2 as there is no more: |d| 2 3, 4 0, 0 5, 0 4 */
    CHECK(near(v.row[1].metrics.smape, (200 * 2 / 10.0 + 200 * 3 / 15.0 + 200 + 200 * 5 / 15.0 + 200 * 4 / 8.0) / 8));
    CHECK(near(v.row[1].metrics.mase, 2.5 / (7 / 3.0)));
    o.prediction_length = "1";
    OK(eval_rules(&v, &o, &e));
    CHECK(near(v.row[1].metrics.mase, 2 / (7 / 3.0)) && v.row[0].metrics.mae == 0);
}

TEST(evaluate_mase_is_missing_where_no_series_has_a_season)
{
    Err e = {0};
    Evaluation v;
    const char *dir = test_folder();
    EvalOpts o = eval_settings(put_text(dir, "a.jsonl", "[1, 2]\n"), put_text(dir, "b.jsonl", "[3]\n"), NULL);
    o.season = 9;
    OK(eval_rules(&v, &o, &e));
    CHECK(isnan(v.row[0].metrics.mase) && v.row[0].metrics.mase_series == 0 && v.row[0].metrics.mae == 2);
}

TEST(evaluate_says_what_is_wrong)
{
    static const struct { const char *name, *text, *future, *horizons; int64_t context, season; int all; const char *says; } row[] = {
        {"a.txt", "1\n", NULL, "1", -1, -1, 0, "a.txt: not a file that can be read: text under another name: a table of text goes by .csv"},
        {"a.csv", "", NULL, "1", -1, -1, 0, "a.csv (csv): no series"},
        {"a.csv", "u,v\n1,2\n3,b\n", NULL, "1", -1, -1, 0, "a.csv (csv): line 3, column 2 (v): found \"b\""},
        {"a.csv", "u,v\n1,2\n3,4\n", NULL, "1", -1, -1, 0, "a.csv: 2 rows; a horizon of 1 with a context of 4 needs 10, of which the last fifth is for the test"},
        {"a.csv", "u,v\n1,2\n3,4\n", NULL, NULL, -1, -1, 0, "a.csv: 2 rows; a horizon of 96 with a context of 512 needs 639, of which the last fifth is for the test"},
        {"a.csv", "u,v\n1,2\n3,4\n", NULL, "x", -1, -1, 0, "--prediction-length: 'x' is not a whole number"},
        {"a.csv", "x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", NULL, "1", 9, -1, 0, "a.csv: 10 rows; a horizon of 1 with a context of 9 needs 11, of which the last fifth is for the test"},
        {"a.csv", "x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", NULL, "1", -1, 9, 0, "seasonal-naive:9 looks back on 9 points, and there are 8 before the first forecast"},
        {"a.csv", "u,v\n1,1\n2,\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,10\n", NULL, "1", -1, -1, 0,
         "a.csv (csv): series 2 of 2, point 2 of 10: a missing or infinite value, and every point is needed: fill it first"},
        {"a.csv", "x\n1\n1e308\n-1e308\n1e308\n5\n6\n7\n8\n9\n10\n", NULL, "1", -1, -1, 0, "a.csv: series 1: values too large to be scaled"},
        {"a.jsonl", "[1, 2]\n[3]\n", NULL, "1", -1, -1, 0, "a.jsonl (jsonl): series of 1 to 2 points; a table has all of one length, or name what comes after them with --test-data"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[1]\n", NULL, -1, -1, 0, "has 1: each needs its continuation"},
        {"a.jsonl", "[1, 2]\n[]\n", "[1]\n[2]\n", NULL, -1, -1, 0, "a.jsonl: series 2 is empty"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[1]\n[2, 3]\n", NULL, -1, -1, 0, "b.jsonl: series of 1 to 2 points: say how many to forecast with --prediction-length"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[]\n[]\n", NULL, -1, -1, 0, "b.jsonl: series of 0 to 0 points: say how many to forecast with --prediction-length"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[1]\n[2, 3]\n", "2", -1, -1, 0, "b.jsonl: --prediction-length is 2, and a series has 1 points"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[1]\n[null]\n", NULL, -1, -1, 0, "b.jsonl (jsonl): series 2 of 2, point 1 of 1: a missing or infinite value, and every point is needed: fill it first"},
        {"a.jsonl", "[1, 2]\n[3]\n", "[1]\n[2]\n", NULL, -1, -1, 1, "--all-windows has no meaning with --test-data: there is one window a series"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Evaluation v;
        const char *dir = test_folder(), *past = put_text(dir, row[i].name, row[i].text);
        EvalOpts o = eval_settings(past, row[i].future ? put_text(dir, "b.jsonl", row[i].future) : NULL, row[i].horizons);
        o.context_length = row[i].context;
        o.season = row[i].season;
        o.all_windows = row[i].all;
        if (!eval_rules(&v, &o, &e) || !strstr(e.message, row[i].says)) test_fail(__FILE__, __LINE__, "row %d: '%s', want '%s'", (int)i, e.message, row[i].says);
    }
}

TEST(evaluate_without_a_file)
{
    Err e = {0};
    Evaluation v;
    EvalOpts o = eval_settings("/nowhere/a.csv", NULL, "1");
    CHECK(eval_rules(&v, &o, &e) && e.code == FTS_IO);
    TEXT(e.message, "/nowhere/a.csv: No such file or directory");
}

typedef struct Heard { int64_t last, steps; int n, wrong; atomic_int stop; int stop_after; } Heard;

static void hear(void *user, const Event *ev)
{
    Heard *h = user;
    h->wrong += ev->kind != FTS_EVENT_STEP || strcmp(ev->name, "evaluate") || ev->step <= h->last || ev->step > ev->steps || !(ev->eta_s >= 0);
    h->last = ev->step;
    h->steps = ev->steps;
    if (++h->n == h->stop_after) h->stop = 1;
}

TEST(evaluate_tells_how_far_it_is_and_stops)
{
    Err e = {0};
    Evaluation v;
    Heard h = {0};
    EvalOpts o = eval_settings(made(test_folder(), "made.csv"), NULL, "4,2");
    o.season = SEASON;
    EvalSpec spec = {.opts = &o, .events = {hear, &h}, .stop = &h.stop};
    OK(evaluate(&v, &spec, &e));
    CHECK(h.n == 4 && !h.wrong && h.last == h.steps && h.steps == 2 * COLUMNS * (16 + 18));
    h = (Heard){.stop_after = 1};
    CHECK(evaluate(&v, &spec, &e) && e.code == FTS_STOPPED && h.n == 1);
}

TEST(evaluate_without_memory)
{
    Err e = {0};
    Evaluation v;
    EvalOpts o = eval_settings(made(test_folder(), "made.csv"), NULL, "4");
    o.season = SEASON;
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = eval_rules(&v, &o, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
}
