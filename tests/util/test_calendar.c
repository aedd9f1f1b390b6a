#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "util/calendar.h"
#include "util/file.h"
#include "util/rng.h"

enum { MOST = 64 };

/* Times between bars. Returns how many, -1: one is refused. */
static int read_all(const char *text, Stamp *t, Err *e)
{
    int n = 0;
    for (const char *p = text; *p && n < MOST; n++) {
        size_t length = strcspn(p, "|");
        if (stamp_read(&t[n], p, length, n ? &t[n - 1] : NULL, e)) return -1;
        p += length + (p[length] == '|');
    }
    return n;
}

/* The time k steps on, as text; freq NULL: the one that the times show. */
static const char *later(const char *freq, const char *times, int64_t k, char out[STAMP_TEXT], Err *e)
{
    Stamp t[MOST], next;
    Freq f;
    int n = read_all(times, t, e);
    if (n < 1 || (freq ? freq_read(&f, freq, e) : calendar_infer(t, NULL, n, &f, e)) || calendar_next(&f, &t[n - 1], k, &next, e)) return e->message;
    return stamp_text(&next, out);
}

TEST(calendar_has_the_days_of_the_gregorian_calendar)
{
    int64_t day = calendar_day(1, 1, 1), leap = 0;
    CHECK(calendar_day(1970, 1, 1) == 0 && calendar_day(2000, 3, 1) == 11017 && day == -719162);
    for (int year = 1; year <= 9999; year++)
        for (int month = 1; month <= 12; month++)
            for (int mday = 1; mday <= calendar_month_days(year, month); mday++, day++) {
                Civil c = calendar_civil(day);
                CHECK(calendar_day(year, month, mday) == day && c.year == year && c.month == month && c.mday == mday);
                leap += month == 2 && mday == 29;
            }
    CHECK(leap == 2424 && calendar_weekday(0) == 4 && calendar_weekday(-719162) == 1);
}

TEST(calendar_times_are_written_as_they_were)
{
    static const struct { const char *text; int64_t seconds; int32_t nano; } times[] = {
        {"2016-07-01 00:00:00", 1467331200, 0}, {"2016-07-01T00:00:00", 1467331200, 0}, {"2016-07-01T01:00:00Z", 1467334800, 0},
        {"2016-07-01 01:00:00.250+00:00", 1467334800, 250000000}, {"2016-07-01 01:00-0530", 1467334800, 0}, {"2016-07-01 01+02", 1467334800, 0},
        {"2016-07-01", 1467331200, 0}, {"2016/07/01", 1467331200, 0}, {"2016.7.1", 1467331200, 0}, {"20160701", 1467331200, 0}, {"20160701 01:00", 1467334800, 0},
        {"2016-07", 1467331200, 0}, {"2016/7", 1467331200, 0}, {"2016", 2016, 0}, {"201607", 201607, 0}, {"-17", -17, 0}, {"0", 0, 0}, {"20161301", 20161301, 0}, {"999999999999999999", 999999999999999999, 0},
        {"07/31/2016", 1469923200, 0}, {"31/07/2016", 1469923200, 0}, {"7/31/2016 9:05", 1469955900, 0}, {"31.7.2016 09:05:01", 1469955901, 0},
        {"1969-12-31 23:59:59.999999999", -1, 999999999}, {"0001-01-01", -62135596800, 0}, {"9999-12-31 23:59:59", 253402300799, 0}, {"2016-02-29", 1456704000, 0},
    };
    char out[STAMP_TEXT];
    Err e;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        Stamp t;
        OK(stamp_read(&t, times[i].text, strlen(times[i].text), NULL, &e));
        TEXT(stamp_text(&t, out), times[i].text);
        CHECK(t.seconds == times[i].seconds && t.nano == times[i].nano);
    }
}

