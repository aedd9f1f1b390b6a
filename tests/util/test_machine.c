#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "util/machine.h"

static int threads_with(const char *omp)
{
    setenv("OMP_NUM_THREADS", omp, 1);
    return machine_threads();
}

TEST(machine_threads_obeys_omp_num_threads)
{
    char *was = getenv("OMP_NUM_THREADS"), *copy = was ? strdup(was) : NULL;
    unsetenv("OMP_NUM_THREADS");
    int n = machine_threads(), first = threads_with("3"), list = threads_with("5,2"), spaced = threads_with(" 7 ,2");
    int word = threads_with("many"), zero = threads_with("0"), minus = threads_with("-2"), tail = threads_with("4x"), empty = threads_with("");
    if (copy) setenv("OMP_NUM_THREADS", copy, 1);
    else unsetenv("OMP_NUM_THREADS");
    free(copy);
    CHECK(n >= 1 && n <= sysconf(_SC_NPROCESSORS_CONF));
    CHECK(first == 3 && list == 5 && spaced == 7);
    CHECK(word == n && zero == n && minus == n && tail == n && empty == n);
}

TEST(machine_memory_is_sane)
{
    int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    CHECK(machine_memory() > (int64_t)16 << 20 && machine_memory() <= all);
}

/* Others take and give back too, so once in a few times has to be enough. */
TEST(machine_free_memory_falls_by_what_is_taken)
{
    size_t n = (size_t)256 << 20;
    int fell = 0;
    if (machine_free_memory() < 4 * (int64_t)n) { test_skip("too little memory is free"); return; }
    for (int turn = 0; turn < 5 && !fell; turn++) {
        int64_t own = machine_own_memory(), left = machine_free_memory();
        char *p = malloc(n);
        CHECK(p && own > 0 && left <= machine_memory());
        for (size_t i = 0; i < n; i += 512) *(volatile char *)&p[i] = 1;
        int64_t more = machine_own_memory() - own, less = left - machine_free_memory();
        free(p);
        CHECK(more >= (int64_t)n - (1 << 20) && more < (int64_t)n + (64 << 20));
        fell = less > (int64_t)n / 2;
    }
    CHECK(fell);
}

TEST(machine_peak_memory_sees_what_was_touched_and_keeps_it)
{
    size_t n = (size_t)64 << 20;
    int64_t before = machine_peak_memory();
    CHECK(before > 0);
    char *p = malloc(n);
    CHECK(p);
    for (size_t i = 0; i < n; i += 512) *(volatile char *)&p[i] = 1;       /* volatile: nobody reads it, so it would be left out */
    int64_t during = machine_peak_memory();
    free(p);
    CHECK(during >= before + (int64_t)(n / 2));
    CHECK(machine_peak_memory() >= during);
}

TEST(machine_seconds_go_forward)
{
    double a = machine_seconds();
    usleep(2000);
    double b = machine_seconds();
    CHECK(b - a >= 0.002 && b - a < 60);
}
