/* schedule.h - the learning rate of a step. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "train/train.h"

/* Step 1..steps: peak * step/warmup while step <= warmup, then a cosine that reaches the minimum at the last step. */
double schedule_rate(const TrainOpts *o, int64_t step, int64_t steps);

#endif
