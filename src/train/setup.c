/* setup.c - a run before its first step: what it learns from, what it learns with, what that takes. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/lines.h"
#include "train/run.h"
#include "util/machine.h"

static int no_windows(const Dataset *d, const char *option, int64_t min_points, Err *e)
{
    long long n = dataset_series(d), least = min_points;
    if (dataset_windows(d) > 0) return 0;
    if (!n) return err_set(e, FTS_FORMAT, "%s: no series in %s: is the file empty?", option, dataset_name(d, 0));
    if (n == 1) return err_set(e, FTS_FORMAT, "%s: the only series has fewer than %lld points, which is one token and one target", option, least);
    return err_set(e, FTS_FORMAT, "%s: all %lld series have fewer than %lld points, which is one token and one target", option, n, least);
}

static int open_data(Run *r, Err *e)
{
    const TrainOpts *o = r->o;
    const DataOpts *d = r->spec->data;
    int64_t least = r->spec->min_points ? r->spec->min_points : r->c.P + 1;
    OptList ood = {.item = {o->ood_val_dataset_path}, .n = 1};
    if (o->ood_val_dataset_path && (dataset_open(&r->ood, &ood, NULL, d, least, &r->spec->events, e) || no_windows(r->ood, "--ood-val-dataset-path", least, e))) return -1;
    if (dataset_open(&r->data, &d->dataset_path, o->ood_val_dataset_path, d, least, &r->spec->events, e) || no_windows(r->data, "--dataset-path", least, e)) return -1;
    if (order_open(&r->order, r->data, o->val_split, (uint64_t)o->seed, e)) return -1;
    facts_make(&r->facts, o, d, r->data);
    lines_data(&r->spec->events, r->data, r->order, o->ood_val_dataset_path, least);
    return 0;
}

static void add_validation(Run *r, const char *name, StreamKind kind, const Dataset *d, int64_t batches)
{
    r->validation[r->nvalidation++] = (Validation){.name = name, .batches = batches, .workers = r->o->num_workers < 2 ? 1 : 2,
        .stream = {.kind = kind, .data = d, .order = r->order, .seed = (uint64_t)r->o->seed, .per_step = r->o->batch_size}};
}

static void make_streams(Run *r)
{
    const TrainOpts *o = r->o;
    r->nvalidation = 0;
    r->train = (Stream){.kind = STREAM_TRAIN, .data = r->data, .order = r->order, .seed = (uint64_t)o->seed,
                        .per_step = o->batch_size * o->grad_accum_steps, .drop_last = o->drop_last};
    if (order_val_count(r->order)) add_validation(r, "val", STREAM_VAL, r->data, o->val_max_batches);
    if (r->ood) add_validation(r, "val_ood", STREAM_ALL, r->ood, o->ood_val_max_batches);
}

static void say_device(const Run *r)
{
    const DeviceOpts *d = r->spec->device;
    event_say(&r->spec->events, FTS_EVENT_NOTICE, "computing in %s with %d thread%s on %s", r->b->dtype == BF16 ? "bf16" : "fp32",
              par_threads(r->b->par), par_threads(r->b->par) == 1 ? "" : "s", r->backend);
    if (r->b->dtype == BF16 && !r->b->device->fast_bf16()) event_say(&r->spec->events, FTS_EVENT_NOTICE, "--bf16: this processor multiplies bf16 no faster than fp32, it saves memory alone");
    if (d->bf16 == 1 && !d->amp) event_say(&r->spec->events, FTS_EVENT_NOTICE, "--bf16 has no effect with --no-amp");
}

/* On a device that is not much faster in bf16 than in fp32, bf16 is only what somebody asks for: it costs some accuracy. */
static int open_device(Run *r, Err *e)
{
    const DeviceOpts *d = r->spec->device;
    int number;
    const Device *kind = backend_device(d->device ? d->device : "auto", &number, e);
    if (!kind) return -1;
    Dtype type = d->amp && (d->bf16 == OPT_UNSET ? kind->fast_bf16() > 1 : d->bf16 == 1) ? BF16 : F32;
    snprintf(r->device, sizeof r->device, kind->on_host ? "%s" : "%s:%d", kind->name, number);
    if (backend_open(&r->b, r->device, type, d->threads == OPT_UNSET ? 0 : (int)d->threads, e)) return -1;
    char text[256];
    backend_text(r->b, text, sizeof text);
    snprintf(r->backend, sizeof r->backend, "%s", text);
    say_device(r);
    return 0;
}

