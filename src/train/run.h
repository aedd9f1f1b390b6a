/* run.h - a training run from inside: setup.c opens it, loop.c steps through it. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "train/checkpoint.h"
#include "train/feed.h"
#include "train/memory.h"
#include "train/perf.h"
#include "train/profile.h"
#include "train/validate.h"

enum { VALIDATIONS = 2, SKIPS_MAX = 10 };       /* held-back windows and out-of-distribution data; steps in a row that may be without a finite loss */

typedef struct Run {
    const TrainSpec *spec;                       /* not owned, as are its parts */
    const TrainOpts *o;
    ModelConfig c;
    int64_t     steps;                           /* of the whole run */
    double      started;                         /* on the clock of machine_seconds() */
    int64_t     last_save;                       /* step of the newest checkpoint of this run, 0: none */
    char        device[64];                      /* as asked for, "auto" decided */
    char        backend[320];                    /* what computes, for people */
    char        saved[4096];                     /* folder of the newest checkpoint, or of that which is continued; "" without */

    Dataset    *data, *ood;                      /* ood NULL without */
    Order      *order;
    Backend    *b;
    Model      *m;
    Loader     *loader;
    double     *share;                           /* (routers, experts) for the EXPERTS event */
    Checkpoints checkpoints;
    Memory      memory;

    Stream      train;
    Validation  validation[VALIDATIONS];
    int         nvalidation;
    Feed        feed;
    Facts       facts;
    Progress    progress;
    Perf        perf;
    Profile     profile;
} Run;

int  run_plan(Run *r, const TrainSpec *s, Err *e);     /* data, device, memory plan: all that --dry-run needs */
void run_ask(const Run *r, MemoryAsk *a);              /* what the memory plan was asked, for plans of other batches; it points into r */
int  run_open(Run *r, Err *e);                         /* model, weights, folder, loader: ready for the next step. Without a --checkpoint-dir nothing is written */
int  run_step(Run *r, const Batch *b, Err *e);         /* one optimizer step and what is told of it; b NULL: on the loader's next batch */
int  run_rebatch(Run *r, Err *e);                      /* --batch-size or --memory-limit have changed: plan, memory and loader anew, from the first batch on. An open run goes on with its weights */
void run_close(Run *r);                                /* half-open is fine */

#endif