TEST(calendar_text_that_is_no_time_is_named)
{
    static const struct { const char *text, *message; } broken[] = {
        {"", "nothing where a time was expected"}, {" ", "nothing where a time was expected"},
        {"monday", "found \"monday\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"1.5", "found \"1.5\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07-01 00:00:00 UTC", "found \"2016-07-01 00:00:00 UTC\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07/01", "found \"2016-07/01\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07-01T", "found \"2016-07-01T\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07 01:00", "found \"2016-07 01:00\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07-01 00:00:00.", "found \"2016-07-01 00:00:00.\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2016-07-01 00:00:00.1234567890", "found \"2016-07-01 00:00:00.1234...\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
        {"2015-02-29", "found \"2015-02-29\", a date that no calendar has"},
        {"2016-13-01", "found \"2016-13-01\", a date that no calendar has"},
        {"0000-01-01", "found \"0000-01-01\", a date that no calendar has"},
        {"13/13/2016", "found \"13/13/2016\", a date that no calendar has"},
        {"2016-07-01 24:00", "found \"2016-07-01 24:00\", a time of day that no clock has"},
        {"07/01/2016", "found \"07/01/2016\", which may have its day or its month first: write dates as 2016-07-01"},
        {"07/31/16", "found \"07/31/16\", a year of two digits: write 2016-07-01"},
        {"1000000000000000000", "found \"1000000000000000000\", a whole number of more than 18 digits, which is no time"},
        {"a\tb\x01", "found \"a?b?\", expected a time such as 2016-07-01 00:00:00, or a whole number"},
    };
    Err e = {0};
    Stamp t;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        CHECK(stamp_read(&t, broken[i].text, strlen(broken[i].text), NULL, &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
    }
}

/* What pandas.date_range(t, freq=f) of pandas 3.1.1 has at the k-th place after t. */
static const struct { const char *freq, *from; int k; const char *want; } golden[] = {
    {"s", "2000-01-01 00:00:00", 5, "2000-01-01 00:00:05"},
    {"s", "2016-02-27 00:00:00", 2, "2016-02-27 00:00:02"},
    {"s", "2016-12-31 23:59:59", 2, "2017-01-01 00:00:01"},
    {"90s", "2016-01-15 10:30:00", 13, "2016-01-15 10:49:30"},
    {"90s", "2016-12-31 23:59:59", 1, "2017-01-01 00:01:29"},
    {"90s", "2016-02-27 00:00:00", 5, "2016-02-27 00:07:30"},
    {"15min", "2016-01-15 10:30:00", 2, "2016-01-15 11:00:00"},
    {"15min", "1969-12-31 20:00:00", 13, "1969-12-31 23:15:00"},
    {"15min", "2099-12-31 00:00:00", 13, "2099-12-31 03:15:00"},
    {"h", "2016-12-31 23:59:59", 1, "2017-01-01 00:59:59"},
    {"h", "2015-02-28 00:00:00", 1, "2015-02-28 01:00:00"},
    {"h", "1899-11-30 12:00:00", 2, "1899-11-30 14:00:00"},
    {"7h", "2015-02-28 00:00:00", 13, "2015-03-03 19:00:00"},
    {"7h", "1899-11-30 12:00:00", 1, "1899-11-30 19:00:00"},
    {"7h", "1969-12-31 20:00:00", 5, "1970-01-02 07:00:00"},
    {"D", "2099-12-31 00:00:00", 13, "2100-01-13 00:00:00"},
    {"D", "1969-12-31 20:00:00", 1, "1970-01-01 20:00:00"},
    {"D", "2015-02-28 00:00:00", 5, "2015-03-05 00:00:00"},
    {"2D", "2099-12-31 00:00:00", 5, "2100-01-10 00:00:00"},
    {"2D", "2000-01-01 00:00:00", 1, "2000-01-03 00:00:00"},
    {"2D", "2016-12-31 23:59:59", 2, "2017-01-04 23:59:59"},
    {"B", "2016-01-15 10:30:00", 13, "2016-02-03 10:30:00"},
    {"B", "2099-12-31 00:00:00", 13, "2100-01-19 00:00:00"},
    {"B", "2000-01-01 00:00:00", 2, "2000-01-04 00:00:00"},
    {"3B", "2016-01-15 10:30:00", 1, "2016-01-20 10:30:00"},
    {"3B", "2015-02-28 00:00:00", 1, "2015-03-02 00:00:00"},
    {"3B", "2099-12-31 00:00:00", 1, "2100-01-05 00:00:00"},
    {"W-SUN", "2099-12-31 00:00:00", 5, "2100-01-31 00:00:00"},
    {"W-SUN", "1899-11-30 12:00:00", 1, "1899-12-03 12:00:00"},
    {"W-SUN", "2015-02-28 00:00:00", 1, "2015-03-01 00:00:00"},
    {"2W-WED", "2016-12-31 23:59:59", 1, "2017-01-04 23:59:59"},
    {"2W-WED", "2016-02-27 00:00:00", 13, "2016-08-17 00:00:00"},
    {"2W-WED", "2016-01-15 10:30:00", 2, "2016-02-03 10:30:00"},
    {"MS", "1899-11-30 12:00:00", 2, "1900-01-01 12:00:00"},
    {"MS", "2016-01-15 10:30:00", 1, "2016-02-01 10:30:00"},
    {"MS", "2099-12-31 00:00:00", 2, "2100-02-01 00:00:00"},
    {"2MS", "2016-12-31 23:59:59", 1, "2017-01-01 23:59:59"},
    {"2MS", "2016-02-27 00:00:00", 1, "2016-03-01 00:00:00"},
    {"2MS", "1969-12-31 20:00:00", 5, "1970-09-01 20:00:00"},
    {"ME", "2016-12-31 23:59:59", 1, "2017-01-31 23:59:59"},
    {"ME", "1969-12-31 20:00:00", 1, "1970-01-31 20:00:00"},
    {"ME", "2000-01-01 00:00:00", 13, "2001-01-31 00:00:00"},
    {"5ME", "2099-12-31 00:00:00", 1, "2100-05-31 00:00:00"},
    {"5ME", "2015-02-28 00:00:00", 5, "2017-03-31 00:00:00"},
    {"5ME", "2016-02-27 00:00:00", 1, "2016-02-29 00:00:00"},
    {"QS", "1969-12-31 20:00:00", 5, "1971-01-01 20:00:00"},
    {"QS", "2016-01-15 10:30:00", 13, "2019-04-01 10:30:00"},
    {"QS", "2016-02-27 00:00:00", 2, "2016-07-01 00:00:00"},
    {"QE", "1899-11-30 12:00:00", 1, "1899-12-31 12:00:00"},
    {"QE", "2015-02-28 00:00:00", 13, "2018-03-31 00:00:00"},
    {"QE", "2016-02-27 00:00:00", 5, "2017-03-31 00:00:00"},
    {"2QE", "2016-01-15 10:30:00", 2, "2016-09-30 10:30:00"},
    {"2QE", "2099-12-31 00:00:00", 2, "2100-12-31 00:00:00"},
    {"2QE", "2000-01-01 00:00:00", 13, "2006-03-31 00:00:00"},
    {"QS-FEB", "2016-02-27 00:00:00", 5, "2017-05-01 00:00:00"},
    {"QS-FEB", "2016-12-31 23:59:59", 5, "2018-02-01 23:59:59"},
    {"QS-FEB", "2016-01-15 10:30:00", 1, "2016-02-01 10:30:00"},
    {"QE-NOV", "2016-01-15 10:30:00", 13, "2019-02-28 10:30:00"},
    {"QE-NOV", "2000-01-01 00:00:00", 13, "2003-02-28 00:00:00"},
    {"QE-NOV", "2099-12-31 00:00:00", 5, "2101-02-28 00:00:00"},
    {"YS", "2099-12-31 00:00:00", 1, "2100-01-01 00:00:00"},
    {"YS", "2016-02-27 00:00:00", 13, "2029-01-01 00:00:00"},
    {"YS", "1969-12-31 20:00:00", 2, "1971-01-01 20:00:00"},
    {"YE", "2015-02-28 00:00:00", 5, "2019-12-31 00:00:00"},
    {"YE", "1899-11-30 12:00:00", 5, "1903-12-31 12:00:00"},
    {"YE", "2099-12-31 00:00:00", 2, "2101-12-31 00:00:00"},
    {"YE-JUN", "2016-02-27 00:00:00", 5, "2020-06-30 00:00:00"},
    {"YE-JUN", "2015-02-28 00:00:00", 1, "2015-06-30 00:00:00"},
    {"YE-JUN", "1969-12-31 20:00:00", 1, "1970-06-30 20:00:00"},
    {"YS-APR", "2016-12-31 23:59:59", 1, "2017-04-01 23:59:59"},
    {"YS-APR", "2000-01-01 00:00:00", 2, "2001-04-01 00:00:00"},
    {"YS-APR", "2015-02-28 00:00:00", 1, "2015-04-01 00:00:00"},
    {"2YS-OCT", "2016-01-15 10:30:00", 2, "2018-10-01 10:30:00"},
    {"2YS-OCT", "2000-01-01 00:00:00", 13, "2024-10-01 00:00:00"},
    {"2YS-OCT", "2099-12-31 00:00:00", 5, "2108-10-01 00:00:00"},
};

TEST(calendar_continues_as_pandas_does)
{
    char out[STAMP_TEXT];
    Err e;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) TEXT(later(golden[i].freq, golden[i].from, golden[i].k, out, &e), golden[i].want);
}

TEST(calendar_steps_of_our_own)
{
    static const struct { const char *freq, *from; int64_t k; const char *want; } steps[] = {
        {"M", "2016-01-31", 1, "2016-02-29"}, {"M", "2016-02-29", 1, "2016-03-31"}, {"M", "2016-01-15", 2, "2016-03-15"}, {"M", "2016-01-30", 1, "2016-02-29"},
        {"M", "2016-01", 12, "2017-01"}, {"ME", "2016-01", 1, "2016-02"}, {"Q", "2016-05-10", 1, "2016-08-10"}, {"Q-FEB", "2016-01-15", 1, "2016-02-29"},
        {"Y", "2016-02-29", 1, "2017-02-28"}, {"A", "2015-03-01", 2, "2017-03-01"}, {"A-JUN", "2015-03-01", 2, "2016-06-30"}, {"AS", "2015-03-01", 1, "2016-01-01"}, {"W", "2016-07-04", 1, "2016-07-11"},
        {"T", "2016-07-01 23:59", 1, "2016-07-02 00:00"}, {"H", "2016-07-01", 0, "2016-07-01"}, {"H", "2016-07-01", 1, "2016-07-01 01:00:00"}, {"H", "2016-07-01", 24, "2016-07-02 00:00:00"}, {"D", "2016-07", 31, "2016-08-01"}, {"30S", "2016-07-01 00:00", 1, "2016-07-01 00:00:30"},
        {"ms", "2016-07-01", 1500, "2016-07-01 00:00:01.500"}, {"250ms", "2016-07-01 00:00:00.900", 1, "2016-07-01 00:00:01.150"}, {"1500us", "1969-12-31 23:59:59.999", 1, "1970-01-01 00:00:00.0005"},
        {"D", "1/31/2016", 1, "2/1/2016"}, {"D", "12/31/2016", 1, "01/01/2017"}, {"D", "9/30/2016|10/31/2016", 1, "11/1/2016"}, {"D", "31/07/2016|01/08/2016", 1, "02/08/2016"}, {"h", "1/31/2016 9:00|1/31/2016 10:00", 23, "2/1/2016 9:00"},
        {"1", "5", 3, "8"}, {"10", "-5", 1, "5"}, {"M", "201612", 1, "201701"}, {"Y", "1999", 2, "2001"}, {"Y", "201612", 1, "201712"},
        {"D", "20161231", 1, "20170101"}, {"h", "20161231", 1, "20161231 01:00:00"}, {"D", "2016-07-01T00:00:00+02:00", 1, "2016-07-02T00:00:00+02:00"},
        {"h", "17", 1, "times are whole numbers (17), and the frequency 1h needs dates: give a step such as --freq 1"},
        {"M", "17", 1, "17 is no month such as 201607: the frequency 1M needs dates"},
        {"2", "2016-07-01", 1, "times are dates (2016-07-01), and the frequency 2 is a step of whole numbers: give one such as --freq D"},
        {"D", "9999-12-31", 1, "a time to forecast lies beyond the year 9999: is --freq right?"},
        {"99999999MS", "2016-07-01", 99999999999999, "a time to forecast lies beyond the year 9999: is --freq right?"},
        {"B", "9999-12-31", 1, "a time to forecast lies beyond the year 9999: is --freq right?"},
        {"W-SUN", "9999-12-31", 1, "a time to forecast lies beyond the year 9999: is --freq right?"},
        {"YE", "9999-12-31", 1, "a time to forecast lies beyond the year 9999: is --freq right?"},
        {"1", "999999999999999999", INT64_MAX, "a time to forecast lies beyond the year 9999: is --freq right?"},
    };
    char out[STAMP_TEXT];
    Err e;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) TEXT(later(steps[i].freq, steps[i].from, steps[i].k, out, &e), steps[i].want);
}

