/* test_run.c - the loop: that it learns, what it tells and when, what it does with data that are no good, and when it ends. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"
#include "support.h"
#include "test.h"
#include "util/file.h"
#include "util/machine.h"

typedef struct Place { Trial r; char dir[256], data[300], out[300]; } Place;

/* A small run on `series` synthetic series of `length` points; 0 series: on DIR/odd.jsonl, which is still to be written. */
static int place(Place *p, int64_t series, int64_t length, Err *e)
{
    *p = (Place){.dir = ""};
    snprintf(p->dir, sizeof p->dir, "%s", test_folder());
    snprintf(p->out, sizeof p->out, "%s/run", p->dir);
    snprintf(p->data, sizeof p->data, "%s", series ? synth(p->dir, series, length) : below(p->dir, "odd.jsonl"));
    return trial_small(&p->r, p->data, p->out, e);
}

static int count_of(const Str *s, const char *part)
{
    int n = 0;
    for (const char *p = s->p; p && (p = strstr(p, part)); p++) n++;
    return n;
}

/* No loss, no validation and no share of an expert that was told is anything but a number. */
static int all_finite(const Trial *r)
{
    int good = r->nstep > 0 && !has_line(&r->said, "nan") && !has_line(&r->said, "inf");
    for (int i = 0; i < r->nstep; i++) good &= isfinite(r->loss[i]) != 0;
    return good;
}

static const char *saved(const Place *p, int step)
{
    char name[64];
    snprintf(name, sizeof name, "step_%06d", step);
    return below(p->out, name);
}

/* Is every weight in this file finite? */
static int finite_weights(const char *path)
{
    Err e;
    St s;
    int good = 1;
    if (st_open(&s, path, &e)) {
        test_fail(__FILE__, __LINE__, "%s", e.message);
        return 0;
    }
    for (int i = 0; i < s.n; i++) {
        float *x = malloc(s.tensor[i].bytes + 1);
        good &= x && !st_floats(&s.tensor[i], x, &e);
        for (size_t k = 0; good && k < s.tensor[i].bytes / sizeof *x; k++) good &= isfinite(x[k]) != 0;
        free(x);
    }
    st_close(&s);
    return good;
}

/* A list of numbers of any length; `tail` is put behind them. */
static void put_series(Str *s, int length, double unit, const char *tail)
{
    for (int t = 0; t < length; t++) str_addf(s, "%s%.6g", t ? "," : "[", unit * (sin(0.3 * t) + 0.1 * (t % 7)));
    str_addf(s, "%s]\n", tail);
}

static int write_series(const Place *p, Str *s, Err *e)
{
    int bad = str_ok(s, e) || file_write(p->data, s->p, s->n, e) ? -1 : 0;
    str_free(s);
    return bad;
}

TEST(train_learns_one_batch_by_heart)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    put_series(&s, 65, 1, "");
    put_series(&s, 40, -3, "");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "steps-per-epoch", "300", "val-split", "0", "learning-rate", "1e-2", "warmup-steps", "20", "aux-loss-weight", "0", "checkpoint-every", "0", "hidden-size", "32");
    OK(trial_run(&p.r, &e));
    CHECK(p.r.nstep == 300 && all_finite(&p.r));
    CHECK(p.r.loss[0] > 0.3 && p.r.loss[299] < 0.05 * p.r.loss[0]);
    trial_close(&p.r);
}

/* Points of unit variance and predictions near 0: a Huber loss of about half the variance, and balanced experts. */
TEST(train_first_loss_is_plausible)
{
    static const char *const patch[] = {"0", "1"};
    for (int i = 0; i < 2; i++) {
        Err e;
        Place p;
        double pred = 0, aux = 0;
        OK(place(&p, 40, 257, &e));
        SET(&p.r, "steps-per-epoch", "1", "batch-size", "64", "patch", patch[i], "patch-len", "8", "patch-stride", "8");
        OK(trial_run(&p.r, &e));
        CHECK(sscanf(strstr(p.r.said.p, "step=1 "), "step=1 due=%*d loss=%*f pred=%lf aux=%lf", &pred, &aux) == 2);
        CHECK(pred > 0.3 && pred < 0.6 && aux > 0.99 && aux < 1.2);
        CHECK(fabs(p.r.loss[0] - (pred + 0.02 * aux)) < 1e-12);
        trial_close(&p.r);
    }
}

