/* test_published.c - the numbers that tables of others have for rules without a model. */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"
#include "util/file.h"

#define TABLES "../shared/data/csv"
static int absent(void)
{
    if (path_is_dir(TABLES)) return 0;
    test_skip("needs ../shared/data");
    return 1;
}

typedef struct Golden { int64_t horizon, windows; const char *last, *seasonal; } Golden;

static void same_row(const Evaluation *v, const char *model, const Golden *g, const char *want)
{
    char got[64];
    const EvalRow *r = eval_row(v, model, g->horizon);
    CHECK(r && r->stage.windows == g->windows);
    snprintf(got, sizeof got, "%.5f / %.5f", r->metrics.mse, r->metrics.mae);
    TEXT(got, want);
}

static void same_table(const char *path, const Golden g[4])
{
    Err e = {0};
    Evaluation v;
    EvalOpts o = eval_settings(path, NULL, NULL);
    o.threads = OPT_UNSET;
    OK(eval_rules(&v, &o, &e));
    CHECK(v.n == 8 && v.series == 7 && v.stages.season == 24);
    for (int i = 0; i < 4; i++) {
        same_row(&v, "repeat-last", &g[i], g[i].last);
        same_row(&v, "seasonal-naive:24", &g[i], g[i].seasonal);
    }
}

TEST(evaluate_etth_has_the_published_numbers)
{
    static const Golden etth1[] = {{96, 2784, "1.29460 / 0.71328", "0.51228 / 0.43335"}, {192, 2688, "1.32508 / 0.73319", "0.58059 / 0.46915"},
                                   {336, 2544, "1.32966 / 0.74587", "0.64986 / 0.50072"}, {720, 2160, "1.33524 / 0.75508", "0.65537 / 0.51410"}};
    static const Golden etth2[] = {{96, 2784, "0.43176 / 0.42168", "0.39061 / 0.38026"}, {192, 2688, "0.53364 / 0.47253", "0.48173 / 0.42849"},
                                   {336, 2544, "0.59689 / 0.51071", "0.53198 / 0.46542"}, {720, 2160, "0.59392 / 0.51878", "0.52509 / 0.47377"}};
    if (absent()) return;
    same_table(TABLES "/ETT/ETTh1.csv", etth1);
    same_table(TABLES "/ETT/ETTh2.csv", etth2);
}

TEST(evaluate_m4_has_the_published_numbers)
{
    static const struct { const char *past, *future, *model, *want; int64_t series, horizon; } row[] = {
        {TABLES "/M4/Hourly-train.csv", TABLES "/M4/Hourly-test.csv", "seasonal-naive:24", "13.912 / 1.193", 414, 48},
        {TABLES "/M4/Weekly-train.csv", TABLES "/M4/Weekly-test.csv", "repeat-last", "9.161 / 2.777", 359, 13},
    };
    Err e = {0};
    char got[64];
    if (absent()) return;
    for (int i = 0; i < 2; i++) {
        Evaluation v;
        EvalOpts o = eval_settings(row[i].past, row[i].future, NULL);
        OK(eval_rules(&v, &o, &e));
        const EvalRow *r = eval_row(&v, row[i].model, row[i].horizon);
        CHECK(r && v.series == row[i].series && r->metrics.mase_series == v.series && r->stage.windows == 1);
        snprintf(got, sizeof got, "%.3f / %.3f", r->metrics.smape, r->metrics.mase);
        TEXT(got, row[i].want);
    }
}

TEST(evaluate_etth_is_scaled_as_published)
{
    static const double mean[] = {7.937742, 2.021039, 5.079771, 0.746186, 2.781762, 0.788453, 17.128262}, dev[] = {5.812749, 2.090105, 5.518794, 1.926379, 1.023523, 0.630237, 9.176491};
    Err e = {0};
    Source s;
    SeriesSet set;
    char got[64], want[64];
    if (absent()) return;
    OK(source_open(&s, &format_csv, TABLES "/ETT/ETTh1.csv", NULL, &e));
    OK(series_read(&set, &(SeriesFrom){.past = &s, .train = 8640, .first = 11520, .end = 14400, .season = 24}, &e));
    for (int i = 0; i < 7; i++) {
        snprintf(got, sizeof got, "%.6f %.6f", set.series[i].mean, set.series[i].dev);
        snprintf(want, sizeof want, "%.6f %.6f", mean[i], dev[i]);
        TEXT(got, want);
    }
    series_free(&set);
    source_close(&s);
}
