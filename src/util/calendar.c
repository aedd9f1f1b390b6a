/* calendar.c - see calendar.h: days, and what comes after a time. */
#include "util/calendar.h"

#include <assert.h>

enum { DAY = 86400, NANO = 1000000000 };

int64_t calendar_floor(int64_t x, int64_t by) { return x / by - (x % by < 0); }

int calendar_month_days(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (leap && month == 2);
}

/* Years begin in March here, so that the leap day is the last of one. */
static int64_t year_start(int64_t year) { return 365 * year + year / 4 - year / 100 + year / 400 - 719468; }

int64_t calendar_day(int year, int month, int mday)
{
    return year_start(year - (month < 3)) + (153 * ((month + 9) % 12) + 2) / 5 + mday - 1;
}

Civil calendar_civil(int64_t day)
{
    int64_t year = calendar_floor(10000 * (day + 719468) + 14780, 3652425);
    if (year_start(year) > day) year--;
    int64_t left = day - year_start(year), march = (100 * left + 52) / 3060;
    return (Civil){day, (int)(year + (march + 2) / 12), (int)((march + 2) % 12) + 1, (int)(left - (march * 306 + 5) / 10) + 1};
}

int stamp_order(const Stamp *a, const Stamp *b)
{
    assert(stamp_is_count(a) == stamp_is_count(b));
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
    return (a->nano > b->nano) - (a->nano < b->nano);
}

static Civil civil_of(const Stamp *t) { return calendar_civil(calendar_floor(t->seconds, DAY)); }
int calendar_weekday(int64_t day) { return (int)((day % 7 + 10) % 7) + 1; }                         /* 1970-01-01 was a Thursday, 4 */

static int beyond(Err *e) { return err_set(e, FTS_FORMAT, "a time to forecast lies beyond the year 9999: is --freq right?"); }

static int step(int64_t first, int64_t k, int64_t every, int64_t *x, Err *e)
{
    int64_t n;
    *x = first;
    if (__builtin_mul_overflow(k, every, &n) || __builtin_add_overflow(first, n, x)) return beyond(e);
    return 0;
}

static int move_to_day(Stamp *t, int64_t day, Err *e)
{
    if (day > calendar_day(9999, 12, 31)) return beyond(e);
    t->seconds = day * DAY + (t->seconds - calendar_floor(t->seconds, DAY) * DAY);
    return 0;
}

static int next_count(const Freq *f, Stamp *t, int64_t k, Err *e)
{
    return step(t->seconds, k, f->every, &t->seconds, e);
}

static int next_time(const Freq *f, Stamp *t, int64_t k, Err *e)
{
    int64_t nano, day = calendar_floor(t->seconds, DAY);
    style_show(&t->style, f->every % DAY, f->nano);                     /* midnight too: all times go on in one style */
    if (!freq_on(f, t)) {
        if (move_to_day(t, day + (f->weekday - calendar_weekday(day) + 7) % 7, e)) return -1;
        k--;
    }
    if (step(t->nano, k, f->nano, &nano, e) || step(t->seconds, k, f->every, &t->seconds, e)) return -1;
    if (__builtin_add_overflow(t->seconds, nano / NANO, &t->seconds)) return beyond(e);
    t->nano = (int32_t)(nano % NANO);
    return calendar_floor(t->seconds, DAY) > calendar_day(9999, 12, 31) ? beyond(e) : 0;
}

static int next_business(const Freq *f, Stamp *t, int64_t k, Err *e)
{
    int64_t day = calendar_floor(t->seconds, DAY), n;
    int w = calendar_weekday(day);
    if (w > 5) {
        day += 8 - w;
        w = 1;
        k--;
    }
    if (step(w - 1, k, f->every, &n, e) || n > (int64_t)1 << 40) return beyond(e);
    return move_to_day(t, day - (w - 1) + n / 5 * 7 + n % 5, e);
}

static int last_day(int64_t month) { return calendar_month_days((int)(month / 12), (int)(month % 12) + 1); }
static int day_in(int64_t month, int day) { return day < last_day(month) ? day : last_day(month); }

