/* calendar_infer.c - see calendar.h: the frequency that times show, or show most. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/calendar.h"

enum { DAY = 86400, NANO = 1000000000 };

static Civil day_of(const Stamp *t) { return calendar_civil(calendar_floor(t->seconds, DAY)); }

static int day_in(const Civil *c, int day)
{
    int last = calendar_month_days(c->year, c->month);
    return day < last ? day : last;
}

/* Each rule sets f from the first times and returns how many of the n times, from the first, keep to it. */

static int64_t fit_count(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 1;
    if (!stamp_is_count(t) || __builtin_sub_overflow(t[1].seconds, t[0].seconds, &f->every) || f->every <= 0) return 1;
    while (++i < n && t[i].seconds - t[i - 1].seconds == f->every) {}
    return i;
}

static int64_t fit_month_count(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 0, month = 0, last;
    for (; i < n && stamp_is_count(t) && calendar_is_month(t[i].seconds); i++) {
        last = month;
        month = t[i].seconds / 100 * 12 + t[i].seconds % 100;
        if (i == 1) f->every = month - last;
        if (i && (month - last != f->every || f->every <= 0)) break;
    }
    return i;
}

static int same_clock(const Stamp *a, const Stamp *b)
{
    return a->nano == b->nano && a->seconds - calendar_floor(a->seconds, DAY) * DAY == b->seconds - calendar_floor(b->seconds, DAY) * DAY;
}

/* The day that times of a month fall on: the largest, unless all are last days. */
static int month_day(const Stamp *t, int64_t n)
{
    int most = 0, all_last = 1;
    for (int64_t i = 0; i < n; i++) {
        Civil c = day_of(&t[i]);
        if (c.mday > most) most = c.mday;
        all_last &= c.mday == calendar_month_days(c.year, c.month);
    }
    return all_last ? 31 : most;
}

static int64_t fit_months(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 0, month = 0, last;
    if (stamp_is_count(t)) return 1;
    f->day = month_day(t, n);
    for (; i < n && same_clock(t, &t[i]); i++) {
        Civil c = day_of(&t[i]);
        last = month;
        month = (int64_t)12 * c.year + c.month - 1;
        if (i == 1) f->every = month - last;
        if (i && (month - last != f->every || f->every <= 0)) break;
        if (c.mday != day_in(&c, f->day)) break;
    }
    return i;
}

/* Without a weekend in between, nothing tells them from days. */
static int64_t fit_business(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 0, last = 0, weekends = 0;
    f->every = 1;
    for (; i < n && !stamp_is_count(t) && same_clock(t, &t[i]); i++) {
        int64_t day = calendar_floor(t[i].seconds, DAY);
        int monday = calendar_weekday(day) == 1;
        if (calendar_weekday(day) > 5 || (i && day - last != (monday ? 3 : 1))) break;
        weekends += i && monday;
        last = day;
    }
    return weekends ? i : 1;
}

static int64_t fit_time(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 0;
    if (stamp_is_count(t)) return 1;
    for (i = 1; i < n; i++) {
        int64_t seconds = t[i].seconds - t[i - 1].seconds, nano = t[i].nano - t[i - 1].nano;
        if (nano < 0) seconds--, nano += NANO;
        if (i == 1) f->every = seconds, f->nano = (int32_t)nano;
        if (seconds < 0 || (!seconds && !nano) || f->every != seconds || f->nano != nano) break;
    }
    return i;
}

/* Months before seconds: the first of July, August and September are 31 days apart. */
static const struct Rule { FreqUnit unit; int64_t (*fit)(const Stamp *t, int64_t n, Freq *f); } rules[] = {
    {FREQ_MONTHS, fit_month_count}, {FREQ_COUNT, fit_count}, {FREQ_MONTHS, fit_months}, {FREQ_BUSINESS, fit_business}, {FREQ_TIME, fit_time},
};

static int irregular(const Stamp *t, const int64_t *row, int64_t i, const Freq *f, Err *e)
{
    char now[STAMP_TEXT], last[STAMP_TEXT], freq[FREQ_TEXT];
    long long here = row ? row[i] : i + 1, before = row ? row[i - 1] : i;
    int at = err_set(e, FTS_FORMAT, "line %lld: %s follows %s of line %lld", here, stamp_text(&t[i], now), stamp_text(&t[i - 1], last), before);
    size_t n = strlen(e->message);
    if (i > 1) snprintf(e->message + n, sizeof e->message - n, ", where the times before are %s apart", freq_text(f, freq));
    else snprintf(e->message + n, sizeof e->message - n, ": times must grow");
    return at;
}

