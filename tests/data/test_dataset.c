#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "test.h"

#include "util/file.h"

/* 1 + max(0, (n-C-1) div stride), none below min_points. */
TEST(dataset_counts_windows)
{
    static const int64_t length[] = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
    static const struct { int64_t C, stride, min_points, want[18]; } row[] = {
        {8, 4, 2, {0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4}},
        {8, 8, 9, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2}},
        {8, 100, 1, {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {1, 1, 2, {0, 0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}},
    };
    Err e = {0};
    Dataset *d;
    const char *path = put_ramps(test_folder(), "a", length, 18);
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        DataOpts o = data_settings(row[r].C, row[r].stride);
        int64_t all = 0, none = 0, first;
        OK(open_at(&d, path, &o, row[r].min_points, &e));
        for (int i = 0; i < 18; i++) {
            CHECK(dataset_series_windows(d, i, &first) == row[r].want[i] && first == all);
            all += row[r].want[i];
            none += !row[r].want[i];
        }
        CHECK(dataset_windows(d) == all && dataset_short(d) == none && dataset_series(d) == 18 && dataset_window_points(d) == row[r].C + 1);
        dataset_close(d);
    }
    DataOpts o = data_settings(8, 8);
    CHECK(open_at(&d, path, &o, 10, &e) == -1 && e.code == FTS_USAGE);
    TEXT(e.message, "--seq-max-len 8 is too short: a window needs 10 points");
}

/* Every window begins where it should and holds what it should, over sources and series with and without windows. */
TEST(dataset_windows_hold_their_points)
{
    static const int64_t a[] = {1, 20, 0, 9}, b[] = {1}, c[] = {5, 33};
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 5);
    const char *dir = test_folder();
    float x[9];
    int pt[4], npt[4];
    int64_t w = 0, cut;
    Origin at[4];
    put_ramps(dir, "a", a, 4);
    put_ramps(dir, "b", b, 1);
    put_ramps(dir, "c", c, 2);
    o.normalization_func = SCALE_NONE;
    OK(open_at(&d, dir, &o, 2, &e));
    CHECK(dataset_sources(d) == 3 && dataset_series(d) == 7 && dataset_points(d) == 69 && dataset_windows(d) == 3 + 1 + 1 + 5);
    for (int source = 0; source < 3; source++) {
        const Source *s = dataset_source(d, source);
        for (int64_t i = 0; i < s->count; i++)
            for (int64_t from = 0; s->length[i] >= 2 && (from == 0 || from + 9 <= s->length[i]); from += 5) {
                CHECK(dataset_window(d, w++, x, pt, npt, at, &cut, &e) == 1 && cut == 0 && pt[0] == 0);
                CHECK(npt[0] == (s->length[i] - from < 9 ? s->length[i] - from : 9));
                CHECK(at[0].source == source && at[0].series == i && at[0].at == from);
                for (int k = 0; k < npt[0]; k++) CHECK(x[k] == (float)(1000 * i + from + k));
            }
    }
    CHECK(w == dataset_windows(d));
    char where[64];
    dataset_where(d, (Origin){2, 1, 7}, where, sizeof where);
    TEXT(where, "c: series 1, point 7");
    dataset_close(d);
}

static const char one_line[] = "[1, 2, 3, 4, 5]\n";

TEST(dataset_walk_is_sorted_and_skips_what_begins_with_a_dot)
{
    static const char *const want[] = {"B.jsonl", "a/x.jsonl", "a/y/bin", "a-b.jsonl", "c.jsonl"};
    static const int64_t length[] = {5};
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 8);
    const char *dir = test_folder();
    put_text(dir, "c.jsonl", one_line);
    put_text(dir, "a/x.jsonl", one_line);
    put_ramps(dir, "a/y/bin", length, 1);
    put_text(dir, "a/y/bin/inside.jsonl", one_line);                /* a folder that is data is taken whole */
    put_text(dir, "a-b.jsonl", one_line);
    put_text(dir, "B.jsonl", one_line);
    put_text(dir, ".cache/x.jsonl", one_line);
    put_text(dir, ".y.jsonl", one_line);
    put_text(dir, "a/README.md", "");
    put_text(dir, "a/trees.json", "{}");
    CHECK(!symlink(dir, path_to(dir, "a/loop")) && !symlink("nowhere", path_to(dir, "dangling")) && !symlink("c.jsonl", path_to(dir, "d.jsonl")));
    OK(open_at(&d, dir, &o, 2, &e));
    CHECK(dataset_sources(d) == 5 && dataset_ignored(d) == 3);
    for (int i = 0; i < 5; i++) TEXT(dataset_name(d, i), want[i]);
    dataset_close(d);
}

