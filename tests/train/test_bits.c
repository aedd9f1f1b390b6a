/* test_bits.c - what changes speed, memory or place changes no bit: every told digit and every file of the last checkpoint are compared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"
#include "util/file.h"

#define WITH(...) (const char *const[]){__VA_ARGS__, NULL}
#define AS_IT_IS (const char *const[]){NULL}

typedef int Small(Trial *, const char *, const char *, Err *);
typedef struct Setup { Small *small; char dir[256], data[300]; const char *also[24]; } Setup;                    /* also: options of all its runs */
typedef struct Part { const char *const *options; int64_t stop_at; } Part;                           /* of a run that is stopped on its way */
typedef struct Told { Str story, words; char saved[512]; } Told;                                     /* saved: its last checkpoint */

static void told_free(Told *t)
{
    str_free(&t->story);
    str_free(&t->words);
}

/* Gaps of all lengths from none to most of a window; series 5 is nothing but a gap, one in seven is constant, the values of 11 are beyond any use. */
static int write_gappy(const char *path, int series, int length, Err *e)
{
    Str s = {0};
    for (int i = 0; i < series; i++) {
        str_addf(&s, "[");
        for (int t = 0; t < length; t++) {
            double x = i % 7 == 3 ? 4 : sin(0.1 * t * (1 + i % 5)) + 0.01 * ((t * t + i) % 97);
            if (i == 5 || (t * 7 + i * 13) % 61 < i % 23) str_addf(&s, "%snull", t ? "," : "");
            else str_addf(&s, "%s%.6g", t ? "," : "", i == 11 ? 1e30 * x : x);
        }
        str_addf(&s, "]\n");
    }
    int bad = str_ok(&s, e) || file_write(path, s.p, s.n, e) ? -1 : 0;
    str_free(&s);
    return bad;
}

/* In a new folder: synthetic series, or series with gaps. */
static int setup(Setup *s, Small *small, int gaps, int series, const char *const *also)
{
    Err e;
    *s = (Setup){.small = small};
    for (int i = 0; also[i]; i++) s->also[i] = also[i];
    snprintf(s->dir, sizeof s->dir, "%s", test_folder());
    snprintf(s->data, sizeof s->data, "%s", gaps ? below(s->dir, "gaps.jsonl") : synth(s->dir, series, 129));
    int bad = gaps && write_gappy(s->data, series, 129, &e);
    if (bad) test_fail(__FILE__, __LINE__, "%s", e.message);
    return bad;
}

/* Adds the lines of `from` that tell what was computed: not where a run began, ended and saved, nor which machine it has. */
static void add_story(Str *to, const Str *from)
{
    static const char *const other[] = {"start ", "end ", "saved ", "data:", "computing ", "params ", "micro_batches=", "continuing "};
    for (const char *p = from->p, *end; p && *p; p = end + 1) {
        int skip = 0;
        end = strchr(p, '\n');
        for (int i = 0; i < 8; i++) skip |= !strncmp(p, other[i], strlen(other[i]));
        if (!skip) str_add(to, p, (size_t)(end - p) + 1);
    }
}

static int run_part(const Setup *s, const char *out, const Part *p, int resume, Told *t, Err *e)
{
    Trial r;
    int bad = s->small(&r, s->data, out, e) || trial_set(&r, s->also, e) || trial_set(&r, p->options, e)
           || (resume && trial_set(&r, WITH("resume-checkpoint", "latest"), e));
    r.stop_at = p->stop_at;
    bad = bad || trial_run(&r, e);
    add_story(&t->story, &r.said);
    str_add(&t->words, r.words.p ? r.words.p : "", r.words.n);
    trial_close(&r);
    return bad ? -1 : 0;
}

/* All parts of one run, in a folder called `name`. */
static int run(const Setup *s, const char *name, const Part *p, int n, Told *t)
{
    Err e;
    *t = (Told){0};
    snprintf(t->saved, sizeof t->saved, "%s/%s/latest", s->dir, name);
    for (int i = 0; i < n; i++) {
        if (!run_part(s, below(s->dir, name), &p[i], i > 0, t, &e)) continue;
        test_fail(__FILE__, __LINE__, "%s, part %d: %s", name, i + 1, e.message);
        return -1;
    }
    return 0;
}

