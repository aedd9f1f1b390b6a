/* test_checkpoint.c - a checkpoint is whole or not there: saving, thinning out, continuing, refusing; full disks and no memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/safetensors.h"
#include "support.h"
#include "test.h"
#include "train/run.h"
#include "util/file.h"

#define WITH(...) (const char *const[]){__VA_ARGS__, NULL}

typedef struct Place { char dir[256], data[300], out[300]; } Place;

static void place(Place *p)
{
    snprintf(p->dir, sizeof p->dir, "%s", test_folder());
    snprintf(p->data, sizeof p->data, "%s", synth(p->dir, 20, 200));
    snprintf(p->out, sizeof p->out, "%s/run", p->dir);
}

/* Runs in p->out with `pairs` set; r, if not NULL, is left open. */
static int run_in(const Place *p, const char *const *pairs, Trial *r, Err *e)
{
    Trial own;
    Trial *t = r ? r : &own;
    int bad = trial_small(t, p->data, p->out, e) || trial_set(t, WITH("val-max-batches", "1", "hidden-size", "8", "n-decoder-layers", "1"), e)
           || trial_set(t, pairs, e) || trial_run(t, e) ? -1 : 0;
    if (!r) trial_close(t);
    return bad;
}

static const char *step(const Place *p, int n)
{
    char name[64];
    snprintf(name, sizeof name, "run/step_%06d", n);
    return below(p->dir, name);
}

/* What `latest` names. */
static const char *latest(const char *out)
{
    static char to[256];
    ssize_t n = readlink(below(out, "latest"), to, sizeof to - 1);
    to[n < 0 ? 0 : n] = 0;
    return to;
}

