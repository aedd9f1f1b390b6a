#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "util/file.h"

static char at_text[64][4096];
static int at_next;
static const char *at(const char *folder, const char *name)    /* good for 64 calls */
{
    char *p = at_text[at_next++ & 63];
    snprintf(p, sizeof *at_text, "%s/%s", folder, name);
    return p;
}

static int holds(const char *path, const char *text)
{
    Err e = {0};
    Map m;
    if (map_open(&m, path, &e)) return 0;
    int same = m.n == strlen(text) && (!m.n || !memcmp(m.p, text, m.n));
    map_close(&m);
    return same;
}

static int entries(const char *folder)
{
    Err e = {0};
    Names l;
    if (dir_list(&l, folder, &e)) return -1;
    int n = l.n;
    names_free(&l);
    return n;
}

TEST(file_map_reads_a_file_and_an_empty_one)
{
    Err e = {0};
    const char *f = test_folder(), *a = at(f, "a"), *b = at(f, "b");
    Map m;
    OK(file_write(a, "hello", 5, &e));
    OK(file_write(b, NULL, 0, &e));
    CHECK(holds(a, "hello") && holds(b, ""));
    OK(map_open(&m, b, &e));
    CHECK(!m.p && !m.n);
    map_close(&m);
    map_close(&m);
    CHECK(entries(f) == 2);
}

TEST(file_map_says_what_is_wrong)
{
    Err e = {0};
    const char *f = test_folder();
    char want[5000];
    Map m = {(const unsigned char *)"x", 1};
    CHECK(map_open(&m, at(f, "none"), &e) == -1 && e.code == FTS_IO && !m.p && !m.n);
    snprintf(want, sizeof want, "%s/none: No such file or directory", f);
    TEXT(e.message, want);
    CHECK(map_open(&m, f, &e) == -1);
    snprintf(want, sizeof want, "%s: Is a directory", f);
    TEXT(e.message, want);
    CHECK(!mkfifo(at(f, "pipe"), 0600) && map_open(&m, at(f, "pipe"), &e) == -1 && strstr(e.message, "not a regular file"));
}

TEST(file_path_join)
{
    Err e = {0};
    char p[16];
    OK(path_join(p, sizeof p, "a", "b", &e));
    TEXT(p, "a/b");
    OK(path_join(p, sizeof p, "a/", "b", &e));
    TEXT(p, "a/b");
    OK(path_join(p, sizeof p, "", "b", &e));
    TEXT(p, "b");
    OK(path_join(p, sizeof p, "/", "b", &e));
    TEXT(p, "/b");
    OK(path_join(p, sizeof p, "1234567", "1234567", &e));
    CHECK(path_join(p, sizeof p, "12345678", "1234567", &e) == -1 && strstr(e.message, "too long"));
}

TEST(file_dir_make_with_parents)
{
    Err e = {0};
    const char *f = test_folder();
    OK(dir_make(at(f, "x/y//z/"), &e));
    CHECK(path_is_dir(at(f, "x/y/z")) && path_exists(at(f, "x")));
    OK(dir_make(at(f, "x/y"), &e));
    OK(dir_make("/", &e));
    OK(dir_sync(at(f, "x"), &e));
    OK(file_write(at(f, "file"), "1", 1, &e));
    CHECK(!path_is_dir(at(f, "file")) && path_exists(at(f, "file")) && !path_exists(at(f, "nothing")));
    CHECK(dir_make(at(f, "file"), &e) == -1 && strstr(e.message, "/file: File exists"));
    CHECK(dir_make(at(f, "file/below"), &e) == -1 && strstr(e.message, "/file: File exists"));
    CHECK(dir_make("", &e) == -1);
    CHECK(dir_sync(at(f, "nothing"), &e) == -1 && strstr(e.message, "No such file"));
}

TEST(file_dir_list_sorts_and_leaves_hidden_ones_out)
{
    Err e = {0};
    static const char *name[] = {"b", "a", ".hidden", "B", "a1", "\xC3\xA4"}, *want[] = {"B", "a", "a1", "b", "\xC3\xA4"};
    const char *f = test_folder();
    Names l;
    for (int i = 0; i < 6; i++) OK(file_write(at(f, name[i]), "", 0, &e));
    OK(dir_list(&l, f, &e));
    CHECK(l.n == 5);
    for (int i = 0; i < 5; i++) CHECK(!strcmp(l.name[i], want[i]));
    names_free(&l);
    CHECK(dir_list(&l, at(f, "none"), &e) == -1 && !l.n && strstr(e.message, "/none: No such file or directory"));
    CHECK(dir_list(&l, at(f, "a"), &e) == -1 && strstr(e.message, "Not a directory"));
}

TEST(file_dir_list_without_memory)
{
    Err e = {0};
    const char *f = test_folder();
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "n%02d", i);
        OK(file_write(at(f, name), "", 0, &e));
    }
    for (long n = 1;; n++) {
        Names l;
        CHECK(n < 100);
        test_alloc_fail(n);
        int bad = dir_list(&l, f, &e);
        test_alloc_fail(0);
        if (bad) { CHECK(e.code == FTS_NOMEM && !l.name && !l.n); continue; }
        CHECK(l.n == 40 && n > 40);
        names_free(&l);
        return;
    }
}

