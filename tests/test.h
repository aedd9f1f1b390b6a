/* test.h - TEST(name) { ... } registers itself. CHECK ends the test at the first failure, CLOSE compares arrays. */
#ifndef TEST_H
#define TEST_H

#include <stddef.h>

void test_add(const char *name, void (*fn)(void));
int  test_covers(const char *prefix, const char *name);      /* is there a TEST called <prefix><name>? */
void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why);                             /* counted, and the reason is printed; return after it */
/* |got-want| <= atol + rtol*|want| for each element, NaN fails; names the worst. */
void test_close(const char *file, int line, const char *what, const float *got, const float *want, size_t n, double atol, double rtol);

/* A fresh empty folder, removed at exit; the text lives as long as the process. */
const char *test_folder(void);

/* A variable of the environment for a while; NULL: not there. */
typedef struct TestEnv { const char *name; int there; char before[64]; } TestEnv;
TestEnv test_env(const char *name, const char *value);
void test_env_back(const TestEnv *e);

/* Failure on purpose: the n-th allocation from now (1: the next) and all after it fail; 0 switches off. Returns how many were made since the last call. */
long test_alloc_fail(long n);
/* The n-th write() or fsync() from now and all after it fail with ENOSPC; 0 switches off. */
long test_write_fail(long n);

#define TEST(name) \
    static void name(void); \
    __attribute__((constructor)) static void add_##name(void) { test_add(#name, name); } \
    static void name(void)
#define CHECK(cond) do { if (!(cond)) { test_fail(__FILE__, __LINE__, "%s", #cond); return; } } while (0)
/* For calls that return 0 or -1 and an Err e in scope. */
#define OK(call) do { if (call) { test_fail(__FILE__, __LINE__, "%s: %s", #call, e.message); return; } } while (0)
#define CLOSE(what, got, want, n, atol, rtol) test_close(__FILE__, __LINE__, what, got, want, n, atol, rtol)
#define TEXT(got, want) do { if (strcmp(got, want)) { test_fail(__FILE__, __LINE__, "got '%s', want '%s'", got, want); return; } } while (0)

#endif