TEST(calendar_frequency_is_seen)
{
    static const struct { const char *times; int k; const char *want; } seen[] = {
        {"2016-07-01 00:00:00|2016-07-01 01:00:00|2016-07-01 02:00:00", 1, "2016-07-01 03:00:00"},
        {"2016-07-01|2016-07-02", 30, "2016-08-01"},
        {"2016-01-01|2016-02-01", 2, "2016-04-01"}, {"2016-07-01|2016-08-01|2016-09-01", 1, "2016-10-01"},
        {"2016-01-31|2016-02-29", 1, "2016-03-31"}, {"2016-01-30|2016-02-29", 1, "2016-03-30"}, {"2015-12-31|2016-01-31", 1, "2016-02-29"}, {"2016-01-29|2016-02-29|2016-03-29", 11, "2017-02-28"},
        {"2016-04-30|2016-06-30", 1, "2016-08-31"}, {"2015-03-31|2015-06-30|2015-09-30", 1, "2015-12-31"}, {"2016-02-29|2020-02-29", 1, "2024-02-29"}, {"2014-01-01|2015-01-01|2016-01-01", 1, "2017-01-01"},
        {"2016-06-30|2016-07-01|2016-07-04|2016-07-05", 4, "2016-07-11"}, {"2016-07-01|2016-07-04", 1, "2016-07-05"}, {"2016-07-04|2016-07-05|2016-07-06|2016-07-07|2016-07-08", 1, "2016-07-09"},
        {"2016-07-04|2016-07-11", 1, "2016-07-18"}, {"2016-07|2016-08|2016-09", 4, "2017-01"}, {"2016-01|2016-04", 1, "2016-07"},
        {"2016-07-01 00:00:00.000|2016-07-01 00:00:00.040", 24, "2016-07-01 00:00:01.000"},
        {"0|1|2", 1, "3"}, {"1990|1991", 10, "2001"}, {"1990|1995", 1, "2000"}, {"201611|201612", 1, "201701"}, {"201610|201701", 1, "201704"}, {"20161230|20161231", 1, "20170101"}, {"201699|201700", 1, "201701"},
        {"0|2|4|7", 1, "line 4: 7 follows 4 of line 3, where the times before are 2 apart"},
        {"2016-07-01 00:00|2016-07-01 01:00|2016-07-01 03:00", 1, "line 3: 2016-07-01 03:00 follows 2016-07-01 01:00 of line 2, where the times before are 1h apart"},
        {"2016-01-01|2016-02-01|2016-04-01", 1, "line 3: 2016-04-01 follows 2016-02-01 of line 2, where the times before are 1MS apart"},
        {"2016-06-30|2016-07-01|2016-07-04|2016-07-06", 1, "line 4: 2016-07-06 follows 2016-07-04 of line 3, where the times before are 1B apart"},
        {"2016-07-02|2016-07-01", 1, "line 2: 2016-07-01 follows 2016-07-02 of line 1: times must grow"},
        {"5|5", 1, "line 2: 5 follows 5 of line 1: times must grow"},
        {"2016-07-02", 1, "one time alone, 2016-07-02, shows no frequency"},
    };
    char out[STAMP_TEXT];
    Err e;
    Freq f;
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) TEXT(later(NULL, seen[i].times, seen[i].k, out, &e), seen[i].want);
    CHECK(calendar_infer(NULL, NULL, 0, &f, &e) == -1);
    TEXT(e.message, "no times");
}