TEST(dataset_a_path_is_taken_once)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 8);
    const char *dir = test_folder();
    OptList paths = {.n = 3};
    char file[256], folder[256];
    put_text(dir, "a/x.jsonl", one_line);
    put_text(dir, "b.jsonl", one_line);
    snprintf(file, sizeof file, "%s/a/../a/x.jsonl", dir);
    snprintf(folder, sizeof folder, "%s//", dir);
    paths.item[0] = file;
    paths.item[1] = paths.item[2] = folder;
    OK(dataset_open(&d, &paths, NULL, &o, 2, NULL, &e));
    CHECK(dataset_sources(d) == 2 && dataset_windows(d) == 2);
    TEXT(dataset_name(d, 0), file);                                 /* several paths: names in full */
    dataset_close(d);
}

TEST(dataset_leaves_out_what_is_excluded)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 8);
    const char *dir = test_folder();
    OptList paths = one_path(dir);
    char want[512];
    put_text(dir, "fin/x.jsonl", one_line);
    put_text(dir, "fin/y.jsonl", one_line);
    put_text(dir, "finance.jsonl", one_line);                       /* begins alike, but is not below */
    CHECK(!symlink("fin", path_to(dir, "link")));
    OK(dataset_open(&d, &paths, path_to(dir, "link"), &o, 2, NULL, &e));
    CHECK(dataset_sources(d) == 1 && dataset_excluded(d) == 4);     /* each found twice, by its name and by the link */
    TEXT(dataset_name(d, 0), "finance.jsonl");
    dataset_close(d);
    CHECK(dataset_open(&d, &paths, dir, &o, 2, NULL, &e) == -1);
    snprintf(want, sizeof want, "%s: every dataset lies at or below %s, which is left out", dir, dir);
    TEXT(e.message, want);
    CHECK(dataset_open(&d, &paths, path_to(dir, "nowhere"), &o, 2, NULL, &e) == -1 && e.code == FTS_IO);
}

/* Between what and rest stands the list of formats. hint: the message ends with the command that downloads. */
static int says(const char *path, const char *what, const char *rest, int hint)
{
    char looked[512] = "";
    if (*rest || strchr(what, ':')) formats_text(looked, sizeof looked);
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(8, 8);
    char want[1024];
    int n = snprintf(want, sizeof want, "%s: %s%s%s", path, what, looked, rest);
    if (hint) snprintf(want + n, sizeof want - (size_t)n, ". To download Time-300B into it: foundationts data download --time300b-dir %s", path);
    if (open_at(&d, path, &o, 2, &e) == 0) return test_fail(__FILE__, __LINE__, "%s was opened", path), 0;
    if (strcmp(e.message, want)) return test_fail(__FILE__, __LINE__, "got '%s', want '%s'", e.message, want), 0;
    return 1;
}

TEST(dataset_nothing_there_says_what_was_looked_for)
{
    const char *dir = test_folder();
    char looked[512];
    formats_text(looked, sizeof looked);
    CHECK(!strncmp(looked, "looked for folders with meta.json and data-*.bin (Time-300B) and for files .jsonl", 81));
    CHECK(says(dir, "no data in this folder: ", "", 1));
    put_text(dir, "x/notes", "");
    put_text(dir, "time300b/notes.txt", "");
    put_text(dir, "begun/notes.txt", "");
    put_text(dir, "begun/.cache/huggingface/x.json", "");
    CHECK(says(path_to(dir, "x"), "no data in this folder: ", "; 1 other file", 0));
    CHECK(says(path_to(dir, "x/notes"), "not a file that can be read: ", "", 0));
    CHECK(says(path_to(dir, "x.jsonl"), "No such file or directory", "", 0));
    CHECK(says(path_to(dir, "time300b"), "no data in this folder: ", "; 1 other file", 1));
    CHECK(says(path_to(dir, "begun"), "no data in this folder: ", "; 1 other file", 1));
    CHECK(says(path_to(dir, "nowhere"), "No such file or directory", "", 1));
}

