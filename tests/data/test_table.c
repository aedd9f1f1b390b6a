#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/table.h"
#include "fuzz/table.h"
#include "util/file.h"
#include "util/rng.h"
#include "util/str.h"

static void add_series(Str *out, const TableSeries *s)
{
    char time[STAMP_TEXT], freq[FREQ_TEXT];
    str_addf(out, "%s%s", out->n ? " " : "", s->id);
    str_addf(out, "[");
    for (int64_t i = 0; i < s->n; i++) str_addf(out, isnan(s->x[i]) ? "%snan" : "%s%.9g", i ? "," : "", s->x[i]);
    str_addf(out, "]");
    if (s->n != s->total) str_addf(out, "/%d", (int)s->total);
    if (s->has_time) str_addf(out, "@%s+%s", stamp_text(&s->last, time), freq_text(&s->freq, freq));
    if (s->time) str_addf(out, "<%s", s->n ? stamp_text(&s->time[0], time) : "");
    if (s->why) str_addf(out, " (%s)", s->why);
}

/* All series as text: id[points]/total@last time+frequency<first time. What fails stands behind a '!'. Owned by the caller. */
static Str told(Table *t, Err *e)
{
    Str out = {0};
    TableSeries s;
    int more;
    while ((more = table_next(t, &s, e)) > 0) add_series(&out, &s);
    if (more < 0) str_addf(&out, "%s!%s", out.n ? " " : "", e->message);
    str_add(&out, "", 0);
    table_close(t);
    return out;
}

static Str told_text(const char *format, const char *text, int64_t keep, const char *freq)
{
    Table *t;
    Err e = {0};
    Freq f;
    Str out = {0};
    if (freq && freq_read(&f, freq, &e)) return str_addf(&out, "%s", e.message), out;
    if (!table_open_text(&t, format, text, strlen(text), &(TableOptions){.keep = keep, .freq = freq ? &f : NULL}, &e)) return told(t, &e);
    str_addf(&out, "!%s", e.message);
    return out;
}

typedef struct Case { const char *text; int64_t keep; const char *freq, *want; } Case;

static int reads(const char *format, const Case *c, size_t n)
{
    int good = 1;
    for (size_t i = 0; i < n && good; i++) {
        Str out = told_text(format, c[i].text, c[i].keep, c[i].freq);
        good = !strcmp(out.p, c[i].want);
        if (!good) test_fail(__FILE__, __LINE__, "%s: got '%s', want '%s'", c[i].text, out.p, c[i].want);
        str_free(&out);
    }
    return good;
}
#define READS(format, cases) if (!reads(format, cases, sizeof cases / sizeof *cases)) return

TEST(table_long_csv_is_a_series_an_id)
{
    static const Case cases[] = {
        {"item_id,timestamp,target\na,2016-07-01,1\na,2016-07-02,2\na,2016-07-03,3\nb,2016-07-04 00:00,7\nb,2016-07-04 01:00,\n", 2, NULL, "a[2,3]/3@2016-07-03+1D<2016-07-02 b[7,nan]@2016-07-04 01:00+1h<2016-07-04 00:00"},
        {"Y;DS;Unique_ID\r\n1,5;0;x\r\n2;1;x\r\n", 0, NULL, "x[1.5,2]@1+1<0"},
        {"unique_id,ds,y\na,1,1\nb,5,2\na,2,3\nb,6,4\na,3,9\n", 0, NULL, "a[1,3,9]@3+1<1 b[2,4]@6+1<5"},
        {"unique_id,ds,y\na,1,1\nb,5,2\na,2,3\nb,6,4\na,3,9\n", 1, NULL, "a[9]/3@3+1<3 b[4]/2@6+1<6"},
        {"ds\ty\n2016-01-31\t1\n2016-02-29\t2\n", 0, NULL, "0[1,2]@2016-02-29+1ME<2016-01-31"},
        {"id,y\n\"a,\"\"\n\",1\nb,2\n", 0, NULL, "a,\"\n[1] b[2]"},
        {"id,y\n,1\n", 0, NULL, "[1]"},
        {"y\n1\n2\n", 0, "D", "0[1,2]"},
        {"id,ds,y\na,2016-07-01,1\na,2016-07-02,2\na,2016-07-05,2\n", 0, "2D", "a[1,2,2]@2016-07-05+2D<2016-07-01"},
        {"id,ds,y\na,2016-07-01,1\n", 0, "W", "a[1]@2016-07-01+7D<2016-07-01"},
        {"id,ds,y\n", 0, NULL, ""}, {"", 0, NULL, ""},
    };
    READS("csv", cases);
}

