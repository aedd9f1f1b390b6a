/* test_schedule.c - the learning rate at known steps. */
#include <math.h>

#include "test.h"
#include "train/schedule.h"

TEST(train_schedule_values)
{
    TrainOpts o = {.learning_rate = 1e-3, .min_learning_rate = 1e-4, .warmup_steps = 10};
    static const struct { int64_t step; double want; } at[] = {
        {1, 1e-4}, {5, 5e-4}, {10, 1e-3}, {35, 1e-4 + 0.9e-3 * 0.5 * (1 + 0.70710678118654752)}, {60, 5.5e-4}, {110, 1e-4}};
    for (int i = 0; i < 6; i++) CHECK(fabs(schedule_rate(&o, at[i].step, 110) - at[i].want) < 1e-15);
    for (int64_t s = 11; s < 110; s++) CHECK(schedule_rate(&o, s + 1, 110) < schedule_rate(&o, s, 110));
}

TEST(train_schedule_without_warmup_begins_at_the_peak)
{
    TrainOpts o = {.learning_rate = 1, .min_learning_rate = 0, .warmup_steps = 0};
    CHECK(schedule_rate(&o, 1, 1000) > 0.9999 && schedule_rate(&o, 1000, 1000) == 0);
    o.warmup_steps = 5000;
    CHECK(schedule_rate(&o, 1000, 1000) == 0.2);
}
