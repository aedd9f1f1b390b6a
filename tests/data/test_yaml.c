#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/yaml.h"
#include "util/file.h"
#include "util/rng.h"

#define CORPUS "tests/corpus/data/yaml"

/* Kinds and values are those of PyYAML 6.0; SCALAR_TEXT is a string there, and so is SCALAR_WORD. */
static const struct { const char *text; ScalarKind kind; double x; } scalars[] = {
    {"0", SCALAR_INT, 0}, {"-1", SCALAR_INT, -1}, {"+12", SCALAR_INT, 12}, {"1_000", SCALAR_INT, 1000}, {"1__0_", SCALAR_INT, 10},
    {"_1", SCALAR_TEXT, 0}, {"-_1", SCALAR_TEXT, 0},
    {"9007199254740993", SCALAR_INT, 9007199254740992}, {"123456789012345678901234567890", SCALAR_INT, 123456789012345678901234567890.0},
    {"08", SCALAR_TEXT, 0}, {"017", SCALAR_BITS, 15}, {"-017", SCALAR_BITS, -15}, {"0_17_", SCALAR_BITS, 15}, {"00", SCALAR_BITS, 0},
    {"0o17", SCALAR_TEXT, 0}, {"0_8", SCALAR_TEXT, 0},
    {"0x1F", SCALAR_BITS, 31}, {"-0xf_f", SCALAR_BITS, -255}, {"0x_1", SCALAR_BITS, 1}, {"0X1F", SCALAR_TEXT, 0}, {"0x", SCALAR_TEXT, 0},
    {"0x_", SCALAR_TEXT, 0}, {"0xg", SCALAR_TEXT, 0},
    {"0b101", SCALAR_BITS, 5}, {"+0b1_0", SCALAR_BITS, 2}, {"0b2", SCALAR_TEXT, 0}, {"0B1", SCALAR_TEXT, 0}, {"0xe_1", SCALAR_BITS, 225},
    {"0x20000000000001", SCALAR_BITS, 0x1p53}, {"0x20000000000003", SCALAR_BITS, 0x1p53 + 4}, {"0x200000000000010000000", SCALAR_BITS, 0x1p81},     /* ties, to even */
    {"0x200000000000010000001", SCALAR_BITS, 0x1p81 + 0x1p29}, {"0400000000000000000000000001", SCALAR_BITS, 0x1p80},
    {"1.5", SCALAR_FLOAT, 1.5}, {"1.", SCALAR_FLOAT, 1}, {".5", SCALAR_FLOAT, .5}, {"-1.5e+3", SCALAR_FLOAT, -1500}, {"1.5E-3", SCALAR_FLOAT, .0015},
    {"08.5", SCALAR_FLOAT, 8.5},
    {"685.230_15e+03", SCALAR_FLOAT, 685230.15}, {"1_.5", SCALAR_FLOAT, 1.5}, {"1._5", SCALAR_FLOAT, 1.5}, {"._5", SCALAR_TEXT, 0},
    {"1.5e+1_0", SCALAR_TEXT, 0}, {".", SCALAR_TEXT, 0},
    {"2.2250738585072011e-308", SCALAR_FLOAT, 2.2250738585072011e-308}, {"1.0e+999", SCALAR_FLOAT, INFINITY}, {"1.5e", SCALAR_TEXT, 0},
    {"1.5.5", SCALAR_TEXT, 0}, {"1,5", SCALAR_TEXT, 0},
    {".inf", SCALAR_FLOAT, INFINITY}, {"-.Inf", SCALAR_FLOAT, -INFINITY}, {"+.INF", SCALAR_FLOAT, INFINITY}, {".iNf", SCALAR_TEXT, 0}, {".infinity", SCALAR_TEXT, 0},
    {".nan", SCALAR_FLOAT, NAN}, {".NaN", SCALAR_FLOAT, NAN}, {".NAN", SCALAR_FLOAT, NAN}, {".Nan", SCALAR_TEXT, 0}, {"-.nan", SCALAR_TEXT, 0},
    {"1:30", SCALAR_INT, 90}, {"-190:20:30", SCALAR_INT, -685230}, {"1_0:05", SCALAR_INT, 605}, {"1:60", SCALAR_TEXT, 0}, {"1:030", SCALAR_TEXT, 0},
    {"0:30", SCALAR_TEXT, 0}, {"1:3_0", SCALAR_TEXT, 0},
    {"1:30.5", SCALAR_FLOAT, 90.5}, {"190:20:30.15", SCALAR_FLOAT, 685230.15}, {"0:30.", SCALAR_FLOAT, 30}, {"1:30.5_0", SCALAR_FLOAT, 90.5},
    {"1:30.5e+3", SCALAR_TEXT, 0}, {"1:", SCALAR_TEXT, 0}, {":1", SCALAR_TEXT, 0},
    {"", SCALAR_NULL, NAN}, {"~", SCALAR_NULL, NAN}, {"null", SCALAR_NULL, NAN}, {"Null", SCALAR_NULL, NAN}, {"NULL", SCALAR_NULL, NAN},
    {"nULL", SCALAR_TEXT, 0}, {"-~", SCALAR_TEXT, 0},
    {"yes", SCALAR_BOOL, 1}, {"Yes", SCALAR_BOOL, 1}, {"YES", SCALAR_BOOL, 1}, {"yES", SCALAR_TEXT, 0}, {"y", SCALAR_TEXT, 0}, {"no", SCALAR_BOOL, 0},
    {"No", SCALAR_BOOL, 0}, {"NO", SCALAR_BOOL, 0},
    {"true", SCALAR_BOOL, 1}, {"True", SCALAR_BOOL, 1}, {"TRUE", SCALAR_BOOL, 1}, {"false", SCALAR_BOOL, 0}, {"False", SCALAR_BOOL, 0},
    {"FALSE", SCALAR_BOOL, 0}, {"fAlse", SCALAR_TEXT, 0},
    {"on", SCALAR_BOOL, 1}, {"On", SCALAR_BOOL, 1}, {"ON", SCALAR_BOOL, 1}, {"oN", SCALAR_TEXT, 0}, {"off", SCALAR_BOOL, 0}, {"Off", SCALAR_BOOL, 0},
    {"OFF", SCALAR_BOOL, 0}, {"n", SCALAR_TEXT, 0},
    {"nan", SCALAR_WORD, NAN}, {"NaN", SCALAR_WORD, NAN}, {"-nan", SCALAR_TEXT, 0}, {"Inf", SCALAR_WORD, INFINITY}, {"-inf", SCALAR_WORD, -INFINITY},
    {"-Infinity", SCALAR_WORD, -INFINITY},
    {"abc", SCALAR_TEXT, 0}, {"-", SCALAR_TEXT, 0}, {"+", SCALAR_TEXT, 0}, {"=", SCALAR_TEXT, 0}, {"<<", SCALAR_TEXT, 0},
    {"2020-01-01", SCALAR_TEXT, 0}, {"1 2", SCALAR_TEXT, 0}, {"--1", SCALAR_TEXT, 0},
    {"1:00:00:00:00:00:00:00:00:00", SCALAR_LONG, 0},                                                                /* 60^9: Python is exact */
    {"1e5", SCALAR_FLOAT, 1e5}, {"1.5e3", SCALAR_FLOAT, 1500}, {"1e-3", SCALAR_FLOAT, 1e-3}, {"1.e3", SCALAR_FLOAT, 1e3}, {"-.5", SCALAR_FLOAT, -.5},
    {"1_0e1", SCALAR_FLOAT, 100},     /* not so in Python */
};

