/* test_index.c - an index changes how long opening takes, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/index.h"
#include "support.h"
#include "test.h"
#include "util/hash.h"

enum { SERIES = 5000, C = 8, MIN_POINTS = 2 };           /* just enough series for an index */
#define INDEX ".foundationts-index"

/* Series of 0 to 24 points whose values and sizes differ. */
static const char *put_many(const char *dir, const char *name)
{
    int64_t *length = malloc(SERIES * sizeof *length), n = 0;
    for (int i = 0; i < SERIES; i++) n += length[i] = i * 7 % 25;
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t k = 0; k < n; k++) x[k] = (float)(k * 37 % 1009) / 8;
    const char *path = put_bin(dir, name, x, length, SERIES);
    free(x);
    free(length);
    return path;
}

/* Of every window's points, in order; 0: an error. */
static uint64_t windows_hash(const Dataset *d)
{
    float points[C + 1];
    int pt[C], npt[C];
    Origin origin[C];
    int64_t cut;
    Err e;
    uint64_t h = HASH_START;
    for (int64_t w = 0; w < dataset_windows(d); w++) {
        int n = dataset_window(d, w, points, pt, npt, origin, &cut, &e);
        if (n < 0) return 0;
        for (int i = 0; i < n; i++) h = hash_add(h, points + pt[i], (size_t)npt[i] * sizeof *points);
    }
    return h;
}

/* Opened with settings o, read through, closed; *indexed: an index was used or made. 0: an error. */
static uint64_t read_through(const char *path, const DataOpts *o, int *indexed)
{
    Dataset *d;
    Err e = {0};
    if (open_at(&d, path, o, MIN_POINTS, &e)) return 0;
    uint64_t h = windows_hash(d) ^ dataset_fingerprint(d);
    *indexed = dataset_source(d, 0)->index != NULL;
    dataset_close(d);
    return h;
}

static ino_t inode(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_ino;
}

TEST(index_gives_the_same_windows)
{
    int indexed;
    for (int scaling = SCALE_ZERO; scaling <= SCALE_NONE; scaling++) {
        const char *path = put_many(test_folder(), "a");
        DataOpts o = data_settings(C, C);
        o.normalization_func = scaling;
        uint64_t first = read_through(path, &o, &indexed);
        CHECK(first && indexed);
        ino_t made = inode(path_to(path, INDEX));
        CHECK(made);
        for (int again = 0; again < 2; again++) CHECK(read_through(path, &o, &indexed) == first && indexed);
        CHECK(inode(path_to(path, INDEX)) == made);                         /* used, not made anew */
        CHECK(!remove(path_to(path, INDEX)));
        CHECK(read_through(path, &o, &indexed) == first);
    }
}

TEST(index_holds_what_was_computed)
{
    DataOpts o = data_settings(C, C);
    Dataset *d;
    Index *x;
    Meta m;
    Affine a;
    Err e = {0};
    int indexed, known = 0;
    const char *path = put_many(test_folder(), "a");
    CHECK(read_through(path, &o, &indexed));
    CHECK(!index_open(&x, &m, path_to(path, INDEX)));
    for (int64_t i = 0; i < m.count; i++) {
        CHECK(index_known(x, SCALE_ZERO, i, &a) == (m.length[i] >= MIN_POINTS));        /* others have no window */
        CHECK(!index_known(x, SCALE_MAX, i, &a));
        known += index_known(x, SCALE_ZERO, i, &a);
    }
    CHECK(known == SERIES / 25 * 23);
    a = (Affine){3, 4};                                                     /* a lie, to see that it is what is used */
    index_keep(x, SCALE_ZERO, 1, 1, &a, &(unsigned char){1});
    meta_free(&m);
    index_close(x);
    OK(open_at(&d, path, &o, MIN_POINTS, &e));
    float points[C + 1];
    int pt[C], npt[C];
    Origin origin[C];
    int64_t cut, first;
    double raw;
    CHECK(dataset_series_windows(d, 1, &first) == 1);
    CHECK(dataset_window(d, first, points, pt, npt, origin, &cut, &e) == 1 && npt[0] == 7);
    OK(dataset_source(d, 0)->format->read(dataset_source(d, 0), 1, 0, 1, &raw, &e));
    CHECK(points[0] == (float)((raw - 3) / 4));
    dataset_close(d);
}

