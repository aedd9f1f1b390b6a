/* test_probe.c - models side by side: the same numbers each time, nothing written, an answer that reads back, and an end when asked for. */
#include "probe/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../train/support.h"
#include "test.h"
#include "util/file.h"
#include "util/json.h"

typedef struct Bench { Trial t; ProbeOpts o; OptSet set; ProbeSpec spec; atomic_int stop; int64_t stop_at; int nstep; Str words; Probe p; } Bench;

static void hear(void *user, const Event *ev)
{
    Bench *k = user;
    if (ev->kind == FTS_EVENT_NOTICE) str_addf(&k->words, "%s\n", ev->text);
    if (ev->kind != FTS_EVENT_STEP || strcmp(ev->name, "probe")) return;
    if (ev->step > ev->steps || ev->eta_s < 0) test_fail(__FILE__, __LINE__, "step %lld of %lld", (long long)ev->step, (long long)ev->steps);
    if (++k->nstep == k->stop_at) atomic_store(&k->stop, 1);
}

static int set(Bench *k, const char *option, const char *value, Err *e) { return opt_set(&k->set, 1, option, value, e); }

/* Windows of 65 points from series of 150; patches of 4 and 8 beside points. */
static int bench_open(Bench *k, const char *dir, Err *e)
{
    memset(k, 0, sizeof *k);
    k->set = (OptSet){probe_opts, nprobe_opts, &k->o};
    k->spec = (ProbeSpec){.probe = &k->o, .train = &k->t.train, .data = &k->t.data, .model = &k->t.model, .device = &k->t.device, .events = {hear, k}, .stop = &k->stop};
    if (trial_small(&k->t, synth(dir, 40, 150), below(dir, "checkpoints"), e) || trial_set(&k->t, (const char *const[]){"memory-limit", "80M", "val-split", "0.3", NULL}, e)) return -1;
    return opt_defaults(&k->set, 1, e) || set(k, "hidden-size", "16", e) || set(k, "patch-len", "4,8", e) || set(k, "measure-steps", "2", e) || set(k, "train-points", "6000", e) ? -1 : 0;
}

static void bench_close(Bench *k)
{
    trial_close(&k->t);
    opt_free(&k->set, 1);
    str_free(&k->words);
}

static void check_candidate(const Probe *p, const Candidate *c)
{
    const Largest *l = &c->largest;
    CHECK(l->windows > 1 && l->planned <= p->limit && l->more >= l->windows + (l->windows + 9) / 10 && l->more_micro_batches == 2);
    CHECK(l->ran.windows > 0 && l->ran.windows <= c->runnable && c->runnable <= l->windows && l->ran.micro_batches == 1 && l->ran.steps == 2 && l->ran.planned <= p->usable);
    CHECK(l->ran.peak > 0 && l->ran.step_s > 0 && l->ran.tokens_per_s > 0);
    CHECK(c->nspeed == c->nsize && c->nspeed > 2 && c->size[0] == 1 && c->size[1] == 4);
    for (int i = 0; i < c->nspeed; i++) CHECK(c->speed[i].windows == c->size[i] && c->speed[i].steps == 2 && c->speed[i].points_per_s > 0 && c->speed[i].planned <= p->usable);
    CHECK(c->nmark == MARKS + 1 && c->mark[0].step == 0 && c->mark[0].seconds == 0 && c->mark[MARKS].step == p->steps && c->mark[MARKS].points == p->points);
    for (int i = 0; i <= MARKS; i++) CHECK(c->mark[i].val.pred > 0 && c->mark[i].val.targets == p->naive.targets && c->mark[i].points == p->candidate[0].mark[i].points);
}

static int same_losses(const Probe *a, const Probe *b)
{
    int same = a->n == b->n && a->steps == b->steps && !memcmp(&a->naive, &b->naive, sizeof a->naive);
    for (int i = 0; same && i < a->n; i++)
        for (int k = 0; same && k <= MARKS; k++) same = !memcmp(&a->candidate[i].mark[k].val, &b->candidate[i].mark[k].val, sizeof(Score));
    return same;
}

