#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/gap.h"
#include "data/scale.h"

/* The series of a jsonl text under the settings; C large enough for one window each. */
static int open_text(Dataset **d, const char *text, Scaling scaling, Missing missing, int64_t min_points, Err *e)
{
    DataOpts o = data_settings(64, 64);
    const char *path = put_text(test_folder(), "x.jsonl", text);
    o.normalization_func = scaling;
    o.missing = missing;
    return open_at(d, path, &o, min_points, e);
}

typedef struct Got { float x[128]; int pt[64], npt[64], n; Origin at[64]; int64_t cut; } Got;

static int window_of(Got *g, const char *text, Scaling scaling, Missing missing, int64_t min_points, Err *e)
{
    Dataset *d;
    memset(g, 0, sizeof *g);
    if (open_text(&d, text, scaling, missing, min_points, e)) return -1;
    g->n = dataset_window(d, 0, g->x, g->pt, g->npt, g->at, &g->cut, e);
    if (g->n > dataset_max_segments(d)) g->n = -1;
    dataset_close(d);
    return g->n < 0 ? -1 : 0;
}

#define SAME(g, ...) do { \
        static const float want_[] = {__VA_ARGS__}; \
        CLOSE("window", (g).x, want_, sizeof want_ / sizeof *want_, 1e-6, 1e-6); \
    } while (0)

TEST(window_scales_whole_numbers_around_1e9)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[1000000000, 1000000001, 1000000002, 1000000003]", SCALE_ZERO, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 1 && g.npt[0] == 4);
    SAME(g, -1.341640786f, -0.447213595f, 0.447213595f, 1.341640786f);
    OK(window_of(&g, "[1000000000, 500000000, -250000000]", SCALE_MAX, MISSING_SPLIT, 2, &e));
    SAME(g, 1, 0.5f, -0.25f);
    OK(window_of(&g, "[3, 4]", SCALE_NONE, MISSING_SPLIT, 2, &e));
    SAME(g, 3, 4);
}

TEST(window_scales_degenerate_series)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]", SCALE_ZERO, MISSING_SPLIT, 2, &e));   /* the mean of these is not 0.1 */
    SAME(g, 0, 0, 0, 0, 0, 0, 0);
    OK(window_of(&g, "[0, 0, 0]", SCALE_MAX, MISSING_SPLIT, 2, &e));
    SAME(g, 0, 0, 0);
    OK(window_of(&g, "[5]", SCALE_ZERO, MISSING_SPLIT, 1, &e));
    CHECK(g.n == 1 && g.x[0] == 0);
    OK(window_of(&g, "[NaN, NaN, NaN]", SCALE_ZERO, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 0 && g.cut == 1);
    OK(window_of(&g, "[1, Infinity, 2, 3, -Infinity, 4]", SCALE_ZERO, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 1 && g.npt[0] == 2 && g.cut == 2 && g.at[0].at == 2);
}

/* Squares of these leave the range of a double in one direction or the other. */
TEST(window_is_finite_whatever_the_size_of_the_numbers)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[1e300, 2e300, 3e300]", SCALE_ZERO, MISSING_SPLIT, 2, &e));
    SAME(g, -1.224744871f, 0, 1.224744871f);
    OK(window_of(&g, "[1e-300, 2e-300, 3e-300]", SCALE_ZERO, MISSING_SPLIT, 2, &e));
    SAME(g, -1.224744871f, 0, 1.224744871f);
    OK(window_of(&g, "[1e-300, -2e-300]", SCALE_MAX, MISSING_SPLIT, 2, &e));
    SAME(g, 0.5f, -1);
    OK(window_of(&g, "[1, 2, 1e300, 3, 4, 5]", SCALE_NONE, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 2 && g.npt[0] == 2 && g.npt[1] == 3 && g.x[4] == 5);
    OK(window_of(&g, "[1.7e308, -1.7e308, 1.7e308, -1.7e308, 0]", SCALE_ZERO, MISSING_ZERO, 2, &e));
    for (int i = 0; i < 5; i++) CHECK(isfinite(g.x[i]));
}

TEST(window_split_cuts_and_closes_up)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[1, 2, 3, null, 4, null, null, 5, 6, 7, 8, null]", SCALE_NONE, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 2 && g.cut == 1);
    CHECK(g.pt[0] == 0 && g.npt[0] == 3 && g.at[0].at == 0 && g.pt[1] == 3 && g.npt[1] == 4 && g.at[1].at == 7);
    SAME(g, 1, 2, 3, 5, 6, 7, 8);
    OK(window_of(&g, "[1, 2, 3, null, 4, null, null, 5, 6, 7, 8, null]", SCALE_NONE, MISSING_SPLIT, 5, &e));
    CHECK(g.n == 0 && g.cut == 3);
}

