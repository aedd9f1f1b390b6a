#include <string.h>

#include "test.h"

#include "eval/protocol.h"

TEST(protocol_window_counts_are_those_of_the_tables)
{
    static const struct { const char *path; int64_t rows, horizon; Split want; } row[] = {
        {"ETTh1.csv", 17420, 96, {512, 8640, 11520, 14400, 2784}},
        {"ETTh1.csv", 17420, 192, {1024, 8640, 11520, 14400, 2688}},
        {"ETTh2.csv", 17420, 336, {2048, 8640, 11520, 14400, 2544}},
        {"some/where/etth2.CSV", 14400, 720, {3072, 8640, 11520, 14400, 2160}},
        {"ETTm1.csv", 69680, 96, {512, 34560, 46080, 57600, 11424}},
        {"ETTm2.csv", 57600, 720, {3072, 34560, 46080, 57600, 10800}},
        {"weather.csv", 52696, 96, {512, 36887, 42157, 52696, 10443}},
        {"etth/exchange.csv", 7588, 24, {96, 5311, 6071, 7588, 1493}},
        {"a.csv", 20, 3, {12, 14, 16, 20, 1}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Split s, all;
        const Split *w = &row[i].want;
        OK(protocol_split(&s, row[i].path, row[i].rows, row[i].horizon, 0, 0, &e));
        if (s.context != w->context || s.train != w->train || s.first != w->first || s.end != w->end || s.windows != w->windows)
            test_fail(__FILE__, __LINE__, "%s, %d: context %d, train %d, rows %d to %d, %d windows", row[i].path, (int)row[i].horizon, (int)s.context, (int)s.train, (int)s.first, (int)s.end,
                      (int)s.windows);
        OK(protocol_split(&all, row[i].path, row[i].rows, row[i].horizon, 0, 1, &e));
        CHECK(all.windows == s.windows + 1 && all.first + all.windows - 1 + row[i].horizon == all.end);
        OK(protocol_split(&s, row[i].path, row[i].rows, row[i].horizon, 7, 0, &e));
        CHECK(s.context == 7 && s.windows == w->windows);
    }
}

TEST(protocol_says_what_is_too_short)
{
    static const struct { const char *path; int64_t rows, horizon, context; const char *says; } row[] = {
        {"ETTh1.csv", 14399, 96, 0, "ETTh1.csv: 14399 rows; by its name it is divided as etth is, which needs 14400"},
        {"ETTm1.csv", 17420, 96, 0, "ETTm1.csv: 17420 rows; by its name it is divided as ettm is, which needs 57600"},
        {"ETTh1.csv", 17420, 2880, 512, "ETTh1.csv: a horizon of 2880 with a context of 512 does not fit: divided as etth is, it has 2880 test rows and 11520 rows before them"},
        {"ETTh1.csv", 17420, 96, 11521, "ETTh1.csv: a horizon of 96 with a context of 11521 does not fit: divided as etth is, it has 2880 test rows and 11520 rows before them"},
        {"a.csv", 0, 1, 0, "a.csv: 0 rows; a horizon of 1 with a context of 4 needs 10, of which the last fifth is for the test"},
        {"a.csv", 484, 96, 0, "a.csv: 484 rows; a horizon of 96 with a context of 512 needs 639, of which the last fifth is for the test"},
        {"a.csv", 19, 3, 0, "a.csv: 19 rows; a horizon of 3 with a context of 12 needs 20, of which the last fifth is for the test"},
        {"a.csv", 100, 3, 81, "a.csv: 100 rows; a horizon of 3 with a context of 81 needs 101, of which the last fifth is for the test"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Split s;
        CHECK(protocol_split(&s, row[i].path, row[i].rows, row[i].horizon, row[i].context, 0, &e) && e.code == FTS_FORMAT);
        TEXT(e.message, row[i].says);
    }
}

/* What is said to be needed is enough, and one row less is not. */
TEST(protocol_needs_the_rows_it_names)
{
    Err e = {0};
    Split s;
    for (int64_t horizon = 1; horizon < 60; horizon += 3)
        for (int64_t context = 1; context < 700; context += 17)
            for (int all = 0; all < 2; all++) {
                long long need = -1;
                CHECK(protocol_split(&s, "a.csv", 1, horizon, context, all, &e));
                const char *at = strstr(e.message, "needs ");
                for (need = 0, at += 6; *at >= '0' && *at <= '9'; at++) need = 10 * need + *at - '0';
                OK(protocol_split(&s, "a.csv", need, horizon, context, all, &e));
                CHECK(s.windows >= 1 && s.first >= context && s.train > 0);
                CHECK(protocol_split(&s, "a.csv", need - 1, horizon, context, all, &e));
            }
}

TEST(protocol_seasons_by_name)
{
    static const struct { const char *path; int64_t season; } row[] = {
        {"ETTh1.csv", 24}, {"x/ETTm2.csv", 96}, {"Hourly-train.csv", 24}, {"M4-Weekly.csv", 1}, {"monthly.tsf", 12}, {"Quarterly.csv", 4}, {"hourly/sales.csv", 0}, {"", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) CHECK(protocol_season(row[i].path) == row[i].season);
    CHECK(protocol_context(96) == 512 && protocol_context(720) == 3072 && protocol_context(48) == 192);
}
