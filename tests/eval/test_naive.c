#include <string.h>

#include "test.h"

#include "eval/naive.h"
#include "eval/options.h"

TEST(naive_rules_repeat_the_end_of_each_window)
{
    static const float x[] = {1, 2, 3, 4, 5};
    static const Window w[] = {{x, 5}, {x, 3}, {x + 1, 2}, {x, 1}};
    static const struct { int period; float want[4][7]; } row[] = {
        {1, {{5, 5, 5, 5, 5, 5, 5}, {3, 3, 3, 3, 3, 3, 3}, {3, 3, 3, 3, 3, 3, 3}, {1, 1, 1, 1, 1, 1, 1}}},
        {2, {{4, 5, 4, 5, 4, 5, 4}, {2, 3, 2, 3, 2, 3, 2}, {2, 3, 2, 3, 2, 3, 2}, {1, 1, 1, 1, 1, 1, 1}}},
        {3, {{3, 4, 5, 3, 4, 5, 3}, {1, 2, 3, 1, 2, 3, 1}, {3, 3, 3, 3, 3, 3, 3}, {1, 1, 1, 1, 1, 1, 1}}},
    };
    Err e = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Naive n;
        float out[4][7];
        naive_seasonal(&n, row[i].period);
        OK(n.predictor.predict(n.predictor.user, w, 4, 7, *out, &e));
        CLOSE(n.predictor.name, *out, *row[i].want, 28, 0, 0);
    }
}

TEST(naive_rules_by_name)
{
    static const struct { const char *text; int answer, period; const char *name; } row[] = {
        {"repeat-last", 1, 1, "repeat-last"}, {"seasonal-naive:24", 1, 24, "seasonal-naive:24"}, {"seasonal-naive:007", 1, 7, "seasonal-naive:7"},
        {"seasonal-naive:1000000", 1, 1000000, "seasonal-naive:1000000"}, {"repeat-last:3", 0, 0, ""}, {"seasonal-naiver", 0, 0, ""}, {"model", 0, 0, ""}, {"", 0, 0, ""},
        {"seasonal-naive", -1, 0, "'seasonal-naive' needs a period of 1..1000000 points, as in seasonal-naive:24"},
        {"seasonal-naive:", -1, 0, "'seasonal-naive:' needs a period"}, {"seasonal-naive:0", -1, 0, "needs a period"}, {"seasonal-naive:-3", -1, 0, "needs a period"},
        {"seasonal-naive:2.5", -1, 0, "needs a period"}, {"seasonal-naive:1000001", -1, 0, "needs a period"}, {"seasonal-naive:99999999999999999999", -1, 0, "needs a period"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Naive n = {.period = 0};
        int answer = naive_named(&n, row[i].text, &e);
        if (answer != row[i].answer || n.period != row[i].period) test_fail(__FILE__, __LINE__, "'%s': %d, period %d", row[i].text, answer, n.period);
        if (answer < 0) CHECK(e.code == FTS_USAGE && strstr(e.message, row[i].name));
        if (answer > 0) TEXT(n.predictor.name, row[i].name);
    }
}

TEST(eval_horizons_are_numbers_between_commas)
{
    static const struct { const char *text, *says; int n; } row[] = {
        {"96", "", 1}, {"96,192,336,720", "", 4}, {"1000000,1", "", 2}, {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "", 16},
        {"", "--prediction-length: '' is not a whole number", 0}, {"96,", "--prediction-length: '' is not a whole number", 0},
        {",96", "--prediction-length: '' is not a whole number", 0}, {"96, 192", "--prediction-length: ' 192' is not a whole number", 0},
        {"9x", "--prediction-length: '9x' is not a whole number", 0}, {"-9", "--prediction-length: '-9' is not a whole number", 0},
        {"0", "--prediction-length: 0 is outside 1..1000000", 0}, {"1000001", "--prediction-length: 1000001 is outside 1..1000000", 0},
        {"18446744073709551617", "--prediction-length: 18446744073709551617 is outside 1..1000000", 0}, {"96,192,96", "--prediction-length: 96 is there twice", 0},
        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "--prediction-length: more than 16 numbers", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err e = {0};
        Horizons h;
        int bad = horizons_read(&h, row[i].text, &e);
        if (bad) CHECK(e.code == FTS_USAGE);
        TEXT(e.message, row[i].says);
        if (!bad) CHECK(h.n == row[i].n);
    }
}
