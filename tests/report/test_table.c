#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "report/table.h"
#include "util/file.h"
#include "util/str.h"

static void keep_line(void *user, const char *text) { str_addf(user, "%s|", text); }

typedef struct Given { const char *id, *time; double x[2]; } Given;

/* Two series of two steps; time: of the first step, NULL: none. -1: failed, and f is gone. */
static int write_all(const ForecastsTo *to, const Given *g, int n, Err *e)
{
    Forecasts *f;
    Freq hour = {.unit = FREQ_TIME, .every = 3600};
    if (forecasts_open(&f, to, e)) return -1;
    for (int i = 0; i < n; i++) {
        Stamp time[2];
        int bad = g[i].time && (stamp_read(&time[0], g[i].time, strlen(g[i].time), NULL, e) || calendar_next(&hour, &time[0], 1, &time[1], e));
        if (!bad && !forecasts_add(f, g[i].id, g[i].time ? time : NULL, g[i].x, e)) continue;
        forecasts_drop(f);
        return -1;
    }
    return forecasts_close(f, e);
}

static const Given two[] = {{"a", "2016-07-01 23:00", {0.1, 16777216}}, {"b, \"c\"", "2016-07-01 23:00", {-1e-7, NAN}}};

TEST(forecasts_have_the_form_of_their_input)
{
    static const struct { Form form; const char *want; int times; } forms[] = {
        {{FORM_LONG, ',', "item_id", "timestamp"}, "item_id,timestamp,predictions|a,2016-07-01 23:00,0.1|a,2016-07-02 00:00,16777216|\"b, \"\"c\"\"\",2016-07-01 23:00,-1e-07|\"b, \"\"c\"\"\",2016-07-02 00:00,|", 1},
        {{FORM_LONG, ';', "id", NULL}, "id;step;predictions|a;1;0.1|a;2;16777216|\"b, \"\"c\"\"\";1;-1e-07|\"b, \"\"c\"\"\";2;|", 0},
        {{FORM_LONG, '\t', NULL, "ds"}, "ds\tpredictions|2016-07-01 23:00\t0.1|2016-07-02 00:00\t16777216|2016-07-01 23:00\t-1e-07|2016-07-02 00:00\t|", 1},
        {{FORM_WIDE, ',', NULL, "date"}, "date,a,\"b, \"\"c\"\"\"|2016-07-01 23:00,0.1,-1e-07|2016-07-02 00:00,16777216,|", 1},
        {{FORM_WIDE, ';', NULL, ""}, "\"\";a;\"b, \"\"c\"\"\"|1;0.1;-1e-07|2;16777216;|", 0},
        {{FORM_WIDE, ',', NULL, NULL}, "a,\"b, \"\"c\"\"\"|0.1,-1e-07|16777216,|", 0},
        {{FORM_ROWS, ',', NULL, NULL}, "V1,V2,V3|a,0.1,16777216|\"b, \"\"c\"\"\",-1e-07,|", 0},
        {{FORM_JSONL, 0, NULL, NULL}, "{\"item_id\": \"a\", \"predictions\": [0.1, 16777216]}|{\"item_id\": \"b, \\\"c\\\"\", \"predictions\": [-1e-07, null]}|", 0},
        {{FORM_NPY, 0, NULL, NULL}, "{\"item_id\": \"a\", \"predictions\": [0.1, 16777216]}|{\"item_id\": \"b, \\\"c\\\"\", \"predictions\": [-1e-07, null]}|", 0},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Given now[2] = {two[0], two[1]};
        Str out = {0};
        Err e;
        if (!forms[i].times) now[0].time = now[1].time = NULL;
        OK(write_all(&(ForecastsTo){.form = forms[i].form, .steps = 2, .series = 2, .path = "-", .line = keep_line, .user = &out}, now, 2, &e));
        TEXT(out.p, forms[i].want);
        str_free(&out);
    }
}

