#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "util/file.h"

#define FOLDER "tests/golden/"

enum { SERIES = 3, POINTS = 40, C = 12, STRIDE = 7 };

/* tools/golden/make_formats.py has the same formula. */
static const char *put_expected(const char *dir, const int64_t *length)
{
    float x[SERIES * POINTS];
    int n = 0;
    for (int i = 0; i < SERIES; i++)
        for (int t = 0; t < length[i]; t++) x[n++] = (float)((17 * i * t + 3 * t + i) % 120);
    return put_bin(dir, "expected", x, length, SERIES);
}

static int same_windows(const Dataset *a, const Dataset *b)
{
    Err e;
    float x[C + 1], y[C + 1];
    int pt[8], npt[8], n[8];
    Origin origin[8];
    int64_t cut;
    if (dataset_windows(a) != dataset_windows(b) || dataset_series(a) != dataset_series(b)) return 0;
    for (int k = 0; k < SERIES; k++)
        if (dataset_source(a, 0)->length[k] != dataset_source(b, 0)->length[k]) return 0;
    for (int64_t w = 0; w < dataset_windows(a); w++) {
        if (dataset_window(a, w, x, pt, npt, origin, &cut, &e) != 1 || dataset_window(b, w, y, pt, n, origin, &cut, &e) != 1) return 0;
        if (npt[0] != n[0] || memcmp(x, y, (size_t)n[0] * sizeof *x)) return 0;
    }
    return 1;
}

static void check_format(const char *folder, const Format *f, const char *expected, const DataOpts *o)
{
    Names names;
    Err e = {0};
    char dir[512];
    snprintf(dir, sizeof dir, "%s/%s", folder, f->name);
    OK(dir_list(&names, dir, &e));
    CHECK(names.n > 0);
    for (int i = 0; i < names.n; i++) {
        Dataset *want, *d;
        OK(open_at(&want, expected, o, 2, &e));
        OK(open_at(&d, path_to(dir, names.name[i]), o, 2, &e));
        if (dataset_sources(d) != 1 || dataset_source(d, 0)->format != f || !same_windows(want, d)) test_fail(__FILE__, __LINE__, "%s/%s: other windows", f->name, names.name[i]);
        dataset_close(d);
        dataset_close(want);
    }
    names_free(&names);
}

/* Every row of formats.c must have files in both folders, so a format that nobody tried cannot be added. */
static void check_all(const char *folder, const int64_t *length, int64_t windows)
{
    static const Scaling scaling[] = {SCALE_ZERO, SCALE_MAX, SCALE_NONE};
    char expected[512];
    Dataset *d;
    Err e = {0};
    if (!path_is_dir(folder)) { test_skip("not run from the root of the project"); return; }
    snprintf(expected, sizeof expected, "%s", put_expected(test_folder(), length));
    for (int k = 0; k < 3; k++) {
        DataOpts o = data_settings(C, STRIDE);
        o.normalization_func = scaling[k];
        OK(open_at(&d, expected, &o, 2, &e));
        CHECK(dataset_windows(d) == windows);
        dataset_close(d);
        for (int i = 0; i < nformats; i++) check_format(folder, formats[i], expected, &o);
    }
}

TEST(formats_all_give_the_same_windows) { check_all(FOLDER "formats", (const int64_t[]){POINTS, POINTS, POINTS}, 3 * 4); }
TEST(formats_all_give_the_same_ragged_windows) { check_all(FOLDER "ragged", (const int64_t[]){POINTS, 1, 17}, 4 + 0 + 1); }
