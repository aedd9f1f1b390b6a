/* lines.c - see lines.h */
#include "train/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

Digits digits_of(int64_t x)
{
    char plain[24];
    Digits d;
    char *to = d.text;
    int n = snprintf(plain, sizeof plain, "%" PRId64, x), i = 0;
    if (plain[0] == '-') *to++ = plain[i++];
    for (int first = i; i < n; i++) {
        if (i > first && (n - i) % 3 == 0) *to++ = ',';
        *to++ = plain[i];
    }
    *to = 0;
    return d;
}

void lines_params(const Events *to, const ModelConfig *c)
{
    int64_t total = config_params(c), active = config_active(c);
    event_say(to, FTS_EVENT_ANSWER, "params total=%.2fM (%s) active=%.2fM (%s)", 1e-6 * (double)total, digits_of(total).text, 1e-6 * (double)active, digits_of(active).text);
}

void lines_data(const Events *to, const Dataset *d, const Order *o, const char *ood_path, int64_t min_points)
{
    int out = dataset_excluded(d);
    int64_t few = dataset_short(d);
    if (out) event_say(to, FTS_EVENT_NOTICE, "%d source%s at or below %s left out of training and of the validation split: they are the out-of-distribution data",
                       out, out == 1 ? "" : "s", ood_path);
    if (dataset_ignored(d)) event_say(to, FTS_EVENT_NOTICE, "%s files below the data paths are no series and were ignored", digits_of(dataset_ignored(d)).text);
    if (few) event_say(to, FTS_EVENT_NOTICE, "%s series skipped: fewer than %" PRId64 " points, which is one token and one target", digits_of(few).text, min_points);
    event_say(to, FTS_EVENT_NOTICE, "data: %d source%s, %s series, %s points, %s windows: %s to train on, %s to validate", dataset_sources(d), dataset_sources(d) == 1 ? "" : "s",
              digits_of(dataset_series(d)).text, digits_of(dataset_points(d)).text, digits_of(dataset_windows(d)).text,
              digits_of(order_train_count(o)).text, digits_of(order_val_count(o)).text);
}
