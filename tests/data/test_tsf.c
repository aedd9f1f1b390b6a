#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/tsf.h"
#include "util/file.h"
#include "util/rng.h"

static const char good[] = "# a comment\r\n@relation x\n@attribute series_name string\n@Attribute start date\n@frequency half_hourly\n@horizon 8\n@missing true\n@equallength false\n\n@data\n"
    "T1:1979-01-01 00-00-00:1, 2.5,?,16777217\r\n# between\nT\xE9:1979-01-01 00-00-00:1e-320,1E400,-0.1\n:x:?";

TEST(tsf_reads_series)
{
    static const double want[] = {1, 2.5, NAN, 16777217, 1e-320, INFINITY, -0.1, NAN};
    static const int64_t start[] = {0, 4, 7};
    Err e = {0};
    Decoded d = {0};
    OK(tsf_decode(&d, good, sizeof good - 1, &e));
    CHECK(d.count == 3 && d.n == 8);
    for (int i = 0; i < 3; i++) CHECK(d.start[i] == start[i]);
    for (int i = 0; i < 8; i++) CHECK(d.point[i] == want[i] || (isnan(d.point[i]) && isnan(want[i])));
    decoded_free(&d);
    OK(tsf_decode(&d, "@data", 5, &e));
    CHECK(!d.count);
    decoded_free(&d);
    OK(tsf_decode(&d, "@data\n1,2", 9, &e));
    CHECK(d.count == 1 && d.n == 2);
    decoded_free(&d);
}

TEST(tsf_broken_files_are_named)
{
    static const struct { const char *text, *message; } broken[] = {
        {"", "line 0: the text ends without @data"},
        {"@relation x\n", "line 1: the text ends without @data"},
        {"# x\n T1:1,2\n", "line 2, column 2: expected a line that begins with @ or #: series come after @data"},
        {"@attribute a\n", "line 1, column 13: expected @attribute NAME TYPE"},
        {"@attribute a text\n", "line 1, column 14: found \"text\", expected string, numeric or date"},
        {"@missing maybe\n", "line 1, column 10: found \"maybe\", expected true or false"},
        {"@attribute a string\n@data\nT1:00:00:1,2\n", "line 3, column 1: 4 fields between colons, expected 2: one for each @attribute and the series"},
        {"@attribute a string\n@data\n1,2\n", "line 3, column 1: 1 fields between colons, expected 2: one for each @attribute and the series"},
        {"@attribute a string\n@data\nT1: \n", "line 3, column 4: nothing where a number was expected: a missing value is written as ?"},
        {"@data\n1,,2\n", "line 2, column 3: nothing where a number was expected: a missing value is written as ?"},
        {"@data\n1,2,\n", "line 2, column 5: nothing where a number was expected: a missing value is written as ?"},
        {"@data\n1, 2x\n", "line 2, column 4: found \"2x\", expected a number or ?"},
    };
    Err e = {0};
    Decoded d = {0};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        CHECK(tsf_decode(&d, broken[i].text, strlen(broken[i].text), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
    }
}

TEST(tsf_damaged_text_is_refused_or_read)
{
    Err e = {0};
    uint64_t used = 0;
    for (int round = 0; round < 4000; round++) {
        Decoded d = {0};
        char *now = malloc(sizeof good - 1);
        CHECK(now);
        memcpy(now, good, sizeof good - 1);
        for (int k = 0; k < 3; k++) {
            uint64_t r = rng_hash(4, RNG_TEST, used++);
            now[r % (sizeof good - 1)] = r >> 63 ? (char)(r >> 40) : ":,?@#\n\r0-. e"[(r >> 40) % 12];
        }
        if (!tsf_decode(&d, now, sizeof good - 1, &e))
            for (int64_t i = 0; i < d.count; i++) CHECK(d.start[i] >= 0 && d.start[i] <= d.n);
        decoded_free(&d);
        free(now);
    }
}

TEST(tsf_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    DataOpts o = data_settings(8, 8);
    if (!path_is_dir("tests/corpus/data/tsf")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/tsf", &e));
    for (int i = 0; i < names.n; i++) {
        Dataset *d;
        if (!open_at(&d, path_to("tests/corpus/data/tsf", names.name[i]), &o, 2, &e)) dataset_close(d);
        else CHECK(e.code == FTS_FORMAT);
    }
    CHECK(names.n >= 3);
    names_free(&names);
}
