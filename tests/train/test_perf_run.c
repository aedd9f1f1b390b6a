/* test_perf_run.c - what a run says of its speed, each number against one that was found another way: work from the lengths of the series
 * and the shape of the model, times by the clock of the listener, memory by the kernel. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"
#include "util/file.h"
#include "util/machine.h"

/* One step is all of these, so each step is the same; the fifth has a gap. Tokens of a piece of n points: n - 1. */
static const int length[] = {65, 65, 40, 12, 30, 20, 3};
enum { PIECES = sizeof length / sizeof *length, STEPS = 12, EVERY = 3, D = 32, L = 2, E = 3, K = 2, H = 2, F = 4 * D, FE = F / K, O = 1 + 8 + 32 + 64 };

static int write_series(const char *path, Err *e)
{
    Str s = {0};
    for (int i = 0, t = 0; i < PIECES; i++) {
        str_addf(&s, i == 5 ? ",null" : "[%d", t * t % 11);
        for (int k = i == 5 ? 0 : 1; k < length[i]; k++, t++) str_addf(&s, ",%d", t * t % 11);
        if (i != 4) str_addf(&s, "]\n");
    }
    int bad = str_ok(&s, e) || file_write(path, s.p, s.n, e);
    str_free(&s);
    return bad;
}

static double tokens_of(void)
{
    double n = 0;
    for (int i = 0; i < PIECES; i++) n += length[i] - 1;
    return n;
}

static double points_of(void)
{
    double n = 0;
    for (int i = 0; i < PIECES; i++) n += length[i];
    return n;
}

/* 6 for each parameter that a token uses: two operations forward, four back. Attention: token t sees t + 1 keys; scores and values, 2 operations a
 * number each, and twice that on the way back. */
static double flops_of(void)
{
    double attention = 4.0 * D * D + 3 * D, mixture = 3.0 * D * F + K * 3.0 * D * FE + E * D + D, norms = 2 * D;
    double parameters = 2 * D + L * (attention + mixture + norms) + D + O * D, flops = 6 * parameters * tokens_of();
    for (int i = 0; i < PIECES; i++)
        for (int t = 0; t < length[i] - 1; t++) flops += 3 * (2 + 2) * (t + 1.0) * D * L;
    return flops;
}

/* Anonymous memory now, in MB. */
static double memory_now(void)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "RssAnon: %lf", &kb);
    if (f) fclose(f);
    return 1024e-6 * kb;
}

typedef struct Heard { Event step[STEPS]; double at[STEPS], after[STEPS], memory[STEPS]; int n; } Heard;      /* due steps; when they and the validation behind them were told */

static void hear(void *user, const Event *ev)
{
    Heard *h = user;
    if (ev->kind == FTS_EVENT_VALIDATION && h->n) h->after[h->n - 1] = machine_seconds();
    if (ev->kind != FTS_EVENT_STEP || !ev->due || h->n == STEPS) return;
    h->step[h->n] = *ev;
    h->memory[h->n] = memory_now();
    h->at[h->n] = h->after[h->n] = machine_seconds();
    h->n++;
}

static int listen_to(Trial *r, Heard *h, Err *e)
{
    TrainSpec spec = {.train = &r->train, .data = &r->data, .model = &r->model, .device = &r->device, .events = {hear, h}, .stop = &r->stop};
    *h = (Heard){.n = 0};
    return train_run(&spec, e);
}

static int near(double got, double want, double part) { return fabs(got - want) <= part * want; }

TEST(train_perf_metrics_of_a_run)
{
    Err e = {0};
    Trial r;
    Heard h;
    const char *dir = test_folder();
    OK(write_series(below(dir, "data.jsonl"), &e));
    OK(trial_small(&r, below(dir, "data.jsonl"), below(dir, "run"), &e));
    SET(&r, "batch-size", "6", "hidden-size", "32", "val-split", "0", "ood-val-dataset-path", synth(below(dir, "ood"), 300, 65), "val-every", "3",
        "ood-val-max-batches", "50", "steps-per-epoch", "12", "log-every", "3", "checkpoint-every", "0", "log-perf-metrics", "1", "mfu-peak-tflops", "0.25");
    OK(listen_to(&r, &h, &e));
    CHECK(h.n == STEPS / EVERY);
    int agree = 0;
    for (int i = 0; i < h.n; i++) {
        const Event *s = &h.step[i];
        double seconds = 1e-3 * s->step_ms;
        CHECK(near(seconds * s->tokens_per_s, tokens_of(), 1e-9) && near(seconds * s->points_per_s, points_of(), 1e-9));
        CHECK(near(seconds * s->tflops, 1e-12 * flops_of(), 1e-9) && near(s->mfu, s->tflops / 0.25, 1e-9));
        CHECK(s->data_ms >= 0 && s->data_ms <= s->step_ms);
        CHECK(s->peak_mb >= 0.99 * h.memory[i] && s->peak_mb < 4000 && (!i || s->peak_mb >= s[-1].peak_mb));
        /* the clock of the listener stands still at another moment than that of the run, and the machine is shared: one line of the three must agree */
        double heard = i ? h.at[i] - h.after[i - 1] : 0, told = EVERY * seconds;
        agree += i && fabs(heard - told) < 0.1 * told + 3e-3;
    }
    CHECK(agree >= 1);
    for (int i = 0; i + 1 < h.n; i++) CHECK(h.after[i] > h.at[i]);
    trial_close(&r);
}

/* A loader that cannot keep up: one thread, no step ahead, a step that computes next to nothing of much data. */
TEST(train_perf_waiting_for_data)
{
    Err e = {0};
    Trial r;
    Heard h;
    const char *dir = test_folder();
    synth(dir, 4000, 513);
    OK(trial_small(&r, below(dir, "data"), below(dir, "run"), &e));
    SET(&r, "batch-size", "500", "hidden-size", "2", "n-head", "1", "n-decoder-layers", "1", "num-experts", "1", "k", "1", "d-ff", "1", "d-expert", "1", "patch", "1", "patch-len", "448",
        "patch-stride", "448", "seq-max-len", "512", "seq-stride", "512", "val-split", "0", "steps-per-epoch", "8", "log-every", "4", "checkpoint-every", "0", "num-workers", "1",
        "prefetch-factor", "1", "profile", "1", "profile-after", "4", "profile-steps", "4", "mfu-peak-tflops", "1");
    OK(listen_to(&r, &h, &e));
    CHECK(h.n == 2 && h.step[1].data_ms > 0);
    Map m;
    double waited = -1;
    OK(map_open(&m, below(dir, "run/profiler/ops.txt"), &e));
    const char *row = memmem(m.p, m.n, "waiting for data", 16);
    CHECK(row && sscanf(row, "waiting for data %lf", &waited) == 1);
    map_close(&m);
    CHECK(waited > 0 && waited <= h.step[1].data_ms && waited > 0.1 * h.step[1].data_ms);      /* data_ms also has the cutting into chunks */
    trial_close(&r);
}