TEST(calendar_irregular_times_are_told_with_their_lines)
{
    static const int64_t row[] = {7, 9, 12};
    Stamp t[MOST];
    Err e;
    Freq f;
    CHECK(read_all("1|2|4", t, &e) == 3 && calendar_infer(t, row, 3, &f, &e) == -1);
    TEXT(e.message, "line 12: 4 follows 2 of line 9, where the times before are 1 apart");
}

TEST(calendar_irregular_times_go_on_at_their_usual_step)
{
    static const struct { const char *times, *freq, *next; } seen[] = {
        {"0|2|4|7", "2", "9"}, {"1|2|9", "1", "10"}, {"1|5|6|20", "4", "24"}, {"201601|201602|201605", "1M", "201606"}, {"201601|201602|201620", "1", "201621"}, {"-999999999999999999|0|999999999999999999", "999999999999999999", NULL},
        {"2024-01-01|2024-01-02|2024-01-05|2024-01-06", "1D", "2024-01-07"}, {"2016-07-01 00:00|2016-07-01 01:00|2016-07-01 03:00", "1h", "2016-07-01 04:00"},
        {"2016-01-01|2016-02-01|2016-04-01", "1MS", "2016-05-01"}, {"2015-10-31|2015-11-30|2016-02-29", "1ME", "2016-03-31"}, {"2016-01-30|2016-02-29|2016-04-30", "1M", "2016-05-30"},
        {"2016-01-01|2016-02-02|2016-04-01", "32D", "2016-05-03"}, {"2016-01-01 00:00|2016-02-01 01:00|2016-04-01 00:00", "745h", "2016-05-02 01:00"},
        {"2016-06-30|2016-07-01|2016-07-04|2016-07-06|2016-07-07|2016-07-08", "1B", "2016-07-11"}, {"2016-07-04|2016-07-05|2016-07-07", "1D", "2016-07-08"}, {"2024-01-01|2024-01-02|2024-01-15", "1D", "2024-01-16"}, {"2016-07-04|2016-07-11|2016-07-25", "7D", "2016-08-01"},
        {"2016-07-01|2016-07-02|2016-07-04", "1D", "2016-07-05"}, {"2016-07-01 00:00:00.040|2016-07-01 00:00:00.080|2016-07-01 00:00:00.200", "40ms", "2016-07-01 00:00:00.240"},
    };
    char freq[FREQ_TEXT], out[STAMP_TEXT];
    Stamp t[MOST], next;
    Err e;
    Freq f;
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        int n = read_all(seen[i].times, t, &e);
        CHECK(n > 1);
        OK(calendar_usual(t, n, &f, &e));
        TEXT(freq_text(&f, freq), seen[i].freq);
        if (seen[i].next) OK(calendar_next(&f, &t[n - 1], 1, &next, &e));
        if (seen[i].next) TEXT(stamp_text(&next, out), seen[i].next);
    }
    CHECK(read_all("2016-07-02|2016-07-01", t, &e) == 2 && calendar_usual(t, 2, &f, &e) == -1);
    TEXT(e.message, "times must grow");
    CHECK(read_all("1|2|4", t, &e) == 3);
    test_alloc_fail(1);
    int bad = calendar_usual(t, 3, &f, &e);
    test_alloc_fail(0);
    CHECK(bad == -1 && e.code == FTS_NOMEM);
}

