/* loop.c - train_run(): step after step, until the last one, a signal or the time is over. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/run.h"
#include "train/schedule.h"
#include "util/machine.h"

/* What the host must remember of a step until its sums are read. Here that is at once; where reading waits for a device it
 * may be one step later, and the batch, which belongs to the loader until then, has to be held so long. */
typedef struct Step {
    int64_t number;
    const Batch *batch;
    double  rate, from, waited, flops;   /* learning rate; when it began; seconds waiting for data */
    int64_t tokens, valid[MAX_HORIZONS];
} Step;

static const Events *events_of(const Run *r) { return &r->spec->events; }
static int stop_asked(const Run *r) { return r->spec->stop && atomic_load(r->spec->stop); }

/* coef of the balance gradient: weight * E / (routers * tokens of the step). */
static double aux_coef(const Run *r)
{
    int routers = config_routers(&r->c);
    return routers ? r->o->aux_loss_weight * r->c.E / (routers * (double)r->feed.tokens) : 0;
}

static int next_batch(Run *r, Step *s, Err *e)
{
    s->from = machine_seconds();
    if (!s->batch && loader_next(r->loader, &s->batch, e)) return -1;
    profile_waited(&r->profile, s->from);
    if (feed_batch(&r->feed, s->batch, e)) return -1;
    s->waited = machine_seconds() - s->from;
    s->tokens = r->feed.tokens;
    s->flops = config_flops(&r->c, r->feed.tokens, r->feed.pairs);
    memcpy(s->valid, r->feed.valid, sizeof s->valid);
    return 0;
}

static int compute(Run *r, Step *s, Err *e)
{
    const TrainOpts *o = r->o;
    Input in;
    int first;
    profile_begin(&r->profile, s->number);
    if (next_batch(r, s, e)) return -1;
    s->rate = schedule_rate(o, s->number, r->steps);
    model_begin(r->m);
    while (feed_next(&r->feed, &in, &first)) model_train(r->m, &in, first, r->feed.valid, aux_coef(r));
    if (s->tokens)
        model_update(r->m, &(AdamW){.lr = (float)s->rate, .beta1 = (float)o->beta1, .beta2 = (float)o->beta2, .eps = 1e-8f, .decay = (float)o->weight_decay,
                                    .max_norm = (float)o->max_grad_norm, .step = s->number});
    return 0;
}

static double pred_of(const Run *r, const Step *s, const StepSum *sum)
{
    double pred = 0;
    for (int j = 0; j < r->c.nh; j++) pred += sum->huber[j] / (double)(s->valid[j] > 1 ? s->valid[j] : 1) / r->c.nh;
    return pred;
}

static int is_due(const Run *r, int64_t step) { return step % r->o->log_every == 0 || step == r->steps; }

static void tell_step(Run *r, const Step *s, const StepSum *sum)
{
    Event ev = {.kind = FTS_EVENT_STEP, .step = s->number, .steps = r->steps, .due = is_due(r, s->number), .pred = pred_of(r, s, sum), .aux = config_routers(&r->c) ? sum->aux : 0,
                .lr = s->rate, .norm = sqrt(sum->norm2)};
    ev.loss = ev.pred + r->o->aux_loss_weight * ev.aux;
    perf_fill(&r->perf, &ev);
    if (ev.due) {
        ev.peak_mb = 1e-6 * (double)machine_peak_memory();
        perf_line(&r->perf);
    }
    event_send(events_of(r), &ev);
    if (!ev.due || !config_routers(&r->c)) return;
    model_share(r->m, &r->m->train, r->share);
    event_send(events_of(r), &(Event){.kind = FTS_EVENT_EXPERTS, .step = s->number, .share = r->share, .routers = config_routers(&r->c), .experts = r->c.E});
}

/* Names the batch of a step that was not applied. */
static void tell_skip(const Run *r, const Step *s, const StepSum *sum)
{
    char where[512];
    if (!s->tokens)
        event_say(events_of(r), FTS_EVENT_NOTICE, "step %" PRId64 " was not applied: no window of its batch has %d points in a row", s->number, r->c.P + 1);
    else if (sum->bad_seg < 0)
        event_say(events_of(r), FTS_EVENT_NOTICE, "step %" PRId64 " was not applied: its gradient is not finite", s->number);
    else {
        dataset_where(r->data, s->batch->origin[sum->bad_seg], where, sizeof where);
        event_say(events_of(r), FTS_EVENT_NOTICE, "step %" PRId64 " was not applied: the loss is not finite at %s", s->number, where);
    }
}

static int check_skips(const Run *r, Err *e)
{
    if (r->progress.skipped < SKIPS_MAX) return 0;
    return err_set(e, FTS_FORMAT, "%d steps in a row had no finite loss, the last is step %" PRId64 ": lower --learning-rate or look at the data named above; %s%s",
                   SKIPS_MAX, r->progress.step, *r->saved ? "the last good checkpoint is " : "no checkpoint was saved before", r->saved);
}