TEST(probe_of_three_models)
{
    Err e;
    Bench a, b;
    const char *dir = test_folder();
    OK(bench_open(&a, dir, &e));
    OK(probe_run(&a.p, &a.spec, &e));
    CHECK(a.p.n == 3 && !a.p.stopped && a.p.points >= 6000 && a.p.points < 6000 + 16 * 65 && a.p.naive.targets > 0 && a.p.origins.first == 7 && a.p.origins.every == 8);
    TEXT(a.p.candidate[0].name, "point 16");
    TEXT(a.p.candidate[2].name, "patch 8 16");
    for (int i = 0; i < 3; i++) check_candidate(&a.p, &a.p.candidate[i]);
    CHECK(a.p.candidate[0].largest.windows < a.p.candidate[1].largest.windows && a.p.candidate[1].largest.windows < a.p.candidate[2].largest.windows);
    CHECK(a.p.candidate[0].mark[MARKS].val.pred != a.p.candidate[1].mark[MARKS].val.pred && a.p.candidate[0].mark[MARKS].val.pred < a.p.candidate[0].mark[0].val.pred);
    CHECK(!path_exists(below(dir, "checkpoints")) && a.nstep > 20);
    OK(bench_open(&b, test_folder(), &e));
    OK(trial_set(&b.t, (const char *const[]){"threads", "2", "memory-limit", "90M", NULL}, &e));
    OK(set(&b, "batch-sizes", "2,5", &e) || set(&b, "no-confirm", NULL, &e));
    OK(probe_run(&b.p, &b.spec, &e));
    CHECK(same_losses(&a.p, &b.p) && b.p.candidate[0].nspeed == 2 && b.p.candidate[0].speed[1].windows == 5 && !b.p.candidate[0].largest.ran.windows);
    bench_close(&a);
    bench_close(&b);
}

/* Finds a number at the top of an object, or of what lies at `key` in it. */
static int number_at(const char *text, size_t n, const char *const *path, double *x)
{
    Json j;
    Err e;
    char key[64];
    int more = 0;
    json_init(&j, text, n);
    for (; *path; path++) {
        if (json_open(&j, **path == '[' ? '[' : '{', &e)) return -1;
        if (**path == '[') {                    /* "[2": the third */
            for (int i = atoi(*path + 1); (more = json_more(&j, &e)) > 0 && i > 0; i--)
                if (json_skip(&j, &e)) return -1;
        } else while ((more = json_more(&j, &e)) > 0 && !json_key(&j, key, sizeof key, &e) && strcmp(key, *path))
            if (json_skip(&j, &e)) return -1;
        if (more <= 0) return -1;
    }
    return json_number(&j, x, &e);
}

#define IS(value, ...) do { double x_ = NAN; CHECK(!number_at(s.p, s.n, (const char *const[]){__VA_ARGS__, NULL}, &x_) && x_ == (double)(value)); } while (0)

TEST(probe_json_reads_back)
{
    Err e;
    Bench k;
    Json j;
    Str s = {0};
    OK(bench_open(&k, test_folder(), &e));
    OK(set(&k, "patch-len", "4", &e));
    OK(probe_run(&k.p, &k.spec, &e));
    probe_json(&s, &k.p);
    OK(str_ok(&s, &e));
    json_init(&j, s.p, s.n);
    OK(json_skip(&j, &e) || json_end(&j, &e));
    const Candidate *c = &k.p.candidate[1];
    IS(k.p.limit, "memory_limit");
    IS(k.p.points, "train_points");
    IS(3, "origins", "first");
    IS(4, "origins", "every");
    IS(k.p.naive.mae, "repeat_last", "mae");
    IS(4, "models", "[1", "patch_len");
    IS(config_params(&c->c), "models", "[1", "parameters");
    IS(c->largest.windows, "models", "[1", "largest_batch", "windows");
    IS(2, "models", "[1", "largest_batch", "larger", "micro_batches");
    IS(c->largest.ran.peak, "models", "[1", "largest_batch", "ran", "peak_bytes");
    IS(c->speed[1].points_per_s, "models", "[1", "speed", "[1", "points_per_s");
    IS(c->mark[MARKS].val.pred, "models", "[1", "learning", "[4", "val", "loss");
    IS(c->mark[MARKS].val.targets, "models", "[0", "learning", "[0", "val", "predictions");
    CHECK(strstr(s.p, "\"verdict\": \"Within 83 MB the largest batch in one micro-batch is "));
    str_free(&s);
    bench_close(&k);
}