TEST(index_of_other_files_is_made_anew)
{
    static const char *const touched[] = {"meta.json", "data-1-of-1.bin"};
    DataOpts o = data_settings(C, C);
    int indexed;
    const char *path = put_many(test_folder(), "a"), *index = path_to(path, INDEX);
    uint64_t first = read_through(path, &o, &indexed);
    for (int i = 0; i < 2; i++) {
        ino_t made = inode(index);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000 + i}};
        CHECK(!utimensat(AT_FDCWD, path_to(path, touched[i]), times, 0));
        CHECK(read_through(path, &o, &indexed) == first && indexed);
        CHECK(inode(index) != made);
    }
    FILE *f = fopen(path_to(path, touched[1]), "r+b");                      /* a value changes, and so do windows and fingerprint */
    CHECK(f && !fseek(f, 100, SEEK_SET) && fputc(99, f) == 99 && !fclose(f));
    uint64_t other = read_through(path, &o, &indexed);
    CHECK(other && other != first && indexed);
    CHECK(!remove(index));
    CHECK(read_through(path, &o, &indexed) == other);
}

/* Every byte of the head and every five thousandth after it; files cut short; the scalings too, where a wrong one is computed again. */
TEST(index_damaged_is_none)
{
    DataOpts o = data_settings(C, C);
    int indexed;
    Map m;
    Err e = {0};
    const char *path = put_many(test_folder(), "a"), *index = path_to(path, INDEX);
    uint64_t first = read_through(path, &o, &indexed);
    OK(map_open(&m, index, &e));
    size_t n = m.n;
    unsigned char *good = malloc(n), *bad = malloc(n);
    memcpy(good, m.p, n);
    map_close(&m);
    for (size_t i = 0; i < n; i += i < 160 ? 1 : 5003) {
        memcpy(bad, good, n);
        bad[i] ^= 0x41;
        OK(file_write(index, bad, n, &e));
        if (read_through(path, &o, &indexed) != first || !indexed) test_fail(__FILE__, __LINE__, "byte %zu of %zu", i, n);
    }
    for (size_t cut = 0; cut < n; cut = 2 * cut + 1) {
        OK(file_write(index, good, cut, &e));
        CHECK(read_through(path, &o, &indexed) == first && indexed);
    }
    free(good);
    free(bad);
}

/* As one from outside could be made: sums right, numbers wrong. */
TEST(index_with_numbers_out_of_range_is_none)
{
    int64_t offset[] = {0, 4}, length[] = {4, 6};
    static const struct { int64_t offset, length; } wrong[] = {{-1, 1}, {4, 7}, {11, 0}, {4, -1}, {INT64_MAX, 1}, {1, INT64_MAX}};
    const char *path = path_to(test_folder(), "index");
    Err e = {0};
    Index *x;
    Meta m = {.count = 2, .entries = 2, .offset = offset, .length = length, .type = numtype_find("float32")}, got;
    OK(meta_add_shard(&m, "data-1-of-1.bin", 10, &e));
    OK(index_write(path, &m, 5, &e));
    CHECK(!index_open(&x, &got, path));
    CHECK(x->key == 5 && got.count == 2 && got.offset[1] == 4 && got.length[1] == 6 && got.nshard == 1 && !got.mean);
    TEXT(got.shard[0].name, "data-1-of-1.bin");
    meta_free(&got);
    index_close(x);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        offset[1] = wrong[i].offset;
        length[1] = wrong[i].length;
        OK(index_write(path, &m, 5, &e));
        CHECK(index_open(&x, &got, path) == -1);
    }
    offset[1] = length[1] = 0;
    strcpy(m.shard[0].name, "a/1-of-1.bin");                                /* a way out of the folder */
    OK(index_write(path, &m, 5, &e));
    CHECK(index_open(&x, &got, path) == -1);
    m.borrowed = 1;
    meta_free(&m);
}

static void keep_text(void *user, const FtsEvent *event)
{
    if (event->kind == FTS_EVENT_NOTICE) snprintf(user, 1024, "%s", event->text);
}

static int open_told(const char *path, const DataOpts *o, char *told, const char **where, Err *e)
{
    OptList paths = one_path(path);
    Dataset *d;
    *told = 0;
    if (dataset_open(&d, &paths, NULL, o, MIN_POINTS, &(Events){keep_text, told}, e)) return -1;
    *where = dataset_source(d, 0)->index ? "indexed" : "not";
    dataset_close(d);
    return 0;
}

/* A folder in the place of the file stands for one that cannot be written: the tests may run as root. */
TEST(index_goes_to_the_cache_dir)
{
    DataOpts o = data_settings(C, C);
    Err e = {0};
    char told[1024], want[1024], cache[512];
    const char *path = put_many(test_folder(), "a"), *where;
    Names names;
    snprintf(cache, sizeof cache, "%s/not/yet", test_folder());
    CHECK(!mkdir(path_to(path, INDEX), 0777));
    OK(open_told(path, &o, told, &where, &e));
    TEXT(where, "not");
    TEXT(told, "");                                                         /* quick all the same */
    o.cache_dir = cache;
    for (int again = 0; again < 2; again++) {
        OK(open_told(path, &o, told, &where, &e));
        TEXT(where, "indexed");
        TEXT(told, "");
        OK(dir_list(&names, cache, &e));
        CHECK(names.n == 1 && strlen(names.name[0]) == strlen("0123456789abcdef.foundationts-index"));
        names_free(&names);
    }
    put_text(test_folder(), "file", "");
    snprintf(cache, sizeof cache, "%s", put_text(test_folder(), "file", ""));
    OK(open_told(path, &o, told, &where, &e));
    TEXT(where, "not");
    snprintf(want, sizeof want, "%s: no index can be written, so opening takes as long next time: is --cache-dir a folder that can be written?", path);
    TEXT(told, want);
}

