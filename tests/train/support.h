/* support.h - a training run with options as text, everything it tells written down. */
#ifndef TESTS_TRAIN_SUPPORT_H
#define TESTS_TRAIN_SUPPORT_H

#include "train/train.h"

typedef struct Trial {
    TrainOpts  train;
    DataOpts   data;
    ModelOpts  model;
    DeviceOpts device;
    OptSet     set[4];
    atomic_int stop;
    int64_t    stop_at;                  /* ask to stop when this step is told, 0: never */
    int64_t    fail_after;               /* let every write fail once the checkpoint of this step is told, 0: never */
    Str        said;                     /* what does not depend on time: a line per step, validation, checkpoint, with every digit */
    Str        words;                    /* answers and notices, a line each */
    double     loss[4096];               /* of step i + 1 */
    int        nstep, nexperts;
} Trial;

int  trial_open(Trial *r, Err *e);                                   /* the defaults */
void trial_close(Trial *r);
int  trial_set(Trial *r, const char *const *pairs, Err *e);          /* "option", "value", ..., NULL */
int  trial_run(Trial *r, Err *e);                                    /* forgets what was said before */

/* A small run on data at `data`, its checkpoints below `out`. */
int  trial_small(Trial *r, const char *data, const char *out, Err *e);
/* One in which a step has several chunks. */
int  trial_chunks(Trial *r, const char *data, const char *out, Err *e);

const char *synth(const char *dir, int64_t series, int64_t length);          /* makes DIR/data, returns its path */
const char *below(const char *dir, const char *name);                        /* DIR/NAME, valid for 16 calls */
int  same_file(const char *a, const char *b);
int  same_checkpoints(const char *a, const char *b);                         /* all files but state.json, which has settings of speed too */
int  has_line(const Str *s, const char *part);                               /* a line contains it */

#define SET(trial, ...) OK(trial_set(trial, (const char *const[]){__VA_ARGS__, NULL}, &e))

#endif