/* A probe that found what is written here; only the words are under test. */
static Probe *found(void)
{
    Probe *p = calloc(1, sizeof *p);
    Candidate a = {.name = "point 8", .largest = {.windows = 1}, .nspeed = 2, .speed = {{.points_per_s = 90}, {.points_per_s = 100}}, .nmark = 3,
                   .mark = {{.val.pred = 1}, {.step = 5, .seconds = 50, .val.pred = 0.6}, {.step = 10, .seconds = 100, .val.pred = 0.2}}};
    Candidate b = {.name = "patch 4 8", .largest = {.windows = 12000}, .nspeed = 1, .speed = {{.points_per_s = 1250}}, .nmark = 2,
                   .mark = {{.val.pred = 0.9}, {.step = 10, .seconds = 10, .val.pred = 0.4}}};
    if (!p) return NULL;
    p->limit = 2000000000;
    p->n = 2;
    p->candidate[0] = a;
    p->candidate[1] = b;
    p->steps = 10;
    p->points = 1000000;
    return p;
}

static void says(const Probe *p, const char *want)
{
    Str s = {0};
    probe_verdict(&s, p);
    TEXT(s.p, want);
    str_free(&s);
}

#define FIRST "Within 2,000 MB the largest batch in one micro-batch is 1 window with point 8 and 12,000 windows with patch 4 8; patch 4 8 takes 1,250 points a second, 12 times as many as point 8."
TEST(probe_verdict_is_what_the_numbers_say)
{
    Probe *p = found();
    CHECK(p && loss_at(&p->candidate[0], 0) == 1 && fabs(loss_at(&p->candidate[0], 75) - 0.4) < 1e-12 && loss_at(&p->candidate[0], 1e9) == 0.2);
    says(p, FIRST " After 1,000,000 points point 8 has the lowest validation loss, 0.2000 against 0.4000 of patch 4 8, so it learns more per point; "
         "after 10 s, the time that patch 4 8 took, patch 4 8 is at 0.4000 and point 8 at 0.9200, so patch 4 8 learns more per second.");
    p->candidate[0].mark[2].val.pred = 0.401;
    says(p, FIRST " After 1,000,000 points patch 4 8 and point 8 are even at validation losses of 0.4000 and 0.4010; "
         "after 10 s, the time that patch 4 8 took, patch 4 8 is at 0.4000 and point 8 at 0.9200, so patch 4 8 learns more per second.");
    p->candidate[0].nmark = 2;                          /* it was stopped on the way */
    says(p, FIRST);
    p->candidate[0].nspeed = p->candidate[1].nspeed = 0;
    says(p, "Within 2,000 MB the largest batch in one micro-batch is 1 window with point 8 and 12,000 windows with patch 4 8.");
    free(p);
}

TEST(probe_stops_with_what_is_known)
{
    Err e;
    for (int at = 1; at <= 37; at += 12) {
        Bench k;
        Str s = {0};
        OK(bench_open(&k, test_folder(), &e));
        k.stop_at = at;
        OK(probe_run(&k.p, &k.spec, &e));
        CHECK(k.p.stopped && k.nstep == at && k.p.n == 3 && k.p.candidate[2].largest.windows > 0 && k.p.candidate[2].nmark <= MARKS);
        probe_text(&s, &k.p);
        probe_json(&s, &k.p);
        OK(str_ok(&s, &e));
        CHECK(strstr(s.p, "patch 8 16") && strstr(s.p, "\"stopped\": true"));
        str_free(&s);
        bench_close(&k);
    }
}

TEST(probe_ends_in_time)
{
    Err e;
    Bench k;
    OK(bench_open(&k, test_folder(), &e));
    OK(trial_set(&k.t, (const char *const[]){"max-wall-time-s", "1", NULL}, &e));
    OK(set(&k, "train-points", "1000000000", &e));
    OK(probe_run(&k.p, &k.spec, &e));
    CHECK(k.p.stopped && k.p.candidate[2].largest.windows > 0);
    bench_close(&k);
}

