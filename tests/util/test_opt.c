#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "util/json.h"
#include "util/opt.h"

#define TRAIN_OPTIONS \
    X(INT,    batch_size,         "256",    1, 1000000, "N", "windows in a step") \
    X(INT,    steps,              "",       1, 1e15, "N", "") \
    X(INT,    seed,               "9899",   -9.3e18, 9.3e18, "N", "") \
    X(REAL,   learning_rate,      "1e-3",   0, 0.5, "X", "") \
    X(REAL,   clip,               "",       0, INFINITY, "X", "") \
    X(SIZE,   memory,             "1.5G",   1, 1e15, "BYTES", "") \
    X(TEXT,   output,             "run",    0, 0, "DIR", "") \
    X(TEXT,   load,               "",       0, 0, "DIR", "") \
    X(FLAG,   drop_last,          "1",      0, 0, "", "") \
    X(FLAG,   compile,            "",       0, 0, "", "")
#define DATA_OPTIONS \
    X(CHOICE, normalization_func, "zero",   0, 0, "zero|max|none", "") \
    X(LIST,   dataset_path,       "",       0, 0, "DIR", "")

#define X(kind, field, ...) OPT_FIELD(kind, field, __VA_ARGS__)
typedef struct Train { TRAIN_OPTIONS } Train;
typedef struct Data { DATA_OPTIONS } Data;
#undef X
#define X(...) OPT_ROW(Train, __VA_ARGS__),
static const Opt train_rows[] = {TRAIN_OPTIONS};
#undef X
#define X(...) OPT_ROW(Data, __VA_ARGS__),
static const Opt data_rows[] = {DATA_OPTIONS};

typedef struct All { Train t; Data d; OptSet set[2]; } All;

static int begin(All *a, Err *e)
{
    memset(a, 0x5a, sizeof *a);                                /* defaults may not lean on zeroed memory */
    a->set[0] = (OptSet){train_rows, sizeof train_rows / sizeof *train_rows, &a->t};
    a->set[1] = (OptSet){data_rows, sizeof data_rows / sizeof *data_rows, &a->d};
    return opt_defaults(a->set, 2, e);
}

TEST(opt_defaults_pass_the_parser)
{
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    CHECK(a.t.batch_size == 256 && a.t.steps == OPT_UNSET && a.t.seed == 9899 && a.t.learning_rate == 1e-3 && a.t.clip == OPT_UNSET);
    CHECK(a.t.memory == (int64_t)3 << 29 && !strcmp(a.t.output, "run") && !a.t.load && a.t.drop_last == 1 && a.t.compile == -1);
    CHECK(a.d.normalization_func == 0 && a.d.dataset_path.n == 0);
    opt_free(a.set, 2);
    CHECK(!a.t.output);
    opt_free(a.set, 2);
}

TEST(opt_set_takes_every_kind)
{
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    OK(opt_set(a.set, 2, "batch-size", "1000000", &e));
    OK(opt_set(a.set, 2, "--learning_rate", ".25", &e));
    OK(opt_set(a.set, 2, "clip", "1e300", &e));
    OK(opt_set(a.set, 2, "seed", "-9223372036854775808", &e));
    OK(opt_set(a.set, 2, "--output", "first", &e));
    OK(opt_set(a.set, 2, "--output", "second", &e));
    OK(opt_set(a.set, 2, "--load", "x", &e));
    OK(opt_set(a.set, 2, "--load", "", &e));
    OK(opt_set(a.set, 2, "normalization-func", "none", &e));
    OK(opt_set(a.set, 2, "dataset-path", "a", &e));
    OK(opt_set(a.set, 2, "dataset_path", "b c", &e));
    CHECK(a.t.batch_size == 1000000 && a.t.learning_rate == 0.25 && a.t.clip == 1e300 && a.t.seed == INT64_MIN && a.d.normalization_func == 2);
    CHECK(!strcmp(a.t.output, "second") && !a.t.load);
    CHECK(a.d.dataset_path.n == 2 && !strcmp(a.d.dataset_path.item[0], "a") && !strcmp(a.d.dataset_path.item[1], "b c"));
    opt_free(a.set, 2);
}

