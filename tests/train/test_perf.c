/* test_perf.c - the parts of a run on their own: rates, lines, facts, weight decay, weights in other types. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "model/safetensors.h"
#include "support.h"
#include "test.h"
#include "train/facts.h"
#include "train/lines.h"
#include "train/perf.h"
#include "util/file.h"
#include "util/machine.h"

/* The clock runs on while a test looks at it, and other programs may hold it up: rates may be too small by some, never too large. */
static int about(double got, double want) { return got <= want * 1.0000001 && got > want * 0.8; }
static int at_least(double got, double want) { return got >= want * 0.9999999 && got < want * 1.25; }

/* Two seconds for three steps, one of those seconds in a validation. */
static Perf fed(double peak_tflops)
{
    Perf p;
    perf_begin(&p, peak_tflops);
    perf_step(&p, 0.5, 0.1, 1000, 1100, 3e9);
    perf_step(&p, 0.2, 0.0, 500, 550, 1e9);
    perf_step(&p, 0.3, 0.2, 500, 550, 1e9);
    p.since = machine_seconds() - 2;
    p.paused = 1;
    return p;
}

TEST(train_perf_rates_leave_out_pauses)
{
    Perf p = fed(0.01);
    Event ev = {.step = 30, .steps = 130};
    perf_fill(&p, &ev);
    CHECK(about(ev.tokens_per_s, 2000) && about(ev.points_per_s, 2200) && about(ev.tflops, 0.005) && about(ev.mfu, 0.5));
    CHECK(at_least(ev.step_ms, 1000.0 / 3) && fabs(ev.data_ms - 100) < 1e-9 && fabs(ev.eta_s - 100 * 1.0 / 3) < 1e-9);
}

TEST(train_perf_copy_is_that_of_the_device)
{
    Err e;
    double rate = 0;
    Backend *b;
    if (test_device_open(&b, F32, 0, &e)) { test_skip(e.message); return; }
    OK(perf_measure_copy(&rate, b, &e));
    CHECK(rate > 0 && isfinite(rate));
    backend_close(b);
}

TEST(train_perf_without_a_peak_has_no_mfu)
{
    Perf p = fed(0);
    Event ev = {.step = 1, .steps = 1, .mfu = 7};
    perf_fill(&p, &ev);
    CHECK(ev.mfu == 0 && ev.eta_s == 0 && about(ev.tflops, 0.005));
}

TEST(train_perf_starts_anew_after_a_line)
{
    Perf p = fed(1);
    Event ev = {.step = 1, .steps = 11};
    p.longest_save = 2;
    perf_line(&p);
    perf_step(&p, 0.4, 0.0, 300, 400, 0);
    p.since = machine_seconds() - 1;
    perf_fill(&p, &ev);
    CHECK(about(ev.tokens_per_s, 300) && about(ev.points_per_s, 400) && ev.tflops == 0 && ev.data_ms == 0 && at_least(ev.step_ms, 1000));
    CHECK(fabs(ev.eta_s - 10 * 1.4 / 4) < 1e-9 && fabs(perf_next(&p) - 2.5) < 1e-9);
}

TEST(train_perf_of_nothing_is_finite)
{
    Perf p;
    Event ev = {.steps = 10};
    perf_begin(&p, 1);
    perf_fill(&p, &ev);
    CHECK(ev.tokens_per_s == 0 && ev.mfu == 0 && isfinite(ev.step_ms) && ev.data_ms == 0 && ev.eta_s == 0 && perf_next(&p) == 0);
    p.since = machine_seconds() + 5;                      /* more pause than time, or a clock that was not monotonic */
    perf_step(&p, 1, 0, 10, 10, 10);
    perf_fill(&p, &ev);
    CHECK(isfinite(ev.tokens_per_s) && ev.tokens_per_s > 0 && ev.step_ms >= 0);
}

