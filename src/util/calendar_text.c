/* calendar_text.c - see calendar.h: times read from text and written back. */
#include <stdio.h>
#include <string.h>

#include "util/calendar.h"
#include "util/str.h"

enum { DAY = 86400, BARE_DATE = 1, BARE_HOUR = 2, DATE_SHOWS = 4, HOUR_SHOWS = 8 };

typedef struct Text { const char *p, *end, *start; } Text;

static int wrong(const Text *t, Err *e, const char *why)
{
    char shown[32];
    return err_set(e, FTS_FORMAT, "found \"%s\", %s", str_shown(t->start, (size_t)(t->end - t->start), shown), why);
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Up to `most` digits; returns how many. */
static int digits(Text *t, int most, int64_t *x)
{
    int n = 0;
    *x = 0;
    for (; n < most && t->p < t->end && is_digit(*t->p); n++) *x = 10 * *x + (*t->p++ - '0');
    return n;
}

static int is_date(int64_t year, int64_t month, int64_t mday)
{
    return year >= 1 && month >= 1 && month <= 12 && mday >= 1 && mday <= calendar_month_days((int)year, (int)month);
}

static int set_date(Stamp *t, const Text *s, int64_t year, int64_t month, int64_t mday, Err *e)
{
    if (!is_date(year, month, mday)) return wrong(s, e, "a date that no calendar has");
    t->seconds = DAY * calendar_day((int)year, (int)month, (int)mday);
    return 0;
}

/* Whole numbers of eight digits that are dates of 1900 to 2199 are dates, and of any year behind one of those; but not behind a count. */
static int is_compact(int64_t x, const Stamp *like)
{
    int goes_on = like && like->style.date == DATE_DAY && !like->style.separator;
    if (like && stamp_is_count(like)) return 0;
    return is_date(x / 10000, x / 100 % 100, x % 100) && (goes_on || (x >= 19000101 && x <= 21991231));
}

static int read_count(Stamp *t, const Text *s, const Stamp *like, Err *e)
{
    int64_t x;
    Text in = *s;
    int minus = *in.p == '-', sign = minus || *in.p == '+';
    in.p += sign;
    int n = digits(&in, 18, &x);
    if (in.p < in.end) return wrong(s, e, "a whole number of more than 18 digits, which is no time");
    t->style = (Style){.date = DATE_COUNT};
    t->seconds = minus ? -x : x;
    if (n != 8 || sign || !is_compact(x, like)) return 0;
    t->style.date = DATE_DAY;
    return set_date(t, s, x / 10000, x / 100 % 100, x % 100, e);
}

static int is_count(const Text *t)
{
    const char *p = t->p + (*t->p == '-' || *t->p == '+');
    if (p == t->end) return 0;
    while (p < t->end && is_digit(*p)) p++;
    return p == t->end;
}

static const char wanted[] = "expected a time such as 2016-07-01 00:00:00, or a whole number";

/* The separator that stands here, if it is one of dates and, for the second, the first again; 0: none. */
static char separator(Text *t, char first)
{
    if (t->p == t->end || (*t->p != '-' && *t->p != '/' && *t->p != '.') || (first && *t->p != first)) return 0;
    return *t->p++;
}

static void note_zeros(Style *s, int shows, int bare, int n, int64_t x)
{
    if (n == 1) s->bare |= (unsigned char)(bare | shows);
    else if (x < 10) s->bare |= (unsigned char)shows;
}

/* 2016-07-01 and 2016-07, after the year and its separator. */
static int year_first(Stamp *t, Text *s, int64_t year, Err *e)
{
    int64_t month, mday = 1;
    int n = digits(s, 2, &month);
    if (!n) return wrong(s, e, wanted);
    note_zeros(&t->style, DATE_SHOWS, BARE_DATE, n, month);
    t->style.date = DATE_MONTH;
    if (separator(s, t->style.separator)) {
        if (!(n = digits(s, 2, &mday))) return wrong(s, e, wanted);
        note_zeros(&t->style, DATE_SHOWS, BARE_DATE, n, mday);
        t->style.date = DATE_DAY;
    }
    return set_date(t, s, year, month, mday, e);
}

static int is_year_last(const Stamp *like) { return like && (like->style.date == DATE_US || like->style.date == DATE_EU); }

/* 07/31/2016 and 31/07/2016, after the first number and its separator. */
static int year_last(Stamp *t, Text *s, int64_t a, const Stamp *like, Err *e)
{
    int64_t b, year;
    int n = digits(s, 2, &b);
    if (!n || !separator(s, t->style.separator)) return wrong(s, e, wanted);
    note_zeros(&t->style, DATE_SHOWS, BARE_DATE, n, b);
    n = digits(s, 4, &year);
    if (n != 4) return wrong(s, e, n == 2 ? "a year of two digits: write 2016-07-01" : wanted);
    int us = b > 12, eu = a > 12;
    if (!us && !eu && is_year_last(like)) {
        us = like->style.date == DATE_US;
        eu = !us;
    }
    if (!us && !eu) eu = t->style.separator == '.';                 /* points are written where the day comes first */
    if (!us && !eu) return wrong(s, e, "which may have its day or its month first: write dates as 2016-07-01");
    t->style.date = us ? DATE_US : DATE_EU;
    return set_date(t, s, year, us ? a : b, us ? b : a, e);
}

static int read_date(Stamp *t, Text *s, const Stamp *like, Err *e)
{
    int64_t x;
    int n = digits(s, 8, &x);
    if (n == 8) {
        t->style.date = DATE_DAY;
        return set_date(t, s, x / 10000, x / 100 % 100, x % 100, e);
    }
    t->style.separator = separator(s, 0);
    if (!t->style.separator || (n != 4 && n != 1 && n != 2)) return wrong(s, e, wanted);
    if (n == 4) return year_first(t, s, x, e);
    note_zeros(&t->style, DATE_SHOWS, BARE_DATE, n, x);
    return year_last(t, s, x, like, e);
}

static int read_fraction(Stamp *t, Text *s, Err *e)
{
    int64_t x;
    s->p++;
    int n = digits(s, 9, &x);
    if (!n) return wrong(s, e, wanted);
    t->style.digits = (unsigned char)n;
    for (; n < 9; n++) x *= 10;
    t->nano = (int32_t)x;
    return 0;
}

static int read_clock(Stamp *t, Text *s, Err *e)
{
    static const int limit[] = {24, 60, 60}, unit[] = {3600, 60, 1};
    int64_t x;
    t->style.join = *s->p++;
    for (int i = 0; i < 3; i++) {
        int n = digits(s, 2, &x);
        if (!n || (i && n != 2)) return wrong(s, e, wanted);
        if (x >= limit[i]) return wrong(s, e, "a time of day that no clock has");
        if (!i) note_zeros(&t->style, HOUR_SHOWS, BARE_HOUR, n, x);
        t->seconds += x * unit[i];
        t->style.parts++;
        if (s->p == s->end || *s->p != ':') break;
        if (i < 2) s->p++;
    }
    return t->style.parts == 3 && s->p < s->end && *s->p == '.' ? read_fraction(t, s, e) : 0;
}

/* Z, +02, +0200, +02:00 */
static int is_zone(const char *p, size_t n)
{
    if (n == 1) return *p == 'Z';
    if ((n != 3 && n != 5 && n != 6) || (*p != '+' && *p != '-')) return 0;
    for (size_t i = 1; i < n; i++)
        if (n == 6 && i == 3 ? p[i] != ':' : !is_digit(p[i])) return 0;
    return 1;
}

/* What this time alone does not show: whether 11 or 10:00 stand in a column that writes 9 or 09. */
static void learn(Style *s, const Style *like)
{
    int date = s->date == like->date && s->separator && s->separator == like->separator && !(s->bare & DATE_SHOWS), hour = !(s->bare & HOUR_SHOWS);
    if (date) s->bare |= like->bare & (DATE_SHOWS | BARE_DATE);
    if (hour) s->bare |= like->bare & (HOUR_SHOWS | BARE_HOUR);
}

int stamp_read(Stamp *t, const char *p, size_t n, const Stamp *like, Err *e)
{
    *t = (Stamp){0};
    while (n && is_blank(*p)) p++, n--;
    while (n && is_blank(p[n - 1])) n--;
    Text s = {p, n ? p + n : p, p};
    if (!n) return err_set(e, FTS_FORMAT, "nothing where a time was expected");
    if (is_count(&s)) return read_count(t, &s, like, e);
    if (read_date(t, &s, like, e)) return -1;
    if (s.p < s.end && (*s.p == ' ' || *s.p == 'T') && t->style.date != DATE_MONTH && read_clock(t, &s, e)) return -1;
    size_t left = (size_t)(s.end - s.p);
    if (left && (!t->style.parts || !is_zone(s.p, left))) return wrong(&s, e, wanted);
    memcpy(t->style.zone, s.p, left);
    if (like) learn(&t->style, &like->style);
    return 0;
}

static int put_date(const Style *s, const Civil *c, char *out)
{
    int width = s->bare & BARE_DATE ? 1 : 2;
    char month[8], mday[8], sep[2] = {s->separator, 0};
    snprintf(month, sizeof month, "%0*d", width, c->month % 100);
    snprintf(mday, sizeof mday, "%0*d", width, c->mday % 100);
    if (s->date == DATE_US) return snprintf(out, STAMP_TEXT / 2, "%s%s%s%s%04d", month, sep, mday, sep, c->year);
    if (s->date == DATE_EU) return snprintf(out, STAMP_TEXT / 2, "%s%s%s%s%04d", mday, sep, month, sep, c->year);
    if (s->date == DATE_MONTH) return snprintf(out, STAMP_TEXT / 2, "%04d%s%s", c->year, sep, month);
    return snprintf(out, STAMP_TEXT / 2, "%04d%s%s%s%s", c->year, sep, month, sep, mday);
}

static int put_clock(const Style *s, int second, int32_t nano, char *out)
{
    char digit[16];
    int n = snprintf(out, STAMP_TEXT / 2, "%c%0*d", s->join, s->bare & BARE_HOUR ? 1 : 2, second / 3600);
    if (s->parts > 1) n += snprintf(out + n, 8, ":%02d", second / 60 % 60);
    if (s->parts > 2) n += snprintf(out + n, 8, ":%02d", second % 60);
    if (!s->digits) return n;
    snprintf(digit, sizeof digit, "%09d", nano);
    return n + snprintf(out + n, 16, ".%.*s", s->digits, digit);
}

void style_show(Style *s, int64_t second, int32_t nano)
{
    int digits = 0;
    for (int32_t left = nano; left; left = (int32_t)((int64_t)left * 10 % 1000000000)) digits++;
    if (digits > s->digits) s->digits = (unsigned char)digits;
    if (s->digits || second % 60 || (second && !s->parts)) s->parts = 3;
    else if (second % 3600 && s->parts < 2) s->parts = 2;
    if (s->parts && s->date == DATE_MONTH) s->date = DATE_DAY;
    if (!s->join) s->join = ' ';
}

const char *stamp_text(const Stamp *t, char out[STAMP_TEXT])
{
    if (stamp_is_count(t)) {
        snprintf(out, STAMP_TEXT, "%lld", (long long)t->seconds);
        return out;
    }
    Civil c = calendar_civil(calendar_floor(t->seconds, DAY));
    Style s = t->style;
    int second = (int)(t->seconds - DAY * c.day);
    style_show(&s, second, t->nano);
    if (s.date == DATE_MONTH && c.mday != 1) s.date = DATE_DAY;
    int n = put_date(&s, &c, out);
    if (s.parts) n += put_clock(&s, second, t->nano, out + n);
    snprintf(out + n, sizeof s.zone + 1, "%.*s", (int)sizeof s.zone, s.zone);
    return out;
}