TEST(yaml_scalars_are_those_of_python)
{
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        double x = -7;
        ScalarKind kind = scalar_resolve(scalars[i].text, strlen(scalars[i].text), &x);
        int same = x == scalars[i].x || (isnan(x) && isnan(scalars[i].x));
        if (kind != scalars[i].kind || (kind != SCALAR_TEXT && kind != SCALAR_LONG && !same)) test_fail(__FILE__, __LINE__, "%s: kind %d, %a", scalars[i].text, kind, x);
    }
}

/* Underscores are taken out into a buffer: what does not fit is no number, and not a shorter one. */
TEST(yaml_long_scalars_are_whole_or_refused)
{
    char text[4000];
    double x;
    memset(text, '1', sizeof text);
    CHECK(scalar_resolve(text, 300, &x) == SCALAR_INT && x > 1.1e299 && x < 1.2e299);
    CHECK(scalar_resolve(text, 4000, &x) == SCALAR_INT && x == INFINITY);
    text[1] = '_';
    CHECK(scalar_resolve(text, 300, &x) == SCALAR_INT && x > 1.1e298 && x < 1.2e298);
    CHECK(scalar_resolve(text, 513, &x) == SCALAR_INT && scalar_resolve(text, 514, &x) == SCALAR_LONG);
    memset(text + 2, 'a', sizeof text - 2);
    CHECK(scalar_resolve(text, 4000, &x) == SCALAR_TEXT);
    memset(text, '1', sizeof text);
    memset(text + 1, '_', 3000);
    CHECK(scalar_resolve(text, 3003, &x) == SCALAR_INT && x == 111);
    memset(text, ':', sizeof text);
    for (int i = 0; i < 4000; i += 2) text[i] = '1';
    CHECK(scalar_resolve(text, 3999, &x) == SCALAR_LONG && scalar_resolve(text, 4000, &x) == SCALAR_TEXT);
    memset(text, 'f', sizeof text);
    memcpy(text, "0x", 2);
    CHECK(scalar_resolve(text, 4000, &x) == SCALAR_BITS && x == INFINITY);
    CHECK(scalar_resolve(text, 257, &x) == SCALAR_BITS && x == 0x1p1020);
}