/* Points of the longest window there is: short series make a plan for full windows too large. */
static int64_t longest_window(const Dataset *d)
{
    int64_t most = 0;
    for (int i = 0; d && i < dataset_sources(d); i++)
        for (int64_t k = 0; k < dataset_source(d, i)->count; k++)
            if (dataset_source(d, i)->length[k] > most) most = dataset_source(d, i)->length[k];
    return d && most > dataset_window_points(d) ? dataset_window_points(d) : most;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t most_windows(const Run *r)
{
    int64_t n = least(r->train.per_step, order_train_count(r->order));
    for (int i = 0; i < r->nvalidation; i++) {
        const Stream *s = &r->validation[i].stream;
        n = larger(n, least(s->per_step, s->kind == STREAM_VAL ? order_val_count(r->order) : dataset_windows(s->data)));
    }
    return n;
}

/* Mapped shards, the kernel and everybody else live in the eighth that is left; on a device, its driver. */
static int64_t default_limit(const Run *r) { return backend_memory(r->b) / 8 * 7; }

void run_ask(const Run *r, MemoryAsk *a)
{
    const DeviceOpts *d = r->spec->device;
    *a = (MemoryAsk){.c = &r->c, .b = r->b, .recompute = (Recompute)d->recompute, .limit = d->memory_limit == OPT_UNSET ? default_limit(r) : d->memory_limit,
                   .batch = r->o->batch_size, .accum = r->o->grad_accum_steps, .step_windows = most_windows(r), .micro_windows = r->o->micro_batch_size,
                   .window_points = larger(longest_window(r->data), longest_window(r->ood)), .train = &r->train,
                   .data_bytes = dataset_bytes(r->data) + (r->ood ? dataset_bytes(r->ood) : 0),
                   .prefetch = (int)r->o->prefetch_factor, .val_prefetch = VALIDATION_PREFETCH};
    for (int i = 0; i < r->nvalidation; i++) *(r->validation[i].stream.kind == STREAM_VAL ? &a->val : &a->ood) = &r->validation[i].stream;
}

static int plan_memory(Run *r, Err *e)
{
    MemoryAsk a;
    run_ask(r, &a);
    return memory_plan(&r->memory, &a, e);
}

int run_plan(Run *r, const TrainSpec *s, Err *e)
{
    *r = (Run){.spec = s, .o = s->train, .steps = facts_steps(s->train), .started = machine_seconds(), .checkpoints = {.lock = -1}};
    if (r->o->resume_checkpoint && r->o->init_from) return err_set(e, FTS_USAGE, "--resume-checkpoint and --init-from: a run either continues or begins");
    if (config_from_opts(&r->c, s->model, e) || open_data(r, e)) return -1;
    make_streams(r);
    if (open_device(r, e) || plan_memory(r, e)) return -1;
    lines_params(&s->events, &r->c);
    if (r->memory.fits && r->memory.micro_batches > 1) event_say(&s->events, FTS_EVENT_ANSWER, "micro_batches=%d tokens<=%d", r->memory.micro_batches, r->memory.tokens);
    return 0;
}

static int open_checkpoints(Run *r, Err *e)
{
    r->checkpoints = (Checkpoints){.dir = r->o->checkpoint_dir, .keep = r->o->keep_checkpoints, .aux_weight = r->o->aux_loss_weight, .facts = &r->facts,
                                   .settings = r->spec->settings ? r->spec->settings : "{}", .backend = r->backend, .lock = -1};
    if (!r->o->checkpoint_dir) return r->o->checkpoint_every ? err_set(e, FTS_USAGE, "--checkpoint-dir: there is no folder for checkpoints: name one, or set --checkpoint-every 0") : 0;
    return checkpoints_open(&r->checkpoints, e) ? err_wrap(e, "--checkpoint-dir") : 0;
}

static int load_weights(Run *r, Err *e)
{
    Str notice = {0};
    int bad = 0;
    if (r->o->resume_checkpoint) {
        bad = checkpoint_find(&r->checkpoints, r->o->resume_checkpoint, r->saved, sizeof r->saved, e)
           || checkpoint_load(&r->checkpoints, r->saved, r->m, &r->progress, &notice, e);
        if (!bad) event_say(&r->spec->events, FTS_EVENT_NOTICE, "%s", notice.p);
    } else {
        if (r->o->checkpoint_dir && checkpoints_exist(&r->checkpoints))
            return err_set(e, FTS_USAGE, "--checkpoint-dir: %s holds checkpoints of an earlier run: choose another folder, or continue that run with --resume-checkpoint latest", r->o->checkpoint_dir);
        model_init(r->m, (uint64_t)r->o->seed);
        if (r->o->init_from) bad = checkpoint_init(r->m, r->o->init_from, e);
    }
    str_free(&notice);
    return bad;
}

/* After the weights, so that a run that is refused does not overwrite the settings of the one before. */
static int write_settings(const Run *r, Err *e)
{
    char path[4096];
    Str s = {0};
    if (!r->o->checkpoint_dir) return 0;
    str_addf(&s, "%s\n", r->checkpoints.settings);
    int bad = str_ok(&s, e) || path_join(path, sizeof path, r->o->checkpoint_dir, "settings.json", e) || file_write(path, s.p, s.n, e) ? -1 : 0;
    str_free(&s);
    return bad;
}

static int measure_peak(const Run *r, double *tflops, Err *e)
{
    *tflops = r->o->mfu_peak_tflops > 0 ? r->o->mfu_peak_tflops : 0;
    if ((!r->o->log_perf_metrics && !r->o->profile) || *tflops > 0) return 0;
    int side;
    Dtype type = r->b->device->on_host ? F32 : r->b->dtype;
    if (perf_measure(tflops, &side, r->device, type, par_threads(r->b->par), e)) return -1;
    event_say(&r->spec->events, FTS_EVENT_NOTICE, "mfu is against %.4g tflops, measured with a product of %d x %d %s numbers", *tflops, side, side, type == BF16 ? "bf16" : "fp32");
    return 0;
}

static int reserve(Run *r, Err *e)
{
    const Memory *m = &r->memory;
    return model_reserve(r->m, m->tokens, m->chunks, m->longest, (Recompute)r->spec->device->recompute, e);
}

static int open_model(Run *r, Err *e)
{
    size_t bytes = ((size_t)config_routers(&r->c) * (size_t)r->c.E + 1) * sizeof *r->share;
    if (memory_check(&r->memory, e) || model_open(&r->m, &r->c, r->b, 1, e) || reserve(r, e)) return -1;
    r->share = malloc(bytes);
    return r->share ? 0 : err_nomem(e, bytes, "the shares of the experts");
}

static int open_batches(Run *r, int64_t first, Err *e)
{
    feed_init(&r->feed, &r->c, r->memory.tokens, r->o->micro_batch_size);
    return loader_open(&r->loader, &r->train, first, (int)r->o->num_workers, (int)r->o->prefetch_factor, e);
}

int run_open(Run *r, Err *e)
{
    double peak;
    if (open_model(r, e) || open_checkpoints(r, e) || load_weights(r, e) || write_settings(r, e) || measure_peak(r, &peak, e)) return -1;
    if (open_batches(r, r->progress.step, e)) return -1;
    if (r->o->profile && profile_open(&r->profile, r->o, &(ProfileAsk){&r->c, r->b, r->loader, r->memory.micro_batches, r->progress.step, r->steps, 1e12 * peak}, e)) return -1;
    perf_begin(&r->perf, peak);
    return 0;
}

int run_rebatch(Run *r, Err *e)
{
    loader_close(r->loader);
    feed_free(&r->feed);
    r->loader = NULL;
    make_streams(r);
    if (plan_memory(r, e)) return -1;
    return r->m && (memory_check(&r->memory, e) || reserve(r, e) || open_batches(r, 0, e)) ? -1 : 0;
}

void run_close(Run *r)
{
    loader_close(r->loader);
    profile_close(&r->profile);
    feed_free(&r->feed);
    free(r->share);
    model_close(r->m);
    backend_close(r->b);
    order_close(r->order);
    dataset_close(r->data);
    dataset_close(r->ood);
    checkpoints_close(&r->checkpoints);
}