TEST(train_perf_measures_a_product)
{
    Err e;
    double tflops = 0;
    int side;
    OK(perf_measure(&tflops, &side, "cpu", F32, 1, &e));
    CHECK(tflops > 1e-4 && tflops < 1000);
    CHECK(perf_measure(&tflops, &side, "abacus", F32, 1, &e) && tflops == 0 && strstr(e.message, "measuring the device: ") && strstr(e.message, "abacus"));
}

TEST(train_digits_in_groups_of_three)
{
    static const struct { int64_t x; const char *text; } of[] = {
        {0, "0"}, {7, "7"}, {-7, "-7"}, {999, "999"}, {1000, "1,000"}, {-1000, "-1,000"}, {-999, "-999"}, {12345, "12,345"}, {-123456, "-123,456"},
        {113352192, "113,352,192"}, {INT64_MAX, "9,223,372,036,854,775,807"}, {INT64_MIN, "-9,223,372,036,854,775,808"}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) TEXT(digits_of(of[i].x).text, of[i].text);
}

static void keep_line(void *user, const Event *ev) { str_addf(user, "%d %s\n", ev->kind == FTS_EVENT_ANSWER, ev->text); }

TEST(train_lines_of_published_sizes)
{
    static const char *const preset[] = {"base", "large", "ultra"}, *const want[] = {
        "1 params total=113.35M (113,352,192) active=49.65M (49,651,200)\n",
        "1 params total=453.20M (453,196,800) active=198.39M (198,392,832)\n",
        "1 params total=2416.55M (2,416,545,792) active=1057.59M (1,057,591,296)\n"};
    for (int i = 0; i < 3; i++) {
        Err e;
        Trial r;
        ModelConfig c;
        Str s = {0};
        OK(trial_open(&r, &e));
        SET(&r, "preset", preset[i]);
        OK(config_from_opts(&c, &r.model, &e));
        lines_params(&(Events){keep_line, &s}, &c);
        TEXT(s.p, want[i]);
        str_free(&s);
        trial_close(&r);
    }
}

/* Options, the data they name and the facts of both. */
typedef struct Known { Trial r; Dataset *d; Facts f; } Known;

static int know(Known *k, const char *data, const char *const *pairs, Err *e)
{
    *k = (Known){.d = NULL};
    if (trial_small(&k->r, data, "nowhere", e) || trial_set(&k->r, pairs, e) || dataset_open(&k->d, &k->r.data.dataset_path, NULL, &k->r.data, 2, NULL, e)) return -1;
    facts_make(&k->f, &k->r.train, &k->r.data, k->d);
    return 0;
}

static void forget(Known *k)
{
    dataset_close(k->d);
    trial_close(&k->r);
}

static int compare(const Facts *f, const char *text, Str *difference, Err *e)
{
    Json j;
    json_init(&j, text, strlen(text));
    str_free(difference);
    str_add(difference, "", 0);
    return facts_compare(f, &j, difference, e);
}

TEST(train_facts_read_back)
{
    Err e;
    Known a, b;
    Str text = {0}, d = {0};
    char data[300];
    snprintf(data, sizeof data, "%s", synth(test_folder(), 10, 100));
    OK(know(&a, data, (const char *const[]){NULL}, &e));
    facts_write(&a.f, &text);
    OK(compare(&a.f, text.p, &d, &e));
    CHECK(!d.n && a.f.n == 23);
    OK(know(&b, data, (const char *const[]){"threads", "7", "micro-batch-size", "9", "log-every", "1", "epochs", "3", "steps-per-epoch", "4", "checkpoint-every", "0", NULL}, &e));
    OK(compare(&b.f, text.p, &d, &e));
    CHECK(!d.n);
    forget(&b);
    OK(know(&b, data, (const char *const[]){"batch-size", "7", "normalization-func", "max", "drop-last", "0", "beta2", "0.999", NULL}, &e));
    OK(compare(&b.f, text.p, &d, &e));
    const char *want = "batch_size is 6 there, 7 here; beta2 is 0.95 there, 0.999 here; drop_last is 1 there, 0 here; "
                       "normalization_func is \"zero\" there, \"max\" here; fingerprint is \"";
    CHECK(!strncmp(d.p, want, strlen(want)));
    str_free(&text), str_free(&d), forget(&a), forget(&b);
}