TEST(index_on_a_full_disk_is_none)
{
    DataOpts o = data_settings(C, C);
    int indexed;
    Names names;
    Err e = {0};
    const char *dir = test_folder(), *path = put_many(dir, "a");
    test_write_fail(1);
    uint64_t first = read_through(path, &o, &indexed);
    test_write_fail(0);
    CHECK(first && !indexed && access(path_to(path, INDEX), F_OK));
    OK(dir_list(&names, path, &e));
    CHECK(names.n == 2);                                                    /* nothing half-written is left */
    names_free(&names);
    CHECK(read_through(path, &o, &indexed) == first && indexed);
}

TEST(index_made_by_several_processes_at_once)
{
    DataOpts o = data_settings(C, C);
    Names names;
    Err e = {0};
    int indexed, status;
    const char *path = put_many(test_folder(), "a");
    uint64_t first = read_through(path, &o, &indexed);
    for (int round = 0; round < 5; round++) {
        CHECK(!remove(path_to(path, INDEX)));
        for (int i = 0; i < 4; i++) {
            pid_t child = fork();
            if (!child) _exit(read_through(path, &o, &indexed) == first && read_through(path, &o, &indexed) == first && indexed ? 0 : 1);
            CHECK(child > 0);
        }
        for (int i = 0; i < 4; i++) CHECK(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status));
        CHECK(read_through(path, &o, &indexed) == first && indexed);
        OK(dir_list(&names, path, &e));
        CHECK(names.n == 2);
        names_free(&names);
    }
}

TEST(index_is_not_for_little)
{
    static const int64_t length[] = {20, 30};
    DataOpts o = data_settings(C, C);
    int indexed;
    const char *path = put_ramps(test_folder(), "a", length, 2);
    CHECK(read_through(path, &o, &indexed) && !indexed && access(path_to(path, INDEX), F_OK));
}

TEST(index_without_memory)
{
    DataOpts o = data_settings(C, C);
    Dataset *d;
    Err e = {0};
    int indexed;
    const char *path = put_many(test_folder(), "a");
    uint64_t first = read_through(path, &o, &indexed);
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = open_at(&d, path, &o, MIN_POINTS, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && !d && n < 1000);
    }
    CHECK((windows_hash(d) ^ dataset_fingerprint(d)) == first);
    dataset_close(d);
}

/* Sources are opened in any order by several threads, but the error is always that of the first. */
TEST(dataset_names_the_first_broken_source)
{
    DataOpts o = data_settings(C, C);
    Dataset *d;
    Err e = {0};
    char name[64], want[512];
    const char *dir = test_folder();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%02d.jsonl", i);
        put_text(dir, name, i % 10 == 7 ? "[1, 2\n" : "[1, 2, 3]\n");
    }
    snprintf(want, sizeof want, "%s/07.jsonl (jsonl): line 1", dir);
    for (int round = 0; round < 50; round++) {
        CHECK(open_at(&d, dir, &o, MIN_POINTS, &e) == -1);
        if (strncmp(e.message, want, strlen(want))) test_fail(__FILE__, __LINE__, "'%s'", e.message);
    }
}

static void add_up(void *user, int64_t more) { *(int64_t *)user += more; }

TEST(meta_tells_how_far_it_is)
{
    Str s = {0};
    Meta m;
    Err e = {0};
    int64_t told = 0, n = 200000;
    str_addf(&s, "{\"num_sequences\": %lld, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 0}, \"scales\": [", (long long)n);
    for (int64_t i = 0; i < n; i++) str_addf(&s, "%s{\"offset\": 0, \"length\": 0}", i ? "," : "");
    str_addf(&s, "]}");
    OK(meta_read(&m, s.p, s.n, &(Tell){add_up, &told}, &e));
    CHECK(told > (int64_t)s.n * 9 / 10 && told <= (int64_t)s.n);
    meta_free(&m);
    str_free(&s);
}

TEST(index_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    int read = 0;
    OK(dir_list(&names, "tests/corpus/data/index", &e));
    for (int i = 0; i < names.n; i++) {
        Index *x;
        Meta m;
        if (index_open(&x, &m, path_to("tests/corpus/data/index", names.name[i]))) continue;
        meta_free(&m);
        index_close(x);
        read++;
    }
    CHECK(read >= 3);
    names_free(&names);
}
