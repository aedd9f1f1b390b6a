/* main.c - runs the tests in alphabetical order; arguments select by substring, FTS_TEST_PART=1/2 every second one from the first. Ends with "N passed, N failed, N skipped". */
#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TESTS = 1024, MAX_FOLDERS = 1024 };
static struct { const char *name; void (*fn)(void); } tests[MAX_TESTS];
static int ntests, nfail, skipped;
static char folders[MAX_FOLDERS][64];
static int nfolders;

/* Asked by LeakSanitizer. fontconfig, below cairo, keeps a kilobyte of its settings for the life of the process and hides the pointers to it. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig\n"; }
__attribute__((visibility("default"))) const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }

void test_add(const char *name, void (*fn)(void))
{
    if (ntests == MAX_TESTS) abort();
    tests[ntests].name = name;
    tests[ntests++].fn = fn;
}

int test_covers(const char *prefix, const char *name)
{
    size_t n = strlen(prefix);
    for (int i = 0; i < ntests; i++)
        if (!strncmp(tests[i].name, prefix, n) && !strcmp(tests[i].name + n, name)) return 1;
    return 0;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("# %s:%d: ", file, line);
    vprintf(fmt, ap);
    puts("");
    va_end(ap);
    nfail++;
}

void test_skip(const char *why)
{
    printf("# skipped: %s\n", why);
    skipped = 1;
}

void test_close(const char *file, int line, const char *what, const float *got, const float *want, size_t n, double atol, double rtol)
{
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - (double)want[i]), tol = atol + rtol * fabs((double)want[i]);
        double r = diff <= tol ? 0 : isnan(diff) || tol == 0 ? INFINITY : diff / tol;
        if (r > worst) { worst = r; at = i; }
    }
    if (worst > 1)
        test_fail(file, line, "%s: worst at [%zu]: got %.9g want %.9g (%.1f times the tolerance)", what, at, (double)got[at], (double)want[at], worst);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st; (void)flag; (void)at;
    return remove(path);
}

static void remove_folders(void)
{
    for (int i = 0; i < nfolders; i++) nftw(folders[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_folder(void)
{
    if (nfolders == MAX_FOLDERS) abort();
    if (!nfolders) atexit(remove_folders);
    char *f = folders[nfolders++];
    strcpy(f, "/tmp/fts-test-XXXXXX");
    if (!mkdtemp(f)) abort();
    return f;
}

static void put(const char *name, const char *value)
{
    if (value) setenv(name, value, 1);
    else unsetenv(name);
}

TestEnv test_env(const char *name, const char *value)
{
    const char *set = getenv(name);
    TestEnv e = {.name = name, .there = set != NULL};
    if (set && strlen(set) >= sizeof e.before) abort();
    if (set) strcpy(e.before, set);
    put(name, value);
    return e;
}

void test_env_back(const TestEnv *e) { put(e->name, e->there ? e->before : NULL); }

/* Called instead of the real ones because of -Wl,--wrap. */
static long alloc_left, alloc_seen, write_left, write_seen;
void *__real_malloc(size_t), *__real_calloc(size_t, size_t), *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t), *__wrap_calloc(size_t, size_t), *__wrap_realloc(void *, size_t);
ssize_t __real_write(int, const void *, size_t), __wrap_write(int, const void *, size_t);
int __real_fsync(int), __wrap_fsync(int);

static int fails(long *left, long *seen)
{
    __atomic_add_fetch(seen, 1, __ATOMIC_RELAXED);
    long now = __atomic_load_n(left, __ATOMIC_RELAXED);
    if (!now) return 0;
    if (now == 1) return 1;
    __atomic_sub_fetch(left, 1, __ATOMIC_RELAXED);
    return 0;
}
void *__wrap_malloc(size_t n) { return fails(&alloc_left, &alloc_seen) ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails(&alloc_left, &alloc_seen) ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails(&alloc_left, &alloc_seen) ? NULL : __real_realloc(p, n); }
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    if (!fails(&write_left, &write_seen)) return __real_write(fd, p, n);
    errno = ENOSPC;
    return -1;
}
int __wrap_fsync(int fd)
{
    if (!fails(&write_left, &write_seen)) return __real_fsync(fd);
    errno = ENOSPC;
    return -1;
}
long test_alloc_fail(long n) { long seen = alloc_seen; alloc_left = n; alloc_seen = 0; return seen; }
long test_write_fail(long n) { long seen = write_seen; write_left = n; write_seen = 0; return seen; }

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i])) return 1;
    return argc == 1;
}

/* FTS_TEST_PART=i/n: the i-th of every n. */
static int in_part(int test)
{
    int i = 1, n = 1;
    const char *part = getenv("FTS_TEST_PART");
    if (part && (sscanf(part, "%d/%d", &i, &n) != 2 || i < 1 || i > n)) abort();
    return test % n == i - 1;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, skips = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    qsort(tests, (size_t)ntests, sizeof *tests, by_name);
    for (int i = 0; i < ntests; i++) {
        if (!in_part(i) || !wanted(tests[i].name, argc, argv)) continue;
        struct timespec a, b;
        nfail = skipped = 0;
        clock_gettime(CLOCK_MONOTONIC, &a);
        tests[i].fn();
        clock_gettime(CLOCK_MONOTONIC, &b);
        test_alloc_fail(0);
        test_write_fail(0);
        printf("%s - %s (%.2f s)\n", nfail ? "not ok" : skipped ? "skip" : "ok", tests[i].name,
               (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
        if (nfail) failed++; else if (skipped) skips++; else passed++;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skips);
    return failed != 0 || passed + skips == 0;
}
