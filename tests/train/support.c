#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/synth.h"
#include "test.h"
#include "util/file.h"

int trial_open(Trial *r, Err *e)
{
    memset(r, 0, sizeof *r);
    r->set[0] = (OptSet){train_opts, ntrain_opts, &r->train};
    r->set[1] = (OptSet){data_opts, ndata_opts, &r->data};
    r->set[2] = (OptSet){model_opts, nmodel_opts, &r->model};
    r->set[3] = (OptSet){device_opts, ndevice_opts, &r->device};
    return opt_defaults(r->set, 4, e);
}

void trial_close(Trial *r)
{
    opt_free(r->set, 4);
    str_free(&r->said);
    str_free(&r->words);
}

int trial_set(Trial *r, const char *const *pairs, Err *e)
{
    for (; *pairs; pairs += 2)
        if (opt_set(r->set, 4, pairs[0], pairs[1], e)) return -1;
    return 0;
}

static void hear(void *user, const Event *ev)
{
    Trial *r = user;
    switch (ev->kind) {
    case FTS_EVENT_ANSWER:
    case FTS_EVENT_QUESTION:
    case FTS_EVENT_NOTICE: str_addf(&r->words, "%s\n", ev->text); break;
    case FTS_EVENT_STEP:
        if (r->nstep < 4096) r->loss[r->nstep++] = ev->loss;
        str_addf(&r->said, "step=%lld due=%d loss=%.17g pred=%.17g aux=%.17g lr=%.17g norm=%.17g\n", (long long)ev->step, ev->due, ev->loss, ev->pred, ev->aux, ev->lr, ev->norm);
        if (ev->step == r->stop_at) atomic_store(&r->stop, 1);
        break;
    case FTS_EVENT_BASELINE: str_addf(&r->said, "%s baseline mae=%.17g mse=%.17g\n", ev->name, ev->mae, ev->mse); break;
    case FTS_EVENT_VALIDATION:
        str_addf(&r->said, "%s step=%lld pred=%.17g aux=%.17g mae=%.17g mse=%.17g\n", ev->name, (long long)ev->step, ev->pred, ev->aux, ev->mae, ev->mse);
        break;
    case FTS_EVENT_EXPERTS:
        r->nexperts++;
        for (int i = 0; i < ev->routers * ev->experts; i++) str_addf(&r->said, "%s%.17g", i ? " " : "experts ", ev->share[i]);
        str_addf(&r->said, "\n");
        break;
    case FTS_EVENT_CHECKPOINT:
        str_addf(&r->said, "saved step=%lld\n", (long long)ev->step);
        if (ev->step == r->fail_after) test_write_fail(1);
        break;
    case FTS_EVENT_START: str_addf(&r->said, "start step=%lld of %lld\n", (long long)ev->step, (long long)ev->steps); break;
    case FTS_EVENT_END: str_addf(&r->said, "end step=%lld %s\n", (long long)ev->step, ev->text); break;
    }
}

int trial_run(Trial *r, Err *e)
{
    Str settings = {0};
    opt_write(r->set, 4, &settings);
    TrainSpec spec = {.train = &r->train, .data = &r->data, .model = &r->model, .device = &r->device, .settings = settings.p, .events = {hear, r}, .stop = &r->stop};
    str_free(&r->said);
    str_free(&r->words);
    r->nstep = r->nexperts = 0;
    str_add(&r->said, "", 0);
    str_add(&r->words, "", 0);
    atomic_store(&r->stop, 0);
    int bad = train_run(&spec, e);
    test_write_fail(0);
    str_free(&settings);
    return bad;
}

int trial_small(Trial *r, const char *data, const char *out, Err *e)
{
    const char *const small[] = {"dataset-path", data, "checkpoint-dir", out, "hidden-size", "16", "n-decoder-layers", "2", "num-experts", "3", "k", "2", "n-head", "2",
        "seq-max-len", "64", "seq-stride", "64", "batch-size", "6", "steps-per-epoch", "12", "warmup-steps", "4", "learning-rate", "5e-3", "log-every", "3",
        "val-every", "5", "val-split", "0.2", "val-max-batches", "2", "checkpoint-every", "4", "threads", "1", "num-workers", "2", "prefetch-factor", "2", NULL};
    return trial_open(r, e) || trial_set(r, small, e) ? -1 : 0;
}

int trial_chunks(Trial *r, const char *data, const char *out, Err *e)
{
    const char *const large[] = {"batch-size", "70", "grad-accum-steps", "2", "steps-per-epoch", "5", "checkpoint-every", "5", "n-decoder-layers", "1", "hidden-size", "12", NULL};
    return trial_small(r, data, out, e) || trial_set(r, large, e) ? -1 : 0;
}

const char *below(const char *dir, const char *name)
{
    static char path[16][512];
    static int turn;
    char *p = path[turn = (turn + 1) % 16];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

const char *synth(const char *dir, int64_t series, int64_t length)
{
    Err e;
    SynthOpts o = {.series = series, .length = length, .seed = 3, .threads = 1};
    const char *path = below(dir, "data");
    if (synth_write(path, &o, NULL, NULL, NULL, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    return path;
}

int same_file(const char *a, const char *b)
{
    Err e;
    Map x, y;
    if (map_open(&x, a, &e)) { test_fail(__FILE__, __LINE__, "%s", e.message); return 0; }
    if (map_open(&y, b, &e)) { test_fail(__FILE__, __LINE__, "%s", e.message); map_close(&x); return 0; }
    int same = x.n == y.n && (!x.n || !memcmp(x.p, y.p, x.n));
    map_close(&x);
    map_close(&y);
    return same;
}

int same_checkpoints(const char *a, const char *b)
{
    static const char *const file[] = {"config.json", "model.safetensors", "optimizer.safetensors"};
    int same = 1;
    for (int i = 0; i < 3; i++) same &= same_file(below(a, file[i]), below(b, file[i]));
    return same;
}

int has_line(const Str *s, const char *part) { return s->p && strstr(s->p, part) != NULL; }
