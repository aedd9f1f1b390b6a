/* naive.c - see naive.h */
#include "eval/naive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 256 };
static const char repeat_last[] = "repeat-last", seasonal[] = "seasonal-naive";

static int predict(void *user, const Window *w, int count, int horizon, float *out, Err *e)
{
    const Naive *n = user;
    (void)e;
    for (int i = 0; i < count; i++) {
        assert(w[i].n > 0);
        int period = n->period <= w[i].n ? n->period : 1;
        const float *last = w[i].x + w[i].n - period;
        for (int h = 0, k = 0; h < horizon; h++, k = k + 1 < period ? k + 1 : 0) *out++ = last[k];
    }
    return 0;
}

static void start(Naive *n, int period)
{
    n->period = period;
    n->predictor = (Predictor){n->name, predict, n, AT_ONCE};
}

void naive_repeat_last(Naive *n)
{
    snprintf(n->name, sizeof n->name, "%s", repeat_last);
    start(n, 1);
}

void naive_seasonal(Naive *n, int period)
{
    assert(period >= 1 && period <= PERIOD_MAX);
    snprintf(n->name, sizeof n->name, "%s:%d", seasonal, period);
    start(n, period);
}

int naive_named(Naive *n, const char *text, Err *e)
{
    size_t known = sizeof seasonal - 1;
    if (!strcmp(text, repeat_last)) return naive_repeat_last(n), 1;
    if (strncmp(text, seasonal, known) || (text[known] && text[known] != ':')) return 0;
    const char *digits = text[known] ? text + known + 1 : "";
    long period = strlen(digits) < 9 ? strtol(digits, NULL, 10) : 0;
    if (!*digits || digits[strspn(digits, "0123456789")] || period < 1 || period > PERIOD_MAX)
        return err_set(e, FTS_USAGE, "'%.100s' needs a period of 1..%d points, as in seasonal-naive:24", text, PERIOD_MAX);
    naive_seasonal(n, (int)period);
    return 1;
}