/* Reads the sums of a step and tells them. */
static int settle(Run *r, const Step *s, Err *e)
{
    StepSum sum = {.bad_seg = -1};
    Progress *p = &r->progress;
    if (model_read(r->m, &r->m->train, &sum, e)) return -1;
    profile_end(&r->profile);
    if (!s->tokens) sum = (StepSum){.bad_seg = -1};
    p->step = s->number;
    p->tokens += s->tokens;
    p->points += s->batch->npoints;
    p->cut += s->batch->cut;
    p->skipped = sum.applied ? 0 : p->skipped + 1;
    if (!sum.applied) tell_skip(r, s, &sum);
    perf_step(&r->perf, machine_seconds() - s->from, s->waited, s->tokens, s->batch->npoints, s->flops);
    tell_step(r, s, &sum);
    return check_skips(r, e);
}

int run_step(Run *r, const Batch *b, Err *e)
{
    Step s = {.number = r->progress.step + 1, .batch = b};
    return compute(r, &s, e) || settle(r, &s, e) ? -1 : 0;
}

static int validate_one(Run *r, int i, Err *e)
{
    const Validation *v = &r->validation[i];
    int bit = v->stream.kind == STREAM_VAL ? 1 : 2, first = !(r->progress.baselines & bit);
    Score s, naive;
    if (validate(v, r->m, &r->feed, &s, first ? &naive : NULL, e)) return -1;
    if (first) event_send(events_of(r), &(Event){.kind = FTS_EVENT_BASELINE, .name = v->name, .step = r->progress.step, .mae = naive.mae, .mse = naive.mse});
    r->progress.baselines |= bit;
    event_send(events_of(r), &(Event){.kind = FTS_EVENT_VALIDATION, .name = v->name, .step = r->progress.step, .pred = s.pred, .aux = s.aux, .mae = s.mae, .mse = s.mse});
    return 0;
}

static int save(Run *r, Err *e)
{
    double from = machine_seconds();
    char folder[sizeof r->saved];
    if (!r->o->checkpoint_every || r->last_save == r->progress.step) return 0;
    if (checkpoint_save(&r->checkpoints, r->m, &r->progress, folder, sizeof folder, e)) {
        if (*r->saved) err_wrap(e, "step %" PRId64 " (the last good checkpoint is %s)", r->progress.step, r->saved);
        return -1;
    }
    snprintf(r->saved, sizeof r->saved, "%s", folder);
    r->last_save = r->progress.step;
    double took = machine_seconds() - from;
    if (took > r->perf.longest_save) r->perf.longest_save = took;
    event_send(events_of(r), &(Event){.kind = FTS_EVENT_CHECKPOINT, .step = r->progress.step, .text = folder});
    return 0;
}

static int due_every(const Run *r, int64_t every) { return r->progress.step % every == 0 || r->progress.step == r->steps; }

/* What follows a step: validations, then the checkpoint, which remembers that their baselines were told. */
static int after_step(Run *r, Err *e)
{
    double from = machine_seconds();
    if (profile_complete(&r->profile)) profile_write(&r->profile, events_of(r));
    for (int i = 0; i < r->nvalidation && due_every(r, r->o->val_every); i++)
        if (validate_one(r, i, e)) return -1;
    if (r->o->checkpoint_every && due_every(r, r->o->checkpoint_every) && save(r, e)) return -1;
    r->perf.paused += machine_seconds() - from;
    return 0;
}

static int time_is_over(const Run *r)
{
    double limit = r->o->max_wall_time_s;
    return limit > 0 && machine_seconds() - r->started + perf_next(&r->perf) >= limit;
}

static int steps(Run *r, const char **why, Err *e)
{
    *why = "done";
    while (r->progress.step < r->steps) {
        *why = stop_asked(r) ? "stopped" : time_is_over(r) ? "time" : NULL;
        if (*why) return save(r, e);
        if (run_step(r, NULL, e) || after_step(r, e)) return -1;
        *why = "done";
    }
    return 0;
}

static int run(Run *r, Err *e)
{
    const char *why;
    const Events *to = events_of(r);
    r->last_save = r->progress.step;              /* a resumed run lies in the checkpoint that it came from; a new one has nothing to save yet */
    event_send(to, &(Event){.kind = FTS_EVENT_START, .text = r->checkpoints.settings, .step = r->progress.step, .steps = r->steps, .dir = r->o->checkpoint_dir});
    if (r->progress.step >= r->steps) event_say(to, FTS_EVENT_NOTICE, "nothing is left to do: all %" PRId64 " steps are done", r->steps);
    if (steps(r, &why, e)) return -1;
    profile_write(&r->profile, to);               /* of a run that stopped before the last step to be recorded */
    if (r->progress.cut) event_say(to, FTS_EVENT_NOTICE, "%" PRId64 " pieces of windows between missing points had fewer than %d points and taught nothing", r->progress.cut, r->c.P + 1);
    event_send(to, &(Event){.kind = FTS_EVENT_END, .step = r->progress.step, .steps = r->steps, .text = why});
    return 0;
}

int train_run(const TrainSpec *s, Err *e)
{
    Run r;
    int bad = run_plan(&r, s, e);
    if (!bad && s->train->dry_run) memory_print(&r.memory, &s->events);
    else if (!bad) bad = run_open(&r, e) || run(&r, e);
    run_close(&r);
    return bad ? -1 : 0;
}