/* The visible names in a folder, with blanks between them. */
static const char *names_in(const char *dir)
{
    static char text[2048];
    Err e;
    Names l;
    size_t n = 0;
    text[0] = 0;
    if (dir_list(&l, dir, &e)) return "no folder";
    for (int i = 0; i < l.n && n < sizeof text; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", l.name[i]);
    names_free(&l);
    return text;
}

static int hidden_in(const char *dir) { return path_exists(below(dir, ".saving")) + path_exists(below(dir, ".deleting")) + path_exists(below(dir, ".latest")); }

/* All bytes of a file, and how to put others in its place. */
static Str content(const char *path)
{
    Err e;
    Map m;
    Str s = {0};
    if (map_open(&m, path, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    else str_add(&s, m.p ? (const void *)m.p : "", m.n);
    map_close(&m);
    return s;
}

static void replace(const char *path, const void *p, size_t n)
{
    Err e;
    if (file_write(path, p, n, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
}

static int copy(const char *from, const char *to)
{
    Err e;
    Str s = content(from);
    int bad = dir_make(to, &e);
    replace(below(to, strrchr(from, '/') + 1), s.p, s.n);
    str_free(&s);
    return bad;
}

static const char *const files[] = {"config.json", "model.safetensors", "optimizer.safetensors", "state.json"};

static void copy_checkpoint(const char *from, const char *to)
{
    for (int i = 0; i < 4; i++) copy(below(from, files[i]), to);
}

static int same_state_too(const char *a, const char *b) { return same_checkpoints(a, b) && same_file(below(a, "state.json"), below(b, "state.json")); }

TEST(train_checkpoint_names_and_link)
{
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("keep-checkpoints", "0"), NULL, &e));
    TEXT(names_in(p.out), "latest settings.json step_000004 step_000008 step_000012");
    TEXT(names_in(step(&p, 8)), "config.json model.safetensors optimizer.safetensors state.json");
    TEXT(latest(p.out), "step_000012");
    CHECK(!hidden_in(p.out));
}

TEST(train_checkpoint_keeps_the_newest)
{
    static const char *const keep[] = {"1", "2", "3", "99"}, *const want[] = {
        "latest settings.json step_000012", "latest settings.json step_000010 step_000012", "latest settings.json step_000008 step_000010 step_000012",
        "latest settings.json step_000002 step_000004 step_000006 step_000008 step_000010 step_000012"};
    for (int i = 0; i < 4; i++) {
        Err e;
        Place p;
        place(&p);
        OK(run_in(&p, WITH("keep-checkpoints", keep[i], "checkpoint-every", "2"), NULL, &e));
        TEXT(names_in(p.out), want[i]);
        CHECK(!hidden_in(p.out));
    }
}

TEST(train_checkpoint_every_0_saves_nothing)
{
    Err e;
    Place p;
    Trial r;
    place(&p);
    OK(run_in(&p, WITH("checkpoint-every", "0"), NULL, &e));
    TEXT(names_in(p.out), "settings.json");
    OK(trial_small(&r, p.data, p.out, &e));
    SET(&r, "checkpoint-every", "0");
    r.stop_at = 5;
    OK(trial_run(&r, &e));
    CHECK(has_line(&r.said, "end step=5 stopped") && !has_line(&r.said, "saved"));
    TEXT(names_in(p.out), "settings.json");
    trial_close(&r);
}

/* A new run does not take the folder of an old one: its checkpoints, settings and log would be lost. */
TEST(train_checkpoint_of_a_new_run_in_an_old_folder)
{
    Err e;
    Place p;
    Trial r;
    place(&p);
    OK(run_in(&p, WITH("keep-checkpoints", "0"), NULL, &e));
    copy_checkpoint(step(&p, 8), below(p.dir, "old8"));
    Str before = content(below(p.out, "settings.json")), after;
    OK(trial_small(&r, p.data, p.out, &e));
    SET(&r, "seed", "7");
    CHECK(trial_run(&r, &e) && e.code == FTS_USAGE);
    CHECK(strstr(e.message, "holds checkpoints of an earlier run: choose another folder, or continue that run with --resume-checkpoint latest"));
    TEXT(names_in(p.out), "latest settings.json step_000004 step_000008 step_000012");
    CHECK(same_state_too(step(&p, 8), below(p.dir, "old8")) && !hidden_in(p.out));
    after = content(below(p.out, "settings.json"));
    TEXT(after.p, before.p);
    str_free(&before);
    str_free(&after);
    trial_close(&r);
}

/* None of it gets into a checkpoint. */
TEST(train_checkpoint_clears_what_a_killed_run_left)
{
    Err e;
    Place p;
    place(&p);
    OK(dir_make(below(p.out, ".saving/deep/er"), &e));
    replace(below(p.out, ".saving/model.safetensors.index.json"), "half", 4);
    CHECK(!symlink("step_000077", below(p.out, ".latest")));
    OK(run_in(&p, WITH("keep-checkpoints", "0"), NULL, &e));
    TEXT(names_in(step(&p, 4)), "config.json model.safetensors optimizer.safetensors state.json");
    TEXT(latest(p.out), "step_000012");
    CHECK(!hidden_in(p.out));
}

/* Whether or not this run has something to delete itself. */
TEST(train_checkpoint_clears_what_is_half_deleted)
{
    static const char *const keep[] = {"1", "0"};
    for (int i = 0; i < 2; i++) {
        Err e;
        Place p;
        place(&p);
        OK(dir_make(below(p.out, ".deleting/step"), &e));
        replace(below(p.out, ".deleting/state.json"), "half", 4);
        OK(run_in(&p, WITH("keep-checkpoints", keep[i]), NULL, &e));
        CHECK(!hidden_in(p.out));
    }
}

TEST(train_resumes_latest_or_a_folder)
{
    static const char *const by_slash[] = {"", "/", "//"};
    Err e;
    Place p;
    Trial r;
    char want[500];
    place(&p);
    OK(run_in(&p, WITH("keep-checkpoints", "0"), NULL, &e));
    copy_checkpoint(step(&p, 12), below(p.dir, "whole"));
    for (int i = 0; i < 3; i++) {
        char from[400];
        snprintf(from, sizeof from, "%s%s", step(&p, 8), by_slash[i]);
        OK(run_in(&p, WITH("resume-checkpoint", from), &r, &e));
        snprintf(want, sizeof want, "continuing %s after step 8\n", from);
        CHECK(has_line(&r.words, want) && !strncmp(r.said.p, "start step=8 of 12\nstep=9 ", 26) && !has_line(&r.words, "earlier run"));
        CHECK(same_checkpoints(step(&p, 12), below(p.dir, "whole")));
        trial_close(&r);
    }
    OK(run_in(&p, WITH("resume-checkpoint", "latest"), &r, &e));
    TEXT(r.said.p, "start step=12 of 12\nend step=12 done\n");
    CHECK(has_line(&r.words, "nothing is left to do: all 12 steps are done") && has_line(&r.words, "/run/step_000012 after step 12\n"));
    trial_close(&r);
}

/* Stopped before a first step there is nothing to save, and where one was just saved nothing to save again. */
TEST(train_checkpoint_is_not_saved_twice)
{
    Err e;
    Place p;
    Trial r;
    place(&p);
    OK(trial_small(&r, p.data, p.out, &e));
    r.stop_at = 8;
    OK(trial_run(&r, &e));
    CHECK(has_line(&r.said, "saved step=8\nend step=8 stopped\n") && strstr(r.said.p, "saved step=8") == strstr(r.said.p, "saved step=8\nend"));
    trial_close(&r);
}

/* Every setting that decides a result, by its name in the message; nothing of the refused run is written. */
TEST(train_resume_refuses_other_settings)
{
    static const char *const other[][3] = {
        {"seed", "43", "seed is 42 there, 43 here"}, {"batch-size", "5", "batch_size is 6 there, 5 here"}, {"grad-accum-steps", "2", "grad_accum_steps is 1 there, 2 here"},
        {"learning-rate", "5.1e-3", "learning_rate is 0.005 there, 0.0051 here"}, {"min-learning-rate", "1e-5", "min_learning_rate is 0 there, 1e-05 here"},
        {"weight-decay", "0", "weight_decay is 0.1 there, 0 here"}, {"beta1", "0.8", "beta1 is 0.9 there, 0.8 here"}, {"beta2", "0.9", "beta2 is 0.95 there, 0.9 here"},
        {"aux-loss-weight", "0", "aux_loss_weight is 0.02 there, 0 here"}, {"max-grad-norm", "0", "max_grad_norm is 1 there, 0 here"},
        {"warmup-steps", "5", "warmup_steps is 4 there, 5 here"}, {"drop-last", "0", "drop_last is 1 there, 0 here"}, {"val-split", "0", "val_split is 0.2 there, 0 here"},
        {"seq-max-len", "63", "seq_max_len is 64 there, 63 here"}, {"seq-stride", "32", "seq_stride is 64 there, 32 here"}, {"epochs", "2", "steps is 12 there, 24 here"},
        {"normalization-func", "max", "normalization_func is \"zero\" there, \"max\" here"}, {"missing", "zero", "missing is \"split\" there, \"zero\" here"}};
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "12"), NULL, &e));
    Str before = content(below(p.out, "settings.json")), after;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        CHECK(run_in(&p, WITH("resume-checkpoint", "latest", other[i][0], other[i][1]), NULL, &e) && e.code == FTS_USAGE && !strchr(e.message, '\n'));
        if (!strstr(e.message, other[i][2])) test_fail(__FILE__, __LINE__, "'%s' lacks '%s'", e.message, other[i][2]);
        CHECK(strstr(e.message, "--resume-checkpoint: ") && strstr(e.message, "cannot be continued with other data or settings: "));
    }
    after = content(below(p.out, "settings.json"));
    TEXT(after.p, before.p);
    str_free(&before), str_free(&after);
}

