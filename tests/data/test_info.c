#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/info.h"
#include "data/synth.h"

static const char *const lines = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n[5, 5, 5, null, 5]\n[7]\n[]\n[1, Infinity]\n";

static const char *make(void)
{
    static const int64_t length[] = {1000, 250};
    const char *dir = test_folder();
    put_text(dir, "a.jsonl", lines);
    put_ramps(dir, "energy/load", length, 2);
    put_text(dir, "README", "");
    return dir;
}

TEST(info_text_is_a_table)
{
    Err e = {0};
    Dataset *d;
    Str s = {0};
    DataOpts o = data_settings(8, 4);
    OK(open_at(&d, make(), &o, 2, &e));
    OK(data_info(&s, d, &o, 0, &e));
    TEXT(s.p,
        "dataset      format  type     series  points  shortest   q1  median   q3  longest  missing  constant  windows  too short\n"
        "a.jsonl      jsonl   float64       5      20         0    1       2    5       12        2         1        3          2\n"
        "energy/load  bin     float32       2   1,250       250  250     250  250    1,000        0         0      309          0\n"
        "all                                7   1,270         0    1       5   12    1,000        2         1      312          2\n"
        "\n"
        "2 datasets, 7 series, 1,270 points; windows of up to 9 points every 4: 312\n"
        "too short for a window: 2 series\n"
        "missing or infinite: 2 points\n"
        "constant: 1 series\n"
        "files that are no data: 1\n");
    str_free(&s);
    dataset_close(d);
}

TEST(info_json_has_every_number)
{
    Err e = {0};
    Dataset *d;
    Str s = {0};
    DataOpts o = data_settings(8, 4);
    const char *dir = make();
    char want[2048];
    OK(open_at(&d, dir, &o, 2, &e));
    OK(data_info(&s, d, &o, 1, &e));
    snprintf(want, sizeof want,
        "{\"series\": 7, \"points\": 1270, \"min\": 0, \"q1\": 1, \"median\": 5, \"q3\": 12, \"max\": 1000, \"nonfinite_points\": 2, \"constant_series\": 1, \"windows\": 312, \"short_series\": 2,"
        " \"seq_max_len\": 8, \"seq_stride\": 4, \"other_files\": 1, \"datasets\": ["
        "{\"path\": \"%s/a.jsonl\", \"format\": \"jsonl\", \"dtype\": \"float64\", \"series\": 5, \"points\": 20, \"min\": 0, \"q1\": 1, \"median\": 2, \"q3\": 5, \"max\": 12,"
        " \"nonfinite_points\": 2, \"constant_series\": 1, \"windows\": 3, \"short_series\": 2}, "
        "{\"path\": \"%s/energy/load\", \"format\": \"bin\", \"dtype\": \"float32\", \"series\": 2, \"points\": 1250, \"min\": 250, \"q1\": 250, \"median\": 250, \"q3\": 250, \"max\": 1000,"
        " \"nonfinite_points\": 0, \"constant_series\": 0, \"windows\": 309, \"short_series\": 0}]}\n", dir, dir);
    TEXT(s.p, want);
    str_free(&s);
    dataset_close(d);
}

TEST(info_without_memory)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 4);
    OK(open_at(&d, make(), &o, 2, &e));
    for (long n = 1;; n++) {
        Str s = {0};
        test_alloc_fail(n);
        int bad = data_info(&s, d, &o, 0, &e);
        test_alloc_fail(0);
        str_free(&s);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
    dataset_close(d);
}

TEST(info_option_tables_have_valid_defaults)
{
    Err e = {0};
    DataOpts o;
    SynthOpts p;
    OptSet set[] = {{data_opts, ndata_opts, &o}, {synth_opts, nsynth_opts, &p}};
    OK(opt_defaults(set, 2, &e));
    CHECK(o.seq_max_len == 4096 && o.seq_stride == 4096 && o.normalization_func == SCALE_ZERO && o.missing == MISSING_SPLIT && p.threads == OPT_UNSET);
    OK(opt_set(set, 2, "normalization-func", "none", &e));
    CHECK(o.normalization_func == SCALE_NONE);
    OK(opt_set(set, 2, "missing", "error", &e));
    CHECK(o.missing == MISSING_ERROR);
    opt_free(set, 2);
}
