/* test_convert.c - what was converted reads back equal, number for number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/convert.h"
#include "util/file.h"

static const DataOpts raw = {.seq_max_len = 1, .seq_stride = 1, .normalization_func = SCALE_NONE};

static int convert(const char *from, const char *to, int kind, int dtype, Err *e)
{
    Dataset *d;
    ConvertOpts o = {.to = kind, .dtype = dtype};
    if (open_at(&d, from, &raw, 1, e)) return -1;
    int bad = convert_write(to, d, &o, NULL, NULL, e);
    dataset_close(d);
    return bad;
}

static int same_numbers(const Source *a, const Source *b)
{
    double x[64], y[64];
    Err e;
    if (a->count != b->count) return 0;
    for (int64_t i = 0; i < a->count; i++) {
        int64_t n = a->length[i];
        if (n != b->length[i] || n > 64 || a->format->read(a, i, 0, n, x, &e) || b->format->read(b, i, 0, n, y, &e)) return 0;
        for (int64_t k = 0; k < n; k++)
            if (x[k] != y[k] && !(isnan(x[k]) && isnan(y[k]))) return 0;
    }
    return 1;
}

/* Both hold the same sources in the same order. */
static int same_data(const char *a, const char *b, const char *dtype)
{
    Dataset *x, *y;
    Err e;
    if (open_at(&x, a, &raw, 1, &e) || open_at(&y, b, &raw, 1, &e)) return test_fail(__FILE__, __LINE__, "%s", e.message), 0;
    int same = dataset_sources(x) == dataset_sources(y);
    for (int i = 0; same && i < dataset_sources(x); i++)
        same = same_numbers(dataset_source(x, i), dataset_source(y, i)) && (!dtype || !strcmp(dataset_source(y, i)->dtype, dtype));
    dataset_close(x);
    dataset_close(y);
    return same;
}

static const char exact[] = "[1, -2.5, null, 16777216]\n[]\n[0.25]\n[NaN, -Infinity, Infinity, 1e30, 5]\n", inexact[] = "[0.1, 16777217, 1e300]\n";

TEST(convert_to_binary_loses_nothing)
{
    Err e = {0};
    const char *dir = test_folder();
    put_text(dir, "in.jsonl", inexact);
    put_text(dir, "half.jsonl", "[1, -2.5, null, 16777216]\n[]\n[0.25]\n");
    OK(convert(path_to(dir, "in.jsonl"), path_to(dir, "out"), 0, 0, &e));
    CHECK(same_data(path_to(dir, "in.jsonl"), path_to(dir, "out"), "float64"));
    OK(convert(path_to(dir, "half.jsonl"), path_to(dir, "half"), 0, 0, &e));
    CHECK(same_data(path_to(dir, "half.jsonl"), path_to(dir, "half"), "float32"));
    OK(convert(path_to(dir, "in.jsonl"), path_to(dir, "forced"), 0, 1, &e));
    CHECK(!same_data(path_to(dir, "in.jsonl"), path_to(dir, "forced"), "float32"));
    OK(convert(path_to(dir, "half.jsonl"), path_to(dir, "wide"), 0, 2, &e));
    CHECK(same_data(path_to(dir, "half.jsonl"), path_to(dir, "wide"), "float64"));
}

TEST(convert_keeps_the_names_of_several_sources)
{
    Err e = {0};
    const char *dir = test_folder();
    put_text(dir, "in/a.jsonl", exact);
    put_text(dir, "in/b/c.json", "[[1, 2], [3]]");
    put_text(dir, "in/b/c.jsonl", "[7]\n");
    OK(convert(path_to(dir, "in"), path_to(dir, "out"), 0, 0, &e));
    CHECK(path_exists(path_to(dir, "out/a/meta.json")) && path_exists(path_to(dir, "out/b/c/meta.json")) && path_exists(path_to(dir, "out/b/c.jsonl/meta.json")));
    CHECK(same_data(path_to(dir, "in/b/c.json"), path_to(dir, "out/b/c"), NULL) && same_data(path_to(dir, "in/b/c.jsonl"), path_to(dir, "out/b/c.jsonl"), NULL));
}

