/* perf.c - see perf.h */
#include "train/perf.h"

#include "util/machine.h"

enum { SIDE = 1024, REPEATS = 4 };       /* of the product that is measured: large enough for full speed, a moment on any machine */

void perf_begin(Perf *p, double peak_tflops)
{
    *p = (Perf){.since = machine_seconds(), .peak = 1e12 * peak_tflops};
}

void perf_step(Perf *p, double seconds, double waited, int64_t tokens, int64_t points, double flops)
{
    p->steps++;
    p->tokens += tokens;
    p->points += points;
    p->flops += flops;
    p->waited += waited;
    p->nsteps++;
    p->all_steps += seconds;
    if (seconds > p->longest_step) p->longest_step = seconds;
}

void perf_fill(const Perf *p, Event *ev)
{
    double time = machine_seconds() - p->since - p->paused, steps = p->steps ? (double)p->steps : 1;
    if (time < 1e-9) time = 1e-9;
    ev->tokens_per_s = (double)p->tokens / time;
    ev->points_per_s = (double)p->points / time;
    ev->tflops = 1e-12 * p->flops / time;
    ev->mfu = p->peak > 0 ? p->flops / time / p->peak : 0;
    ev->step_ms = 1e3 * time / steps;
    ev->data_ms = 1e3 * p->waited / steps;
    ev->eta_s = p->nsteps ? p->all_steps / (double)p->nsteps * (double)(ev->steps - ev->step) : 0;
}

void perf_line(Perf *p)
{
    p->since = machine_seconds();
    p->paused = p->waited = p->flops = 0;
    p->steps = p->tokens = p->points = 0;
}

double perf_next(const Perf *p) { return p->longest_step + p->longest_save; }

typedef struct Bench { Backend *b; float *x, *w, *y; } Bench;

static int bench_open(Bench *k, const char *device, int threads, Err *e)
{
    size_t bytes = (size_t)SIDE * SIDE * sizeof(float);
    Dims d = {.tokens = SIDE, .chunks = 1, .longest = SIDE, .D = SIDE, .H = 1, .Hk = 1, .d = SIDE, .F = SIDE, .P = 1, .O = 1};
    return backend_open(&k->b, device, F32, threads, e) || backend_alloc(k->b, bytes, (void **)&k->x, "a measurement", e)
        || backend_alloc(k->b, bytes, (void **)&k->w, "a measurement", e) || backend_alloc(k->b, bytes, (void **)&k->y, "a measurement", e)
        || backend_reserve(k->b, &d, e) ? -1 : 0;
}

static void bench_close(Bench *k)
{
    size_t bytes = (size_t)SIDE * SIDE * sizeof(float);
    if (!k->b) return;
    backend_free(k->b, k->x, bytes);
    backend_free(k->b, k->w, bytes);
    backend_free(k->b, k->y, bytes);
    backend_close(k->b);
}

static int bench_run(Bench *k, double *best, Err *e)
{
    static const int chunk[] = {0, SIDE};
    static const Seg seg[] = {{.ntok = SIDE, .npt = SIDE}};
    Input in = {.seg = seg, .chunk = chunk, .nseg = 1, .nchunk = 1, .ntok = SIDE, .longest = SIDE, .P = 1, .S = 1};
    Weight w = {.w = k->w, .groups = 1, .out = SIDE, .in = SIDE};
    Mat x = {k->x, SIDE, SIDE, SIDE, F32}, y = {k->y, SIDE, SIDE, SIDE, F32};
    *best = 0;
    for (int i = 0; i < REPEATS; i++) {
        double from = machine_seconds();
        k->b->ops.linear(k->b, y, x, &w, (Vec){0}, SET, &in);
        if (backend_sync(k->b, e)) return -1;
        double rate = 2.0 * SIDE * SIDE * SIDE / (machine_seconds() - from);
        if (rate > *best) *best = rate;
    }
    return 0;
}

int perf_measure(double *tflops, const char *device, int threads, Err *e)
{
    Bench k = {.b = NULL};
    double rate = 0;
    int bad = bench_open(&k, device, threads, e) || bench_run(&k, &rate, e);
    bench_close(&k);
    *tflops = 1e-12 * rate;
    return bad ? err_wrap(e, "measuring the device") : 0;
}