/* From a block that ends where the bytes end, so that a byte too many is seen. The text of the series, or of the error. */
static const char *decode(const void *bytes, size_t n, char *out, size_t size, Err *e)
{
    Decoded d = {0};
    char *p = malloc(n + !n);
    if (!p) return "no memory for the test";
    if (n) memcpy(p, bytes, n);
    *e = (Err){0};
    if (yaml_decode(&d, p, n, e)) snprintf(out, size, "%s", e->message);
    else series_text(&d, out, size);
    decoded_free(&d);
    free(p);
    return out;
}

static const struct { const char *text, *series; } good[] = {
    {"[]", ""}, {"[[]]", "[]"}, {"- - 1\n  - 2\n- - 3\n", "[1,2] [3]"}, {"[1, 2,]", "[1,2]"}, {"- \n-\n- ~", "[nan,nan,nan]"}, {"[[1, , 2]]", NULL},
    {"sequence: [1, 2]\n", "[1,2]"}, {"target:\n- 1\n- 2\nid: a", "[1,2]"}, {"{\"id\": {sequence: [9]}, \"sequence\": [1]}", "[1]"},
    {"[{target: [1]}, [2], {? [a] : [b], sequence: []}]", "[1] [2] []"},
    {"a: &x 1\nb: [*x, *y, !t z]\n*x : 2\nsequence: &s [&n 1]", "[1]"}, {"--- # comment\n[[.inf, 0x10]]\n...\n# end\n", "[inf,16]"},
    {"[[\"nan\", '-inf', Infinity, nan]]", "[nan,-inf,inf,nan]"}, {"[! 3, ! \"4\"]", "[3,4]"},
    {"[!!float 1, !!float '1.5', !!int 0x10, !!bool no, !!null '', !!str nan, !!float 1:30]", "[1,1.5,16,0,nan,nan,90]"},
    {"%TAG !x! tag:yaml.org,2002:\n---\n!x!seq [!x!map {sequence: !x!seq [1]}]", "[1]"}, {"- >-\n  nan\n- 1", "[nan,1]"},
};

