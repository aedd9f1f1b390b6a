/* test_json_series.c - .json files that hold one array. */
#include <math.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/jsonl.h"
#include "util/file.h"

TEST(json_source_reads_an_array_of_series_or_of_numbers)
{
    static const char many[] = "\xEF\xBB\xBF [[1, 2.5], {\"item_id\": 7, \"target\": [\"NaN\", 16777217]},\n []]\n", one[] = "[1, null, 1e300]";
    static const double want[] = {1, 2.5, NAN, 16777217};
    Err e = {0};
    Decoded d = {0}, single = {0}, empty = {0};
    OK(json_decode(&d, many, sizeof many - 1, &e));
    CHECK(d.count == 3 && d.n == 4 && d.start[1] == 2 && d.start[2] == 4);
    for (int i = 0; i < 4; i++) CHECK(d.point[i] == want[i] || (isnan(d.point[i]) && isnan(want[i])));
    OK(json_decode(&single, one, sizeof one - 1, &e));
    CHECK(single.count == 1 && single.n == 3 && isnan(single.point[1]) && single.point[2] == 1e300);
    OK(json_decode(&empty, "[]", 2, &e));
    CHECK(!empty.count);
    decoded_free(&d);
    decoded_free(&single);
    decoded_free(&empty);
}

TEST(json_source_broken_files_are_named)
{
    static const struct { const char *text, *message; } broken[] = {
        {"", "line 1, column 1: the text ends, expected an array"},
        {"{}", "line 1, column 1: an object, expected an array of series: objects with \"target\" go one a line into a .jsonl file"},
        {"[[1], 2]", "line 1, column 7: expected a list of numbers or an object with \"sequence\""},
        {"[1, [2]]", "line 1, column 5: a list inside a series: a series has one dimension"},
        {"[[[1]]]", "line 1, column 3: a list inside a series: a series has one dimension"},
        {"[[1],\n{\"x\": 1}]", "line 2, column 9: an object without \"sequence\" or \"target\""},
        {"[[1]] [2]", "line 1, column 7: found '[', expected the end"},
        {"[[1,", "line 1, column 5: the text ends, expected a number"},
        {"[true]", "line 1, column 2: found 't', expected a number"},
    };
    Err e = {0};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        Decoded d = {0};
        CHECK(json_decode(&d, broken[i].text, strlen(broken[i].text), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
    }
}

TEST(json_source_leaves_other_json_alone)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(4, 4);
    const char *dir = test_folder();
    put_text(dir, "a/dataset_info.json", "{\"features\": []}");
    put_text(dir, "a/state.json", "\n {}");
    put_text(dir, "a/x.json", " [[1, 2, 3], [4, 5]]");
    OK(open_at(&d, path_to(dir, "a"), &o, 2, &e));
    CHECK(dataset_sources(d) == 1 && dataset_series(d) == 2 && dataset_ignored(d) == 2);
    dataset_close(d);
}

TEST(json_source_corpus_is_refused_or_read)
{
    Err e;
    Names names;
    if (!path_is_dir("tests/corpus/data/json")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/json", &e));
    CHECK(names.n > 3);
    for (int i = 0; i < names.n; i++) {
        Decoded d = {0};
        Map m;
        OK(map_open(&m, path_to("tests/corpus/data/json", names.name[i]), &e));
        json_decode(&d, m.p, m.n, &e);
        decoded_free(&d);
        map_close(&m);
    }
    names_free(&names);
}
