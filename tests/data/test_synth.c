#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "test.h"

#include "data/synth.h"
#include "util/file.h"

static int same_file(const char *a, const char *b, const char *name)
{
    Map x, y;
    Err e;
    if (map_open(&x, path_to(a, name), &e) || map_open(&y, path_to(b, name), &e)) return 0;
    int same = x.n == y.n && !memcmp(x.p, y.p, x.n);
    map_close(&x);
    map_close(&y);
    return same;
}

TEST(synth_same_bytes_for_any_threads)
{
    Err e = {0};
    SynthOpts o = {.series = 50, .length = 700, .seed = 9, .threads = 1};
    const char *dir = test_folder();
    OK(synth_write(path_to(dir, "one"), &o, NULL, NULL, NULL, &e));
    o.threads = 2;
    OK(synth_write(path_to(dir, "two/"), &o, NULL, NULL, NULL, &e));
    o.seed = 10;
    OK(synth_write(path_to(dir, "other"), &o, NULL, NULL, NULL, &e));
    CHECK(same_file(path_to(dir, "one"), path_to(dir, "two"), "meta.json") && same_file(path_to(dir, "one"), path_to(dir, "two"), "data-1-of-1.bin"));
    CHECK(!same_file(path_to(dir, "one"), path_to(dir, "other"), "data-1-of-1.bin"));
}

TEST(synth_writes_meta_as_python_does)
{
    Err e = {0};
    Map m;
    SynthOpts o = {.series = 2, .length = 5, .seed = 9, .threads = OPT_UNSET};
    const char *dir = path_to(test_folder(), "deep/out"), *want =
        "{\"num_sequences\": 2, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 10}, \"scales\": [{\"offset\": 0, \"length\": 5}, {\"offset\": 5, \"length\": 5}]}";
    OK(synth_write(dir, &o, NULL, NULL, NULL, &e));
    OK(map_open(&m, path_to(dir, "meta.json"), &e));
    CHECK(m.n == strlen(want) && !memcmp(m.p, want, m.n));
    map_close(&m);
}

static int watch(void *ud, int64_t done, int64_t total)
{
    *(int64_t *)ud = done * 1000 + total;
    return 0;
}

static int stop_at_once(void *ud, int64_t done, int64_t total)
{
    ++*(int *)ud;
    return done <= total;
}

TEST(synth_stops_and_leaves_nothing)
{
    Err e = {0};
    Names names;
    SynthOpts o = {.series = 100000, .length = 5, .seed = 9, .threads = 1};
    const char *dir = test_folder();
    int asked = 0;
    CHECK(synth_write(path_to(dir, "out"), &o, NULL, stop_at_once, &asked, &e) == -1 && e.code == FTS_STOPPED && asked == 1);
    CHECK(!strncmp(e.message, "stopped after ", 14) && strstr(e.message, " series, nothing written"));
    OK(dir_list(&names, dir, &e));
    CHECK(names.n == 0);
    names_free(&names);
}

TEST(synth_refuses_what_is_there_and_leaves_nothing_half_done)
{
    Err e = {0};
    Names names;
    SynthOpts o = {.series = 3, .length = 50, .seed = 9, .threads = 1};
    const char *dir = test_folder();
    int64_t seen = 0;
    char want[512];
    put_text(dir, "full/notes.txt", "mine");
    CHECK(synth_write(path_to(dir, "full"), &o, NULL, NULL, NULL, &e) == -1);
    snprintf(want, sizeof want, "%s/full: the folder is not empty", dir);
    TEXT(e.message, want);
    CHECK(synth_write(path_to(dir, "full/notes.txt"), &o, NULL, NULL, NULL, &e) == -1);
    for (long n = 1;; n++) {
        test_write_fail(n);
        int bad = synth_write(path_to(dir, "out"), &o, NULL, watch, &seen, &e);
        test_write_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_IO);
        if (n < 6) CHECK(!path_exists(path_to(dir, "out")));
        CHECK(n < 20);
        OK(dir_remove(path_to(dir, "out"), &e));
    }
    CHECK(seen == 3003);
    OK(dir_list(&names, dir, &e));
    CHECK(names.n == 2);                                            /* no temporary folder stays */
    names_free(&names);
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = synth_write(path_to(dir, "again"), &o, NULL, NULL, NULL, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
}

/* Squared error of repeating x[t - lag] over the second half, for h = 1..64. */
static double error_of(const double *x, int n, int lag)
{
    double sum = 0;
    for (int t = n / 2; t + 64 < n; t += 7)
        for (int h = 1; h <= 64; h++) {
            double guess = lag ? x[t + h - lag * ((h + lag - 1) / lag)] : x[t];
            sum += (x[t + h] - guess) * (x[t + h] - guess);
        }
    return sum;
}

/* There is something to learn: copying one earlier period does far better than repeating the last value. */
TEST(synth_has_structure)
{
    enum { SERIES = 100, N = 1024 };
    Err e = {0};
    SynthOpts o = {.series = SERIES, .length = N, .seed = 42, .threads = 1};
    const char *dir = path_to(test_folder(), "out");
    double x[N], last = 0, best = 0;
    Source s;
    OK(synth_write(dir, &o, NULL, NULL, NULL, &e));
    OK(source_open(&s, &format_bin, dir, NULL, &e));
    CHECK(s.count == SERIES);
    for (int i = 0; i < SERIES; i++) {
        double low = INFINITY, scale = 0;
        OK(s.format->read(&s, i, 0, N, x, &e));
        for (int t = 0; t < N; t++) CHECK(isfinite(x[t]));
        for (int lag = 1; lag <= 365; lag++) low = fmin(low, error_of(x, N, lag));
        scale = error_of(x, N, 0);
        last += 1;
        best += low / scale;
    }
    source_close(&s);
    if (best / last > 0.5) test_fail(__FILE__, __LINE__, "a seasonal copy has %.2f of the error of repeat-last", best / last);
}
