/* ops.c - op by op: the time of each with one thread and with all, and its share of what the machine can do. */
#include "ops.h"

#include <stdio.h>

#include "util/machine.h"

enum { MAX_ROUNDS = 7, MAX_ROWS = 32 };
static const struct { int rounds; double seconds; } effort[] = {[SMOKE] = {1, 0}, [QUICK] = {3, 0.02}, [FULL] = {MAX_ROUNDS, 0.05}};   /* seconds: a sample takes at least */

typedef struct Times { double x[2][MAX_ROUNDS]; int repeats[2]; OpCost cost; } Times;

/* Seconds of one run; the first call also finds how many runs fill a sample. */
static double sample(const Layer *l, const OpRow *op, Backend *b, Times *t, int many, double least)
{
    Err e;
    double began = machine_seconds(), spent;
    int n = 0;
    do {
        t->cost = op->run(l, b);
        (void)backend_sync(b, &e);
        spent = machine_seconds() - began;
        n++;
    } while (t->repeats[many] ? n < t->repeats[many] : spent < least);
    t->repeats[many] = n;
    return spent / n;
}

static void print_row(const Ceilings *c, const OpRow *op, Times *t, Dtype type, int rounds, double sum[2])
{
    Sample one = sample_of(t->x[ONE], rounds), all = sample_of(t->x[ALL], rounds);
    int product = t->cost.flops > 0;
    double work = product ? t->cost.flops : t->cost.bytes;
    double top[2];
    for (int many = ONE; many <= ALL; many++) top[many] = product ? ceiling_flops(c, type, many) : ceiling_bytes(c, work, many);
    printf("| %s | %.1f %s | %.3f | %.3f | %.2f | %.1f | %.0f %% | %.0f %% | %.0f %% |\n", op->name, 1e-6 * work, product ? "MFLOP" : "MB", 1e3 * one.median,
           1e3 * all.median, one.median / all.median, 1e-9 * work / all.median, 100 * work / one.median / top[ONE], 100 * work / all.median / top[ALL],
           100 * (all.high - all.low) / all.median);
    sum[ONE] += one.median;
    sum[ALL] += all.median;
}

static void measure(const Bench *b, const Ceilings *c, const Size *s, const Layer *l, Dtype type)
{
    Times t[MAX_ROWS] = {0};
    int rounds = effort[b->extent].rounds;
    for (int round = -1; round < rounds; round++)                                       /* the first is not counted */
        for (int i = 0; i < nop_rows; i++)
            for (int many = ONE; many <= ALL; many++) {
                if (s->ops == OPS_ATTENTION && !op_rows[i].attention) continue;
                double x = sample(l, &op_rows[i], l->b[many], &t[i], many, effort[b->extent].seconds);
                if (round >= 0) t[i].x[many][round] = x;
            }
    double sum[2] = {0, 0};
    for (int i = 0; i < nop_rows; i++)
        if (s->ops != OPS_ATTENTION || op_rows[i].attention) print_row(c, &op_rows[i], &t[i], type, rounds, sum);
    printf("| sum | | %.3f | %.3f | %.2f | | | | |\n", 1e3 * sum[ONE], 1e3 * sum[ALL], sum[ONE] / sum[ALL]);
    fflush(stdout);
}

static int measure_size(const Bench *b, const Ceilings *c, const Size *s, Dtype type, Err *e)
{
    Layer l;
    progress("ops of %s, %s", s->name, type == F32 ? "fp32" : "bf16");
    if (layer_open(&l, b, s, type, e)) return -1;
    printf("\n### %s, %s: %d tokens, tier %s\n\n", s->name, type == F32 ? "fp32" : "bf16", l.in.ntok, l.b[ALL]->tier);
    printf("| op | work | ms, 1 thread | ms, %d threads | ratio | G/s, %d threads | of the ceiling, 1 | %d | spread |\n", b->threads, b->threads, b->threads);
    printf("|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    measure(b, c, s, &l, type);
    layer_close(&l);
    return 0;
}

int use_bf16(void) { return dot_here() || amx_here(); }

int ops_measure(const Bench *b, const Ceilings *c, Err *e)
{
    printf("\n## Op by op\n\nOne layer, its buffers as they are in training; median of %d samples with one thread and all in turn. Products are compared with fp32 from registers"
           " (bf16: AVX512-BF16, or AMX from L2), the others with the best rate of the smallest cache that would hold what they move. Spread: (slowest - fastest) / median.\n", effort[b->extent].rounds);
    for (int i = 0; i < nsizes; i++)
        for (Dtype type = F32; type <= (use_bf16() ? BF16 : F32); type++)
            if (size_wanted(b, &sizes[i]) && sizes[i].ops != OPS_NONE && measure_size(b, c, &sizes[i], type, e)) return -1;
    return 0;
}