TEST(calendar_names_of_frequencies)
{
    static const struct { const char *text, *name; } good[] = {
        {"s", "1s"}, {"90S", "90s"}, {"120T", "2h"}, {"15min", "15min"}, {"24H", "1D"}, {"D", "1D"}, {"W", "7D"}, {"2W-SUN", "14D"}, {"B", "1B"}, {"M", "1M"}, {"ME", "1ME"},
        {"3MS", "1QS"}, {"Q", "1Q"}, {"QE-FEB", "1QE"}, {"QS", "1QS"}, {"12M", "1Y"}, {"YE", "1YE"}, {"A", "1Y"}, {"AS-JUL", "1YS"}, {"7", "7"}, {"1500ms", "1500ms"}, {"5U", "5us"}, {"N", "1ns"},
    };
    static const char *const bad[] = {"", "x", "0D", "-1D", "D-MON", "W-", "W-SON", "QE-JAN2", "M S", "1.5h", "1000000000D", "hh", "-"};
    char out[FREQ_TEXT];
    Err e;
    Freq f;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(freq_read(&f, good[i].text, &e));
        TEXT(freq_text(&f, out), good[i].name);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(freq_read(&f, bad[i], &e) == -1 && e.code == FTS_USAGE);
    CHECK(freq_read(&f, "fortnight", &e) == -1);
    TEXT(e.message, "\"fortnight\" is no frequency: use a number and one of s min h D B W MS ME QS QE YS YE, such as 15min, or a number alone");
}

