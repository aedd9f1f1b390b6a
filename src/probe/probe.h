/* probe.h - several models side by side on the same data: the largest batch that fits, speed, and what is learned from equally many points.
 *
 * All of it are training runs through train's own functions (train/run.h), without a folder. Models see the same windows: those that are
 * long enough for the longest patch. */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "probe/options.h"
#include "train/origins.h"
#include "train/train.h"
#include "train/validate.h"

typedef struct ProbeSpec {               /* not owned */
    const ProbeOpts  *probe;
    const TrainOpts  *train;
    const DataOpts   *data;
    const ModelOpts  *model;             /* without what probe's own options give */
    const DeviceOpts *device;
    Events events;                       /* STEP named "probe", in GFLOP; NOTICE */
    const atomic_int *stop;              /* not 0: finish the step and answer with what is known */
} ProbeSpec;

enum { CANDIDATES_MAX = 16, SIZES_MAX = 16, MARKS = 4 };

/* Medians over steps of one batch size. Bytes: of the plan, and of the process after the steps. */
typedef struct Speed { int64_t windows; int steps, micro_batches; double step_s, tokens_per_s, points_per_s; int64_t planned, peak; } Speed;

typedef struct Largest {
    int64_t windows;                     /* most full windows in one micro-batch within the limit, 0: not one */
    int64_t planned;                     /* bytes for them; for one window if that does not fit */
    int64_t more;                        /* windows of a batch 10 % larger */
    int     more_micro_batches;          /* that train makes of it, by the plan */
    Speed   ran;                         /* windows 0: not run */
} Largest;

typedef struct Mark { int64_t step, points, tokens; double seconds; Score val, ood; } Mark;     /* seconds: of the steps so far */

typedef struct Candidate {
    char        name[64];                /* "point 256", "patch 32 base" */
    ModelOpts   opts;
    ModelConfig c;
    int         preset;                  /* place in model.def's choices */
    Largest     largest;
    int64_t     runnable;                /* as largest.windows, within the memory that is free now */
    int64_t     size[SIZES_MAX];         /* (nsize) batches to measure, ascending */
    int         nsize;
    Speed       speed[SIZES_MAX];        /* (nspeed) */
    int         nspeed;
    Mark        mark[MARKS + 1];         /* (nmark) */
    int         nmark;
    double      flops, full;             /* of a training step, per window: on average, of full length */
} Candidate;

typedef struct Probe {
    const ProbeSpec *spec;
    Candidate candidate[CANDIDATES_MAX];
    int       n;
    const Device *device;                /* that computes, of all candidates */
    int64_t   limit, usable;             /* bytes of it: that a run may take; of those, what is free now, on a CPU without a reserve */
    int64_t   window_points;             /* of the longest window */
    int64_t   min_points, windows;       /* points that a window needs; how many there are to train on */
    double    mean_points;               /* of a window, about */
    Origins   origins;                   /* where predictions are compared */
    int64_t   steps, points;             /* of the runs that learn, 0: not known yet */
    int       has_val, has_ood;
    Score     naive, naive_ood;          /* of repeating the last value, over the same targets */
    double    began, done, all;          /* machine_seconds(); FLOP so far and in all, about */
    int       stopped;
} Probe;

/* What was found stands in p, also if it was stopped. */
int probe_run(Probe *p, const ProbeSpec *s, Err *e);

void probe_verdict(Str *out, const Probe *p);            /* one to three sentences */
void probe_text(Str *out, const Probe *p);
void probe_json(Str *out, const Probe *p);

const Speed *speed_best(const Candidate *c);             /* most points a second, NULL: nothing was measured */
double loss_at(const Candidate *c, double seconds);      /* the validation loss after so many seconds, between marks on a line; needs a mark */

#endif
