/* par.c - see par.h
 *
 * A loop is open from the moment the caller announces it until the caller has seen that no item is left.
 * Helpers enter an open loop, help, and leave; the caller waits only for those that entered. All of this is
 * in one word, `state`: how many helpers are inside, whether the loop is open, the loop's number. */
#include "util/par.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/machine.h"

#define INSIDE 0xffffffull                          /* helpers in the loop */
#define OPEN   0x1000000ull
#define QUIT   0x2000000ull
#define LOOP   0x4000000ull                         /* one more loop */

typedef struct Helper { pthread_t id; Par *p; int worker; } Helper;

struct Par {
    atomic_ullong   state;
    atomic_int      asleep;
    pthread_mutex_t callers;                        /* held by the one whose loop runs */
    pthread_mutex_t lock;                           /* for the two conditions only */
    pthread_cond_t  wake, left;
    ParItem        *item;                           /* the loop: written before it opens, read by those inside */
    void           *arg;
    unsigned        n;
    char            pad1[64];                       /* everyone writes `next`: keep it off the lines that all read */
    atomic_uint     next;
    char            pad2[64];
    int             threads, started;
    Helper          helper[];
};

/* Which pools the calling thread is working for: a loop inside an item of the same pool would wait for itself. */
typedef struct Frame { const Par *p; int worker; const struct Frame *up; } Frame;
static _Thread_local const Frame *frames;

static const Frame *frame_of(const Par *p)
{
    const Frame *f = frames;
    while (f && f->p != p) f = f->up;
    return f;
}

static inline void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(Par *p, int worker)
{
    Frame here = {p, worker, frames};
    unsigned i;
    frames = &here;
    while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n) p->item(p->arg, (int)i, worker);
    frames = here.up;
}

static int news(unsigned long long s, unsigned long long seen) { return (s & QUIT) || ((s & OPEN) && s / LOOP != seen); }

/* Between two loops of a training step lie microseconds, and waking a sleeper costs more than those. */
static unsigned long long wait_for_news(Par *p, unsigned long long seen)
{
    double until = machine_seconds() + 20e-6;
    unsigned long long s;
    while (!news(s = atomic_load(&p->state), seen) && machine_seconds() < until) pause_core();
    if (news(s, seen)) return s;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->asleep, 1);                /* before the look at state: the caller looks in the other order */
    while (!news(s = atomic_load(&p->state), seen)) pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->asleep, 1);
    pthread_mutex_unlock(&p->lock);
    return s;
}

static void leave(Par *p)
{
    if ((atomic_fetch_sub(&p->state, 1) - 1) & (OPEN | INSIDE)) return;
    pthread_mutex_lock(&p->lock);                   /* the last one out of a closed loop */
    pthread_cond_signal(&p->left);
    pthread_mutex_unlock(&p->lock);
}

static void *helper_main(void *arg)
{
    const Helper *h = arg;
    Par *p = h->p;
    unsigned long long seen = 0;
    for (;;) {
        unsigned long long s = wait_for_news(p, seen);
        if (s & QUIT) return NULL;
        if (!atomic_compare_exchange_strong(&p->state, &s, s + 1)) continue;
        seen = s / LOOP;
        work(p, h->worker);
        leave(p);
    }
}

static void wake_all(Par *p)
{
    if (!atomic_load(&p->asleep)) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void wait_until_left(Par *p)
{
    double until = machine_seconds() + 20e-6;
    while ((atomic_load(&p->state) & INSIDE) && machine_seconds() < until) pause_core();
    if (!(atomic_load(&p->state) & INSIDE)) return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->state) & INSIDE) pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void par_for(Par *p, int n, ParItem *item, void *arg)
{
    const Frame *outer = frame_of(p);
    if (outer) {                                    /* inside an item of this pool: its worker's scratch is free for us */
        for (int i = 0; i < n; i++) item(arg, i, outer->worker);
        return;
    }
    if (n <= 0) return;
    pthread_mutex_lock(&p->callers);                /* also for one thread: two callers would both be worker 0 */
    p->item = item;
    p->arg = arg;
    p->n = (unsigned)n;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    if (n > 1 && p->started) {
        atomic_fetch_add(&p->state, LOOP + OPEN);
        wake_all(p);
        work(p, 0);
        atomic_fetch_sub(&p->state, OPEN);
        wait_until_left(p);
    } else work(p, 0);
    pthread_mutex_unlock(&p->callers);
}

/* Signals are for the threads of the program, not for ours. */
static int start_helpers(Par *p)
{
    sigset_t all, old;
    int bad = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!bad && p->started < p->threads - 1) {
        Helper *h = &p->helper[p->started];
        *h = (Helper){.p = p, .worker = p->started + 1};
        bad = pthread_create(&h->id, NULL, helper_main, h);
        p->started += !bad;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return bad;
}

int par_open(Par **out, int threads, Err *e)
{
    assert(threads >= 1 && (unsigned)threads < INSIDE);
    size_t bytes = sizeof(Par) + (size_t)(threads - 1) * sizeof(Helper);
    Par *p = calloc(1, bytes);
    *out = NULL;
    if (!p) return err_nomem(e, bytes, "the thread pool");
    pthread_mutex_init(&p->callers, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->left, NULL);
    p->threads = threads;
    int bad = start_helpers(p);
    if (bad) {
        err_errno(e, bad, "start a thread");
        err_wrap(e, "%d threads", threads);
        par_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

void par_close(Par *p)
{
    if (!p) return;
    atomic_fetch_or(&p->state, QUIT);
    wake_all(p);
    for (int i = 0; i < p->started; i++) pthread_join(p->helper[i].id, NULL);
    pthread_cond_destroy(&p->left);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->callers);
    free(p);
}

int par_threads(const Par *p) { return p->threads; }