TEST(dataset_fingerprint_follows_content_and_settings_but_not_the_place)
{
    static const int64_t length[] = {20, 30}, other[] = {30, 20};
    Err e = {0};
    const char *path[3] = {put_ramps(test_folder(), "a", length, 2), put_ramps(test_folder(), "b", length, 2), put_ramps(test_folder(), "c", other, 2)};
    uint64_t print[8];
    for (int i = 0; i < 8; i++) {
        DataOpts o = data_settings(i == 3 ? 9 : 8, i == 4 ? 9 : 8);
        Dataset *d;
        o.normalization_func = i == 5 ? SCALE_MAX : SCALE_ZERO;
        o.missing = i == 6 ? MISSING_ZERO : MISSING_SPLIT;
        OK(open_at(&d, path[i < 3 ? i : 0], &o, i == 7 ? 3 : 2, &e));
        print[i] = dataset_fingerprint(d);
        dataset_close(d);
    }
    CHECK(print[0] == print[1]);
    for (int i = 2; i < 8; i++) CHECK(print[i] != print[0]);
}

TEST(dataset_open_without_memory)
{
    static const int64_t length[] = {20, 30};
    Err e = {0};
    Dataset *d = NULL;
    DataOpts o = data_settings(8, 8);
    const char *dir = test_folder();
    put_ramps(dir, "a", length, 2);
    put_ramps(dir, "b", length, 2);
    put_text(dir, "c.jsonl", one_line);
    put_text(dir, "d/e.jsonl", one_line);
    for (long n = 1;; n++) {
        e = (Err){0};
        test_alloc_fail(n);
        int bad = open_at(&d, dir, &o, 2, &e);
        test_alloc_fail(0);
        if (!bad) break;
        if (e.code != FTS_NOMEM) test_fail(__FILE__, __LINE__, "allocation %ld: code %d, '%s'", n, (int)e.code, e.message);
        CHECK(e.code == FTS_NOMEM && !d && n < 1000);
    }
    CHECK(dataset_windows(d) == 2 * (2 + 3) + 1 + 1);
    CHECK(dataset_bytes(d) > 0);
    dataset_close(d);
    dataset_close(NULL);
}

/* Seeds of the fuzz target: whatever they hold, reading them ends. */
TEST(jsonl_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    DataOpts o = data_settings(8, 8);
    if (!path_is_dir("tests/corpus/data/jsonl")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/jsonl", &e));
    for (int i = 0; i < names.n; i++) {
        Dataset *d;
        if (!open_at(&d, path_to("tests/corpus/data/jsonl", names.name[i]), &o, 2, &e)) dataset_close(d);
        else CHECK(e.code == FTS_FORMAT);
    }
    CHECK(names.n >= 3);
    names_free(&names);
}

TEST(dataset_finds_windows_among_many_series)
{
    enum { SERIES = 201 };
    int64_t length[SERIES];
    const char *dir = test_folder();
    DataOpts o = data_settings(8, 3);
    Dataset *d;
    Err e = {0};
    for (int i = 0; i < SERIES; i++) length[i] = i % 5 == 4 || (i >= 64 && i < 128) ? 1 : 2 + i % 23;
    put_ramps(dir, "many/a", length, SERIES);
    put_ramps(dir, "many/b", length + 60, 10);
    put_ramps(dir, "many/c", length, SERIES);
    o.normalization_func = SCALE_NONE;
    OK(open_at(&d, path_to(dir, "many"), &o, 2, &e));
    int64_t w = 0, first, cut;
    for (int64_t k = 0; k < dataset_series(d); k++) {
        int64_t i = k < SERIES ? k : k < SERIES + 10 ? k - SERIES + 60 : k - SERIES - 10;
        int64_t own = k < SERIES || k >= SERIES + 10 ? i : i - 60, n = length[i] < 2 ? 0 : length[i] > 9 ? 1 + (length[i] - 9) / 3 : 1;
        CHECK(dataset_series_windows(d, k, &first) == n && first == w);
        for (int64_t j = 0; j < n; j++, w++) {
            float points[9];
            int pt[8], npt[8];
            Origin origin[8];
            CHECK(dataset_window(d, w, points, pt, npt, origin, &cut, &e) == 1);
            CHECK(origin[0].series == own && origin[0].at == 3 * j && points[0] == (float)(1000 * own + 3 * j));
        }
    }
    CHECK(w == dataset_windows(d));
    dataset_close(d);
}
