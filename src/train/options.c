/* options.c - the tables of train.def and device.def. */
#include "kernels/backend.h"
#include "train/train.h"

const Opt train_opts[] = {
#define X(...) OPT_ROW(TrainOpts, __VA_ARGS__),
#include "train/train.def"
#undef X
};
const int ntrain_opts = sizeof train_opts / sizeof *train_opts;

const Opt device_opts[] = {
#define X(...) OPT_ROW(DeviceOpts, __VA_ARGS__),
#include "kernels/device.def"
#undef X
};
const int ndevice_opts = sizeof device_opts / sizeof *device_opts;
