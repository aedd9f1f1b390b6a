/* calendar.h - times as they stand in tables: read, continued at a frequency, and written the way they were written.
 *
 * Wall-clock time in the Gregorian calendar, years 1 to 9999. There is no time zone database: "Z" and "+02:00" are kept as text
 * and change no sum, and summer time is ignored. Whole numbers (0, 1, 2, or 1990, 1991) are times too: a count. */
#ifndef UTIL_CALENDAR_H
#define UTIL_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef enum { DATE_COUNT, DATE_DAY, DATE_MONTH, DATE_US, DATE_EU } DateForm;        /* 17; 2016-07-31; 2016-07; 07/31/2016; 31/07/2016 */

typedef struct Style {            /* how a time was written; small, because every time has one */
    unsigned char date;           /* DateForm */
    char          separator;      /* - / . between the parts of the date, 0: none, 20160731 */
    unsigned char bare;           /* bits: 1 date and 2 hour without leading zeros, 4 and 8: date and hour show which */
    char          join;           /* ' ' or 'T' before the time of day */
    unsigned char parts, digits;  /* of the time of day: 0 none, 1 hour, 2 minute, 3 second; of the fraction */
    char          zone[6];        /* "Z", "+00:00", filled up with zeros */
} Style;

typedef struct Stamp {
    int64_t seconds;              /* since 1970-01-01 00:00:00 on the same clock; of a count the number itself */
    int32_t nano;                 /* 0 .. 999999999, later than that */
    Style   style;
} Stamp;

enum { STAMP_TEXT = 64 };
/* like: the time before it in the column, which settles what one alone does not show (is 07/01/2016 in July?); NULL: there is none. */
int  stamp_read(Stamp *t, const char *p, size_t n, const Stamp *like, Err *e);
const char *stamp_text(const Stamp *t, char out[STAMP_TEXT]);      /* in its style, made longer where that would hide something */
void style_show(Style *s, int64_t second, int32_t nano);           /* made longer until it shows this time of day */
int  stamp_order(const Stamp *a, const Stamp *b);                  /* <0, 0, >0; a count and a date have no order: a promise */
static inline int stamp_is_count(const Stamp *t) { return t->style.date == DATE_COUNT; }

typedef enum { FREQ_COUNT, FREQ_TIME, FREQ_MONTHS, FREQ_BUSINESS } FreqUnit;

typedef struct Freq {
    FreqUnit unit;
    int64_t  every;               /* numbers, seconds, months, business days; 0: no frequency */
    int32_t  nano;                /* FREQ_TIME: more than every */
    int      weekday;             /* FREQ_TIME: 1 Monday .. 7 the times fall on, 0: any */
    int      day;                 /* FREQ_MONTHS: 1 .. 31, in a shorter month its last; 0: the day of the time, a last day stays last */
    int      phase, month;        /* FREQ_MONTHS: times fall into this month, 1 .. 12, and any whole number of phases (0, 3, 12 months) from it */
} Freq;

enum { FREQ_TEXT = 32 };
/* Names of pandas with a number before them: 15min, 2h, D, B, W, W-SUN, MS, ME, QS-FEB, YE; a number alone is a step of counts.
 * M, Q, Y, A and W say only how long a step is: the times stay on the day that they are on, a last day of the month stays last. */
int  freq_read(Freq *f, const char *text, Err *e);
const char *freq_text(const Freq *f, char out[FREQ_TEXT]);
int  freq_on(const Freq *f, const Stamp *t);                       /* 1: t is a time of f: a Sunday for W-SUN */
void freq_loosen(Freq *f);                                         /* forgets the weekday, day and month that times fall on */

/* The frequency of times that grow, all counts or all dates. row: (n) the line of each for a message, NULL: counted from 1. */
int  calendar_infer(const Stamp *t, const int64_t *row, int64_t n, Freq *f, Err *e);
/* Where they have none: the middle one of their steps, n >= 2, in months or business days if no time speaks against it. -1: no memory. */
int  calendar_usual(const Stamp *t, int64_t n, Freq *f, Err *e);
/* The k-th time of f after t, k >= 0, as pandas.date_range() has them: if t is none of f, the first after it begins the row. */
int  calendar_next(const Freq *f, const Stamp *t, int64_t k, Stamp *next, Err *e);

typedef struct Civil { int64_t day; int year, month, mday; } Civil;        /* day: since 1970-01-01 */
int64_t calendar_day(int year, int month, int mday);               /* of a date that is one */
int  calendar_month_days(int year, int month);
Civil calendar_civil(int64_t day);
int  calendar_weekday(int64_t day);                                /* 1 Monday .. 7 */
int  calendar_is_month(int64_t count);                             /* 201607 and the like, of 1900 to 2100 */
int64_t calendar_floor(int64_t x, int64_t by);                     /* x / by towards minus infinity */

#endif
