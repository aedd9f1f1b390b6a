/* team.c - threads that measure, and medians. */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "util/machine.h"

typedef struct Team { pthread_barrier_t start; Work *work; void *arg; double seconds; } Team;
typedef struct Member { Team *team; int number; double rate; } Member;

/* On the number-th core of those allowed: two threads on one core would measure half of it. Not a promise: if it fails, the scheduler decides. */
static void pin(int number)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || number--) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

static void *member_run(void *p)
{
    Member *m = p;
    double done = 0, began, spent;
    pin(m->number);
    m->team->work(m->team->arg, m->number);
    pthread_barrier_wait(&m->team->start);
    began = machine_seconds();
    do {
        done += m->team->work(m->team->arg, m->number);
        spent = machine_seconds() - began;
    } while (spent < m->team->seconds);
    m->rate = done / spent;
    return NULL;
}

double team_rate(int threads, Work *work, void *arg, double seconds)
{
    Team team = {.work = work, .arg = arg, .seconds = seconds};
    Member *m = calloc((size_t)threads, sizeof *m);
    pthread_t *id = calloc((size_t)threads, sizeof *id);
    double sum = 0;
    if (!m || !id || pthread_barrier_init(&team.start, NULL, (unsigned)threads)) abort();
    for (int i = 0; i < threads; i++) {
        m[i] = (Member){.team = &team, .number = i};
        if (pthread_create(&id[i], NULL, member_run, &m[i])) abort();
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        sum += m[i].rate;
    }
    pthread_barrier_destroy(&team.start);
    free(m);
    free(id);
    return sum;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Sample sample_of(double *x, int n)
{
    if (!n) return (Sample){0};
    qsort(x, (size_t)n, sizeof *x, by_size);
    return (Sample){.median = n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2, .low = x[0], .high = x[n - 1], .n = n};
}

void progress(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("cpu: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}
