/* forecast.c - how long one forecast takes: `make bench-forecast` builds it.
 *     forecast MODEL DEVICE fp32|bf16 CONTEXT HORIZON     one series in a process that stays: the median of 200 forecasts after 20 others
 * FTS_GRAPHS=no: without CUDA graphs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/forecaster.h"
#include "util/machine.h"

enum { WARM = 20, TIMED = 200, MOST = 100000 };

typedef struct Bench { Forecaster *f; double *x, *out; int64_t context, horizon; } Bench;

static int fail(const Err *e)
{
    fprintf(stderr, "forecast: %s\n", e->message);
    return 1;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Another series each time: nothing of the last forecast can be kept. */
static int one(const Bench *b, int i, double *ms, Err *e)
{
    for (int64_t t = 0; t < b->context; t++) b->x[t] = sin(0.1 * (double)t + i) + 0.3 * sin(0.017 * (double)(t * (i + 1)));
    double began = machine_seconds();
    int bad = forecaster_series(b->f, &(Past){b->x, b->context}, 1, b->context, b->horizon, b->out, NULL, e);
    *ms = 1e3 * (machine_seconds() - began);
    return bad;
}

static int run(const Bench *b, Err *e)
{
    double ms[TIMED], unused;
    for (int i = 0; i < WARM; i++)
        if (one(b, i, &unused, e)) return -1;
    for (int i = 0; i < TIMED; i++)
        if (one(b, WARM + i, &ms[i], e)) return -1;
    qsort(ms, TIMED, sizeof *ms, by_size);
    printf("context=%lld horizon=%lld median_ms=%.3f least_ms=%.3f most_ms=%.3f\n", (long long)b->context, (long long)b->horizon, ms[TIMED / 2], ms[0], ms[TIMED - 1]);
    return 0;
}

int main(int argc, char **argv)
{
    Err e;
    int half = argc == 6 && !strcmp(argv[3], "bf16");
    Bench b = {.context = argc == 6 ? atoll(argv[4]) : 0, .horizon = argc == 6 ? atoll(argv[5]) : 0};
    if ((argc == 6 && !half && strcmp(argv[3], "fp32")) || b.context < 1 || b.horizon < 1 || b.context > MOST || b.horizon > MOST) return fprintf(stderr, "usage: forecast MODEL DEVICE fp32|bf16 CONTEXT HORIZON\n"), 2;
    b.x = malloc((size_t)(b.context + b.horizon) * sizeof *b.x);
    if (!b.x) return fprintf(stderr, "forecast: no memory\n"), 1;
    b.out = b.x + b.context;
    if (forecaster_open(&b.f, argv[1], argv[2], half ? BF16 : F32, 0, &e) || run(&b, &e)) return fail(&e);
    forecaster_close(b.f);
    free(b.x);
    return 0;
}