TEST(train_resume_refuses_other_data)
{
    Err e;
    Place p, q;
    place(&p);
    place(&q);
    memcpy(q.out, p.out, sizeof q.out);
    OK(run_in(&p, WITH("steps-per-epoch", "4"), NULL, &e));
    OK(run_in(&q, WITH("steps-per-epoch", "4", "resume-checkpoint", "latest"), NULL, &e));           /* a copy elsewhere is the same data */
    const char *more = synth(below(p.dir, "more"), 20, 201);
    CHECK(run_in(&p, WITH("steps-per-epoch", "4", "resume-checkpoint", "latest", "dataset-path", more), NULL, &e));
    CHECK(strstr(e.message, "sources is 1 there, 2 here; series is 20 there, 40 here; points is 4000 there, 8020 here; windows is 60 there, 120 here; fingerprint is "));
    Str s = content(below(p.data, "data-1-of-1.bin"));
    CHECK(s.n > 100);
    s.p[s.n / 2] ^= 1;
    replace(below(p.data, "data-1-of-1.bin"), s.p, s.n);
    CHECK(run_in(&p, WITH("steps-per-epoch", "4", "resume-checkpoint", "latest"), NULL, &e) && strstr(e.message, "settings: fingerprint is \""));
    str_free(&s);
}

