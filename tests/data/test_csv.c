#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"
#include "test.h"

#include "data/csv.h"
#include "util/file.h"
#include "util/rng.h"

/* Lengths end with -1. */
static int decodes(const char *text, const int64_t *length, const double *want)
{
    Err e = {0};
    Decoded d = {0};
    int64_t n = 0, count = 0;
    if (csv_decode(&d, text, strlen(text), &e)) return test_fail(__FILE__, __LINE__, "%s: %s", text, e.message), decoded_free(&d), 0;
    for (; length[count] >= 0; n += length[count++])
        if (count >= d.count || d.start[count] != n) return test_fail(__FILE__, __LINE__, "%s: series %d", text, (int)count), decoded_free(&d), 0;
    int same = d.count == count && d.n == n;
    for (int64_t i = 0; same && i < n; i++) same = isnan(want[i]) ? isnan(d.point[i]) : d.point[i] == want[i];
    if (!same) test_fail(__FILE__, __LINE__, "%s: %d series, %d points", text, (int)d.count, (int)d.n);
    decoded_free(&d);
    return same;
}
#define READS(text, lengths, ...) CHECK(decodes(text, (const int64_t []){lengths}, (const double []){__VA_ARGS__}))
#define L(...) __VA_ARGS__, -1

TEST(csv_wide_is_a_series_a_column)
{
    READS("date,a,b\n2016-07-01 00:00:00,1,4\n2016-07-01 01:00:00,2,5\nx,3,6\n", L(3, 3), 1, 2, 3, 4, 5, 6);
    READS("a,b\n1,2\n3,4", L(2, 2), 1, 3, 2, 4);                                   /* the first is a series too */
    READS("date,a\n20160701,1\n20160702,2\n", L(2), 1, 2);
    READS(",a\n0,5\n1,6\n", L(2), 5, 6);
    READS(",0,1\n0,5,7\n1,6,8\n", L(2, 2), 5, 6, 7, 8);
    READS("a,b\n,1\n2,\n", L(2, 2), NAN, 2, 1, NAN);
    READS("x\n1\n2\n", L(2), 1, 2);
    READS("1\n2\n\n3\n", L(3), 1, 2, 3);                                           /* one column of numbers needs no header */
}

TEST(csv_long_is_a_series_an_id)
{
    READS("item_id,timestamp,target\na,1,1\nb,1,10\na,2,2\nb,2,20\nc,1,7\na,3,3\n", L(3, 2, 1), 1, 2, 3, 10, 20, 7);
    READS("DS,Y,Unique_ID\n1,5,x\n2,6,\"x\"\n", L(2), 5, 6);
    READS("y,ds\n5,a\nNA,b\n", L(2), 5, NAN);
    READS("id,y\n\"a,\"\"\n\",1\nb,2\n\"a,\"\"\n\",3\n", L(2, 1), 1, 3, 2);
}

TEST(csv_rows_are_series_of_m4)
{
    READS("\"V1\",\"V2\",\"V3\",\"V4\"\n\"H1\",\"605\",\"\",\"3\"\n\"H2\",\"7\",,\nH3\n4,1,2,3\n", L(3, 1, 0, 3), 605, NAN, 3, 7, 1, 2, 3);
    READS("V1;V2;V3\na;1,5;2.5\n", L(2), 1.5, 2.5);
}

TEST(csv_cells_are_read_exactly)
{
    READS("\xEF\xBB\xBF" "a\r\n16777217\r\n1e-320\r\n1E400\r\n-1e400\r\n0.1\r\n9007199254740993\r\n", L(6), 16777217, 1e-320, INFINITY, -INFINITY, 0.1, 9007199254740992.0);
    READS("a,b\n 1 ,\" 2.5 \"\n?,NaN\nnull,na\n-inf,Infinity\n", L(4, 4), 1, NAN, NAN, -INFINITY, 2.5, NAN, NAN, INFINITY);
    READS("a;b\n1,5;-2,25e1\n\"3,5\";4.5\n", L(2, 2), 1.5, 3.5, -22.5, 4.5);
    READS("a\tb\n1\t2\n\t3\n", L(2, 2), 1, NAN, 2, 3);
    READS("a \"x\",\"b\n,;;;\"\n1,2\n", L(1, 1), 1, 2);
    READS("date,a,\nx,1,\ny,2,\n", L(2), 1, 2);
    READS("a;b\n1;2;;\n3;;\n", L(2, 2), 1, 3, 2, NAN);
    READS("7,\n8,\n", L(2), 7, 8);
    READS("year,a\n9,1\n8,2\n", L(2), 1, 2);
    READS("date,a\n2016-07-01,1\nlater,2\n", L(2), 1, 2);
    READS("a,b\n20160702,1\n20160701,2\n", L(2, 2), 20160702, 20160701, 1, 2);
    READS(",2024-01-01,2024-01-02\nx,1,2\n", L(1, 1), 1, 2);
}