TEST(probe_of_what_does_not_fit)
{
    Err e;
    Bench k;
    OK(bench_open(&k, test_folder(), &e));
    OK(set(&k, "hidden-size", "16,2048", &e) || set(&k, "no-patch", NULL, &e) || trial_set(&k.t, (const char *const[]){"memory-limit", "70M", NULL}, &e));
    OK(probe_run(&k.p, &k.spec, &e));
    CHECK(k.p.n == 2 && k.p.candidate[0].nmark == MARKS + 1 && !k.p.candidate[1].largest.windows && !k.p.candidate[1].nspeed && !k.p.candidate[1].nmark);
    CHECK(strstr(k.words.p, "point 2048 does not fit: one window needs "));
    bench_close(&k);
}

TEST(probe_with_an_out_of_distribution_set)
{
    Err e;
    Bench k;
    Str s = {0};
    OK(bench_open(&k, test_folder(), &e));
    const char *other = synth(test_folder(), 5, 150);
    OK(trial_set(&k.t, (const char *const[]){"ood-val-dataset-path", other, NULL}, &e));
    OK(set(&k, "train-points", "1", &e));
    OK(probe_run(&k.p, &k.spec, &e));
    CHECK(k.p.has_ood && k.p.steps == 1 && k.p.candidate[0].nmark == 2 && k.p.candidate[0].mark[1].ood.targets == k.p.naive_ood.targets && k.p.naive_ood.targets > 0);
    probe_text(&s, &k.p);
    CHECK(strstr(s.p, "ood loss") && strstr(s.p, "ood mae"));
    str_free(&s);
    bench_close(&k);
}

static void refuses(const char *option, const char *value, const char *want)
{
    Err e = {0};
    Bench k;
    OK(bench_open(&k, test_folder(), &e));
    if (set(&k, option, value, &e)) OK(trial_set(&k.t, (const char *const[]){option, value, NULL}, &e));
    CHECK(probe_run(&k.p, &k.spec, &e) == -1);
    if (!strstr(e.message, want)) test_fail(__FILE__, __LINE__, "--%s %s: got '%s'", option, value, e.message);
    bench_close(&k);
}

TEST(probe_refuses)
{
    refuses("hidden-size", "16,x", "--hidden-size: 'x' is not a whole number");
    refuses("hidden-size", "16,", "--hidden-size: '' is not a whole number");
    refuses("hidden-size", "17", "hidden size 17 is not divisible by 2 heads");
    refuses("hidden-size", "16,32,16", "point 16 and point 16 are one model: leave one of them out");
    refuses("hidden-size", "4,8,12,16,20,24", "more than 16 models: shorten --hidden-size, --patch-len or --preset");
    refuses("patch-len", "0", "--patch-len: 0 is outside 1..65536");
    refuses("preset", "base,huge", "--preset: 'huge' is none of none, base, large, ultra");
    refuses("batch-sizes", "4,x", "--batch-sizes: 'x' is no number of windows");
    refuses("batch-sizes", "4,4", "--batch-sizes: up to 16 of them, ascending");
    refuses("patch-stride", "3", "nothing could be compared");
    refuses("patch-len", "200", "a window needs 201 points");
    refuses("val-split", "0", "--train-points needs windows to validate with: --val-split is 0");
    refuses("init-from", "x", "--init-from: probe compares models that begin with random weights");
    refuses("resume-checkpoint", "latest", "--resume-checkpoint: probe compares models");
}

/* A failed allocation ends the probe, or the part of it that needed it, and nothing is lost. */
TEST(probe_survives_failed_allocations)
{
    Err e;
    Bench k;
    OK(bench_open(&k, test_folder(), &e));
    OK(set(&k, "patch-len", "4", &e));
    test_alloc_fail(0);
    for (long n = 1; n < 100000; n = 2 * n + 1) {
        e = (Err){0};
        test_alloc_fail(n);
        int bad = probe_run(&k.p, &k.spec, &e);
        test_alloc_fail(0);
        if (bad && e.code != FTS_NOMEM) test_fail(__FILE__, __LINE__, "allocation %ld: %s", n, e.message);
        if (!bad && k.p.candidate[1].nmark == MARKS + 1) break;
    }
    CHECK(k.p.candidate[1].nmark == MARKS + 1);
    bench_close(&k);
}