TEST(train_resume_refuses_other_models)
{
    static const char *const other[][3] = {{"hidden-size", "16", "hidden_size 8 against 16"}, {"n-decoder-layers", "2", "against 2"}, {"num-experts", "4", "num_experts 3 against 4"},
                                           {"k", "1", "against 1"}, {"n-head", "1", "against 1"}, {"d-ff", "24", "against 24"}, {"d-expert", "20", "against 20"},
                                           {"num-expert-layers", "2", "num_expert_layers 1 against 2"}};
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "1"), NULL, &e));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        CHECK(run_in(&p, WITH("steps-per-epoch", "1", "resume-checkpoint", "latest", other[i][0], other[i][1]), NULL, &e));
        if (!strstr(e.message, other[i][2]) || !strstr(e.message, " is another model: ")) test_fail(__FILE__, __LINE__, "%s %s: '%s'", other[i][0], other[i][1], e.message);
        CHECK(run_in(&p, WITH("steps-per-epoch", "1", "checkpoint-dir", below(p.dir, "tuned"), "init-from", step(&p, 1), other[i][0], other[i][1]), NULL, &e));
        if (!strstr(e.message, other[i][2]) || !strstr(e.message, "--init-from: ")) test_fail(__FILE__, __LINE__, "%s %s: '%s'", other[i][0], other[i][1], e.message);
    }
    CHECK(run_in(&p, WITH("steps-per-epoch", "1", "resume-checkpoint", "latest", "patch", "1", "patch-len", "4", "patch-stride", "4"), NULL, &e) && strstr(e.message, "patch_len 1 against 4"));
}

TEST(train_resume_refuses_what_is_no_checkpoint)
{
    Err e;
    Place p;
    place(&p);
    CHECK(run_in(&p, WITH("resume-checkpoint", "latest"), NULL, &e) && strstr(e.message, "/latest: there is no checkpoint to continue from: is --checkpoint-dir right?"));
    CHECK(run_in(&p, WITH("resume-checkpoint", "/nowhere/step_1"), NULL, &e) && strstr(e.message, "/nowhere/step_1"));
    OK(run_in(&p, WITH("keep-checkpoints", "0"), NULL, &e));
    CHECK(run_in(&p, WITH("resume-checkpoint", "latest", "init-from", step(&p, 4)), NULL, &e) && e.code == FTS_USAGE && strstr(e.message, "--resume-checkpoint and --init-from"));
    CHECK(!unlink(below(step(&p, 12), "state.json")));
    CHECK(run_in(&p, WITH("resume-checkpoint", "latest"), NULL, &e) && strstr(e.message, "/run/step_000012: holds no state.json, so no run can continue from it"));
    OK(dir_remove(step(&p, 12), &e));
    CHECK(run_in(&p, WITH("resume-checkpoint", "latest"), NULL, &e) && strstr(e.message, "/run/step_000012"));
    CHECK(run_in(&p, WITH("resume-checkpoint", below(step(&p, 8), "model.safetensors")), NULL, &e) && strstr(e.message, "model.safetensors"));
}

/* One file of a good checkpoint is replaced, and the run that wants to continue it is refused with one line that names it. */
static void refuse(const Place *p, const char *file, const char *bytes, size_t n, const char *says)
{
    Err e;
    char path[400];
    snprintf(path, sizeof path, "%s", below(step(p, 1), file));
    Str good = content(path);
    replace(path, bytes, n);
    if (!run_in(p, WITH("steps-per-epoch", "2", "resume-checkpoint", step(p, 1)), NULL, &e)) test_fail(__FILE__, __LINE__, "%s of %zu bytes was taken, not '%s'", file, n, says);
    else if (!strstr(e.message, says) || !strstr(e.message, "step_000001") || strchr(e.message, '\n')) test_fail(__FILE__, __LINE__, "%s: '%s' lacks '%s'", file, e.message, says);
    replace(path, good.p, good.n);
    str_free(&good);
}

static void refuse_changed(const Place *p, const char *file, const char *from, const char *to, const char *says)
{
    Str good = content(below(step(p, 1), file)), bad = {0};
    const char *at = memmem(good.p, good.n, from, strlen(from));
    if (at) {
        str_add(&bad, good.p, (size_t)(at - good.p));
        str_add(&bad, to, strlen(to));
        str_add(&bad, at + strlen(from), good.n - (size_t)(at - good.p) - strlen(from));
        refuse(p, file, bad.p, bad.n, says);
    } else test_fail(__FILE__, __LINE__, "%s lacks '%s'", file, from);
    str_free(&good), str_free(&bad);
}