/* What a run must remember: its state.json as far as the name of the machine. */
static int same_progress(const char *a, const char *b)
{
    Err e;
    Map x = {0}, y = {0};
    if (map_open(&x, below(a, "state.json"), &e) || map_open(&y, below(b, "state.json"), &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    const char *end = x.n ? memmem(x.p, x.n, "\"backend\"", 9) : NULL;
    size_t n = end ? (size_t)(end - (const char *)x.p) : 0;
    int same = n && y.n > n && !memcmp(x.p, y.p, n);
    map_close(&x);
    map_close(&y);
    return same;
}

static int count_of(const Str *s, const char *part)
{
    int n = 0;
    for (const char *p = s->p; p && (p = strstr(p, part)); p++) n++;
    return n;
}

static void check_same(const char *name, const Told *a, const Told *b)
{
    if (!a->story.n || strcmp(a->story.p, b->story.p)) test_fail(__FILE__, __LINE__, "%s told\n%s\nand not\n%s", name, b->story.p, a->story.p);
    if (!same_checkpoints(a->saved, b->saved)) test_fail(__FILE__, __LINE__, "%s saved other bytes", name);
    if (!same_progress(a->saved, b->saved)) test_fail(__FILE__, __LINE__, "%s saved another progress", name);
    if (count_of(&a->words, "was not applied") != count_of(&b->words, "was not applied")) test_fail(__FILE__, __LINE__, "%s left out other steps", name);
}

/* The first of n runs is what all others must equal. several: those that must say that they have several micro-batches. */
static void change_no_bit(const Setup *s, int n, const char *const *const *options, unsigned several)
{
    Told first = {0}, other;
    if (run(s, "run0", &(Part){options[0], 0}, 1, &first)) n = 0;
    for (int i = 1; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "run%d", i);
        if (!run(s, name, &(Part){options[i], 0}, 1, &other)) check_same(name, &first, &other);
        if (has_line(&other.words, "micro_batches=") != (int)(several >> i & 1)) test_fail(__FILE__, __LINE__, "%s says '%s'", name, other.words.p);
        told_free(&other);
    }
    told_free(&first);
}
#define CHANGE_NO_BIT(setup, several, ...) change_no_bit(setup, sizeof (const char *const *const[]){__VA_ARGS__} / sizeof (char **), (const char *const *const[]){__VA_ARGS__}, several)

TEST(train_twice_is_the_same)
{
    Setup s;
    if (setup(&s, trial_small, 0, 20, AS_IT_IS)) return;
    CHANGE_NO_BIT(&s, 0, AS_IT_IS, AS_IT_IS);
}

TEST(train_another_seed_is_not_the_same)
{
    Setup s;
    Told a, b;
    if (setup(&s, trial_small, 0, 20, AS_IT_IS)) return;
    if (run(&s, "a", &(Part){WITH("seed", "1"), 0}, 1, &a) || run(&s, "b", &(Part){WITH("seed", "2"), 0}, 1, &b)) return;
    CHECK(strcmp(a.story.p, b.story.p) && !same_checkpoints(a.saved, b.saved));
    told_free(&a);
    told_free(&b);
}

TEST(train_threads_change_no_bit)
{
    Setup s;
    if (setup(&s, trial_chunks, 0, 200, WITH("n-decoder-layers", "2", "steps-per-epoch", "2"))) return;
    CHANGE_NO_BIT(&s, 0, WITH("threads", "1"), WITH("threads", "2"), WITH("threads", "5"));
}

TEST(train_threads_change_no_bit_with_gaps)
{
    Setup s;
    if (setup(&s, trial_chunks, 1, 200, WITH("steps-per-epoch", "2"))) return;
    CHANGE_NO_BIT(&s, 0, WITH("threads", "1"), WITH("threads", "2", "num-workers", "1"));
}

TEST(train_workers_and_prefetch_change_no_bit)
{
    Setup s;
    if (setup(&s, trial_small, 1, 40, AS_IT_IS)) return;
    CHANGE_NO_BIT(&s, 0, WITH("num-workers", "1"), WITH("num-workers", "3"), WITH("num-workers", "3", "prefetch-factor", "1"), WITH("prefetch-factor", "9"));
}

TEST(train_micro_batches_change_no_bit)
{
    Setup s;
    if (setup(&s, trial_chunks, 0, 200, AS_IT_IS)) return;
    CHANGE_NO_BIT(&s, 1 << 1 | 1 << 2 | 1 << 3, WITH("micro-batch-size", "0"), WITH("micro-batch-size", "1"), WITH("micro-batch-size", "3"), WITH("micro-batch-size", "64"),
                  WITH("micro-batch-size", "100000"));
}

/* The smallest --memory-limit, in MB, with which a run of this setup fits. */
static int least_limit(const Setup *s, char *text, size_t size)
{
    Err e;
    Trial r;
    int fits = 0, bad = 0;
    for (int mb = 5; mb < 150 && !fits && !bad; mb++) {
        snprintf(text, size, "%dM", mb);
        bad = s->small(&r, s->data, below(s->dir, "plan"), &e) || trial_set(&r, WITH("memory-limit", text, "dry-run", "1"), &e) || trial_run(&r, &e);
        fits = !bad && !has_line(&r.words, "does not fit");
        trial_close(&r);
    }
    if (!fits) test_fail(__FILE__, __LINE__, "%s", bad ? e.message : "no limit is enough");
    return fits ? 0 : -1;
}

TEST(train_memory_limit_changes_no_bit)
{
    Setup s;
    char limit[16];
    for (int gaps = 0; gaps < 2; gaps++) {
        if (setup(&s, trial_chunks, gaps, 200, AS_IT_IS) || least_limit(&s, limit, sizeof limit)) return;
        CHANGE_NO_BIT(&s, 1 << 1, AS_IT_IS, WITH("memory-limit", limit), WITH("memory-limit", "2G"));
    }
}

TEST(train_recompute_changes_no_bit)
{
    Setup s;
    if (setup(&s, trial_chunks, 1, 200, WITH("n-decoder-layers", "2", "num-expert-layers", "2", "steps-per-epoch", "3"))) return;
    CHANGE_NO_BIT(&s, 1 << 3, WITH("recompute", "none"), WITH("recompute", "mlp"), WITH("recompute", "layer"), WITH("recompute", "layer", "micro-batch-size", "1", "threads", "2"));
}

/* Overlapping patches, patches with points between them, and patches of one point; with gaps, so that windows are cut into pieces of all lengths. */
TEST(train_patches_and_gaps_change_no_bit)
{
    static const char *const patch[][2] = {{"4", "3"}, {"2", "5"}, {"1", "2"}};
    for (int i = 0; i < 3; i++) {
        Setup s;
        if (setup(&s, trial_chunks, 1, 900, WITH("patch", "1", "patch-len", patch[i][0], "patch-stride", patch[i][1], "batch-size", "260", "steps-per-epoch", "3"))) return;
        CHANGE_NO_BIT(&s, 1 << 1 | 1 << 2, AS_IT_IS, WITH("micro-batch-size", "1", "num-workers", "1"), WITH("micro-batch-size", "70", "threads", "2", "recompute", "layer"));
    }
}

TEST(train_bf16_changes_no_bit_either)
{
    Setup s;
    if (setup(&s, trial_chunks, 1, 200, WITH("bf16", "1", "batch-size", "40", "steps-per-epoch", "2"))) return;
    CHANGE_NO_BIT(&s, 1 << 1 | 1 << 2, AS_IT_IS, WITH("micro-batch-size", "1", "threads", "2"), WITH("micro-batch-size", "1", "recompute", "mlp"), WITH("recompute", "layer"));
}

TEST(train_missing_modes_change_no_bit)
{
    static const char *const missing[] = {"interpolate", "zero"};
    for (int i = 0; i < 2; i++) {
        Setup s;
        if (setup(&s, trial_chunks, 1, 200, WITH("missing", missing[i], "steps-per-epoch", "3"))) return;
        CHANGE_NO_BIT(&s, 1 << 1, AS_IT_IS, WITH("micro-batch-size", "1", "num-workers", "1", "threads", "2"));
    }
}

/* Without scaling series 11 makes some losses infinite: the same steps are left out, for the same reason. */
TEST(train_steps_that_are_left_out_are_the_same)
{
    Setup s;
    Told a, b;
    if (setup(&s, trial_chunks, 1, 200, WITH("normalization-func", "none", "steps-per-epoch", "8"))) return;
    if (run(&s, "a", &(Part){AS_IT_IS, 0}, 1, &a) || run(&s, "b", &(Part){WITH("micro-batch-size", "1", "threads", "2"), 0}, 1, &b)) return;
    check_same("b", &a, &b);
    int left_out = count_of(&a.words, "was not applied: the loss is not finite at gaps.jsonl: series 11, point ");
    CHECK(left_out > 0 && left_out < 8 && left_out == count_of(&a.words, "was not applied"));
    Told x = {0}, y = {0};
    add_story(&x.words, &a.words);
    add_story(&y.words, &b.words);
    TEXT(x.words.p, y.words.p);
    told_free(&a), told_free(&b), told_free(&x), told_free(&y);
}

TEST(train_grad_accumulation_is_a_larger_batch)
{
    Setup s;
    for (int gaps = 0; gaps < 2; gaps++) {
        if (setup(&s, trial_chunks, gaps, 200, WITH("val-split", "0"))) return;
        CHANGE_NO_BIT(&s, 1 << 2, WITH("batch-size", "80", "grad-accum-steps", "1"), WITH("batch-size", "40", "grad-accum-steps", "2"),
                      WITH("batch-size", "10", "grad-accum-steps", "8", "micro-batch-size", "10"));
    }
    if (setup(&s, trial_small, 0, 20, WITH("val-split", "0", "drop-last", "0"))) return;
    CHANGE_NO_BIT(&s, 0, WITH("batch-size", "8"), WITH("batch-size", "4", "grad-accum-steps", "2"));
}

/* Saving, thinning out and measuring change nothing of what is computed; nor does the form of a setting. */
TEST(train_places_and_habits_change_no_bit)
{
    Setup s;
    if (setup(&s, trial_small, 0, 20, AS_IT_IS)) return;
    CHANGE_NO_BIT(&s, 0, AS_IT_IS, WITH("keep-checkpoints", "1", "checkpoint-every", "1"), WITH("keep-checkpoints", "0", "checkpoint-every", "5"),
                  WITH("log-perf-metrics", "1", "mfu-peak-tflops", "1"), WITH("epochs", "3", "steps-per-epoch", "4"), WITH("learning-rate", "0.00500"));
}

/* Only the lines of the steps, which do not depend on what was looked at between them. */
static void only_losses(Told *t)
{
    Str steps = {0};
    for (char *p = t->story.p, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        const char *loss = strstr(p, "loss=");
        if (!strncmp(p, "step=", 5)) str_add(&steps, loss, (size_t)(end + 1 - loss));
    }
    str_free(&t->story);
    t->story = steps;
}

TEST(train_looking_changes_no_step)
{
    Setup s;
    Told a, b;
    if (setup(&s, trial_small, 0, 20, AS_IT_IS)) return;
    if (run(&s, "a", &(Part){AS_IT_IS, 0}, 1, &a) || run(&s, "b", &(Part){WITH("val-every", "1", "val-max-batches", "1", "log-every", "1"), 0}, 1, &b)) return;
    CHECK(count_of(&a.story, "val step=") == 3 && count_of(&b.story, "val step=") == 12 && count_of(&a.story, "experts") == 4 && count_of(&b.story, "experts") == 12);
    only_losses(&a);
    only_losses(&b);
    TEXT(a.story.p, b.story.p);
    CHECK(same_checkpoints(a.saved, b.saved));
    told_free(&a);
    told_free(&b);
}

static void goes_on_the_same(const Setup *s, const Part *p, int n)
{
    Told whole = {0}, parts = {0};
    if (!run(s, "whole", &(Part){AS_IT_IS, 0}, 1, &whole) && !run(s, "parts", p, n, &parts)) check_same("the resumed run", &whole, &parts);
    told_free(&whole);
    told_free(&parts);
}

TEST(train_resumed_is_the_same)
{
    Setup s;
    if (setup(&s, trial_small, 0, 20, WITH("steps-per-epoch", "100", "checkpoint-every", "10"))) return;
    goes_on_the_same(&s, (Part[]){{AS_IT_IS, 50}, {WITH("threads", "2", "num-workers", "3", "keep-checkpoints", "1"), 0}}, 2);
}

/* Stopped where no checkpoint is due and no line, before and after the first validation, twice at the same place. */
TEST(train_resumed_often_is_the_same)
{
    Setup s;
    if (setup(&s, trial_small, 1, 40, WITH("steps-per-epoch", "40", "checkpoint-every", "1000"))) return;
    goes_on_the_same(&s, (Part[]){{AS_IT_IS, 1}, {WITH("threads", "3"), 2}, {WITH("num-workers", "1"), 17}, {WITH("recompute", "mlp"), 18}, {AS_IT_IS, 31},
                                  {WITH("prefetch-factor", "7", "keep-checkpoints", "1"), 39}, {AS_IT_IS, 0}}, 7);
}

TEST(train_resumed_in_other_micro_batches_is_the_same)
{
    Setup s;
    if (setup(&s, trial_chunks, 1, 200, WITH("steps-per-epoch", "8", "normalization-func", "none", "patch", "1", "patch-len", "3", "patch-stride", "2"))) return;
    goes_on_the_same(&s, (Part[]){{WITH("micro-batch-size", "1"), 3}, {WITH("threads", "2", "recompute", "layer"), 0}}, 2);
}

/* 27 windows in steps of 14: each pass ends with a step of 13. */
TEST(train_resumed_across_passes_over_the_data_is_the_same)
{
    Setup s;
    if (setup(&s, trial_small, 0, 11, WITH("steps-per-epoch", "30", "drop-last", "0", "batch-size", "7", "grad-accum-steps", "2"))) return;
    goes_on_the_same(&s, (Part[]){{AS_IT_IS, 7}, {AS_IT_IS, 15}, {AS_IT_IS, 0}}, 3);
}
