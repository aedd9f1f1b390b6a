#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/loader.h"
#include "util/hash.h"
#include "util/rng.h"

/* 40 series of 1 to 300 points, some of them missing. */
static int open_random(Dataset **d, Order **o, Err *e)
{
    int64_t length[40], n = 0;
    for (int i = 0; i < 40; i++) n += length[i] = 1 + (int64_t)(300 * rng_uniform(3, RNG_TEST, (uint64_t)i));
    float *x = malloc((size_t)n * sizeof *x);
    if (!x) abort();
    for (int64_t i = 0; i < n; i++) x[i] = rng_uniform(4, RNG_TEST, (uint64_t)i) < 0.02 ? NAN : (float)rng_normal(5, RNG_TEST, (uint64_t)i);
    const char *path = put_bin(test_folder(), "a", x, length, 40);
    DataOpts opts = data_settings(16, 16);
    free(x);
    return open_at(d, path, &opts, 3, e) || order_open(o, *d, 0.1, 11, e);
}

static uint64_t hash_of(const Batch *b)
{
    int64_t numbers[] = {b->nseg, b->npoints, b->number, b->windows, b->cut};
    uint64_t h = hash_add(HASH_START, numbers, sizeof numbers);
    h = hash_add(h, b->points, (size_t)b->npoints * sizeof *b->points);
    h = hash_add(h, b->pt, (size_t)b->nseg * sizeof *b->pt);
    h = hash_add(h, b->npt, (size_t)b->nseg * sizeof *b->npt);
    for (int i = 0; i < b->nseg; i++) {
        int64_t at[] = {b->origin[i].source, b->origin[i].series, b->origin[i].at};
        h = hash_add(h, at, sizeof at);
    }
    return h;
}

static int is_whole(const Batch *b)
{
    int64_t used = 0;
    for (int i = 0; i < b->nseg; used += b->npt[i++])
        if (b->pt[i] != used || b->npt[i] < 3) return 0;
    for (int64_t i = 0; i < used; i++)
        if (!isfinite(b->points[i])) return 0;
    return used == b->npoints;
}

enum { STEPS = 60 };

TEST(loader_workers_change_no_byte_and_a_late_start_is_the_tail)
{
    static const struct { int64_t first; int workers, prefetch; } row[] = {{0, 1, 4}, {0, 4, 4}, {0, 4, 0}, {0, 2, 1}, {17, 3, 2}, {59, 1, 7}};
    Err e = {0};
    Dataset *d;
    Order *o;
    uint64_t want[STEPS] = {0};
    OK(open_random(&d, &o, &e));
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        Stream s = {STREAM_TRAIN, d, o, 11, 7, 1};
        Loader *l;
        const Batch *b;
        OK(loader_open(&l, &s, row[r].first, row[r].workers, row[r].prefetch, &e));
        for (int64_t k = row[r].first; k < STEPS; k++) {
            OK(loader_next(l, &b, &e));
            CHECK(b && b->number == k && b->windows == 7 && is_whole(b));
            if (!r) want[k] = hash_of(b);
            CHECK(hash_of(b) == want[k]);
        }
        loader_close(l);
    }
    order_close(o);
    dataset_close(d);
}

TEST(loader_ends_after_the_last_window)
{
    Err e = {0};
    Dataset *d;
    Order *o;
    OK(open_random(&d, &o, &e));
    for (int kind = STREAM_VAL; kind <= STREAM_ALL; kind++) {
        Stream s = {(StreamKind)kind, d, o, 11, 5, 1};
        Loader *l;
        const Batch *b;
        int64_t windows = 0;
        OK(loader_open(&l, &s, 0, 3, 2, &e));
        for (;;) {
            OK(loader_next(l, &b, &e));
            if (!b) break;
            windows += b->windows;
        }
        CHECK(windows == (kind == STREAM_VAL ? order_val_count(o) : dataset_windows(d)));
        OK(loader_next(l, &b, &e));
        CHECK(!b);
        loader_close(l);
    }
    order_close(o);
    dataset_close(d);
}

TEST(loader_closes_at_any_time)
{
    Err e = {0};
    Dataset *d;
    Order *o;
    OK(open_random(&d, &o, &e));
    for (int takes = 0; takes < 20; takes++) {
        Stream s = {STREAM_TRAIN, d, o, 11, 50, 1};
        Loader *l;
        const Batch *b;
        OK(loader_open(&l, &s, 0, 1 + takes % 4, takes % 3, &e));
        for (int k = 0; k < takes; k++) OK(loader_next(l, &b, &e));
        loader_close(l);
    }
    loader_close(NULL);
    order_close(o);
    dataset_close(d);
}

