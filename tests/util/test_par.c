#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "util/par.h"

enum { ITEMS = 1000 };

typedef struct Sums {
    Par       *p;
    atomic_int done[ITEMS], busy[64], overlaps, inner;
    int        threads;
    long       scratch[64];              /* of a worker: without a lock, as scratch memory is */
} Sums;

static void add_one(void *arg, int item, int worker)
{
    Sums *s = arg;
    if (worker < 0 || worker >= s->threads || atomic_fetch_add(&s->busy[worker], 1)) atomic_fetch_add(&s->overlaps, 1);
    s->scratch[worker] += item;
    atomic_fetch_add(&s->done[item], 1);
    atomic_fetch_sub(&s->busy[worker], 1);
}

static int all_done(Sums *s, int n, int times)
{
    for (int i = 0; i < ITEMS; i++)
        if (s->done[i] != (i < n ? times : 0)) return 0;
    return !s->overlaps;
}

TEST(par_every_item_runs_once)
{
    static const int threads[] = {1, 2, 3, 7}, n[] = {0, 1, 2, 3, 64, ITEMS};
    Err e = {0};
    for (int t = 0; t < 4; t++) {
        Par *p;
        OK(par_open(&p, threads[t], &e));
        CHECK(par_threads(p) == threads[t]);
        for (int k = 0; k < 6; k++) {
            Sums s = {.threads = threads[t]};
            par_for(p, n[k], add_one, &s);
            long sum = 0;
            for (int w = 0; w < 64; w++) sum += s.scratch[w];
            CHECK(all_done(&s, n[k], 1) && sum == (long)n[k] * (n[k] - 1) / 2);
        }
        par_close(p);
    }
    par_close(NULL);
}

/* Short loops one after another, and with pauses in which the helpers fall asleep. */
TEST(par_many_loops)
{
    Err e = {0};
    Par *p;
    Sums s = {.threads = 4};
    OK(par_open(&p, 4, &e));
    for (int k = 0; k < 3000; k++) {
        par_for(p, 5, add_one, &s);
        if (k % 100 == 0) usleep(200);
    }
    par_close(p);
    CHECK(all_done(&s, 5, 3000));
}

TEST(par_open_and_close_without_a_loop)
{
    Err e = {0};
    for (int k = 0; k < 50; k++) {
        Par *p;
        OK(par_open(&p, 1 + k % 5, &e));
        par_close(p);
    }
}

static void one_inside(void *arg, int item, int worker)
{
    Sums *s = arg;
    (void)item;
    s->scratch[worker]++;
    atomic_fetch_add(&s->inner, 1);
}

static void loop_inside(void *arg, int item, int worker)
{
    Sums *s = arg;
    par_for(s->p, 10, one_inside, s);
    add_one(s, item, worker);
}

TEST(par_a_loop_inside_an_item_runs_in_its_thread)
{
    Err e = {0};
    Sums s = {.threads = 3};
    OK(par_open(&s.p, 3, &e));
    for (int k = 0; k < 20; k++) par_for(s.p, 40, loop_inside, &s);
    par_close(s.p);
    CHECK(all_done(&s, 40, 20) && s.inner == 8000);
}

typedef struct Two { Par *outer, *inner; Sums s; } Two;

static void back_to_the_first(void *arg, int item, int worker)
{
    Two *t = arg;
    (void)item; (void)worker;
    atomic_fetch_add(&t->s.inner, 1);
}
static void other_pool(void *arg, int item, int worker)
{
    Two *t = arg;
    (void)item; (void)worker;
    par_for(t->inner, 6, back_to_the_first, t);
}

TEST(par_a_loop_of_another_pool_inside_an_item)
{
    Err e = {0};
    Two t = {0};
    OK(par_open(&t.outer, 3, &e));
    OK(par_open(&t.inner, 2, &e));
    par_for(t.outer, 30, other_pool, &t);
    par_close(t.inner);
    par_close(t.outer);
    CHECK(t.s.inner == 180);
}

static void *caller(void *arg)
{
    Sums *s = arg;
    for (int k = 0; k < 300; k++) par_for(s->p, 20, add_one, s);
    return NULL;
}

static int two_callers(int threads)
{
    Err e = {0};
    Sums s = {.threads = threads};
    pthread_t other;
    if (par_open(&s.p, threads, &e)) return 0;
    if (pthread_create(&other, NULL, caller, &s)) return 0;
    caller(&s);
    pthread_join(other, NULL);
    par_close(s.p);
    return all_done(&s, 20, 600);
}

TEST(par_two_callers_queue)
{
    CHECK(two_callers(3));
    CHECK(two_callers(1));                                     /* both are worker 0, so they queue as well */
}

TEST(par_open_without_memory)
{
    Err e = {0};
    Par *p;
    test_alloc_fail(1);
    int r = par_open(&p, 4, &e);
    test_alloc_fail(0);
    CHECK(r == -1 && e.code == FTS_NOMEM && !p);
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* In a child: the stacks of 200 threads do not fit in the address space it leaves itself. */
TEST(par_open_when_a_thread_cannot_start)
{
#ifdef SANITIZED
    test_skip("a sanitizer needs the address space that this takes away");
#else
    int status = -1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        Err e = {0};
        Par *p;
        struct rlimit as = {(rlim_t)1 << 30, (rlim_t)1 << 30};
        _exit(setrlimit(RLIMIT_AS, &as) || par_open(&p, 200, &e) != -1 || p || !strstr(e.message, "200 threads: start a thread: "));
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}