static const struct { const char *text, *message; } broken[] = {
    {"", "line 1, column 1: the text ends, expected a list of series: is the file empty?"},
    {"# nothing\n", "line 2, column 1: the text ends, expected a list of series: is the file empty?"},
    {"---\n", "line 2, column 1: expected a list of numbers or a mapping with \"sequence\""},
    {"abc", "line 1, column 1: expected a list of numbers or a mapping with \"sequence\""},
    {"- 1\n- 2\n- [3]", "line 3, column 3: a list inside a series: a series has one dimension"},
    {"- [1]\n- 2", "line 2, column 3: expected a list of numbers or a mapping with \"sequence\""},
    {"- [[1]]", "line 1, column 4: a list inside a series: a series has one dimension"},
    {"- [1, {a: 1}]", "line 1, column 7: a mapping inside a series: a series has one dimension"},
    {"- [1, 2]\n# x\n- [34, abc]", "line 3, column 8: \"abc\" is no number"},
    {"[[\"1.5\"]]", "line 1, column 3: \"1.5\" is a text, no number"},
    {"[[!!str 1]]", "line 1, column 3: \"1\" is a text, no number"},
    {"[!!int 1.5]", "line 1, column 2: \"1.5\" is no whole number"},
    {"[!!bool 1]", "line 1, column 2: \"1\" is neither true nor false"},
    {"[!!null 1]", "line 1, column 2: \"1\" is not null"},
    {"[!!float 017]", "line 1, column 2: \"017\" is no number"},
    {"- - 2020-01-01\n", "line 1, column 5: \"2020-01-01\" is no number"},
    {"- - 1:00:00:00:00:00:00:00:00:00\n", "line 1, column 5: \"1:00:00:00:00:00:00:00:0...\" is a number too long to be read exactly"},
    {"- [1]\n- {sequence: [1], id: a, target: [1]}", "line 2, column 26: a second series in one mapping"},
    {"sequence: [1]\nsequence: [2]", "line 2, column 1: a second series in one mapping"},
    {"- [1]\n- a: [1]\n  b: 2\n", "line 2, column 3: a mapping without \"sequence\" or \"target\""},
    {"{}", "line 1, column 1: a mapping without \"sequence\" or \"target\""},
    {"target: 1", "line 1, column 9: expected a list of numbers"},
    {"- &a [1]\n- *a", "line 2, column 3: aliases (*a) are not read: write the values out"},
    {"- [&x 1, *x]", "line 1, column 10: aliases (*x) are not read: write the values out"},
    {"a: &a [1]\nsequence: *a", "line 2, column 11: aliases (*a) are not read: write the values out"},
    {"--- [1]\n--- [2]", "line 2, column 1: a second document: a file holds one"},
    {"[1]\n---\n", "line 2, column 1: a second document: a file holds one"},
    {"- !!python/tuple [1]", "line 1, column 3: !!python/tuple: tags are not read: write lists and numbers without them"},
    {"!!set {sequence: [1]}", "line 1, column 1: !!set: tags are not read: write lists and numbers without them"},
    {"!mine [1]", "line 1, column 1: !mine: tags are not read: write lists and numbers without them"},
    {"- [!!timestamp 2020-01-01]", "line 1, column 4: !!timestamp: tags are not read: write lists and numbers without them"},
    {"- [!<tag:a,1:b> 1]", "line 1, column 4: tag:a,1:b: tags are not read: write lists and numbers without them"},
    {"- [1, 2", "line 2, column 1: did not find expected ',' or ']' while parsing a flow sequence"},
    {"- a:\n\t- 1\n", "line 2, column 1: found character that cannot start any token while scanning for the next token"},
    {"- [\"abc", "line 1, column 8: found unexpected end of stream while scanning a quoted scalar"},
    {"- [!x!y 1]", "line 1, column 4: found undefined tag handle while parsing a node"},
    {"[1] x", "line 1, column 5: did not find expected <document start>"},
    {"- [1] # \xe9 abc\n", "byte 9: invalid trailing UTF-8 octet"},
    {"- [1] # \x01\n", "byte 8: control characters are not allowed"},
};
enum { NGOOD = sizeof good / sizeof *good, NBROKEN = sizeof broken / sizeof *broken };