TEST(train_resume_refuses_damaged_files)
{
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "2", "checkpoint-every", "1"), NULL, &e));
    for (int i = 0; i < 4; i++) {
        Str s = content(below(step(&p, 1), files[i]));
        size_t cut[] = {0, 1, 7, 8, 9, s.n / 3, s.n - 5, s.n - 2};
        for (size_t k = 0; k < sizeof cut / sizeof *cut; k++) refuse(&p, files[i], s.p, cut[k], files[i]);
        memset(s.p, 0xff, 8);
        refuse(&p, files[i], s.p, s.n, files[i]);
        str_free(&s);
    }
    refuse_changed(&p, "optimizer.safetensors", "\"m.model.norm.weight\"", "\"m.model.nerm.weight\"", "tensor \"m.model.norm.weight\" is missing");
    refuse_changed(&p, "optimizer.safetensors", "\"v.model.norm.weight\"", "\"v.model.nerm.weight\"", "tensor \"v.model.norm.weight\" is missing");
    refuse_changed(&p, "optimizer.safetensors", "\"balance.share\"", "\"balance.shore\"", "tensor \"balance.share\" is missing");
    refuse_changed(&p, "model.safetensors", "\"model.norm.weight\"", "\"model.nerm.weight\"", "tensor \"model.norm.weight\" is missing");
    refuse_changed(&p, "model.safetensors", "[32,8]", "[8,32]", "tensor \"");
    OK(run_in(&p, WITH("steps-per-epoch", "2", "resume-checkpoint", step(&p, 1)), NULL, &e));
}

TEST(train_resume_refuses_a_damaged_state)
{
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "2", "checkpoint-every", "1"), NULL, &e));
    refuse_changed(&p, "state.json", "\"format\": 1", "\"format\": 2", "format 2 is not known to this version");
    refuse_changed(&p, "state.json", "\"step\": 1,", "\"step\": -1,", "\"step\" is negative");
    refuse_changed(&p, "state.json", "\"step\": 1,", "\"step\": 1.5,", "\"step\"");
    refuse_changed(&p, "state.json", "\"step\": 1,", "", "not all of format, step, ");
    refuse_changed(&p, "state.json", "\"cut\"", "\"cat\"", "not all of format, step, ");
    refuse_changed(&p, "state.json", "\"facts\"", "\"fects\"", "not all of format, step, ");
    refuse_changed(&p, "state.json", "\"seed\": 42", "\"seed\": 42.0", "seed is 42.0 there, 42 here");
    refuse_changed(&p, "state.json", "\"beta1\"", "\"beta3\"", "\"beta1\" is missing");
    refuse_changed(&p, "state.json", "}\n}\n", "}\n", "state.json");
}

/* Files of another run of the same names are of another shape, whatever config.json says. */
TEST(train_resume_refuses_weights_of_another_shape)
{
    Err e;
    Place p;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "2", "checkpoint-every", "1"), NULL, &e));
    OK(run_in(&p, WITH("steps-per-epoch", "2", "checkpoint-dir", below(p.dir, "wide"), "hidden-size", "16"), NULL, &e));
    OK(run_in(&p, WITH("steps-per-epoch", "2", "checkpoint-dir", below(p.dir, "deep"), "n-decoder-layers", "2"), NULL, &e));
    Str model = content(below(p.dir, "wide/latest/model.safetensors")), moments = content(below(p.dir, "wide/latest/optimizer.safetensors")),
        more = content(below(p.dir, "deep/latest/model.safetensors"));
    refuse(&p, "model.safetensors", model.p, model.n, "has the shape [16, 1], this model needs [8, 1]");
    refuse(&p, "optimizer.safetensors", moments.p, moments.n, "has the shape [16, 1], this model needs [8, 1]");
    refuse(&p, "model.safetensors", more.p, more.n, "is not part of this model");
    str_free(&model), str_free(&moments), str_free(&more);
}

