/* test_check.c - data check tells every defect and stops at none. */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/check.h"
#include "util/str.h"

static void hear(void *user, const Event *ev) { str_addf(user, "%s\n", ev->text); }

static int64_t check(const char *path, Str *said)
{
    Err e;
    int64_t defects = -1;
    OptList paths = one_path(path);
    if (data_check(&paths, &(Events){hear, said}, &defects, &e)) return test_fail(__FILE__, __LINE__, "%s", e.message), -1;
    return defects;
}

TEST(check_tells_every_defect_and_goes_on)
{
    Str said = {0};
    const char *dir = test_folder();
    char want[1024];
    put_text(dir, "a.jsonl", "[1, Infinity, -Infinity, 2, null]\n[]\n[Infinity]\n");
    put_text(dir, "b.jsonl", "[1]\n[1,\n");
    put_text(dir, "c/meta.json", "{}");
    put_text(dir, "c/data-1-of-1.bin", "");
    put_text(dir, "d.jsonl", "[1, 2]\n");
    int64_t defects = check(dir, &said);
    snprintf(want, sizeof want, "a.jsonl: series 0, point 1: 2 infinite points\na.jsonl: series 1: no points\na.jsonl: series 2, point 0: 1 infinite point\n"
             "%s/b.jsonl (jsonl): line 2, column 4: the text ends, expected a number: a line holds a whole value\n%s/c (bin): meta.json: \"num_sequences\" is missing\n"
             "4 datasets, 4 series, 8 points, 1 of them missing: 5 defects\n", dir, dir);
    CHECK(defects == 5);
    TEXT(said.p, want);
    str_free(&said);
}

TEST(check_of_good_data_finds_nothing)
{
    static const int64_t length[] = {5, 9000};
    Str said = {0};
    const char *dir = test_folder();
    put_ramps(dir, "x", length, 2);
    CHECK(check(path_to(dir, "x"), &said) == 0);
    TEXT(said.p, "1 dataset, 2 series, 9005 points, 0 of them missing: 0 defects\n");
    str_free(&said);
}

TEST(check_of_nothing_is_an_error)
{
    Err e;
    int64_t defects;
    OptList paths = one_path(test_folder());
    CHECK(data_check(&paths, &(Events){NULL, NULL}, &defects, &e) == -1 && strstr(e.message, "no data"));
}