TEST(table_wide_csv_is_a_series_a_column)
{
    static const Case cases[] = {
        {"\xEF\xBB\xBF" "date,HUFL,\"O T\"\r\n2016-07-01 00:00:00,1,2\r\n2016-07-01 01:00:00,3,\r\n2016-07-01 02:00:00,4,5\r\n", 2, NULL,
         "HUFL[3,4]/3@2016-07-01 02:00:00+1h<2016-07-01 01:00:00 O T[nan,5]/3@2016-07-01 02:00:00+1h<2016-07-01 01:00:00"},
        {",a\n0,5\n1,6\n", 0, NULL, "a[5,6]@1+1<0"},
        {"when,a\n2016-07,5\n2016-08,6\n", 0, NULL, "a[5,6]@2016-08+1MS<2016-07"},
        {"name,a,b\nx,5,1\ny,6,2\n", 0, NULL, "a[5,6] (line 2, column 1 (name): found \"x\", expected a time such as 2016-07-01 00:00:00, or a whole number: the answer numbers its rows) b[1,2]"},
        {"year,a\n2015,5\n2016,6\n", 0, NULL, "a[5,6]@2016+1<2015"}, {"Index,a\n0,5\n1,6\n", 0, NULL, "a[5,6]@1+1<0"},
        {"time,a\n0.5,5\n1.0,6\n", 0, NULL, "a[5,6] (line 2, column 1 (time): found \"0.5\", expected a time such as 2016-07-01 00:00:00, or a whole number: the answer numbers its rows)"},
        {"a,b\n1,2\n3,4\n5,6\n", 2, NULL, "a[3,5]/3 b[4,6]/3"},
        {"date,a\n20160731,1\n20160801,2\n", 0, NULL, "a[1,2]@20160801+1D<20160731"},
        {"7\n8\n", 0, NULL, "predictions[7,8]"},
        {"date,a\n31/12/2015,1\n01/01/2016,2\n", 0, NULL, "a[1,2]@01/01/2016+1D<31/12/2015"},
        {"date,a\n", 0, NULL, ""},
        {"x,Y,z\n1,2,3\n4,5,6\n", 0, NULL, "x[1,4] Y[2,5] z[3,6]"}, {"date,y,x\n2016-07-01,1,\n2016-07-02,2,3\n", 0, NULL, "y[1,2]@2016-07-02+1D<2016-07-01 x[nan,3]@2016-07-02+1D<2016-07-01"},
        {"y;x\n1,5;2\n", 0, NULL, "y[1.5] x[2]"},
        {"date,y\n2016-07-01,1\n2016-07-02,2\n", 0, NULL, "0[1,2]@2016-07-02+1D<2016-07-01"}, {"ds,y,x\n1,1,7\n2,2,8\n", 0, NULL, "0[1,2]@2+1<1"}, {"id,y,x\na,1,7\na,2,8\n", 0, NULL, "a[1,2]"},
        {"date,y,day\n2016-07-01,1,Fri\n2016-07-02,2,Sat\n", 0, NULL, "0[1,2]@2016-07-02+1D<2016-07-01"}, {"x,target\n1,2\n", 0, NULL, "0[2]"}, {"x,y\n1\n", 0, NULL, "!line 2: the row has 1 cells, the header has 2"},
    };
    READS("csv", cases);
}