/* As many segments as there can be: the room that is promised is enough. */
TEST(window_split_at_its_most)
{
    Err e = {0};
    Got g;
    char text[1024] = "[";
    for (int i = 0; i < 65; i++) strcat(text, i % 3 == 2 ? "null," : "7,");
    strcpy(text + strlen(text) - 1, "]");
    OK(window_of(&g, text, SCALE_NONE, MISSING_SPLIT, 2, &e));
    CHECK(g.n == 22 && g.cut == 0 && g.pt[21] == 42);
}

TEST(window_fills_gaps)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[null, null, 1, null, 3, null, null, 9, null]", SCALE_NONE, MISSING_INTERPOLATE, 2, &e));
    CHECK(g.n == 1 && g.npt[0] == 9 && g.cut == 0);
    SAME(g, 1, 1, 1, 2, 3, 5, 7, 9, 9);
    OK(window_of(&g, "[null, 1, null, 3]", SCALE_ZERO, MISSING_ZERO, 2, &e));
    SAME(g, 0, -1, 0, 1);
    OK(window_of(&g, "[null, null]", SCALE_ZERO, MISSING_ZERO, 2, &e));
    CHECK(g.n == 0 && g.cut == 1);
    OK(window_of(&g, "[null, null]", SCALE_ZERO, MISSING_INTERPOLATE, 2, &e));
    CHECK(g.n == 0 && g.cut == 1);
}

TEST(window_error_names_the_point)
{
    Err e = {0};
    Got g;
    OK(window_of(&g, "[1, 2]", SCALE_ZERO, MISSING_ERROR, 2, &e));
    CHECK(window_of(&g, "[1, 2, null, 3]", SCALE_ZERO, MISSING_ERROR, 2, &e) == -1 && e.code == FTS_FORMAT);
    TEXT(e.message, "x.jsonl: series 0, point 2 is missing (NaN): choose what to do with such points with --missing");
    CHECK(window_of(&g, "[1, -Infinity]", SCALE_ZERO, MISSING_ERROR, 2, &e) == -1);
    TEXT(e.message, "x.jsonl: series 0, point 1 is infinite: choose what to do with such points with --missing");
    CHECK(window_of(&g, "[1e99, 2]", SCALE_NONE, MISSING_ERROR, 2, &e) == -1);
    TEXT(e.message, "x.jsonl: series 0, point 0 is too large for a float: choose what to do with such points with --missing");
}

/* A series longer than a block of the statistics, with gaps: against sums in long double. */
TEST(scale_statistics_are_those_of_all_finite_points)
{
    enum { N = 20011 };
    static float x[N];
    static const int64_t length[] = {N};
    Err e = {0};
    long double sum = 0, square = 0;
    double largest = 0;
    int n = 0;
    for (int i = 0; i < N; i++) {
        x[i] = i % 97 == 5 ? NAN : (float)(1e6 + 37 * sin(i) + i % 7);
        if (isfinite(x[i])) sum += x[i], n++;
    }
    for (int i = 0; i < N; i++)
        if (isfinite(x[i])) square += (x[i] - sum / n) * (x[i] - sum / n), largest = fmax(largest, fabs((double)x[i]));
    Source s;
    Stat st;
    OK(source_open(&s, &format_bin, put_bin(test_folder(), "a", x, length, 1), NULL, &e));
    OK(stat_compute(&st, &s, 0, &e));
    source_close(&s);
    CHECK(st.finite == n && st.max_abs == largest);
    CHECK(fabs(st.mean - (double)(sum / n)) < 1e-8 && fabs(st.std / (double)sqrtl(square / n) - 1) < 1e-12);
}
