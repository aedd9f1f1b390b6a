/* train.h - a training run: data and model in, events and checkpoints out. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include <stdatomic.h>

#include "data/dataset.h"
#include "model/config.h"
#include "util/event.h"
#include "util/opt.h"

typedef struct TrainOpts {
#define X OPT_FIELD
#include "train/train.def"
#undef X
} TrainOpts;
typedef struct DeviceOpts {
#define X OPT_FIELD
#include "kernels/device.def"
#undef X
} DeviceOpts;
extern const Opt train_opts[], device_opts[];
extern const int ntrain_opts, ndevice_opts;

typedef struct TrainSpec {               /* not owned */
    const TrainOpts  *train;
    const DataOpts   *data;
    const ModelOpts  *model;
    const DeviceOpts *device;
    const char *settings;                /* the effective settings as a JSON object: goes into settings.json and each checkpoint */
    int64_t min_points;                  /* shorter series, and pieces between gaps, are left out; 0: what one token and one target need */
    Events events;
    const atomic_int *stop;              /* not 0: finish the step, save, return */
} TrainSpec;

int train_run(const TrainSpec *s, Err *e);

#endif