/* What one time alone does not show, another of the column does. */
TEST(table_days_and_months_are_told_apart_by_the_whole_column)
{
    static const Case cases[] = {
        {"when,a\n01/12/2015,1\n08/12/2015,1\n15/12/2015,2\n", 0, NULL, "a[1,1,2]@15/12/2015+7D<01/12/2015"},
        {"date,a\n12/01/2015,1\n12/31/2015,1\n", 0, NULL, "a[1,1]@12/31/2015+30D<12/01/2015"},
        {"id,ds,y\na,01/02/2016,1\na,02/02/2016,1\nb,12/02/2016,1\nb,13/02/2016,1\n", 0, NULL, "a[1,1]@02/02/2016+1D<01/02/2016 b[1,1]@13/02/2016+1D<12/02/2016"},
        {"date;a\n01.02.2016;1,5\n02.02.2016;2\n", 0, NULL, "a[1.5,2]@02.02.2016+1D<01.02.2016"},
        {"id,ds,y\na,01/02/2016,1\na,02/02/2016,1\n", 0, NULL, "!line 2, column 2 (ds): found \"01/02/2016\", which may have its day or its month first: write dates as 2016-07-01"},
        {"when,a\n01/02/2016,1\n02/02/2016,1\n", 0, NULL, "a[1,1] (line 2, column 1 (when): found \"01/02/2016\", which may have its day or its month first: write dates as 2016-07-01: the answer numbers its rows)"},
    };
    READS("csv", cases);
}

TEST(table_long_csv_finds_times_by_other_names)
{
    static const Case cases[] = {
        {"item_id,Datetime,target\na,2016-07-01 00:00,1\na,2016-07-01 01:00,2\n", 0, NULL, "a[1,2]@2016-07-01 01:00+1h<2016-07-01 00:00"},
        {"item_id,time,target\na,0.5,1\na,0.5,2\n", 0, NULL, "a[1,2]"}, {"item_id,day,ds,target\na,2016-07-01,1,1\na,2016-07-01,2,2\n", 0, NULL, "a[1,2]@2+1<1"},
        {"item_id,month,target\na,7,1\na,7,2\n", 0, NULL, "a[1,2]"},
    };
    READS("csv", cases);
}

TEST(table_rows_of_csv_are_series)
{
    static const Case cases[] = {
        {"\"V1\",\"V2\",\"V3\"\n\"H1\",605,\n\"H2\",7,8\nH3\n", 0, NULL, "H1[605] H2[7,8] H3[]"},
        {"V1,V2,V3,V4\na,1,2,3\n", 2, NULL, "a[2,3]/3"},
    };
    READS("csv", cases);
}

TEST(table_jsonl_is_a_series_a_line)
{
    static const Case lines[] = {
        {"{\"item_id\":\"x\\\"\\u00e9\",\"start\":\"2016-01-31\",\"freq\":\"M\",\"target\":[1,2,3]}\n\n{\"sequence\":[1,\"NaN\",null],\"id\":17,\"start\":5}\n[5]", 2, NULL, "x\"\xC3\xA9[2,3]/3@2016-03-31+1M 17[nan,nan]/3 2[5]"},
        {"{\"start\":\"2016-07-04\",\"freq\":\"W-SUN\",\"target\":[1,2]}", 0, NULL, "0[1,2]@2016-07-11+7D"},
        {"{\"start\":\"2016-07-03\",\"freq\":\"W-SUN\",\"target\":[1,2]}", 0, NULL, "0[1,2]@2016-07-10+7D"},
        {"{\"start\":\"2016-07-03 00:00\",\"target\":[1,2]}", 0, "15min", "0[1,2]@2016-07-03 00:15+15min"},
        {"{\"start\":\"yesterday\",\"freq\":\"D\",\"target\":[1,2]}\n{\"start\":\"2016-07-03\",\"freq\":\"C\",\"target\":[1]}\n{\"start\":\"2016-07-03\",\"freq\":\"D\",\"target\":[]}", 0, NULL, "0[1,2] 1[1] 2[]"},
        {"", 0, NULL, ""},
        {"[1]\n{\"item_id\":[1],\"target\":[2]}", 0, NULL, "0[1] !line 2, column 12: an id that is neither text nor a number"},
        {"{\"item_id\":\"a\"}", 0, NULL, "!line 1, column 16: an object without \"sequence\" or \"target\""},
        {"[1] 2", 0, NULL, "!line 1, column 5: found '2', expected the end"},
        {"{\"item_id\":\"\\u0000\",\"target\":[1]}", 0, NULL, "!line 1, column 19: a zero byte in a string"},
    };
    static const Case arrays[] = {
        {"[[1,2],{\"item_id\":\"a\",\"target\":[3]}]", 0, NULL, "0[1,2] a[3]"}, {" [1,2,null]\n", 2, NULL, "0[2,nan]/3"}, {"[]", 0, NULL, ""},
        {"[[1]", 0, NULL, "0[1] !line 1, column 5: the text ends inside an array"}, {"[1,2] 3", 0, NULL, "!line 1, column 7: found '3', expected the end"},
        {"{}", 0, NULL, "!line 1, column 1: found '{', expected an array"},
    };
    READS("jsonl", lines);
    READS("json", arrays);
}