/* Of a run with other data and another seed: its weights and nothing else. */
TEST(train_init_from_takes_weights_only)
{
    Err e;
    Place p;
    Trial r;
    place(&p);
    OK(run_in(&p, WITH("steps-per-epoch", "4"), NULL, &e));
    char bare[300], other[300];
    snprintf(bare, sizeof bare, "%s", below(p.dir, "bare"));
    copy(below(step(&p, 4), "config.json"), bare);
    copy(below(step(&p, 4), "model.safetensors"), bare);
    snprintf(other, sizeof other, "%s", below(p.dir, "other"));
    for (int i = 0; i < 2; i++) {
        OK(run_in(&p, WITH("init-from", i ? bare : step(&p, 4), "seed", "9", "batch-size", "5", "learning-rate", "0", "steps-per-epoch", "1", "checkpoint-dir", other,
                           "dataset-path", synth(below(p.dir, i ? "y" : "x"), 9, 90)), &r, &e));
        CHECK(!strncmp(r.said.p, "start step=0 of 1\nstep=1 ", 25) && !has_line(&r.words, "continuing"));
        CHECK(same_file(below(other, "step_000001/model.safetensors"), below(bare, "model.safetensors")));
        CHECK(!same_file(below(other, "step_000001/optimizer.safetensors"), below(step(&p, 4), "optimizer.safetensors")));
        trial_close(&r);
        OK(dir_remove(other, &e));
    }
    CHECK(!unlink(below(bare, "model.safetensors")));
    CHECK(run_in(&p, WITH("checkpoint-dir", other, "init-from", bare), NULL, &e) && strstr(e.message, "--init-from: ") && strstr(e.message, bare));
}

TEST(train_two_runs_do_not_share_a_folder)
{
    Err e;
    Place p;
    place(&p);
    Checkpoints first = {.dir = p.out};
    OK(checkpoints_open(&first, &e));
    for (int i = 0; i < 2; i++) {
        CHECK(run_in(&p, WITH("steps-per-epoch", "1", "checkpoint-every", i ? "0" : "1"), NULL, &e) && e.code == FTS_USAGE);
        CHECK(strstr(e.message, "/run: another run writes its checkpoints there: choose another --checkpoint-dir"));
    }
    TEXT(names_in(p.out), "");
    checkpoints_close(&first);
    OK(run_in(&p, WITH("steps-per-epoch", "1"), NULL, &e));
}

/* A run that is ready for its first step. */
typedef struct Held { Trial t; TrainSpec spec; Run r; } Held;

static int held_open(Held *h, const Place *p, Err *e)
{
    if (trial_small(&h->t, p->data, p->out, e) || trial_set(&h->t, WITH("hidden-size", "8", "n-decoder-layers", "1", "keep-checkpoints", "1", "num-workers", "1"), e)) return -1;
    h->spec = (TrainSpec){.train = &h->t.train, .data = &h->t.data, .model = &h->t.model, .device = &h->t.device, .settings = "{}"};
    return run_plan(&h->r, &h->spec, e) || run_open(&h->r, e) ? -1 : 0;
}

static void held_close(Held *h)
{
    run_close(&h->r);
    trial_close(&h->t);
}

static int save_step(Held *h, int64_t number, int64_t tokens, Err *e)
{
    char folder[4096];
    h->r.progress.step = number;
    h->r.progress.tokens = tokens;
    return checkpoint_save(&h->r.checkpoints, h->r.m, &h->r.progress, folder, sizeof folder, e);
}

/* Loads what `latest` names; its progress, or one of step -1. */
static Progress latest_progress(Held *h)
{
    Err e;
    char folder[4096];
    Progress p = {.step = -1};
    Str notice = {0};
    if (checkpoint_find(&h->r.checkpoints, "latest", folder, sizeof folder, &e) || checkpoint_load(&h->r.checkpoints, folder, h->r.m, &p, &notice, &e)) {
        test_fail(__FILE__, __LINE__, "%s", e.message);
        p.step = -1;
    }
    str_free(&notice);
    return p;
}

/* After a save of step 2 that failed: step 1 is what it was, step 2 is whole or not there, and the latest is one of them. */
static void check_failed_save(Held *h, const Place *p, const char *copy_of_1, const Err *e, int code)
{
    if ((int)e->code != code || strchr(e->message, '\n') || !*e->message) test_fail(__FILE__, __LINE__, "code %d: '%s'", e->code, e->message);
    CHECK(!hidden_in(p->out) && same_state_too(step(p, 1), copy_of_1));
    int there = path_exists(step(p, 2));
    if (there) TEXT(names_in(step(p, 2)), "config.json model.safetensors optimizer.safetensors state.json");
    if (there) CHECK(same_checkpoints(step(p, 2), copy_of_1));
    CHECK(strstr(e->message, there ? "step_000002 was saved, but " : "the checkpoint was not saved: "));
    TEXT(names_in(p->out), there ? "latest settings.json step_000001 step_000002" : "latest settings.json step_000001");
    CHECK(latest_progress(h).step == 1 || there);
}

