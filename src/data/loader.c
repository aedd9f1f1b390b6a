/* loader.c - see loader.h
 *
 * Batch number k lives in slot k mod ring. Workers claim numbers in order, as long as the number is less than
 * a ring ahead of the oldest batch that the consumer still holds or waits for. */
#include "data/loader.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "util/machine.h"

enum { NICE = 5 };
typedef enum { EMPTY, FULL, FAILED, END } SlotState;
typedef struct Slot { Batch batch; Err err; SlotState state; } Slot;

typedef struct Worker { pthread_t id; Loader *l; int at; double since; } Worker;      /* at: which one; since: it waits for room since then, 0: it does not */

struct Loader {
    Stream stream;
    int64_t windows;                     /* room of a slot */
    int ring, started;
    Slot *slot;                          /* (ring); a slot belongs to the worker that claimed its number until it is not EMPTY */
    Worker *worker;                      /* (started) */
    pthread_mutex_t lock;                /* for all below, the states, and lanes of spans */
    pthread_cond_t room, filled;
    int64_t oldest, claimed;             /* numbers: of the consumer, next to claim */
    int held, stop;                      /* held: the consumer has batch `oldest` */
    Spans *spans;                        /* NULL: nobody watches */
    int first_lane;
    LoaderTime time;
};

static int64_t room_of(const Stream *s)
{
    int64_t n = stream_windows(s);
    return s->per_step < n ? s->per_step : n;
}

enum { SEGMENT_BYTES = 2 * sizeof(int) + sizeof(Origin) };

int64_t loader_bytes(const Stream *s, int prefetch)
{
    double window = 4.0 * (double)dataset_window_points(s->data) + (double)SEGMENT_BYTES * dataset_max_segments(s->data);
    double bytes = ((double)room_of(s) * window + sizeof(Slot)) * (prefetch + 1.0);
    return bytes < 9e18 ? (int64_t)bytes : INT64_MAX;
}

static int slot_open(Slot *s, int64_t windows, const Dataset *d, Err *e)
{
    size_t points = (size_t)(windows * dataset_window_points(d)) + 1, segments = (size_t)(windows * dataset_max_segments(d)) + 1;
    Batch *b = &s->batch;
    b->points = malloc(points * sizeof *b->points);
    b->pt = malloc(segments * sizeof *b->pt);
    b->npt = malloc(segments * sizeof *b->npt);
    b->origin = malloc(segments * sizeof *b->origin);
    if (b->points && b->pt && b->npt && b->origin) return 0;
    return err_nomem(e, points * sizeof *b->points + segments * SEGMENT_BYTES, "the batches of the loader");
}

static void slot_close(Slot *s)
{
    free(s->batch.points);
    free(s->batch.pt);
    free(s->batch.npt);
    free(s->batch.origin);
}

