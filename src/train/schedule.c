/* schedule.c - see schedule.h */
#include "train/schedule.h"

#include <math.h>

double schedule_rate(const TrainOpts *o, int64_t step, int64_t steps)
{
    double peak = o->learning_rate, least = o->min_learning_rate;
    int64_t warmup = o->warmup_steps;
    if (step <= warmup) return peak * (double)step / (double)warmup;
    double done = (double)(step - warmup) / (double)(steps - warmup);
    return least + (peak - least) * 0.5 * (1 + cos(acos(-1.0) * done));
}