TEST(yaml_reads_series)
{
    Err e = {0};
    char got[1024];
    for (int i = 0; i < NGOOD; i++) {
        decode(good[i].text, strlen(good[i].text), got, sizeof got, &e);
        if (good[i].series) TEXT(got, good[i].series);
        CHECK(!good[i].series == (e.code == FTS_FORMAT));
    }
}

TEST(yaml_broken_files_are_named)
{
    Err e = {0};
    char got[1024];
    for (int i = 0; i < NBROKEN; i++) {
        decode(broken[i].text, strlen(broken[i].text), got, sizeof got, &e);
        TEXT(got, broken[i].message);
        CHECK(e.code == FTS_FORMAT);
    }
    Decoded d = {0};
    CHECK(yaml_decode(&d, NULL, 0, &e) == -1 && e.code == FTS_FORMAT);              /* how an empty file is mapped */
}

/* What is passed over is counted, not called, and an alias of it is not expanded. */
TEST(yaml_depth_and_aliases_cost_nothing)
{
    enum { DEEP = 300000 };
    Err e = {0};
    char got[1024], *deep = malloc(DEEP + 1);
    const char *laughs = "a: &a [lol, lol]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: [*c, *c, *c]\nsequence: [1, 2]\n";
    CHECK(deep);
    memset(deep, '[', DEEP);
    decode(deep, DEEP, got, sizeof got, &e);
    TEXT(got, "line 1, column 3: a list inside a series: a series has one dimension");
    memcpy(deep, "x: ", 3);
    decode(deep, DEEP, got, sizeof got, &e);
    TEXT(got, "line 1, column 68: nested deeper than 64");
    for (int i = 0; i < DEEP; i++) deep[i] = "- "[i % 2];
    memcpy(deep, "x:\n ", 4);
    decode(deep, DEEP, got, sizeof got, &e);
    TEXT(got, "line 2, column 130: nested deeper than 64");
    memset(deep + 4, '[', 64);
    memset(deep + 68, ']', 64);
    strcpy(deep + 132, "\nsequence: [1]\n");
    TEXT(decode(deep, strlen(deep), got, sizeof got, &e), "[1]");
    TEXT(decode(laughs, strlen(laughs), got, sizeof got, &e), "[1,2]");
    free(deep);
}

/* The corpus is read as it is named. */
TEST(yaml_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    int read = 0;
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, CORPUS, &e));
    for (int i = 0; i < names.n; i++) {
        char got[1024];
        Map m;
        OK(map_open(&m, path_to(CORPUS, names.name[i]), &e));
        decode(m.p, m.n, got, sizeof got, &e);
        map_close(&m);
        int bad = !strncmp(names.name[i], "bad_", 4) || !strcmp(names.name[i], "settings.yaml");
        if (bad != (e.code == FTS_FORMAT)) test_fail(__FILE__, __LINE__, "%s: %s", names.name[i], got);
        read += !bad;
    }
    CHECK(names.n > 20 && read > 8);
    names_free(&names);
}

/* A cut file is an error, or what is there is whole. */
TEST(yaml_cut_anywhere_is_refused_or_shorter)
{
    static const char text[] = "\xEF\xBB\xBF%YAML 1.1\n--- # \xC3\xA9\n"
        "- {id: &a \"x\\u00e9\", k: [*a, !t {? 1 : 2}], sequence: [1_0.5, 0x1f, 'nan']}\n- - -1:30\n  - |-\n    inf\n- [!!int \"1\", ~]\n...\n";
    Err e = {0};
    char got[1024];
    int refused = 0;
    TEXT(decode(text, sizeof text - 1, got, sizeof got, &e), "[10.5,31,nan] [-90,inf] [1,nan]");
    for (size_t n = 0; n < sizeof text - 1; n++) {
        decode(text, n, got, sizeof got, &e);
        refused += e.code != 0;
        if (e.code) CHECK(e.code == FTS_FORMAT);
        else CHECK(!strncmp(got, "[10.5,31,nan]", 13) || !strcmp(got, "[nan]"));              /* an empty item is null */
    }
    CHECK(refused > 100 && refused < (int)sizeof text - 10);
}