TEST(convert_to_lines_and_back)
{
    static const int64_t length[] = {5, 1, 60};
    Err e = {0};
    const char *dir = test_folder();
    put_ramps(dir, "in", length, 3);
    OK(convert(path_to(dir, "in"), path_to(dir, "out.jsonl"), 1, 0, &e));
    CHECK(same_data(path_to(dir, "in"), path_to(dir, "out.jsonl"), NULL));
    put_text(dir, "odd.jsonl", exact);
    OK(convert(path_to(dir, "odd.jsonl"), path_to(dir, "again.jsonl"), 1, 0, &e));
    CHECK(same_data(path_to(dir, "odd.jsonl"), path_to(dir, "again.jsonl"), NULL));
}

static int holds(const char *path, const char *text)
{
    Map m;
    Err e;
    if (map_open(&m, path, &e)) return 0;
    int same = m.n == strlen(text) && !memcmp(m.p, text, m.n);
    map_close(&m);
    return same;
}

TEST(convert_to_a_table_has_a_row_a_series)
{
    Err e = {0};
    const char *dir = test_folder();
    put_text(dir, "in.jsonl", "[1, 2.5]\n[]\n[null, -3e30, 0.1]\n");
    OK(convert(path_to(dir, "in.jsonl"), path_to(dir, "out.csv"), 2, 0, &e));
    CHECK(holds(path_to(dir, "out.csv"), "V1,V2,V3,V4\n0,1,2.5\n1\n2,NaN,-3e+30,0.1\n"));
    CHECK(same_data(path_to(dir, "in.jsonl"), path_to(dir, "out.csv"), NULL));
}

TEST(convert_to_npy_writes_what_numpy_writes)
{
    Err e = {0};
    Map m;
    const char *dir = test_folder();
    put_text(dir, "in.jsonl", "[1, 2, 3]\n[4, 5, 6]\n");
    put_text(dir, "uneven.jsonl", "[1, 2]\n[3]\n");
    OK(convert(path_to(dir, "in.jsonl"), path_to(dir, "out.npy"), 3, 0, &e));
    OK(map_open(&m, path_to(dir, "out.npy"), &e));
    static const float want[] = {1, 2, 3, 4, 5, 6};
    CHECK(m.n == 128 + sizeof want && !memcmp(m.p, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   ", 72));
    CHECK(m.p[127] == '\n' && !memcmp(m.p + 128, want, sizeof want));
    map_close(&m);
    CHECK(convert(path_to(dir, "uneven.jsonl"), path_to(dir, "no.npy"), 3, 0, &e) == -1 && strstr(e.message, "series of one length") && !path_exists(path_to(dir, "no.npy")));
}

TEST(convert_replaces_nothing_and_leaves_nothing_half_done)
{
    Err e = {0};
    Names names;
    const char *dir = test_folder();
    put_text(dir, "in.jsonl", exact);
    put_text(dir, "there.jsonl", "mine");
    put_text(dir, "full/x", "mine");
    CHECK(convert(path_to(dir, "in.jsonl"), path_to(dir, "there.jsonl"), 1, 0, &e) == -1 && holds(path_to(dir, "there.jsonl"), "mine"));
    CHECK(convert(path_to(dir, "in.jsonl"), path_to(dir, "full"), 0, 0, &e) == -1 && strstr(e.message, "is not empty"));
    for (long k = 1; k < 40; k++) {
        test_write_fail(k);
        int bad = convert(path_to(dir, "in.jsonl"), path_to(dir, "out"), 0, 0, &e);
        test_write_fail(0);
        if (!bad) break;
        CHECK(k < 39 && strstr(e.message, "No space left on device"));
        if (path_exists(path_to(dir, "out"))) break;                /* it was whole: only the last fsync, of the folder above, failed */
    }
    CHECK(same_data(path_to(dir, "in.jsonl"), path_to(dir, "out"), NULL));
    OK(dir_list(&names, dir, &e));
    CHECK(names.n == 4);
    names_free(&names);
}

static int stop_at_once(void *ud, int64_t done, int64_t total)
{
    ++*(int *)ud;
    return done <= total;
}

TEST(convert_stops_and_leaves_nothing)
{
    Err e = {0};
    Names names;
    Dataset *d;
    const char *dir = test_folder();
    OK(open_at(&d, put_text(dir, "in.jsonl", "[1, 2]\n[3]\n"), &raw, 1, &e));
    for (int kind = 0; kind < 3; kind++) {
        int asked = 0;
        CHECK(convert_write(path_to(dir, "out"), d, &(ConvertOpts){.to = kind}, stop_at_once, &asked, &e) == -1 && e.code == FTS_STOPPED && asked == 1);
    }
    dataset_close(d);
    OK(dir_list(&names, dir, &e));
    CHECK(names.n == 1);
    names_free(&names);
}