TEST(table_broken_csv_is_named)
{
    static const Case cases[] = {
        {"id,ds,y\na,2016-07-02,1\nb,2016-07-02,1\na,2016-07-01,2\n", 0, NULL, "!series \"a\": line 4: the time 2016-07-01 behind 2016-07-02 of line 2: sort the rows of a series by time"},
        {"id,ds,y\na,2016-07-02,1\na,2016-07-01,2\n", 0, "D", "!series \"a\": line 3: the time 2016-07-01 behind 2016-07-02 of line 2: sort the rows of a series by time"},
        {"ds,y\n2016-07-02,1\n2016-07-02,2\n", 0, NULL, "!line 3: the time 2016-07-02 behind 2016-07-02 of line 2: a series has one point for each time"},
        {"ds,y\n2016-07-02,1\n7,2\n", 0, NULL, "!line 3: the time 7 behind 2016-07-02 of line 2: times are all dates or all whole numbers"},
        {"id,ds,y\na,2016-07-01,1\n", 0, NULL, "!series \"a\": one time alone, 2016-07-01, shows no frequency: give it with --freq"},
        {"id,ds,y\na,2016-07-01,1\nb,2,1\nb,3,1\nb,4,x\n", 0, NULL, "!series \"a\": line 5, column 3 (y): found \"x\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"date,a,b\n2016-07-01,1,2\n", 0, NULL, "!one time alone, 2016-07-01, shows no frequency: give it with --freq"},
        {"id,ds,y\na,soon,1\n", 0, NULL, "!line 2, column 2 (ds): found \"soon\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"id,ds,y\na,,1\n", 0, NULL, "!line 2, column 2 (ds): nothing where a time was expected"},
        {"id,ds,y\na,1,x\n", 0, NULL, "!line 2, column 3 (y): found \"x\", expected a number such as 1234.5, or nothing where a value is missing"},
        {"id,ds,y\na,1,1\na,2\n", 0, NULL, "!line 3: the row has 2 cells, the header has 3"},
        {"date,a\nmonday,1\n", 0, NULL, "!line 2, column 1 (date): found \"monday\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"date,a\n07/01/2016,1\n", 0, NULL, "!line 2, column 1 (date): found \"07/01/2016\", which may have its day or its month first: write dates as 2016-07-01"},
        {"date,a\n2016-07-01,1\n2016-07-01,1\n", 0, NULL, "!line 3: the time 2016-07-01 behind 2016-07-01 of line 2: a series has one point for each time"},
        {"date\n2016-07-01\n", 0, NULL, "!line 1: no column of numbers beside the first: is the separator one of , ; and tab, and does the first line name the columns?"},
        {"1,2,7\n3,4,8\n", 0, NULL, "!line 1: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series"},
        {"V1,V2\na,1,2\n", 0, NULL, "!line 2: the row has 3 cells, the header has 2: a cell that holds a separator needs quotes"},
    };
    READS("csv", cases);
}

/* A series without a frequency is none that is lost, nor are the others. */
TEST(table_irregular_times_go_on_at_their_usual_step)
{
#define LONE "one time alone, 2016-07-01, shows no frequency: goes on at 7D, as other series do; --freq gives another"
    static const Case cases[] = {
        {"id,ds,y\nz,1,0\nz,2,0\na,2016-07-01,1\na,2016-07-02,2\n\na,2016-07-04,2\na,2016-07-05,2\nb,1,1\nb,3,2\n", 0, NULL,
         "z[0,0]@2+1<1 a[1,2,2,2]@2016-07-05+1D<2016-07-01 (series \"a\": line 7: 2016-07-04 follows 2016-07-02 of line 5, where the times before are 1D apart: goes on at 1D, the middle one of its steps; --freq gives another) b[1,2]@3+2<1"},
        {"id,ds,y\na,2016-07-01,1\nb,4,1\nb,5,2\nc,2016-07-01,1\nc,2016-07-08,2\nd,2016-07-01,1\nd,2016-07-02,2\n", 0, NULL,
         "a[1]@2016-07-01+7D<2016-07-01 (series \"a\": " LONE ") b[1,2]@5+1<4 c[1,2]@2016-07-08+7D<2016-07-01 d[1,2]@2016-07-02+1D<2016-07-01"},
        {"id,ds,y\nc,2016-07-01,1\na,2016-07-01,1\nc,2016-07-08,2\nb,2016-07-01,3\n", 1, NULL,
         "c[2]/2@2016-07-08+7D<2016-07-08 a[1]@2016-07-01+7D<2016-07-01 (series \"a\": " LONE ") b[3]@2016-07-01+7D<2016-07-01 (series \"b\": " LONE ")"},
        {"ds,y\n2016-07-01,1\n2016-07-02,1\n2016-07-04,1\n", 0, NULL, "0[1,1,1]@2016-07-04+1D<2016-07-01 (line 4: 2016-07-04 follows 2016-07-02 of line 3, where the times before are 1D apart: goes on at 1D, the middle one of its steps; --freq gives another)"},
        {"date,a\n2016-07-01,1\n2016-07-02,1\n2016-07-04,1\n", 0, "D", "a[1,1,1]@2016-07-04+1D<2016-07-01"},
    };
    READS("csv", cases);
}

/* However many points come, the last are there, in order. */
TEST(table_keeps_the_last_points)
{
    static const int64_t keep[] = {1, 2, 63, 64, 65, 500, 0, INT64_MAX};
    for (int mixed = 0; mixed < 2; mixed++)
        for (size_t k = 0; k < sizeof keep / sizeof *keep; k++) {
            Str text = {0};
            Table *t;
            TableSeries s;
            Err e;
            str_addf(&text, "id,ds,y\n");
            for (int i = 0; i < 1000; i++) str_addf(&text, mixed ? "a,%d,%d\nb,%d,0\n" : "a,%d,%d\n", i, 3 * i, i);
            OK(table_open_text(&t, "csv", text.p, text.n, &(TableOptions){.keep = keep[k], .freq = NULL}, &e));
            CHECK(table_next(t, &s, &e) == 1 && s.total == 1000 && s.n == (keep[k] && keep[k] < 1000 ? keep[k] : 1000) && table_count(t) == 1 + mixed);
            for (int64_t i = 0; i < s.n; i++) CHECK(s.x[i] == (double)(3 * (1000 - s.n + i)) && s.time[i].seconds == 1000 - s.n + i);
            table_close(t);
            str_free(&text);
        }
}

/* A gap counts as far back as points are wanted, but at least 64 times, however long the series is. */
TEST(table_gaps_count_where_points_are_wanted)
{
    for (int n = 65; n < 600; n++)
        for (int gap = 1; gap < n; gap += 61) {
            Str text = {0};
            Table *t;
            TableSeries s;
            Err e;
            str_addf(&text, "ds,y\n");
            for (int i = 0; i < n; i++) str_addf(&text, "%d,0\n", i + (i >= gap));
            OK(table_open_text(&t, "csv", text.p, text.n, &(TableOptions){.keep = 5, .freq = NULL}, &e));
            CHECK(table_next(t, &s, &e) == 1 && !s.why == (n - gap >= 64));
            table_close(t);
            str_free(&text);
        }
}

static Str told_file(const char *path, int64_t keep, Form *form)
{
    Table *t;
    Err e = {0};
    Str out = {0};
    if (!table_open(&t, path, &(TableOptions){.keep = keep, .freq = NULL}, &e)) return *form = table_form(t), told(t, &e);
    str_addf(&out, "!%s", e.message);
    return out;
}

TEST(table_files_are_opened_by_their_names)
{
    static const unsigned char npy[] = "\x93NUMPY\x01\0\x46\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }          \n\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40";
    const char *dir = test_folder();
    const struct { const char *path, *want; FormKind form; } files[] = {
        {put_text(dir, "t.csv", "a,b\n1,2\n3,4\n"), "a[3]/2 b[4]/2", FORM_WIDE}, {put_text(dir, "t.tsv", "id\ty\nu\t2\n"), "u[2]", FORM_LONG}, {put_text(dir, "m.csv", "V1,V2\nu,2\n"), "u[2]", FORM_ROWS},
        {put_text(dir, "t.jsonl", "[1,2]\n"), "0[2]/2", FORM_JSONL}, {put_text(dir, "t.json", "[1,2]\n"), "0[2]/2", FORM_JSONL}, {put_text(dir, "t.tsf", "@data\n1,2\n3\n"), "0[2]/2 1[3]", FORM_NPY},
        {put_file(dir, "t.npy", npy, sizeof npy - 1), "0[2]/2 1[4]/2", FORM_NPY},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        Form form = {0};
        Str out = told_file(files[i].path, 1, &form);
        TEXT(out.p, files[i].want);
        CHECK(form.kind == files[i].form);
        str_free(&out);
    }
}

TEST(table_files_that_fail_are_named)
{
    const char *dir = test_folder();
    const struct { const char *path, *want; } files[] = {
        {put_text(dir, "t.csv", "date,a\nx,1\n"), "!PATH (csv): line 2, column 1 (date): found \"x\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {put_text(dir, "t.jsonl", "{}"), "!PATH (jsonl): line 1, column 3: an object without \"sequence\" or \"target\""},
        {put_text(dir, "t.npy", "x"), "!PATH (npy): not an array of numpy, or an empty file: it does not begin with \\x93NUMPY"},
        {path_to(dir, "none.csv"), "!PATH: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char want[1024];
        Form form;
        Str out = told_file(files[i].path, 0, &form);
        snprintf(want, sizeof want, "!%s%s", files[i].path, files[i].want + 5);
        TEXT(out.p, want);
        str_free(&out);
    }
    Form form;
    Str out = told_file(put_text(dir, "t.txt", "1"), 0, &form);
    CHECK(strstr(out.p, "t.txt: not a file that can be read: text under another name: a table of text goes by .csv"));
    str_free(&out);
}

TEST(table_form_says_how_to_answer)
{
    Table *t;
    Err e;
    static const char text[] = "\"the \"\"id\"\"\";ds;y;unique_id\nx;1;2;a\nx;2;3;a\n", wide[] = "when\ta\n2016\t1\n";
    OK(table_open_text(&t, "csv", text, sizeof text - 1, &(TableOptions){.keep = 0, .freq = NULL}, &e));
    Form f = table_form(t);
    CHECK(f.kind == FORM_LONG && f.separator == ';' && !strcmp(f.id, "unique_id") && !strcmp(f.time, "ds"));
    table_close(t);
    OK(table_open_text(&t, "csv", wide, sizeof wide - 1, &(TableOptions){.keep = 0, .freq = NULL}, &e));
    f = table_form(t);
    CHECK(f.kind == FORM_WIDE && f.separator == '\t' && !f.id && !f.time && table_count(t) == 2);
    table_close(t);
    CHECK(table_open_text(&t, "npy", text, 3, &(TableOptions){.keep = 0, .freq = NULL}, &e) == -1 && !t);
    TEXT(e.message, "\"npy\" is no format of tables in text");
}

/* Whatever memory is missing, it is told, and nothing is left over. */
TEST(table_memory_that_runs_out_is_told)
{
    static const struct { const char *format, *text; } tables[] = {
        {"csv", "id,ds,y\na,1,1\na,2,1\nb,1,1\nb,2,2\na,3,4\n"}, {"csv", "id,ds,y\na,1,1\na,2,1\nb,1,1\nb,2,2\n"}, {"csv", "date,a,b\n1,1,2\n2,3,4\n"}, {"csv", "V1,V2\na,1\n"},
        {"csv", "id,ds,y\na,1,1\nb,1,1\nb,2,2\nb,4,2\n"}, {"csv", "id,ds,y\na,1,1\nb,1,1\na,2,2\na,4,2\n"},
        {"jsonl", "{\"item_id\":\"a\",\"target\":[1,2]}\n[3]"}, {"json", "[[1],[2]]"},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        int more = -1;
        for (long n = 1; n < 100 && more; n++) {
            Table *t;
            TableSeries s;
            Err e = {0};
            test_alloc_fail(n);
            more = table_open_text(&t, tables[i].format, tables[i].text, strlen(tables[i].text), &(TableOptions){.keep = 0, .freq = NULL}, &e);
            if (!more) while ((more = table_next(t, &s, &e)) > 0) {}
            test_alloc_fail(0);
            table_close(t);
            CHECK(!more || e.code == FTS_NOMEM);
        }
        CHECK(!more);
    }
}

TEST(table_damaged_text_is_refused_or_read)
{
    static const char *const good[] = {"c2\nitem_id,timestamp,target\na,2016-07-01,1\na,2016-07-02,2\n\"b,\"\"x\",2016-07-04 00:00,7\n", "c0\nunique_id;ds;y\na;1;1,5\nb;5;2\na;2;3\n", "c3\ndate,HUFL,\"O T\"\n2016-07-01,1,2\n2016-07-02,3,\n",
                                       "l2\n{\"item_id\":\"x\",\"start\":\"2016-01-31\",\"freq\":\"M\",\"target\":[1,2,3]}\n[5]\n"};
    uint64_t used = 0;
    int64_t series;
    Err e;
    for (int round = 0; round < 8000; round++) {
        const char *from = good[round % 4];
        size_t n = strlen(from);
        uint8_t *now = malloc(n);
        CHECK(now);
        memcpy(now, from, n);
        for (int k = 0; k < 3; k++) {
            uint64_t r = rng_hash(6, RNG_TEST, used++);
            now[3 + r % (n - 3)] = r >> 63 ? (uint8_t)(r >> 40) : (uint8_t)",;\"\n\r0-. e[]{}:"[(r >> 40) % 15];
        }
        const char *wrong = read_table(now, n, &series, &e);
        if (wrong) test_fail(__FILE__, __LINE__, "%.*s: %s", (int)n, (const char *)now, wrong);
        free(now);
        if (wrong) return;
    }
}

TEST(table_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    int read = 0;
    if (!path_is_dir("tests/corpus/data/table")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/table", &e));
    for (int i = 0; i < names.n; i++) {
        Map m;
        int64_t series;
        OK(map_open(&m, path_to("tests/corpus/data/table", names.name[i]), &e));
        const char *wrong = read_table(m.p, m.n, &series, &e);
        map_close(&m);
        if (wrong) { test_fail(__FILE__, __LINE__, "%s: %s", names.name[i], wrong); return; }
        read += series > 0;
    }
    CHECK(read >= 10 && names.n - read >= 5);
    names_free(&names);
}