TEST(opt_sizes_are_powers_of_1024)
{
    static const struct { const char *text; int64_t want; } c[] = {{"512M", (int64_t)512 << 20}, {"20G", (int64_t)20 << 30}, {"0.5T", (int64_t)1 << 39},
        {"1.5k", 1536}, {"123456789", 123456789}, {"1e6", 1000000}};
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        OK(opt_set(a.set, 2, "memory", c[i].text, &e));
        CHECK(a.t.memory == c[i].want);
    }
    opt_free(a.set, 2);
}

TEST(opt_flags)
{
    static const struct { const char *name, *value; int want; } c[] = {{"drop-last", NULL, 1}, {"no-drop-last", NULL, 0}, {"--drop_last", "true", 1},
        {"drop-last", "false", 0}, {"drop-last", "1", 1}, {"drop-last", "0", 0}, {"drop-last", NULL, 1}, {"--no_drop_last", NULL, 0}};
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        OK(opt_set(a.set, 2, c[i].name, c[i].value, &e));
        CHECK(a.t.drop_last == c[i].want);
    }
    opt_free(a.set, 2);
}

TEST(opt_errors_say_it_exactly)
{
    static const struct { const char *name, *value, *want; } c[] = {
        {"batch-size", "0", "--batch-size: 0 is outside 1..1000000"},
        {"batch_size", "abc", "--batch-size: 'abc' is not a whole number"},
        {"batch-size", "", "--batch-size: '' is not a whole number"},
        {"batch-size", "12x", "--batch-size: '12x' is not a whole number"},
        {"batch-size", "1.5", "--batch-size: '1.5' is not a whole number"},
        {"batch-size", " 1", "--batch-size: ' 1' is not a whole number"},
        {"batch-size", "-", "--batch-size: '-' is not a whole number"},
        {"batch-size", NULL, "--batch-size needs a value"},
        {"batch-size", "99999999999999999999", "--batch-size: 99999999999999999999 is outside 1..1000000"},
        {"seed", "9223372036854775808", "--seed: 9223372036854775808 is outside -9.3e+18..9.3e+18"},
        {"normalization-func", "foo", "--normalization-func: 'foo' is none of zero, max, none"},
        {"normalization-func", "", "--normalization-func: '' is none of zero, max, none"},
        {"normalization-func", "zer", "--normalization-func: 'zer' is none of zero, max, none"},
        {"learning-rate", "x", "--learning-rate: 'x' is not a number"},
        {"learning-rate", "nan", "--learning-rate: 'nan' is not a number"},
        {"learning-rate", "1e-3x", "--learning-rate: '1e-3x' is not a number"},
        {"learning-rate", "0.6", "--learning-rate: 0.6 is outside 0..0.5"},
        {"learning-rate", "1e999", "--learning-rate: 1e999 is outside 0..0.5"},
        {"memory", "big", "--memory: 'big' is not a size (1000000, 512M, 1.5T)"},
        {"memory", "1GB", "--memory: '1GB' is not a size (1000000, 512M, 1.5T)"},
        {"memory", "0", "--memory: 0 is outside 1..1e+15"},
        {"drop-last", "maybe", "--drop-last takes no value, or one of 1, 0, true, false, got 'maybe'"},
        {"no-drop-last", "1", "--no-drop-last takes no value, got '1'"},
        {"dataset-path", "", "--dataset-path: an empty value"},
        {"batch-sise", "1", "unknown option --batch-sise: did you mean --batch-size?"},
        {"--batch_sise", "1", "unknown option --batch-sise: did you mean --batch-size?"},
        {"no-drop-lst", NULL, "unknown option --no-drop-lst: did you mean --no-drop-last?"},
        {"batch", "1", "unknown option --batch (see --help)"},
        {"foo", "1", "unknown option --foo (see --help)"},
        {"no-batch-size", NULL, "unknown option --no-batch-size: did you mean --batch-size?"},
        {"", NULL, "unknown option -- (see --help)"}};
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        e = (Err){0};
        CHECK(opt_set(a.set, 2, c[i].name, c[i].value, &e) == -1 && e.code == FTS_USAGE);
        TEXT(e.message, c[i].want);
    }
    CHECK(a.t.batch_size == 256 && a.t.learning_rate == 1e-3 && a.t.drop_last == 1);
    opt_free(a.set, 2);
}