/* The whole story of a run, by its kinds of lines. */
TEST(train_tells_in_order)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "log-every", "5", "val-every", "5", "checkpoint-every", "4", "steps-per-epoch", "7");
    OK(trial_run(&p.r, &e));
    char kinds[256];
    size_t n = 0;
    for (const char *q = p.r.said.p; *q && n < sizeof kinds - 1; q = strchr(q, '\n') + 1) {
        static const char *const line[] = {"start ", "step=", "experts ", "val baseline ", "val step=", "saved ", "end "};
        for (int i = 0; i < 7; i++)
            if (!strncmp(q, line[i], strlen(line[i]))) kinds[n++] = "(seBVC)"[i];
    }
    kinds[n] = 0;
    TEXT(kinds, "(ssssCseBVsseVC)");
    CHECK(all_finite(&p.r) && p.r.nexperts == 2);
    CHECK(has_line(&p.r.said, "step=7 due=1 ") && has_line(&p.r.said, "step=6 due=0 ") && has_line(&p.r.said, "end step=7 done\n"));
    CHECK(path_exists(saved(&p, 4)) && path_exists(saved(&p, 7)) && !path_exists(saved(&p, 5)));
    trial_close(&p.r);
}

TEST(train_the_last_step_is_logged_validated_and_saved)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "log-every", "1000", "val-every", "1000", "checkpoint-every", "1000", "epochs", "2", "steps-per-epoch", "3");
    OK(trial_run(&p.r, &e));
    CHECK(p.r.nstep == 6 && count_of(&p.r.said, "due=1") == 1 && has_line(&p.r.said, "step=6 due=1"));
    CHECK(count_of(&p.r.said, "val step=6 ") == 1 && count_of(&p.r.said, "val ") == 2 && count_of(&p.r.said, "saved step=6\n") == 1 && count_of(&p.r.said, "saved") == 1);
    trial_close(&p.r);
}

/* Once in the life of a run, wherever it is interrupted. */
TEST(train_baselines_are_told_once)
{
    static const int64_t stops[] = {3, 5, 7};
    for (int i = 0; i < 3; i++) {
        Err e;
        Place p;
        OK(place(&p, 20, 200, &e));
        SET(&p.r, "ood-val-dataset-path", p.data, "dataset-path", synth(below(p.dir, "more"), 12, 150));
        p.r.stop_at = stops[i];
        OK(trial_run(&p.r, &e));
        CHECK(has_line(&p.r.said, "stopped"));
        int first = count_of(&p.r.said, "val baseline"), first_ood = count_of(&p.r.said, "val_ood baseline");
        CHECK(first == (stops[i] >= 5) && first_ood == first);
        p.r.stop_at = 0;
        SET(&p.r, "resume-checkpoint", "latest");
        OK(trial_run(&p.r, &e));
        CHECK(first + count_of(&p.r.said, "val baseline") == 1 && first_ood + count_of(&p.r.said, "val_ood baseline") == 1);
        CHECK(has_line(&p.r.said, "val step=12 ") && has_line(&p.r.said, "val_ood step=12 ") && all_finite(&p.r));
        trial_close(&p.r);
    }
}

TEST(train_without_a_split_nothing_validates)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "val-split", "0");
    OK(trial_run(&p.r, &e));
    CHECK(!has_line(&p.r.said, "val") && p.r.nstep == 12 && has_line(&p.r.words, "60 windows: 60 to train on, 0 to validate"));
    trial_close(&p.r);
}

/* One window can only train; of two one validates. */
TEST(train_the_smallest_data)
{
    static const char *const want[] = {"1 windows: 1 to train on, 0 to validate", "2 windows: 1 to train on, 1 to validate"};
    for (int i = 0; i < 2; i++) {
        Err e;
        Place p;
        Str s = {0};
        OK(place(&p, 0, 0, &e));
        for (int k = 0; k <= i; k++) put_series(&s, 2, 1, "");
        OK(write_series(&p, &s, &e));
        OK(trial_run(&p.r, &e));
        CHECK(p.r.nstep == 12 && all_finite(&p.r) && has_line(&p.r.words, want[i]) && has_line(&p.r.said, "val") == i);
        trial_close(&p.r);
    }
}

