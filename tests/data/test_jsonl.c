#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/jsonl.h"
#include "util/rng.h"

TEST(jsonl_reads_lists_and_objects)
{
    static const char text[] = "\xEF\xBB\xBF[1, 2.5, -3e2]\r\n\n  \t\r\n{\"id\": \"a\", \"sequence\": [1000000001, NaN, Infinity, -Infinity, null], \"x\": [[1], {}]}\n"
        "{\"start\": \"2012-01-01\", \"target\": [\"NaN\", \"Nan\", \"-Infinity\", \"inf\", 7]}\n[]\n[16777217]";
    static const double want[] = {1, 2.5, -300, 1000000001, NAN, INFINITY, -INFINITY, NAN, NAN, NAN, -INFINITY, INFINITY, 7, 16777217};
    static const int64_t start[] = {0, 3, 8, 13, 13};
    Err e = {0};
    Decoded d = {0};
    OK(jsonl_decode(&d, text, sizeof text - 1, &e));
    CHECK(d.count == 5 && d.n == 14);
    for (int i = 0; i < 5; i++) CHECK(d.start[i] == start[i]);
    for (int i = 0; i < 14; i++) CHECK(d.point[i] == want[i] || (isnan(d.point[i]) && isnan(want[i])));
    decoded_free(&d);
    OK(jsonl_decode(&d, NULL, 0, &e));
    CHECK(!d.count);
    decoded_free(&d);
}

TEST(jsonl_broken_lines_are_named)
{
    static const struct { const char *text, *message; } broken[] = {
        {"[1]\n[1,\n", "line 2, column 4: the text ends, expected a number: a line holds a whole value"},
        {"[1]\n\n[1 2]\n", "line 3, column 4: found '2', expected ',' or ']'"},
        {"[1, true]", "line 1, column 5: found 't', expected a number"},
        {"[1, \"x\"]", "line 1, column 8: found \"x\", expected a number"},
        {"[1, nan]", "line 1, column 5: found 'n', expected null"},
        {"[1] [2]", "line 1, column 5: found '[', expected the end"},
        {"1, 2", "line 1, column 1: expected a list of numbers or an object with \"sequence\""},
        {"[1]\n{\"values\": [1]}", "line 2, column 16: an object without \"sequence\" or \"target\""},
        {"{}\n", "line 1, column 3: an object without \"sequence\" or \"target\""},
        {"{\"sequence\": 3}", "line 1, column 14: found '3', expected an array"},
        {"{\"sequence\": [1], \"target\": [2]}", "line 1, column 28: a second series in one object"},
        {"{\"target\": [[1, 2], [3, 4]]}", "line 1, column 13: a list inside a series: a series has one dimension"},
        {"[\n1]", "line 1, column 2: the text ends inside an array: a line holds a whole value"},
        {"[01]", "line 1, column 4: a number that begins with 0"},
    };
    Err e = {0};
    Decoded d = {0};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        CHECK(jsonl_decode(&d, broken[i].text, strlen(broken[i].text), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
    }
    const char *dir = test_folder();
    char want[256];
    Dataset *set;
    DataOpts o = data_settings(4, 4);
    put_text(dir, "a.jsonl", "[1]\n[");
    CHECK(open_at(&set, path_to(dir, "a.jsonl"), &o, 2, &e) == -1);
    snprintf(want, sizeof want, "%s/a.jsonl (jsonl): line 2, column 2: the text ends inside an array", dir);
    TEXT(e.message, want);
}

TEST(jsonl_damaged_text_is_refused_or_read)
{
    static const char text[] = "[1, 2.5, -3e2, NaN, null]\n{\"id\": 7, \"sequence\": [1, \"Nan\", 2]}\r\n\n{\"target\": [4, 5]}\n[]";
    Err e = {0};
    Decoded d = {0};
    uint64_t used = 0;
    for (int round = 0; round < 2000; round++) {
        char now[sizeof text];
        memcpy(now, text, sizeof text);
        for (int k = 0; k < 3; k++) {
            uint64_t r = rng_hash(2, RNG_TEST, used++);
            now[r % (sizeof text - 1)] = r >> 63 ? (char)(r >> 40) : "[]{},:\"\n0-.N"[(r >> 40) % 12];
        }
        if (!jsonl_decode(&d, now, sizeof text - 1, &e))
            for (int64_t i = 0; i < d.count; i++) CHECK(d.start[i] >= 0 && d.start[i] <= d.n);
        decoded_free(&d);
    }
}
