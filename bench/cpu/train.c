/* train.c - end to end: the program and a PyTorch program train the same model on the same series, in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "train/feed.h"
#include "util/file.h"

enum { WARM = 1, WARM_TORCH = 2 };       /* steps left out: memory is touched for the first time; and PyTorch compiles, again where a size varies */

typedef struct Argv { char *word[MAX_WORDS]; char text[2048]; size_t used; int n; } Argv;

static void add(Argv *a, const char *words)
{
    size_t n = strlen(words) + 1;
    char *rest = a->text + a->used, *word;
    if (a->used + n > sizeof a->text) abort();
    memcpy(rest, words, n);
    a->used += n;
    while ((word = strtok_r(rest, " ", &rest))) {
        if (a->n >= MAX_WORDS - 1) abort();
        a->word[a->n++] = word;
    }
}

static void add_path(Argv *a, const char *path)
{
    size_t n = strlen(path) + 1;
    if (a->used + n > sizeof a->text || a->n >= MAX_WORDS - 1) abort();
    a->word[a->n++] = memcpy(a->text + a->used, path, n);
    a->used += n;
}

static const char *data_of(const Bench *b, const Size *s) { return s->ragged ? b->ragged : b->data; }
static const char *type_name(Dtype t) { return t == F32 ? "fp32" : "bf16"; }

/* more: further options, which may make it a dry run */
static int run_ours(const Bench *b, const Size *s, Dtype type, const char *more, Trained *t, Err *e)
{
    char text[512], run[300];
    Argv a = {.n = 0};
    snprintf(run, sizeof run, "%s/run", b->work);
    snprintf(text, sizeof text, "--seq-max-len %d --seq-stride %d --batch-size %d --steps-per-epoch %d --threads %d %s --checkpoint-every 0 --val-split 0 "
             "--no-tensorboard --log-every 1 --log-perf-metrics --mfu-peak-tflops 1", s->C, s->C, s->batch, s->steps + WARM, b->threads, type == F32 ? "--no-bf16" : "--bf16");
    add_path(&a, b->program);
    add(&a, "train --dataset-path");
    add_path(&a, data_of(b, s));
    add(&a, "--checkpoint-dir");
    add_path(&a, run);
    add(&a, s->options);
    add(&a, text);
    add(&a, more);
    int bad = train_watch(b, t, a.word, WARM, e);
    return dir_remove(run, e) || bad ? -1 : 0;
}

static int run_torch(const Bench *b, const Size *s, Dtype type, const char *setting, Trained *t, Err *e)
{
    char text[512], model[300], config[320];
    ModelConfig c;
    Argv a = {.n = 0};
    snprintf(model, sizeof model, "%s/model", b->work);
    snprintf(config, sizeof config, "%s/config.json", model);
    if (size_config(s, &c, e) || dir_make(model, e) || config_write(&c, config, 0.02, F32, e)) return -1;
    snprintf(text, sizeof text, "%d %d %d threads=%d %s %s", s->batch, s->C, s->steps + WARM_TORCH, b->threads, type == F32 ? "" : "bf16", setting);
    add_path(&a, b->python);
    add(&a, "bench/train_torch.py run");
    add_path(&a, model);
    add_path(&a, data_of(b, s));
    add(&a, text);
    return train_watch(b, t, a.word, WARM_TORCH, e);
}

/* Operations per token: 6 for each active parameter, and attention over all earlier tokens of a full window. */
static double flops_per_token(const Size *s)
{
    ModelConfig c;
    Err e;
    if (size_config(s, &c, &e)) return 0;
    double T = (double)config_tokens(&c, s->C + 1);
    return config_flops(&c, (int64_t)T, 0.5 * T * (T + 1)) / T;
}

/* What a program did in all its runs. */
typedef struct Row { const char *program; char setting[32]; Trained t; Sample tokens, points, ms; } Row;

static void summarise(Row *r)
{
    Trained t = r->t;                    /* a copy, which is sorted */
    r->tokens = sample_of(t.tokens, t.n);
    r->points = sample_of(t.points, t.n);
    r->ms = sample_of(t.ms, t.n);
}

static void print_row(const Size *s, Dtype type, const Row *r, const Row *ours, double top)
{
    printf("| %s | %s | %s%s%s |", s->name, type_name(type), r->program, *r->setting ? ", " : "", r->setting);
    if (!r->t.n) {
        printf(" failed | | | | | | | | | | |\n");
        return;
    }
    printf(" %.0f | %.0f | %.1f | %.0f to %.0f |", r->tokens.median, r->points.median, r->ms.median, r->tokens.low, r->tokens.high);
    if (s->ragged) printf(" | |");                                         /* windows are not full: operations per token vary */
    else printf(" %.0f | %.0f %% |", 1e-9 * flops_per_token(s) * r->tokens.median, 100 * flops_per_token(s) * r->tokens.median / top);
    printf(" %.0f | ", 1e-6 * r->t.peak);
    if (r == ours) printf("%.0f", 1e-6 * r->t.planned);
    printf(" | %.0f %% |", 100 * r->t.others);
    if (r == ours) printf(" | |\n");
    else printf(" %.2f | %.0f %% |\n", ours->tokens.median / r->tokens.median, 100 * ours->t.peak / r->t.peak);
}

enum { SETTINGS = 2 };