/* Data at or below the path are out of both sets: the run is that on the rest alone. */
TEST(train_ood_data_are_left_out)
{
    Err e;
    Place p;
    Trial rest;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "dataset-path", synth(below(p.dir, "other/far"), 8, 200), "ood-val-dataset-path", below(p.dir, "other"), "ood-val-max-batches", "1");
    OK(trial_run(&p.r, &e));
    CHECK(has_line(&p.r.words, "1 source at or below ") && has_line(&p.r.words, "other left out of training and of the validation split"));
    CHECK(has_line(&p.r.words, "data: 1 source, 20 series") && count_of(&p.r.said, "val_ood step=") == 3 && count_of(&p.r.said, "val step=") == 3 && all_finite(&p.r));
    OK(trial_small(&rest, p.data, below(p.dir, "rest"), &e));
    OK(trial_run(&rest, &e));
    CHECK(has_line(&rest.words, "data: 1 source, 20 series") && same_checkpoints(saved(&p, 12), below(p.dir, "rest/step_000012")));
    SET(&rest, "dataset-path", below(p.dir, "other"), "checkpoint-dir", below(p.dir, "all"));
    OK(trial_run(&rest, &e));
    CHECK(has_line(&rest.words, "data: 2 sources, 28 series") && !same_checkpoints(saved(&p, 12), below(p.dir, "all/step_000012")));
    trial_close(&p.r);
    trial_close(&rest);
}

TEST(train_ood_data_cannot_be_all)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "ood-val-dataset-path", p.dir);
    CHECK(trial_run(&p.r, &e) && strstr(e.message, "every dataset lies at or below "));
    CHECK(!path_exists(p.out));
    trial_close(&p.r);
}

TEST(train_dry_run_writes_nothing)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "dry-run", "1");
    OK(trial_run(&p.r, &e));
    CHECK(!path_exists(p.out) && !p.r.said.n && has_line(&p.r.words, "\nlimit ") && has_line(&p.r.words, "\nmicro-batch: up to 384 tokens, 64 of a full window\n"));
    SET(&p.r, "memory-limit", "4M");
    OK(trial_run(&p.r, &e));
    CHECK(has_line(&p.r.words, "\ndoes not fit: a micro-batch of 384 tokens needs "));
    trial_close(&p.r);
}

TEST(train_refuses_what_does_not_fit)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "memory-limit", "4M");
    CHECK(trial_run(&p.r, &e) && e.code == FTS_NOMEM && strstr(e.message, "does not fit: ") && !path_exists(p.out));
    trial_close(&p.r);
}

/* One of everything that is found in files: each is scaled, cut or left out, and none spoils the run. */
static void put_odd(Str *s)
{
    for (int i = 0; i < 12; i++) put_series(s, 120 + i, 1, "");
    put_series(s, 50, 1, ",NaN,1,2,3");
    put_series(s, 50, 1, ",null,1,\"NaN\",2,\"-inf\",3,Infinity,-Infinity,4");
    put_series(s, 50, 1e30, "");
    put_series(s, 50, 1e300, "");
    put_series(s, 50, 1e-300, "");
    put_series(s, 50, 0, "");
    str_addf(s, "[]\n{\"target\": []}\n[7]\n[null]\n[NaN, NaN, NaN]\n[1, null]\n[5, 5, 5, 5, 5, 5]\n[3, 1, 2, 3, 2, 1, 2, 3, 100000000000000000000, 2]\n[-1, -1]\n");
    str_addf(s, "{\"sequence\": [1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]}\n\n[1e308, -1e308, 1e308]\n[1.0, 1.0000000001, 1.0, 1.0]\n");
}

TEST(train_odd_series_do_no_harm)
{
    static const char *const missing[] = {"split", "interpolate", "zero"}, *const scaling[] = {"zero", "max"};
    for (int i = 0; i < 6; i++) {
        Err e;
        Place p;
        Str s = {0};
        OK(place(&p, 0, 0, &e));
        put_odd(&s);
        OK(write_series(&p, &s, &e));
        SET(&p.r, "missing", missing[i % 3], "normalization-func", scaling[i / 3], "steps-per-epoch", "20", "val-every", "1");
        OK(trial_run(&p.r, &e));
        CHECK(p.r.nstep == 20 && all_finite(&p.r) && !has_line(&p.r.words, "not applied"));
        CHECK(has_line(&p.r.words, "4 series skipped: fewer than 2 points, which is one token and one target"));
        CHECK(has_line(&p.r.words, "had fewer than 2 points and taught nothing"));
        CHECK(finite_weights(below(saved(&p, 20), "model.safetensors")) && finite_weights(below(saved(&p, 20), "optimizer.safetensors")));
        trial_close(&p.r);
    }
}

TEST(train_missing_error_says_where)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    for (int i = 0; i < 9; i++) put_series(&s, 140, 1, "");
    put_series(&s, 60, 1, ",1,null,3");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "missing", "error");
    CHECK(trial_run(&p.r, &e) && e.code == FTS_FORMAT);
    CHECK(strstr(e.message, "odd.jsonl: series 9, point 61 is missing (NaN): choose what to do with such points with --missing") && !strchr(e.message, '\n'));
    trial_close(&p.r);
}