TEST(csv_header_alone_is_no_series)
{
    READS("date,a,b\n", L(-1), 0);
    READS("V1,V2,V3", L(-1), 0);
    READS("id,target\r\n", L(-1), 0);
    READS("", L(-1), 0);
    READS("\n \r\n", L(-1), 0);
}

TEST(csv_broken_files_are_named)
{
    static const struct { const char *text, *message; } broken[] = {
        {"date,a,b\nx,1,2\ny,3,oops\n", "line 3, column 3 (b): found \"oops\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"date,a,b\nx,1,2\n\ny,3\n", "line 4: the row has 2 cells, the header has 3"},
        {"date,a\nx,1,5\n", "line 2: the row has 3 cells, the header has 2: a cell that holds a separator needs quotes"},
        {"a,b\n1,\"2\n3,4\n", "line 2, column 2: a quote that is never closed"},
        {"a,b\n1,\"2\" 3\n", "line 2, column 2: text after a closing quote: a quote inside quotes is written twice"},
        {"V1,V2\nH1,1,2\n", "line 2: the row has 3 cells, the header has 2: a cell that holds a separator needs quotes"},
        {"V1,V2\nH1,x\n", "line 2, column 2 (V2): found \"x\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"id,y\n\"a\nb\",1\nc,2016-01-01\n", "line 4, column 2 (y): found \"2016-01-01\", expected a number (dates stand in the first column, or beside item_id and target in one called timestamp)"},
        {"a,b\n1,\"1,5\"\n", "line 2, column 2 (b): found \"1,5\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"a,b\n1,\x01 a very long text that goes on\n", "line 2, column 2 (b): found \"? a very long text that ...\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"1,2,9\n3,4,5\n", "line 1: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series"},
        {"2016-07-01,605\n2016-07-02,586\n", "line 1: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series"},
        {"2016-07-01,1,2\n2016-07-02,3,4\n", "line 1: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series"},
        {"a,2016-07-01,1\na,2016-07-02,3\n", "line 1: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series"},
        {"PK\3\4abc\n", "no table: it is an Excel workbook or another zip archive, no text: save its sheet as CSV"}, {"\x1F\x8B\x08", "no table: it is packed by gzip: unpack it first"},
        {"\xFF\xFE" "a", "no table: it is text in UTF-16: save it as UTF-8"}, {"<html><body>", "no table: it is a page of HTML: did a download fail?"},
        {"date,a\r2016,1\r2017,2\r", "one line only, in which rows end with a carriage return alone: save it with the line ends of Unix or Windows"},
        {"date,a\n2016-07-03,1\n2016-07-02,\n\n2016-07-01,3\n", "times run backwards, from 2016-07-03 in line 2 to 2016-07-01 in line 5: sort the rows by time"},
        {"when;a\n31/12/2016;1\n01/12/2016;3\n", "times run backwards, from 31/12/2016 in line 2 to 01/12/2016 in line 3: sort the rows by time"},
        {"name\nbob\n", "line 1: no column of numbers beside the first: is the separator one of , ; and tab, and does the first line name the columns?"},
    };
    Err e = {0};
    Decoded d = {0};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        CHECK(csv_decode(&d, broken[i].text, strlen(broken[i].text), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
    }
}

TEST(csv_damaged_text_is_refused_or_read)
{
    static const char *const texts[] = {"date,a,b\n2016,1.5,2\n\"x\n\"\"\",,NaN\r\n", "item_id;target\r\n\"a\";1,5\r\nb;2\na;3\n", "\"V1\",\"V2\",\"V3\"\n\"H1\",\"605\",\n4,5,6\n"};
    Err e = {0};
    uint64_t used = 0;
    for (int round = 0; round < 6000; round++) {
        Decoded d = {0};
        size_t n = strlen(texts[round % 3]);
        char *now = malloc(n);
        CHECK(now);
        memcpy(now, texts[round % 3], n);
        for (int k = 0; k < 3; k++) {
            uint64_t r = rng_hash(3, RNG_TEST, used++);
            now[r % n] = r >> 63 ? (char)(r >> 40) : ",;\t\"\n\r0-.V y"[(r >> 40) % 12];
        }
        if (!csv_decode(&d, now, n, &e))
            for (int64_t i = 0; i < d.count; i++) CHECK(d.start[i] >= 0 && d.start[i] <= d.n);
        decoded_free(&d);
        free(now);
    }
}

/* Far below what 20,000 ids found one by one would take, which are 4e9 comparisons. */
TEST(csv_long_is_linear_in_time)
{
    Str s = {0};
    Err e = {0};
    Decoded d = {0};
    str_addf(&s, "item_id,target\n");
    for (int i = 0; i < 200000; i++) str_addf(&s, "item%d,%d\n", i % 20000, i);
    OK(str_ok(&s, &e));
    clock_t start = clock();
    OK(csv_decode(&d, s.p, s.n, &e));
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 1);
    CHECK(d.count == 20000 && d.n == 200000);
    for (int64_t i = 0; i < d.n; i++) CHECK(d.point[i] == (double)(i / 10 + i % 10 * 20000));
    decoded_free(&d);
    str_free(&s);
}

TEST(csv_without_memory)
{
    static const char *const texts[] = {"date,a,b\nx,1,2\n", "id,y\na,1\nb,2\na,3\n", "V1,V2,V3\nH1,1,2\n"};
    for (int k = 0; k < 3; k++)
        for (long n = 1;; n++) {
            Err e = {0};
            Decoded d = {0};
            test_alloc_fail(n);
            int bad = csv_decode(&d, texts[k], strlen(texts[k]), &e);
            test_alloc_fail(0);
            decoded_free(&d);
            if (!bad) break;
            CHECK(e.code == FTS_NOMEM && n < 100);
        }
}

TEST(csv_windows_are_those_of_a_binary_folder)
{
    static const int64_t length[] = {20, 20};
    Err e = {0};
    Str s = {0};
    float x[40], got[2][16];
    Dataset *d[2];
    DataOpts o = data_settings(8, 4);
    const char *dir = test_folder();
    for (int i = 0; i < 40; i++) x[i] = (float)(rng_hash(5, RNG_TEST, (uint64_t)i) >> 40) / 1024.0f - 5000.0f;
    str_addf(&s, "date,a,b\n");
    for (int i = 0; i < 20; i++) str_addf(&s, "d%d,%.17g,%.17g\n", i, (double)x[i], (double)x[20 + i]);
    put_file(dir, "a.csv", s.p, s.n);
    str_free(&s);
    put_bin(dir, "b", x, length, 2);
    OK(open_at(&d[0], path_to(dir, "a.csv"), &o, 2, &e));
    OK(open_at(&d[1], path_to(dir, "b"), &o, 2, &e));
    CHECK(dataset_windows(d[0]) == dataset_windows(d[1]) && dataset_windows(d[0]) > 2 && dataset_window_points(d[0]) <= 16);
    for (int64_t w = 0; w < dataset_windows(d[0]); w++) {
        int pt[2][16], npt[2][16];
        int64_t cut;
        Origin origin[16];
        CHECK(dataset_max_segments(d[0]) <= 16 && dataset_max_segments(d[1]) <= 16);
        for (int k = 0; k < 2; k++) CHECK(dataset_window(d[k], w, got[k], pt[k], npt[k], origin, &cut, &e) == 1);
        CHECK(npt[0][0] == npt[1][0] && npt[0][0] > 2 && !memcmp(got[0], got[1], (size_t)npt[0][0] * sizeof(float)));
    }
    for (int k = 0; k < 2; k++) dataset_close(d[k]);
}

TEST(csv_real_files)
{
    static const struct { const char *path; int64_t series, points; } file[] = {
        {"../shared/data/csv/ETT/ETTh1.csv", 7, 7 * 17420}, {"../shared/data/csv/M4/Hourly-train.csv", 414, 0},
        {"../shared/data/csv/AirPassengers.csv", 1, 144}, {"../shared/data/csv/us_births.csv", 1, 7305},
    };
    Err e = {0};
    DataOpts o = data_settings(512, 512);
    if (!path_is_dir("../shared/data/csv")) { test_skip("needs ../shared/data"); return; }
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        Dataset *d;
        OK(open_at(&d, file[i].path, &o, 2, &e));
        CHECK(dataset_series(d) == file[i].series && (!file[i].points || dataset_points(d) == file[i].points));
        dataset_close(d);
    }
}

TEST(csv_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    DataOpts o = data_settings(8, 8);
    if (!path_is_dir("tests/corpus/data/csv")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/csv", &e));
    for (int i = 0; i < names.n; i++) {
        Dataset *d;
        if (!open_at(&d, path_to("tests/corpus/data/csv", names.name[i]), &o, 2, &e)) dataset_close(d);
        else CHECK(e.code == FTS_FORMAT);
    }
    CHECK(names.n >= 3);
    names_free(&names);
}

TEST(csv_zero_bytes_are_no_names)
{
    static const char text[] = "a,\0b\n1,2\n";
    Err e = {0};
    Decoded d = {0};
    CHECK(csv_decode(&d, text, sizeof text - 1, &e) == -1);
    TEXT(e.message, "no table: there are zero bytes in its first line, as no text has them");
    decoded_free(&d);
}