TEST(yaml_damaged_text_is_refused_or_read)
{
    static const char sign[] = "[]{}-:,?&*!|>'\"%@#\n \t~0.e_x";
    Err e = {0};
    uint64_t used = 0;
    int read = 0, refused = 0;
    for (int i = 0; i < NGOOD + NBROKEN; i++) {
        const char *text = i < NGOOD ? good[i].text : broken[i - NGOOD].text;
        size_t n = strlen(text);
        for (int round = 0; n && round < 200; round++) {
            Decoded d = {0};
            char *now = malloc(n);
            CHECK(now);
            memcpy(now, text, n);
            for (int k = 0; k < 1 + round % 3; k++) {
                uint64_t r = rng_hash(7, RNG_TEST, used++);
                now[(r & 0xffffffff) % n] = r >> 61 ? sign[(r >> 40 & 0xff) % (sizeof sign - 1)] : (char)(r >> 40);
            }
            int bad = yaml_decode(&d, now, n, &e);
            if (bad) CHECK(e.code == FTS_FORMAT);
            else for (int64_t s = 0; s < d.count; s++) CHECK(d.start[s] >= 0 && d.start[s] <= d.n);
            read += !bad;
            refused += bad;
            decoded_free(&d);
            free(now);
        }
    }
    CHECK(read > 100 && refused < -100);
}

/* Of our own; those inside libyaml cannot be made to fail here. */
TEST(yaml_no_memory_is_an_error)
{
    static const char text[] = "- [1, 2]\n- [3]\n";
    Err e = {0};
    for (long n = 1;; n++) {
        Decoded d = {0};
        test_alloc_fail(n);
        int bad = yaml_decode(&d, text, sizeof text - 1, &e);
        test_alloc_fail(0);
        decoded_free(&d);
        CHECK(bad ? e.code == FTS_NOMEM && n < 10 : n > 2);
        if (!bad) return;
    }
}

TEST(yaml_source_leaves_settings_alone)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(4, 4);
    const char *dir = test_folder();
    char late[70000];
    put_text(dir, "a/config.yaml", "model: {hidden: 64}\nsequences: [1, 2, 3]\ninner: {sequence: [1, 2]}\n");
    put_text(dir, "a/empty.yml", "# nothing\n");
    put_text(dir, "a/text.yaml", "just a text\n");
    put_text(dir, "a/template.yaml", "a: {{ value }}\n{% if x %}\n");
    put_text(dir, "a/many.yaml", "a: 1\n---\nsequence: [1, 2, 3]\n");
    memset(late, ' ', sizeof late);
    memcpy(late, "a: 1\nb: \"", 9);
    strcpy(late + sizeof late - 24, "\"\nsequence: [1, 2, 3]\n");
    put_text(dir, "a/late.yaml", late);
    put_text(dir, "a/x.yaml", "# x\n- [1, 2, 3]\n- [4, 5]\n");
    put_text(dir, "a/y.yml", "? [a, b]\n: {c: [d]}\ntarget: [1, 2, 3]\n");
    OK(open_at(&d, path_to(dir, "a"), &o, 2, &e));
    CHECK(dataset_sources(d) == 2 && dataset_series(d) == 3 && dataset_ignored(d) == 6);
    dataset_close(d);
    for (int i = 0; i < 60000; i++) late[i + 9] = 'x';
    strcpy(late + 60000, "\"\nsequence: [1, 2, 3]\n");
    CHECK(source_sniff(put_text(dir, "b.yaml", late)) == &format_yaml);
}

TEST(yaml_source_names_the_file)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(4, 4);
    const char *dir = test_folder(), *path = put_text(dir, "x.yaml", "- [1, 2, 3]\n- [4, x]\n");
    char want[600];
    snprintf(want, sizeof want, "%s (yaml): line 2, column 7: \"x\" is no number", path);
    CHECK(open_at(&d, path, &o, 2, &e) == -1);
    TEXT(e.message, want);
}