TEST(train_needs_a_window)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    str_addf(&s, "[1]\n[]\n[2]\n");
    OK(write_series(&p, &s, &e));
    CHECK(trial_run(&p.r, &e) && strstr(e.message, "--dataset-path: all 3 series have fewer than 2 points") && !path_exists(p.out));
    trial_close(&p.r);
}

/* Without scaling the values of one series of 20 are beyond what a float can be squared to: many steps are left out, but never ten in a row. */
TEST(train_a_bad_series_is_named_and_not_learned)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    for (int i = 0; i < 20; i++) put_series(&s, 129, i == 13 ? 1e30 : 1, "");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "normalization-func", "none", "val-split", "0", "steps-per-epoch", "100", "checkpoint-every", "40");
    OK(trial_run(&p.r, &e));
    int bad = 0;
    for (int i = 0; i < 100; i++) bad += !isfinite(p.r.loss[i]);
    CHECK(bad >= 12 && bad <= 40 && bad == count_of(&p.r.words, " was not applied: the loss is not finite at odd.jsonl: series 13, point "));
    CHECK(has_line(&p.r.said, "end step=100 done") && finite_weights(below(saved(&p, 100), "model.safetensors")) && finite_weights(below(saved(&p, 100), "optimizer.safetensors")));
    trial_close(&p.r);
}

/* The series of the notice is the one of the window, not the first of its step: here in the last of several micro-batches. */
TEST(train_a_bad_series_is_named_in_any_micro_batch)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    for (int i = 0; i < 100; i++) put_series(&s, 129, i == 57 ? 1e30 : 1, ",null,4,5");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "normalization-func", "none", "val-split", "0", "steps-per-epoch", "3", "batch-size", "200", "micro-batch-size", "1", "seq-max-len", "60", "seq-stride", "60");
    OK(trial_run(&p.r, &e));
    CHECK(has_line(&p.r.words, "micro_batches=") && count_of(&p.r.words, "finite at odd.jsonl: series 57, point ") == 3 && count_of(&p.r.words, "not applied") == 3);
    trial_close(&p.r);
}

TEST(train_ten_bad_steps_in_a_row_are_the_end)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    for (int i = 0; i < 20; i++) put_series(&s, 129, 1e30, "");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "normalization-func", "none", "steps-per-epoch", "40", "checkpoint-every", "0");
    CHECK(trial_run(&p.r, &e) && e.code == FTS_FORMAT && !strchr(e.message, '\n'));
    CHECK(strstr(e.message, "10 steps in a row had no finite loss, the last is step 10: ") && strstr(e.message, "no checkpoint was saved before"));
    CHECK(p.r.nstep == 10 && count_of(&p.r.words, "not applied") == 10);
    trial_close(&p.r);
}

/* A step of nothing but gaps has no loss either. */
TEST(train_steps_without_a_point_are_not_applied)
{
    Err e;
    Place p;
    Str s = {0};
    OK(place(&p, 0, 0, &e));
    for (int i = 0; i < 20; i++) str_addf(&s, "[1, null, 2, null, NaN, 3]\n");
    OK(write_series(&p, &s, &e));
    SET(&p.r, "steps-per-epoch", "40", "checkpoint-every", "4", "val-every", "1");
    CHECK(trial_run(&p.r, &e) && strstr(e.message, "10 steps in a row had no finite loss"));
    CHECK(has_line(&p.r.words, "step 1 was not applied: no window of its batch has 2 points in a row") && all_finite(&p.r));
    CHECK(count_of(&p.r.said, "loss=0 ") == 10 && strstr(e.message, "the last good checkpoint is ") && strstr(e.message, "/step_000008"));
    CHECK(same_checkpoints(saved(&p, 4), saved(&p, 8)) && finite_weights(below(saved(&p, 8), "model.safetensors")));
    trial_close(&p.r);
}

/* A decay of 100 at each step makes the weights of a few steps infinite. What was saved on the way can be continued: into the same end. */
TEST(train_a_run_that_explodes_keeps_its_last_good_weights)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "learning-rate", "10", "weight-decay", "10", "warmup-steps", "0", "max-grad-norm", "0", "steps-per-epoch", "200", "checkpoint-every", "3", "val-split", "0");
    CHECK(trial_run(&p.r, &e) && strstr(e.message, "10 steps in a row had no finite loss, the last is step "));
    int last = p.r.nstep, good = (last - 1) / 3 * 3;
    CHECK(last > 10 && strstr(e.message, "; the last good checkpoint is ") && strstr(e.message, saved(&p, good)));
    CHECK(finite_weights(below(saved(&p, good), "model.safetensors")) && finite_weights(below(saved(&p, good), "optimizer.safetensors")));
    SET(&p.r, "resume-checkpoint", "latest");
    CHECK(trial_run(&p.r, &e) && p.r.nstep == last - good && strstr(e.message, "10 steps in a row had no finite loss"));
    trial_close(&p.r);
}