static int stopped(Loader *l)
{
    pthread_mutex_lock(&l->lock);
    int stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

/* Appends a window; its segments are told from where the batch ends so far. */
static int append(Batch *b, const Dataset *d, int64_t window, WindowTime *t, Err *e)
{
    int at = (int)b->npoints;
    int64_t cut;
    int *pt = b->pt + b->nseg, *npt = b->npt + b->nseg;
    int n = dataset_window_timed(d, window, b->points + at, pt, npt, b->origin + b->nseg, &cut, t, e);
    if (n < 0) return -1;
    for (int i = 0; i < n; i++) {
        pt[i] += at;
        b->npoints += npt[i];
    }
    b->nseg += n;
    b->windows++;
    b->cut += cut;
    return 0;
}

static SlotState fill(Loader *l, Slot *s, int64_t number, WindowTime *t)
{
    Batch *b = &s->batch;
    int64_t count = stream_count(&l->stream, number);
    b->number = number;
    b->nseg = 0;
    b->npoints = b->windows = b->cut = 0;
    for (int64_t i = 0; i < count && !stopped(l); i++)
        if (append(b, l->stream.data, stream_window(&l->stream, number, i), t, &s->err)) return FAILED;
    return count ? FULL : END;
}

/* Training computes on every core; making batches ahead of time should not take one from it. */
static void be_nice(void)
{
    if (getpriority(PRIO_PROCESS, 0) < NICE) setpriority(PRIO_PROCESS, 0, NICE);      /* on Linux: of this thread */
}

static void tell(Worker *w, const Span *x) { spans_add(w->l->spans, w->l->first_lane + w->at, x); }

static void tell_wait(Worker *w)
{
    if (w->l->spans && w->since > 0) tell(w, &(Span){.name = "wait for room", .number = -1, .kind = SPAN_WAIT, .from = w->since, .took = machine_seconds() - w->since});
}

static void wait_for_room(Worker *w)
{
    Loader *l = w->l;
    if (l->claimed - l->oldest < l->ring) return;
    w->since = machine_seconds();
    while (!l->stop && l->claimed - l->oldest >= l->ring) pthread_cond_wait(&l->room, &l->lock);
    tell_wait(w);
    w->since = 0;
}

static void tell_batch(Worker *w, const Batch *b, double from, const WindowTime *t)
{
    Loader *l = w->l;
    double took = machine_seconds() - from;
    if (!l->spans) return;
    l->time.read += t->read;
    l->time.normalise += t->normalise;
    l->time.busy += took;
    tell(w, &(Span){.name = "batch", .number = (int)b->number, .kind = SPAN_BATCH, .from = from, .took = took,
                    .arg = {(double)b->windows, (double)b->npoints, 1e3 * t->read, 1e3 * t->normalise}});
}

/* A batch, made without the lock. What is begun before somebody watches is not told. */
static SlotState make(Worker *w, Slot *s, int64_t number)
{
    Loader *l = w->l;
    int watched = l->spans != NULL;
    WindowTime t = {0, 0};
    pthread_mutex_unlock(&l->lock);
    double from = watched ? machine_seconds() : 0;
    SlotState state = fill(l, s, number, watched ? &t : NULL);
    pthread_mutex_lock(&l->lock);
    if (watched && state == FULL) tell_batch(w, &s->batch, from, &t);
    return state;
}

static void *work(void *arg)
{
    Worker *w = arg;
    Loader *l = w->l;
    be_nice();
    pthread_mutex_lock(&l->lock);
    for (;;) {
        wait_for_room(w);
        if (l->stop) break;
        int64_t number = l->claimed++;
        Slot *s = &l->slot[number % l->ring];
        SlotState state = make(w, s, number);
        s->state = state;
        pthread_cond_signal(&l->filled);
        if (state == END) break;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Signals are for the threads of the program. More workers than slots would only wait. */
static int start(Loader *l, int workers, Err *e)
{
    sigset_t all, old;
    int bad = 0;
    if (workers > l->ring) workers = l->ring;
    l->worker = calloc((size_t)workers, sizeof *l->worker);
    if (!l->worker) return err_nomem(e, (size_t)workers * sizeof *l->worker, "the loader");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!bad && l->started < workers) {
        Worker *w = &l->worker[l->started];
        *w = (Worker){.l = l, .at = l->started};
        bad = pthread_create(&w->id, NULL, work, w);
        l->started += !bad;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (l->started) return 0;                       /* fewer than asked for are slower, not wrong */
    return err_errno(e, bad, "start a loader thread");
}

static int make_ring(Loader *l, Err *e)
{
    const Dataset *d = l->stream.data;
    if (l->windows > INT_MAX / dataset_window_points(d) || l->windows > INT_MAX / dataset_max_segments(d))
        return err_set(e, FTS_USAGE, "a step of %lld windows of %lld points is too large: lower --batch-size or --grad-accum-steps",
                       (long long)l->windows, (long long)dataset_window_points(d));
    l->slot = calloc((size_t)l->ring, sizeof *l->slot);
    if (!l->slot) return err_nomem(e, (size_t)l->ring * sizeof *l->slot, "the loader");
    for (int i = 0; i < l->ring; i++)
        if (slot_open(&l->slot[i], l->windows, d, e)) return -1;
    return 0;
}

int loader_open(Loader **out, const Stream *s, int64_t first, int workers, int prefetch, Err *e)
{
    assert(workers >= 1 && prefetch >= 0 && first >= 0 && s->per_step >= 1);
    Loader *l = *out = calloc(1, sizeof *l);
    if (!l) return err_nomem(e, sizeof *l, "the loader");
    l->stream = *s;
    l->windows = room_of(s);
    l->ring = prefetch + 1;
    l->oldest = l->claimed = first;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->filled, NULL);
    if (!make_ring(l, e) && !start(l, workers, e)) return 0;
    loader_close(l);
    *out = NULL;
    return -1;
}

static void release(Loader *l)
{
    if (!l->held) return;
    l->slot[l->oldest++ % l->ring].state = EMPTY;
    l->held = 0;
    pthread_cond_signal(&l->room);
}

/* The end and a failure stay where they are: asked again, the answer is the same. */
int loader_next(Loader *l, const Batch **b, Err *e)
{
    *b = NULL;
    pthread_mutex_lock(&l->lock);
    release(l);
    Slot *s = &l->slot[l->oldest % l->ring];
    while (s->state == EMPTY) pthread_cond_wait(&l->filled, &l->lock);
    SlotState state = s->state;
    l->held = state == FULL;
    pthread_mutex_unlock(&l->lock);
    if (state == FULL) *b = &s->batch;
    if (state == FAILED) *e = s->err;
    return state == FAILED ? -1 : 0;
}

void loader_watch(Loader *l, Spans *spans, int first)
{
    pthread_mutex_lock(&l->lock);
    for (int i = 0; !spans && i < l->started; i++) tell_wait(&l->worker[i]);
    l->spans = spans;
    l->first_lane = first;
    if (spans) l->time = (LoaderTime){0, 0, 0};
    pthread_mutex_unlock(&l->lock);
}

int loader_workers(const Loader *l) { return l->started; }

LoaderTime loader_time(Loader *l)
{
    pthread_mutex_lock(&l->lock);
    LoaderTime t = l->time;
    pthread_mutex_unlock(&l->lock);
    return t;
}

void loader_close(Loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++) pthread_join(l->worker[i].id, NULL);
    for (int i = 0; l->slot && i < l->ring; i++) slot_close(&l->slot[i]);
    pthread_cond_destroy(&l->filled);
    pthread_cond_destroy(&l->room);
    pthread_mutex_destroy(&l->lock);
    free(l->worker);
    free(l->slot);
    free(l);
}