TEST(train_facts_of_other_texts)
{
    Err e;
    Str text = {0}, d = {0};
    Facts f = {.n = 2, .fact = {{"seed", "42"}, {"missing", "\"split\""}}};
    facts_write(&f, &text);
    TEXT(text.p, "{\"seed\": 42, \"missing\": \"split\"}");
    OK(compare(&f, " { \"missing\" :\n\"split\", \"of a later version\": {\"x\": [1, {}]}, \"seed\":42\t}", &d, &e));
    CHECK(!d.n);
    OK(compare(&f, "{\"seed\": [42], \"missing\": null}", &d, &e));
    TEXT(d.p, "seed is [42] there, 42 here; missing is null there, \"split\" here");
    OK(compare(&f, "{\"seed\": 420, \"missing\": \"splitting a hair and then another one, and so on and on\"}", &d, &e));
    TEXT(d.p, "seed is 420 there, 42 here; missing is \"splitting a hair and then another one, and so o there, \"split\" here");
    CHECK(compare(&f, "{\"seed\": 42}", &d, &e) && strstr(e.message, "\"missing\" is missing"));
    CHECK(compare(&f, "{\"seed\": 42, \"missing\": \"split\"", &d, &e) && compare(&f, "[42]", &d, &e) && compare(&f, "", &d, &e) && compare(&f, "{\"seed\": }", &d, &e));
    str_free(&text), str_free(&d);
}

TEST(train_facts_count_steps_up_to_what_a_double_counts)
{
    TrainOpts t = {.epochs = 3, .steps_per_epoch = 7};
    CHECK(facts_steps(&t) == 21);
    t = (TrainOpts){.epochs = 1000000000, .steps_per_epoch = 1000000000000};
    CHECK(facts_steps(&t) == (int64_t)1 << 53);
}

/* Runs one step and leaves its weights open. */
static int one_step(St *s, const char *dir, const char *name, const char *const *pairs, Err *e)
{
    Trial r;
    char out[300];
    snprintf(out, sizeof out, "%s", below(dir, name));
    int bad = trial_small(&r, below(dir, "data"), out, e)
           || trial_set(&r, (const char *const[]){"steps-per-epoch", "1", "warmup-steps", "1", "learning-rate", "0.125", "num-expert-layers", "2", NULL}, e)
           || trial_set(&r, pairs, e) || trial_run(&r, e) || st_open(s, below(out, "step_000001/model.safetensors"), e);
    trial_close(&r);
    return bad ? -1 : 0;
}

/* p after a step with decay d is p after one without, less lr * d * p before: in matrices. Norms and biases are the same with and without. */
TEST(train_only_matrices_decay)
{
    Err e;
    St before, plain, decayed;
    const char *dir = test_folder();
    synth(dir, 20, 200);
    OK(one_step(&before, dir, "before", (const char *const[]){"learning-rate", "0", NULL}, &e));
    OK(one_step(&plain, dir, "plain", (const char *const[]){"weight-decay", "0", NULL}, &e));
    OK(one_step(&decayed, dir, "decayed", (const char *const[]){"weight-decay", "4", NULL}, &e));
    CHECK(before.n == plain.n && before.n == decayed.n);
    for (int i = 0, vectors = 0, matrices = 0; i <= before.n; i++) {
        if (i == before.n) { CHECK(vectors == 2 * (1 + 3 + 2) + 1 && matrices > 30); break; }
        const StTensor *x = &before.tensor[i], *y = &plain.tensor[i], *z = &decayed.tensor[i];
        size_t n = x->bytes / sizeof(float);
        vectors += x->rank == 1;
        matrices += x->rank == 2;
        CHECK(!strcmp(x->name, y->name) && !strcmp(x->name, z->name));
        CHECK(x->rank == 2 || !memcmp(y->data, z->data, x->bytes));
        for (size_t k = 0; k < n && x->rank == 2; k++) {
            float p[3];
            memcpy(&p[0], x->data + 4 * k, 4), memcpy(&p[1], y->data + 4 * k, 4), memcpy(&p[2], z->data + 4 * k, 4);
            CHECK(fabs((double)p[2] - ((double)p[1] - 0.5 * (double)p[0])) < 1e-6);
        }
    }
    st_close(&before), st_close(&plain), st_close(&decayed);
}