TEST(train_ends_in_time_with_a_checkpoint)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "max-wall-time-s", "1", "steps-per-epoch", "1000000", "checkpoint-every", "1000000", "val-every", "1000000", "val-split", "0");
    double from = machine_seconds();
    OK(trial_run(&p.r, &e));
    CHECK(machine_seconds() - from < 3);
    CHECK(has_line(&p.r.said, " time\n") && p.r.nstep > 0 && count_of(&p.r.said, "saved step=") == 1 && path_exists(saved(&p, p.r.nstep)));
    int before = p.r.nstep;
    SET(&p.r, "resume-checkpoint", "latest", "max-wall-time-s", "100");
    p.r.stop_at = before + 2;
    OK(trial_run(&p.r, &e));
    CHECK(p.r.nstep == 2 && has_line(&p.r.said, "stopped\n") && path_exists(saved(&p, before + 2)));
    trial_close(&p.r);
}

TEST(train_perf_metrics_are_measured)
{
    Err e;
    Place p;
    OK(place(&p, 20, 200, &e));
    SET(&p.r, "log-perf-metrics", "1", "steps-per-epoch", "2", "checkpoint-every", "0");
    OK(trial_run(&p.r, &e));
    CHECK(has_line(&p.r.words, "mfu is against ") && has_line(&p.r.words, " tflops, measured with a product of 1024 x 1024 fp32 numbers"));
    trial_close(&p.r);
}

/* The small run made smaller. */
static int tiny(Place *p, Err *e)
{
    static const char *const less[] = {"hidden-size", "8", "n-decoder-layers", "1", "steps-per-epoch", "2", "checkpoint-every", "1", "batch-size", "4", "val-max-batches", "1",
                                       "keep-checkpoints", "1", "num-workers", "1", NULL};
    return place(p, 20, 200, e) || trial_set(&p->r, less, e) ? -1 : 0;
}

static int in_order(const Place *p)
{
    return !path_exists(below(p->out, ".saving")) && !path_exists(below(p->out, ".deleting")) && !path_exists(below(p->out, ".latest"))
        && path_exists(below(p->out, "latest/state.json")) == path_exists(below(p->out, "latest/config.json"));
}

/* Each write of a run fails once, those of the settings included. */
TEST(train_with_a_full_disk_ends_in_one_line)
{
    Err e;
    Place p;
    int bad = 1, n = 0;
    OK(tiny(&p, &e));
    while (bad && n < 100) {
        test_write_fail(++n);
        bad = trial_run(&p.r, &e);
        CHECK(!bad || (e.code == FTS_IO && strstr(e.message, "No space left on device") && !strchr(e.message, '\n')));
        CHECK(in_order(&p));
        if (bad) OK(dir_remove(p.out, &e));
    }
    CHECK(!bad && n > 20);
    trial_close(&p.r);
}

/* Each allocation of a run fails once, with all that follow: an end in one line, never another. fresh: each time in no folder yet. */
static void run_without_memory(Place *p, int fresh)
{
    Err e = {0};
    long n = 0, seen = 0;
    while (seen >= n && n < 3000) {
        test_alloc_fail(++n);
        int bad = trial_run(&p->r, &e);
        seen = test_alloc_fail(0);
        if (bad && (e.code != FTS_NOMEM || strchr(e.message, '\n') || !*e.message)) test_fail(__FILE__, __LINE__, "allocation %ld, code %d: %s", n, e.code, e.message);
        CHECK(in_order(p));
        if (fresh && seen >= n) OK(dir_remove(p->out, &e));
    }
    CHECK(n > 50 && seen < n && has_line(&p->r.said, "end step=2 done"));
}

TEST(train_without_memory_ends_in_one_line)
{
    Err e;
    Place p;
    OK(tiny(&p, &e));
    SET(&p.r, "ood-val-dataset-path", synth(below(p.dir, "ood"), 5, 100));
    run_without_memory(&p, 1);
    trial_close(&p.r);
}

TEST(train_resumed_without_memory_ends_in_one_line)
{
    Err e;
    Place p;
    OK(tiny(&p, &e));
    SET(&p.r, "keep-checkpoints", "0", "val-split", "0");
    OK(trial_run(&p.r, &e));
    SET(&p.r, "resume-checkpoint", saved(&p, 1));
    run_without_memory(&p, 0);
    trial_close(&p.r);
}