TEST(loader_hands_an_error_out_at_its_place)
{
    static const int64_t length = 400;
    Err e = {0};
    Dataset *d;
    Order *o;
    Loader *l;
    const Batch *b;
    float x[400] = {0};
    DataOpts opts = data_settings(16, 16);
    x[399] = x[3] = NAN;
    opts.missing = MISSING_ERROR;
    OK(open_at(&d, put_bin(test_folder(), "a", x, &length, 1), &opts, 2, &e));
    OK(order_open(&o, d, 0, 11, &e));
    Stream s = {STREAM_TRAIN, d, o, 11, 1, 1};
    int64_t k = 0;
    OK(loader_open(&l, &s, 0, 3, 2, &e));
    while (!loader_next(l, &b, &e)) CHECK(b && b->number == k++);
    CHECK(order_train(o, 0, k) == 0);
    TEXT(e.message, "a: series 0, point 3 is missing (NaN): choose what to do with such points with --missing");
    CHECK(loader_next(l, &b, &e) == -1 && !b);
    loader_close(l);
    order_close(o);
    dataset_close(d);
}

TEST(loader_open_without_memory)
{
    Err e = {0};
    Dataset *d;
    Order *o = NULL;
    Loader *l = NULL;
    OK(open_random(&d, &o, &e));
    Stream s = {STREAM_TRAIN, d, o, 11, 7, 1};
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = loader_open(&l, &s, 0, 2, 1, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && !l && n < 100);
    }
    loader_close(l);
    order_close(o);
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = order_open(&o, d, 0.3, 11, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && !o && n < 100);
    }
    order_close(o);
    dataset_close(d);
}

TEST(loader_bytes_are_those_of_the_ring)
{
    static const int64_t length = 16 * 1000 + 1;
    Err e = {0};
    Dataset *d;
    DataOpts opts = data_settings(16, 16);
    OK(open_at(&d, put_ramps(test_folder(), "a", &length, 1), &opts, 2, &e));
    Stream s = {STREAM_ALL, d, NULL, 11, 100, 1};
    int64_t slot = 100 * (17 * 4 + 6 * 32);
    CHECK(loader_bytes(&s, 3) >= 4 * slot && loader_bytes(&s, 3) < 4 * (slot + 2048));
    s.per_step = (int64_t)1 << 50;
    CHECK(loader_bytes(&s, 0) < 1000 * (17 * 4 + 6 * 32) + 2048);
    dataset_close(d);
}

/* Two workers, a ring of three: after three batches both wait until one is taken. */
TEST(loader_tells_what_its_threads_do)
{
    Err e = {0};
    Dataset *d;
    Order *o;
    Loader *l;
    const Batch *b;
    Spans s;
    int batches = 0;
    double points = 0, busy = 0;
    OK(open_random(&d, &o, &e));
    OK(spans_open(&s, 3, 1, 64, &e));
    s.start = 1e-9;
    OK(loader_open(&l, &(Stream){STREAM_TRAIN, d, o, 11, 7, 1}, 0, 2, 2, &e));
    OK(loader_next(l, &b, &e));
    loader_watch(l, &s, 1);
    for (int k = 0; k < 20; k++) OK(loader_next(l, &b, &e));
    loader_watch(l, NULL, 0);
    LoaderTime t = loader_time(l);
    int told = s.lane[1].n + s.lane[2].n;
    for (int k = 0; k < 9; k++) OK(loader_next(l, &b, &e));
    CHECK(loader_workers(l) == 2 && told == s.lane[1].n + s.lane[2].n && !s.lane[0].n && !spans_lost(&s));
    for (int i = 1; i < 3; i++)
        for (int k = 0; k < s.lane[i].n; k++) {
            const Span *x = &s.lane[i].span[k];
            CHECK(x->kind == SPAN_BATCH || x->kind == SPAN_WAIT);
            CHECK(!k || x->from >= x[-1].from + x[-1].took - 1e-9);
            if (x->kind == SPAN_WAIT) continue;
            CHECK(x->arg[0] == 7 && x->arg[2] >= 0 && x->arg[3] > 0 && 1e-3 * (x->arg[2] + x->arg[3]) <= x->took);
            points += x->arg[1];
            busy += x->took;
            batches++;
        }
    CHECK(batches >= 17 && batches <= 23 && points > 0 && t.busy > busy - 1e-9 && t.busy < busy + 1e-9 && t.read + t.normalise <= t.busy);
    loader_close(l);
    spans_close(&s);
    order_close(o);
    dataset_close(d);
}