/* A time that shows no day has none to keep to. */
static int day_wanted(const Freq *f, const Stamp *t, const Civil *c)
{
    if (t->style.date == DATE_MONTH) return c->mday;
    if (f->day) return f->day;
    return c->mday == calendar_month_days(c->year, c->month) ? 31 : c->mday;
}

static int in_phase(const Freq *f, int64_t month) { return !f->phase || (month - (f->month - 1)) % f->phase == 0; }

static int next_month(const Freq *f, Stamp *t, int64_t k, Err *e)
{
    Civil c = civil_of(t);
    int64_t month = (int64_t)12 * c.year + c.month - 1;
    int day = day_wanted(f, t, &c);
    if (!in_phase(f, month) || day_in(month, day) != c.mday) {
        month += in_phase(f, month) && day_in(month, day) < c.mday;
        while (!in_phase(f, month)) month++;
        k--;
    }
    if (step(month, k, f->every, &month, e) || month >= 12 * 10000) return beyond(e);
    return move_to_day(t, calendar_day((int)(month / 12), (int)(month % 12) + 1, day_in(month, day)), e);
}

int calendar_is_month(int64_t count) { return count >= 190001 && count <= 210012 && count % 100 >= 1 && count % 100 <= 12; }

/* 201612 is followed by 201701, and 1990 by 1991. */
static int next_month_count(const Freq *f, Stamp *t, int64_t k, Err *e)
{
    char text[FREQ_TEXT];
    int64_t x = t->seconds, month;
    if (calendar_is_month(x)) {
        if (step(x / 100 * 12 + x % 100 - 1, k, f->every, &month, e) || month >= 12 * 10000) return beyond(e);
        t->seconds = month / 12 * 100 + month % 12 + 1;
        return 0;
    }
    if (f->every % 12 == 0) return step(x, k, f->every / 12, &t->seconds, e);
    return err_set(e, FTS_FORMAT, "%lld is no month such as 201607: the frequency %s needs dates", (long long)x, freq_text(f, text));
}

static int wrong_kind(const Freq *f, const Stamp *t, Err *e)
{
    char time[STAMP_TEXT], freq[FREQ_TEXT];
    if (stamp_is_count(t)) return err_set(e, FTS_FORMAT, "times are whole numbers (%s), and the frequency %s needs dates: give a step such as --freq 1", stamp_text(t, time), freq_text(f, freq));
    return err_set(e, FTS_FORMAT, "times are dates (%s), and the frequency %s is a step of whole numbers: give one such as --freq D", stamp_text(t, time), freq_text(f, freq));
}

int calendar_next(const Freq *f, const Stamp *t, int64_t k, Stamp *next, Err *e)
{
    static int (*const of[])(const Freq *f, Stamp *t, int64_t k, Err *e) = {next_count, next_time, next_month, next_business};
    assert(k >= 0);
    *next = *t;
    if (stamp_is_count(t) && f->unit == FREQ_MONTHS) return k ? next_month_count(f, next, k, e) : 0;
    if (stamp_is_count(t) != (f->unit == FREQ_COUNT)) return wrong_kind(f, t, e);
    if (!k) return 0;
    if (f->unit != FREQ_MONTHS && t->style.date == DATE_MONTH) next->style.date = DATE_DAY;
    return of[f->unit](f, next, k, e);
}

int freq_on(const Freq *f, const Stamp *t)
{
    Civil c = civil_of(t);
    int64_t month = (int64_t)12 * c.year + c.month - 1;
    if (stamp_is_count(t)) return 1;
    switch (f->unit) {
    case FREQ_TIME:     return !f->weekday || f->weekday == calendar_weekday(c.day);
    case FREQ_BUSINESS: return calendar_weekday(c.day) <= 5;
    case FREQ_MONTHS:   return in_phase(f, month) && day_in(month, day_wanted(f, t, &c)) == c.mday;
    default:            return 1;
    }
}

void freq_loosen(Freq *f) { *f = (Freq){.unit = f->unit, .every = f->every, .nano = f->nano}; }