TEST(file_dir_remove_takes_all_but_follows_no_link)
{
    Err e = {0};
    const char *f = test_folder(), *keep = at(f, "keep"), *tree = at(f, "tree");
    OK(dir_make(keep, &e));
    OK(file_write(at(f, "keep/file"), "1", 1, &e));
    OK(dir_make(at(f, "tree/a/b/c"), &e));
    OK(file_write(at(f, "tree/a/.hidden"), "1", 1, &e));
    CHECK(!symlink(keep, at(f, "tree/a/link")) && !symlink("nowhere", at(f, "tree/dangling")));
    OK(dir_remove(tree, &e));
    OK(dir_remove(tree, &e));
    CHECK(!path_exists(tree) && holds(at(f, "keep/file"), "1"));
    CHECK(!symlink(keep, at(f, "link")));
    OK(dir_remove(at(f, "link"), &e));
    OK(dir_remove(at(f, "keep/file"), &e));
    CHECK(path_is_dir(keep) && entries(keep) == 0 && entries(f) == 1);
    CHECK(dir_remove("/proc/self/fd", &e) == -1 && e.message[0]);
}

TEST(file_write_replaces_only_when_whole)
{
    Err e = {0};
    const char *f = test_folder(), *a = at(f, "a");
    Out o = {0};
    OK(file_write(a, "old", 3, &e));
    OK(out_open(&o, a, &e));
    OK(out_write(&o, "new ", 4, &e));
    OK(out_write(&o, "text", 4, &e));
    CHECK(holds(a, "old") && entries(f) == 2);
    OK(out_commit(&o, &e));
    CHECK(holds(a, "new text") && entries(f) == 1);
    out_drop(&o);
    OK(out_open(&o, a, &e));
    OK(out_write(&o, "x", 1, &e));
    out_drop(&o);
    out_drop(&o);
    CHECK(holds(a, "new text") && entries(f) == 1);
    Out zero = {0};
    out_drop(&zero);
}

TEST(file_write_of_all_sizes)
{
    Err e = {0};
    const char *f = test_folder(), *a = at(f, "a");
    static const size_t piece[] = {1, 7, 65535, 65536, 65537, 200000, 0, 3};
    size_t total = 0, at_byte = 0;
    unsigned char *data = malloc(400000);
    Out o;
    Map m;
    CHECK(data);
    for (size_t i = 0; i < 400000; i++) data[i] = (unsigned char)(i * 7 + i / 251);
    OK(out_open(&o, a, &e));
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        if (total + piece[i] > 400000) break;
        OK(out_write(&o, data + total, piece[i], &e));
        total += piece[i];
    }
    OK(out_commit(&o, &e));
    OK(map_open(&m, a, &e));
    int same = m.n == total;
    for (; same && at_byte < total; at_byte++) same = m.p[at_byte] == data[at_byte];
    map_close(&m);
    free(data);
    CHECK(same);
}

/* The n-th write or fsync and all after it fail, for every n there is. */
TEST(file_a_full_disk_keeps_the_old_file)
{
    Err e = {0};
    const char *f = test_folder(), *a = at(f, "a");
    char want[4200], *big = calloc(1, 300000);
    int failures = 0;
    CHECK(big);
    snprintf(want, sizeof want, "%s: No space left on device", a);
    OK(file_write(a, "old", 3, &e));
    for (long n = 1; n < 20; n++) {
        Out o;
        e = (Err){0};
        OK(out_open(&o, a, &e));
        test_write_fail(n);
        int bad = 0;
        for (int k = 0; k < 30 && !bad; k++) bad = out_write(&o, big, 10000, &e);
        if (bad) out_drop(&o);
        else bad = out_commit(&o, &e);
        test_write_fail(0);
        CHECK(entries(f) == 1);
        if (!bad) break;
        failures++;
        CHECK(e.code == FTS_IO);
        TEXT(e.message, want);
        CHECK(holds(a, "old"));
    }
    free(big);
    CHECK(failures >= 3 && !holds(a, "old"));
}

TEST(file_a_failed_write_cannot_be_committed)
{
    Err e = {0};
    const char *f = test_folder(), *a = at(f, "a");
    static char big[70000];
    Out o;
    OK(file_write(a, "old", 3, &e));
    OK(out_open(&o, a, &e));
    test_write_fail(1);
    int bad = out_write(&o, big, sizeof big, &e);
    test_write_fail(0);
    CHECK(bad && out_write(&o, "x", 1, &e) && out_commit(&o, &e) && strstr(e.message, "No space left"));
    CHECK(holds(a, "old") && entries(f) == 1);
}

TEST(file_write_into_a_folder_that_is_not_there)
{
    Err e = {0};
    const char *f = test_folder();
    Out o;
    CHECK(out_open(&o, at(f, "none/a"), &e) == -1 && strstr(e.message, "/none/a: No such file or directory"));
    out_drop(&o);
    OK(dir_make(at(f, "dir"), &e));
    CHECK(file_write(at(f, "dir"), "1", 1, &e) == -1 && strstr(e.message, "/dir: Is a directory") && entries(f) == 1);
    char name[5000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK(file_write(name, "1", 1, &e) == -1 && strstr(e.message, "too long"));
    test_alloc_fail(1);
    int bad = file_write(at(f, "a"), "1", 1, &e);
    test_alloc_fail(0);
    CHECK(bad && e.code == FTS_NOMEM && entries(f) == 1);
}