int calendar_infer(const Stamp *t, const int64_t *row, int64_t n, Freq *f, Err *e)
{
    char text[STAMP_TEXT];
    int64_t most = 0;
    *f = (Freq){0};
    if (!n) return err_set(e, FTS_FORMAT, "no times");
    if (n == 1) return err_set(e, FTS_FORMAT, "one time alone, %s, shows no frequency", stamp_text(t, text));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Freq now = {.unit = rules[i].unit};
        int64_t fits = rules[i].fit(t, n, &now);
        if (fits <= most) continue;
        most = fits;
        *f = now;
        if (fits == n) return 0;
    }
    return irregular(t, row, most, f, e);
}

typedef struct Step { int64_t n; int32_t nano; } Step;

static int by_length(const void *a, const void *b)
{
    const Step *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return (x->nano > y->nano) - (x->nano < y->nano);
}

/* Where times stand in each unit, in steps of it; 0: this one does not belong to the unit. */

static int place_of_count(const Stamp *t, Step *at)
{
    *at = (Step){t->seconds, 0};
    return stamp_is_count(t);
}

static int place_of_month_count(const Stamp *t, Step *at)
{
    *at = (Step){t->seconds / 100 * 12 + t->seconds % 100, 0};
    return stamp_is_count(t) && calendar_is_month(t->seconds);
}

static int place_of_month(const Stamp *t, Step *at)
{
    if (stamp_is_count(t)) return 0;
    Civil c = day_of(t);
    *at = (Step){(int64_t)12 * c.year + c.month, 0};
    return 1;
}

static int place_of_business(const Stamp *t, Step *at)
{
    int64_t day = calendar_floor(t->seconds, DAY);
    int weekday = calendar_weekday(day);
    *at = (Step){calendar_floor(day - weekday, 7) * 5 + weekday, 0};
    return !stamp_is_count(t) && weekday <= 5;
}

static int place_of_time(const Stamp *t, Step *at)
{
    *at = (Step){t->seconds, t->nano};
    return !stamp_is_count(t);
}

/* 0: b is not later than a. */
static int between(Step a, Step b, Step *s)
{
    s->nano = b.nano - a.nano;
    if (__builtin_sub_overflow(b.n, a.n, &s->n)) return 0;
    if (s->nano < 0) s->n--, s->nano += NANO;
    return s->n > 0 || (!s->n && s->nano);
}

/* The lower middle one of n - 1 steps, so that it is one of them. 0: these times do not go by this unit. */
static int middle(const Stamp *t, int64_t n, int (*place)(const Stamp *t, Step *at), Step *step, Freq *f)
{
    Step now, last = {0};
    for (int64_t i = 0; i < n; i++, last = now) {
        if (!place(&t[i], &now)) return 0;
        if (i && !between(last, now, &step[i - 1])) return 0;
    }
    qsort(step, (size_t)(n - 1), sizeof *step, by_length);
    f->every = step[(n - 2) / 2].n;
    f->nano = step[(n - 2) / 2].nano;
    return 1;
}

static int one_clock(const Stamp *t, int64_t n)
{
    int64_t i = 1;
    while (i < n && same_clock(t, &t[i])) i++;
    return i == n;
}

static int fits_months(const Stamp *t, int64_t n, Freq *f)
{
    int64_t i = 0;
    f->day = month_day(t, n);
    for (; i < n; i++) {
        Civil c = day_of(&t[i]);
        if (c.mday != day_in(&c, f->day)) break;
    }
    return i == n && one_clock(t, n);
}

/* Fridays with a Monday behind them: without any, days would do as well. */
static int fits_business(const Stamp *t, int64_t n, Freq *f)
{
    int weekends = 0;
    for (int64_t i = 1; i < n; i++) {
        int64_t day = calendar_floor(t[i].seconds, DAY);
        weekends |= calendar_weekday(day) == 1 && day - calendar_floor(t[i - 1].seconds, DAY) == 3;
    }
    return weekends && f->every == 1 && one_clock(t, n);
}

static int fits(const Stamp *t, int64_t n, Freq *f)
{
    (void)t;
    (void)n;
    (void)f;
    return 1;
}

static const struct Usual { FreqUnit unit; int (*place)(const Stamp *t, Step *at); int (*fits)(const Stamp *t, int64_t n, Freq *f); } usual[] = {
    {FREQ_MONTHS, place_of_month_count, fits}, {FREQ_COUNT, place_of_count, fits}, {FREQ_MONTHS, place_of_month, fits_months},
    {FREQ_BUSINESS, place_of_business, fits_business}, {FREQ_TIME, place_of_time, fits},
};

int calendar_usual(const Stamp *t, int64_t n, Freq *f, Err *e)
{
    size_t i = 0;
    assert(n >= 2);
    Step *step = malloc((size_t)n * sizeof *step);
    if (!step) return err_nomem(e, (size_t)n * sizeof *step, "the steps of times");
    do *f = (Freq){.unit = usual[i].unit};
    while (!(middle(t, n, usual[i].place, step, f) && usual[i].fits(t, n, f)) && ++i < sizeof usual / sizeof *usual);
    free(step);
    return i < sizeof usual / sizeof *usual ? 0 : err_set(e, FTS_FORMAT, "times must grow");
}