/* PyTorch's settings, the best guess first. Full runs try all in the first round and go on with the fastest; the others take the second only if the
 * first fails, as compiling does without a C++ compiler. Where windows are short, padding to the longest one of a batch is the other setting. */
static void settings_of(const Bench *b, const Size *s, const char *setting[SETTINGS])
{
    setting[0] = b->extent == SMOKE ? "" : "compile";
    setting[1] = s->ragged ? "compile longest" : "";
}

static int wanted(const Bench *b, const Size *s, const Row *torch, int i, int round, int best)
{
    if (!round) return b->extent == FULL || !i || !torch[0].t.n;
    return torch[i].t.n && (i == best || s->ragged);
}

/* A program that fails, for want of memory say, has a row without numbers. */
static void took(int bad, const Err *e) { if (bad) progress("%s", e->message); }

static void round_of(const Bench *b, const Size *s, Dtype type, int round, Row *row, int *best)
{
    const char *setting[SETTINGS];
    Row *torch = row + 1;
    Err e;
    progress("%s, %s, round %d of %d", s->name, type_name(type), round + 1, s->rounds[b->extent]);
    row[0].program = "foundationts";
    if (!round) took(run_ours(b, s, type, "--dry-run", &row[0].t, &e), &e);
    took(run_ours(b, s, type, "", &row[0].t, &e), &e);
    summarise(&row[0]);
    settings_of(b, s, setting);
    for (int i = 0; i < (*b->python ? SETTINGS : 0); i++) {
        if (!wanted(b, s, torch, i, round, *best)) continue;
        torch[i].program = "PyTorch";
        snprintf(torch[i].setting, sizeof torch[i].setting, "%s", *setting[i] ? setting[i] : "eager");
        took(run_torch(b, s, type, setting[i], &torch[i].t, &e), &e);
        summarise(&torch[i]);
        if (!round && torch[i].t.n && (!torch[*best].t.n || torch[i].ms.median < torch[*best].ms.median)) *best = i;
    }
}

static int measure_size(const Bench *b, const Ceilings *c, const Size *s, Dtype type, Err *e)
{
    int best = 0;
    Row *row = calloc(1 + SETTINGS, sizeof *row);
    if (!row) return err_nomem(e, sizeof *row, "steps");
    for (int round = 0; round < s->rounds[b->extent]; round++) round_of(b, s, type, round, row, &best);
    for (int i = 0; i <= SETTINGS; i++)
        if (row[i].program) print_row(s, type, &row[i], &row[0], ceiling_flops(c, type, ALL));
    fflush(stdout);
    free(row);
    return 0;
}

int train_measure(const Bench *b, const Ceilings *c, Err *e)
{
    printf("\n## Training\n\nMedians over the steps of all runs, the first %d (PyTorch: %d) of each run left out; programs run in turn. GFLOP/s: 6 for each active parameter and token, attention on top."
           " Peak: the largest anonymous memory; planned: what a dry run says, for full windows. Others: the most that other programs took of the cores in a run.%s\n\n", WARM, WARM_TORCH,
           *b->python ? "" : " No PyTorch beside it: FTS_BENCH_PYTHON names no Python that has it.");
    printf("| size | | program | tokens/s | points/s | step ms | tokens/s from, to | GFLOP/s | of the ceiling | peak MB | planned | others | times PyTorch | of its memory |\n");
    printf("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (int i = 0; i < nsizes; i++)
        for (Dtype type = F32; type <= (use_bf16() ? BF16 : F32); type++)
            if (size_wanted(b, &sizes[i]) && measure_size(b, c, &sizes[i], type, e)) return -1;
    return 0;
}

/* Time of a step against its tokens: twice the tokens should take twice the time. */
enum { BATCHES = 4 };
static int grow(const Bench *b, const Size *of, Dtype type, Err *e)
{
    static const int batch[BATCHES] = {8, 16, 32, 64};
    Trained *t = calloc(BATCHES, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t, "steps");
    int bad = 0, rounds = of->grows[b->extent];
    for (int round = 0; round < rounds && !bad; round++)
        for (int i = 0; i < BATCHES && !bad; i++) {
            Size s = *of;
            s.batch = b->extent == SMOKE ? 1 + i : batch[i];
            progress("%s, %s, batch %d", s.name, type_name(type), s.batch);
            bad = run_ours(b, &s, type, "", &t[i], e);
        }
    printf("| %s | %s |", of->name, type_name(type));
    double base = 0;
    for (int i = 0; i < BATCHES && !bad; i++) {
        double each = sample_of(t[i].ms, t[i].n).median / (b->extent == SMOKE ? 1 + i : batch[i]);
        if (!i) base = each;
        printf(" %.2f (%+.0f %%) |", each, 100 * (each / base - 1));
    }
    printf("\n");
    free(t);
    return bad;
}

int growth_measure(const Bench *b, Err *e)
{
    printf("\n## Step time against tokens\n\nMilliseconds a window of the batch, and the distance from the smallest batch: 0 %% is linear.\n\n");
    printf("| size | | batch %s |\n|---|---|---:|---:|---:|---:|\n", b->extent == SMOKE ? "1 | 2 | 3 | 4" : "8 | 16 | 32 | 64");
    for (int i = 0; i < nsizes; i++)
        for (Dtype type = F32; type <= (use_bf16() ? BF16 : F32); type++)
            if (size_wanted(b, &sizes[i]) && sizes[i].grows[b->extent] && grow(b, &sizes[i], type, e)) return -1;
    return 0;
}