/* fail: test_write_fail or test_alloc_fail. Every place in a save that can fail does so once, and then none does. */
static void fail_everywhere(long (*fail)(long), int code, int least)
{
    Err e;
    Place p;
    Held h;
    long n = 0;
    char good[300];
    int bad = 1;
    place(&p);
    OK(held_open(&h, &p, &e));
    OK(save_step(&h, 1, 100, &e));
    snprintf(good, sizeof good, "%s", below(p.dir, "good"));
    copy_checkpoint(step(&p, 1), good);
    while (bad && n < 1000) {
        fail(++n);
        bad = save_step(&h, 2, 200, &e);
        fail(0);
        if (bad) check_failed_save(&h, &p, good, &e, code);
    }
    CHECK(!bad && n > least && latest_progress(&h).tokens == 200);
    TEXT(names_in(p.out), "latest settings.json step_000002");
    held_close(&h);
}

TEST(train_checkpoint_full_disk_at_every_write) { fail_everywhere(test_write_fail, FTS_IO, 10); }
TEST(train_checkpoint_no_memory_at_every_allocation) { fail_everywhere(test_alloc_fail, FTS_NOMEM, 10); }

/* The checkpoint of the same step is there already: it is the old one or the new one. */
TEST(train_checkpoint_full_disk_while_replacing)
{
    Err e;
    Place p;
    Held h;
    int bad = 1;
    place(&p);
    OK(held_open(&h, &p, &e));
    OK(save_step(&h, 1, 100, &e));
    for (int64_t n = 1, old = 100; bad && n < 100; n++) {
        test_write_fail(n);
        bad = save_step(&h, 1, 100 + n, &e);
        test_write_fail(0);
        int64_t now = latest_progress(&h).tokens;
        CHECK(!hidden_in(p.out) && (now == old || now == 100 + n) && (bad || now == 100 + n));
        old = now;
    }
    CHECK(!bad);
    TEXT(names_in(p.out), "latest settings.json step_000001");
    held_close(&h);
}

TEST(train_resume_without_memory)
{
    Err e;
    Place p;
    Held h;
    int bad = 1;
    place(&p);
    OK(held_open(&h, &p, &e));
    OK(save_step(&h, 1, 100, &e));
    for (long n = 1; bad && n < 1000; n++) {
        Progress to = {.step = -1};
        Str notice = {0};
        test_alloc_fail(n);
        bad = checkpoint_load(&h.r.checkpoints, step(&p, 1), h.r.m, &to, &notice, &e);
        test_alloc_fail(0);
        CHECK(bad ? e.code == FTS_NOMEM && !strchr(e.message, '\n') : to.step == 1 && to.tokens == 100 && n > 5);
        str_free(&notice);
    }
    CHECK(!bad);
    held_close(&h);
}

TEST(train_goes_on_after_a_full_disk)
{
    Err e;
    Place p;
    Trial r;
    place(&p);
    OK(run_in(&p, WITH("checkpoint-dir", below(p.dir, "whole")), NULL, &e));
    OK(trial_small(&r, p.data, p.out, &e));
    SET(&r, "val-max-batches", "1", "hidden-size", "8", "n-decoder-layers", "1");
    r.fail_after = 4;
    CHECK(trial_run(&r, &e) && e.code == FTS_IO && !strchr(e.message, '\n'));
    CHECK(strstr(e.message, "step 8 (the last good checkpoint is ") && strstr(e.message, "/step_000004): the checkpoint was not saved: ") && strstr(e.message, "No space left on device"));
    TEXT(names_in(p.out), "latest settings.json step_000004");
    r.fail_after = 0;
    SET(&r, "resume-checkpoint", "latest");
    OK(trial_run(&r, &e));
    CHECK(same_checkpoints(step(&p, 12), below(p.dir, "whole/latest")) && !hidden_in(p.out));
    trial_close(&r);
}