/* A step moves by the learning rate of that step: in the first, Adam goes by lr in each weight that has a gradient. */
TEST(train_the_first_step_moves_by_the_learning_rate)
{
    Err e;
    St before, after;
    const char *dir = test_folder();
    synth(dir, 20, 200);
    OK(one_step(&before, dir, "before", (const char *const[]){"learning-rate", "0", NULL}, &e));
    OK(one_step(&after, dir, "after", (const char *const[]){"weight-decay", "0", "warmup-steps", "8", "learning-rate", "0.5", NULL}, &e));
    const StTensor *x = st_find(&before, "lm_heads.0.out_layer.weight"), *y = st_find(&after, "lm_heads.0.out_layer.weight");
    CHECK(x && y && x->bytes == 16 * sizeof(float));
    for (size_t k = 0; k < 16; k++) {
        float p[2];
        memcpy(&p[0], x->data + 4 * k, 4), memcpy(&p[1], y->data + 4 * k, 4);
        CHECK(fabs(fabs((double)p[1] - (double)p[0]) - 0.0625) < 1e-4);
    }
    st_close(&before), st_close(&after);
}

/* The upper half of an fp32 number, which is a bf16 number near it. */
static int get_half(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e)
{
    (void)user, (void)e;
    for (size_t i = 0; i < n; i++) memcpy((char *)out + 2 * i, (const char *)t->from + 4 * (at + i) + 2, 2);
    return 0;
}

/* A copy of a checkpoint's model with its weights in bf16. */
static int write_halves(const St *s, const char *path, Err *e)
{
    StOut *out = calloc((size_t)s->n, sizeof *out);
    for (int i = 0; out && i < s->n; i++) {
        const StTensor *t = &s->tensor[i];
        out[i] = (StOut){.name = t->name, .dtype = "BF16", .rank = t->rank, .shape = {t->shape[0], t->rank > 1 ? t->shape[1] : 1}, .elements = t->bytes / 4, .element_size = 2, .from = t->data};
    }
    int bad = !out || st_write(path, out, s->n, NULL, get_half, NULL, e) ? -1 : 0;
    free(out);
    return bad;
}

/* Larger than what is read at once, so that the pieces must fit together. */
#define WIDE "learning-rate", "0", "weight-decay", "0", "n-decoder-layers", "1", "hidden-size", "64", "d-ff", "1100", "d-expert", "8"

TEST(train_weights_of_half_the_size_are_read)
{
    Err e;
    St full, half;
    const char *dir = test_folder();
    char config[300], to[300];
    synth(dir, 20, 200);
    OK(one_step(&full, dir, "full", (const char *const[]){WIDE, NULL}, &e));
    OK(dir_make(below(dir, "half"), &e));
    OK(write_halves(&full, below(dir, "half/model.safetensors"), &e));
    snprintf(config, sizeof config, "%s", below(dir, "full/step_000001/config.json"));
    snprintf(to, sizeof to, "%s", below(dir, "half/config.json"));
    CHECK(!link(config, to));
    OK(one_step(&half, dir, "again", (const char *const[]){WIDE, "init-from", below(dir, "half"), NULL}, &e));
    CHECK(full.n == half.n);
    for (int i = 0; i < full.n; i++) {
        const StTensor *x = &full.tensor[i], *y = &half.tensor[i];
        CHECK(!strcmp(x->name, y->name) && x->bytes == y->bytes && !strcmp(y->dtype, "F32"));
        for (size_t k = 0; k < x->bytes; k += 4) CHECK(!memcmp(x->data + k + 2, y->data + k + 2, 2) && !y->data[k] && !y->data[k + 1]);
    }
    st_close(&full), st_close(&half);
}
