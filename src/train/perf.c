/* perf.c - see perf.h */
#include "train/perf.h"

#include "util/machine.h"

enum { SIDE = 1024, DEVICE_SIDE = 8192, REPEATS = 4 };      /* of the product that is measured: large enough for full speed, a moment on any machine */

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

typedef struct Bench { Backend *b; void *x, *w, *y; int side; } Bench;

static size_t bytes_of(const Bench *k) { return (size_t)k->side * (size_t)k->side * sizeof(float); }

/* Some number everywhere but zero: products of zeros are faster on a device that saves power. */
static void fill(Bench *k, void *to)
{
    uint32_t piece[1024];
    for (int i = 0; i < 1024; i++) piece[i] = 0x3f803f80u ^ (uint32_t)(i * 0x00070003);      /* as fp32 and as two bf16: 1 and somewhat more or less */
    for (size_t at = 0; at < bytes_of(k); at += sizeof piece) backend_upload(k->b, (char *)to + at, piece, sizeof piece);
}

static int bench_open(Bench *k, const char *device, Dtype type, int threads, Err *e)
{
    if (backend_open(&k->b, device, type, threads, e)) return -1;
    k->side = k->b->device->on_host ? SIDE : DEVICE_SIDE;
    int n = k->side;
    Dims d = {.tokens = n, .chunks = 1, .longest = n, .D = n, .H = 1, .Hk = 1, .d = 2, .F = 1, .P = 1, .S = 1, .O = 1};
    if (backend_alloc(k->b, bytes_of(k), &k->x, "a measurement", e) || backend_alloc(k->b, bytes_of(k), &k->w, "a measurement", e)
        || backend_alloc(k->b, bytes_of(k), &k->y, "a measurement", e) || backend_reserve(k->b, &d, e)) return -1;
    fill(k, k->x);
    fill(k, k->w);
    return 0;
}

static void bench_close(Bench *k)
{
    if (!k->b) return;
    backend_free(k->b, k->x, bytes_of(k));
    backend_free(k->b, k->w, bytes_of(k));
    backend_free(k->b, k->y, bytes_of(k));
    backend_close(k->b);
}

static int bench_run(Bench *k, double *best, Err *e)
{
    int n = k->side, chunk[] = {0, n};
    Seg seg = {.ntok = n, .npt = 1};
    float point = 0;
    Input in = {.points = &point, .seg = &seg, .chunk = chunk, .nseg = 1, .nchunk = 1, .ntok = n, .longest = n, .P = 1, .S = 1};
    Weight w = {.w = k->w, .groups = 1, .out = n, .in = n};
    Mat x = {k->x, n, n, n, k->b->dtype}, y = {k->y, n, n, n, k->b->dtype};
    *best = 0;
    if (backend_sync(k->b, e)) return -1;
    for (int i = 0; i < REPEATS; i++) {
        double from = machine_seconds();
        k->b->ops.linear(k->b, y, x, &w, (Vec){0}, SET, &in);
        if (backend_sync(k->b, e)) return -1;
        double rate = 2.0 * n * n * n / (machine_seconds() - from);
        if (rate > *best) *best = rate;
    }
    return 0;
}

int perf_measure(double *tflops, int *side, const char *device, Dtype type, int threads, Err *e)
{
    Bench k = {.b = NULL};
    double rate = 0;
    int bad = bench_open(&k, device, type, threads, e) || bench_run(&k, &rate, e);
    bench_close(&k);
    *tflops = 1e-12 * rate;
    *side = k.side;
    return bad ? err_wrap(e, "measuring the device") : 0;
}