TEST(forecasts_cells_are_quoted_where_they_must)
{
    static const struct { const char *id, *want; } cells[] = {{"a b", "a b"}, {" a", "\" a\""}, {"a\t", "\"a\t\""}, {"a\nb", "\"a\nb\""}, {"", "\"\""}, {"a;b", "a;b"}, {"\xC3\xA9", "\xC3\xA9"}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        Given one = {cells[i].id, NULL, {1, 2}};
        char want[64] = "V1,V2,V3|";
        Str out = {0};
        Err e;
        OK(write_all(&(ForecastsTo){.form = {.kind = FORM_ROWS, .separator = ','}, .steps = 2, .series = -1, .line = keep_line, .user = &out}, &one, 1, &e));
        strcat(strcat(want, cells[i].want), ",1,2|");
        TEXT(out.p, want);
        str_free(&out);
    }
}

static int holds(const char *path, const void *want, size_t n)
{
    Map m;
    Err e;
    if (map_open(&m, path, &e)) return 0;
    int same = m.n == n && !memcmp(m.p, want, n);
    map_close(&m);
    return same;
}

TEST(forecasts_are_files_once_they_are_whole)
{
    static const char csv[] = "V1,V2,V3\na,0.1,16777216\n\"b, \"\"c\"\"\",-1e-07,\n";
    static const char head[] = "\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    const char *dir = test_folder();
    char path[512], npy[128 + 16];
    Err e;
    OK(path_join(path, sizeof path, dir, "out.csv", &e));
    OK(write_all(&(ForecastsTo){.form = {.kind = FORM_ROWS, .separator = ','}, .steps = 2, .series = 2, .path = path}, two, 2, &e));
    CHECK(holds(path, csv, sizeof csv - 1));
    OK(path_join(path, sizeof path, dir, "out.npy", &e));
    OK(write_all(&(ForecastsTo){.form = {.kind = FORM_NPY}, .steps = 2, .series = 2, .path = path}, two, 2, &e));
    memset(npy, ' ', sizeof npy);
    memcpy(npy, head, sizeof head - 1);
    npy[127] = '\n';
    for (int i = 0; i < 4; i++) memcpy(npy + 128 + 4 * i, &(float){(float)two[i / 2].x[i % 2]}, 4);
    CHECK(holds(path, npy, sizeof npy));
    CHECK(write_all(&(ForecastsTo){.form = {.kind = FORM_NPY}, .steps = 2, .series = -1, .path = "x.npy"}, two, 2, &e) == -1);
    TEXT(e.message, "x.npy: how many series there are must be known before an array of numpy is written");
}

/* A disk that is full, or memory that runs out, is told; then there is no file and no temporary one. */
TEST(forecasts_that_fail_leave_nothing)
{
    static const FormKind kinds[] = {FORM_LONG, FORM_WIDE, FORM_ROWS, FORM_JSONL, FORM_NPY};
    const char *dir = test_folder();
    char path[512];
    Names names;
    Err e;
    OK(path_join(path, sizeof path, dir, "out", &e));
    ForecastsTo to = {.form = {.separator = ',', .id = "id", .time = "ds"}, .steps = 2, .series = 2, .path = path};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int bad = 1;
        to.form.kind = kinds[i];
        test_write_fail(1);
        CHECK(write_all(&to, two, 2, &e) == -1 && e.code == FTS_IO);
        test_write_fail(0);
        OK(dir_list(&names, dir, &e));
        CHECK(!names.n);
        names_free(&names);
        for (long n = 1; n < 100 && bad; n++) {
            test_alloc_fail(n);
            bad = write_all(&to, two, 2, &e);
            test_alloc_fail(0);
            CHECK(!bad || e.code == FTS_NOMEM);
            if (bad) CHECK(!path_exists(path));
        }
        CHECK(!bad && path_exists(path));
        CHECK(!remove(path));
    }
}
