/* data.c - what reading series costs: `make bench-data` builds it; folders to try it on: data synth.
 *     data open PATH              time to open, anonymous memory held after
 *     data loader PATH C THREADS  a shuffled pass in windows of C points, and the same points by memcpy */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader.h"
#include "util/machine.h"

enum { PER_STEP = 1024, SEED = 42, PREFETCH = 4 };

static int fail(const Err *e)
{
    fprintf(stderr, "data: %s\n", e->message);
    return 1;
}

static Dataset *opened(const char *path, int64_t C, Err *e)
{
    OptList paths = {.item = {(char *)path}, .n = 1};
    DataOpts o = {.seq_max_len = C, .seq_stride = C, .normalization_func = SCALE_ZERO, .missing = MISSING_SPLIT};
    Dataset *d;
    return dataset_open(&d, &paths, NULL, &o, 2, NULL, e) ? NULL : d;
}

static int bench_open(const char *path)
{
    Err e;
    double began = machine_seconds();
    Dataset *d = opened(path, 512, &e);
    double spent = machine_seconds() - began;
    if (!d) return fail(&e);
    printf("open: %.3f s, %lld series, %lld windows, %lld MB anonymous\n", spent, (long long)dataset_series(d), (long long)dataset_windows(d),
           (long long)machine_peak_memory() >> 20);
    dataset_close(d);
    return 0;
}

static double copy_rate(const Dataset *d, int64_t points)
{
    size_t n = (size_t)dataset_window_points(d) * PER_STEP;
    float *from = malloc(n * sizeof *from), *to = malloc(n * sizeof *to);
    double began, spent = 0;
    if (!from || !to) abort();
    for (size_t i = 0; i < n; i++) from[i] = to[i] = (float)i;
    for (int64_t done = 0; done < points; done += (int64_t)n) {
        began = machine_seconds();
        memcpy(to, from, n * sizeof *to);
        spent += machine_seconds() - began;
        from[done % (int64_t)n] = to[n - 1];
    }
    free(from);
    free(to);
    return (double)points / spent;
}

/* One pass; the first one also makes the statistics of every series. */
static int pass(const Dataset *d, int threads, int64_t *points, double *spent, Err *e)
{
    Stream s = {.kind = STREAM_ALL, .data = d, .seed = SEED, .per_step = PER_STEP};
    Loader *l;
    const Batch *b;
    int bad = loader_open(&l, &s, 0, threads, PREFETCH, e);
    if (bad) return -1;
    double began = machine_seconds();
    *points = 0;
    while (!(bad = loader_next(l, &b, e)) && b) *points += b->npoints;
    *spent = machine_seconds() - began;
    loader_close(l);
    return bad;
}

static int bench_loader(const char *path, int64_t C, int threads)
{
    Err e;
    int64_t points;
    double first, again;
    Dataset *d = opened(path, C, &e);
    if (!d) return fail(&e);
    if (pass(d, threads, &points, &first, &e) || pass(d, threads, &points, &again, &e)) return fail(&e);
    printf("loader: C=%lld threads=%d first pass %.1f, next %.1f million points/s; memcpy %.1f\n", (long long)C, threads, (double)points / first / 1e6,
           (double)points / again / 1e6, copy_rate(d, points) / 1e6);
    dataset_close(d);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "open")) return bench_open(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "loader")) return bench_loader(argv[2], atoll(argv[3]), atoi(argv[4]));
    fprintf(stderr, "usage: data open PATH | data loader PATH C THREADS\n");
    return 2;
}