TEST(opt_names_of_any_length_are_refused)
{
    Err e = {0};
    All a;
    char name[3000];
    OK(begin(&a, &e));
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK(opt_set(a.set, 2, name, "1", &e) == -1 && opt_set(a.set, 2, "batch-size", name, &e) == -1 && opt_set(a.set, 2, "drop-last", name, &e) == -1);
    opt_free(a.set, 2);
}

TEST(opt_a_list_has_an_end)
{
    Err e = {0};
    All a;
    OK(begin(&a, &e));
    for (int i = 0; i < OPT_LIST_MAX; i++) OK(opt_set(a.set, 2, "dataset-path", "d", &e));
    CHECK(opt_set(a.set, 2, "dataset-path", "d", &e) == -1);
    TEXT(e.message, "--dataset-path: given more than 64 times");
    opt_free(a.set, 2);
}

TEST(opt_find_and_flag)
{
    Err e = {0};
    All a;
    const OptSet *in;
    int negated;
    char flag[64];
    OK(begin(&a, &e));
    const Opt *o = opt_find(a.set, 2, "--normalization_func", &in, &negated);
    CHECK(o == &data_rows[0] && in == &a.set[1] && !negated);
    opt_flag(o, flag, sizeof flag);
    TEXT(flag, "normalization-func");
    CHECK(opt_find(a.set, 2, "no-compile", &in, &negated) == &train_rows[9] && negated && in == &a.set[0]);
    CHECK(!opt_find(a.set, 2, "no-steps", &in, &negated) && !opt_find(a.set, 2, "no-", &in, &negated));
    opt_free(a.set, 2);
}

TEST(opt_write_gives_what_was_set_and_can_be_read_back)
{
    Err e = {0};
    All a;
    Str s = {0};
    OK(begin(&a, &e));
    OK(opt_set(a.set, 2, "output", "a \"b\"", &e));
    OK(opt_set(a.set, 2, "dataset-path", "x", &e));
    OK(opt_set(a.set, 2, "dataset-path", "y", &e));
    OK(opt_set(a.set, 2, "normalization-func", "max", &e));
    opt_write(a.set, 2, &s);
    OK(str_ok(&s, &e));
    TEXT(s.p, "{\"batch_size\":256,\"seed\":9899,\"learning_rate\":0.001,\"memory\":1610612736,\"output\":\"a \\\"b\\\"\",\"drop_last\":true,"
              "\"normalization_func\":\"max\",\"dataset_path\":[\"x\",\"y\"]}");
    Json j;
    json_init(&j, s.p, s.n);
    OK(json_skip(&j, &e));
    OK(json_end(&j, &e));
    str_free(&s);
    opt_free(a.set, 2);
}

/* Every allocation fails once; what is left can be freed. */
TEST(opt_without_memory)
{
    Err e = {0};
    for (long n = 1; n < 10; n++) {
        All a;
        test_alloc_fail(n);
        int bad = begin(&a, &e) || opt_set(a.set, 2, "output", "other", &e) || opt_set(a.set, 2, "dataset-path", "d", &e);
        test_alloc_fail(0);
        if (bad) CHECK(e.code == FTS_NOMEM);
        opt_free(a.set, 2);
        if (!bad) { CHECK(n == 4); return; }
    }
    CHECK(0);
}

TEST(opt_a_bad_default_is_an_error)
{
    static const Opt row[] = {{OPT_INT, "n", "7", 1, 5, "N", "", 0}};
    Err e = {0};
    int64_t n;
    CHECK(opt_defaults(&(OptSet){row, 1, &n}, 1, &e) == -1);
    TEXT(e.message, "--n: 7 is outside 1..5");
}