TEST(calendar_loose_frequencies_keep_the_day)
{
    char out[STAMP_TEXT];
    Stamp t, next;
    Err e;
    Freq f;
    OK(stamp_read(&t, "2016-07-04", 10, NULL, &e) || freq_read(&f, "W-SUN", &e));
    CHECK(!freq_on(&f, &t));
    freq_loosen(&f);
    OK(calendar_next(&f, &t, 1, &next, &e));
    CHECK(freq_on(&f, &t));
    TEXT(stamp_text(&next, out), "2016-07-11");
}

/* Whatever is read is written so that it reads back as the same time, and later times are later. */
TEST(calendar_damaged_times_are_refused_or_read)
{
    static const char good[] = "2016-07-31 23:59:59.125+02:00";
    Err e;
    uint64_t used = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good], out[STAMP_TEXT];
        Stamp t, back, next;
        Freq f;
        size_t n = rng_hash(5, RNG_TEST, used++) % sizeof good;
        memcpy(text, good, sizeof good);
        for (int k = 0; k < 2; k++) {
            uint64_t r = rng_hash(5, RNG_TEST, used++);
            text[r % (sizeof good - 1)] = "0123456789-/.: TZ+x"[(r >> 40) % 19];
        }
        if (stamp_read(&t, text, n, NULL, &e)) continue;
        stamp_text(&t, out);
        OK(stamp_read(&back, out, strlen(out), &t, &e));
        CHECK(back.seconds == t.seconds && back.nano == t.nano);
        OK(freq_read(&f, stamp_is_count(&t) ? "3" : "MS", &e));
        if (!calendar_next(&f, &t, 1, &next, &e)) CHECK(stamp_order(&t, &next) < 0);
    }
}
