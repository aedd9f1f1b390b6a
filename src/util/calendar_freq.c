/* calendar_freq.c - see calendar.h: the names of frequencies. */
#include <stdio.h>
#include <string.h>

#include "util/calendar.h"

enum { WEEK = 604800 };

/* Where letters of pandas changed with its versions, the old and the new one stand here. ends: what may follow a '-'. */
static const struct Name { const char *name; Freq freq; enum { NOTHING, DAYS, MONTHS } ends; } names[] = {
    {"",    {FREQ_COUNT, 1, 0, 0, 0, 0, 0}, NOTHING},
    {"N",   {FREQ_TIME, 0, 1, 0, 0, 0, 0}, NOTHING},       {"ns", {FREQ_TIME, 0, 1, 0, 0, 0, 0}, NOTHING},
    {"U",   {FREQ_TIME, 0, 1000, 0, 0, 0, 0}, NOTHING},    {"us", {FREQ_TIME, 0, 1000, 0, 0, 0, 0}, NOTHING},
    {"L",   {FREQ_TIME, 0, 1000000, 0, 0, 0, 0}, NOTHING}, {"ms", {FREQ_TIME, 0, 1000000, 0, 0, 0, 0}, NOTHING},
    {"s",   {FREQ_TIME, 1, 0, 0, 0, 0, 0}, NOTHING},       {"S", {FREQ_TIME, 1, 0, 0, 0, 0, 0}, NOTHING},
    {"min", {FREQ_TIME, 60, 0, 0, 0, 0, 0}, NOTHING},      {"T", {FREQ_TIME, 60, 0, 0, 0, 0, 0}, NOTHING},
    {"h",   {FREQ_TIME, 3600, 0, 0, 0, 0, 0}, NOTHING},    {"H", {FREQ_TIME, 3600, 0, 0, 0, 0, 0}, NOTHING},
    {"D",   {FREQ_TIME, 86400, 0, 0, 0, 0, 0}, NOTHING},   {"d", {FREQ_TIME, 86400, 0, 0, 0, 0, 0}, NOTHING},
    {"B",   {FREQ_BUSINESS, 1, 0, 0, 0, 0, 0}, NOTHING},
    {"W",   {FREQ_TIME, WEEK, 0, 0, 0, 0, 0}, DAYS},
    {"MS",  {FREQ_MONTHS, 1, 0, 0, 1, 0, 0}, NOTHING},     {"ME", {FREQ_MONTHS, 1, 0, 0, 31, 0, 0}, NOTHING},
    {"M",   {FREQ_MONTHS, 1, 0, 0, 0, 0, 0}, NOTHING},
    {"QS",  {FREQ_MONTHS, 3, 0, 0, 1, 3, 1}, MONTHS},      {"QE", {FREQ_MONTHS, 3, 0, 0, 31, 3, 12}, MONTHS},
    {"Q",   {FREQ_MONTHS, 3, 0, 0, 0, 0, 0}, MONTHS},
    {"YS",  {FREQ_MONTHS, 12, 0, 0, 1, 12, 1}, MONTHS},    {"YE", {FREQ_MONTHS, 12, 0, 0, 31, 12, 12}, MONTHS},
    {"AS",  {FREQ_MONTHS, 12, 0, 0, 1, 12, 1}, MONTHS},    {"Y", {FREQ_MONTHS, 12, 0, 0, 0, 0, 0}, MONTHS},
    {"A",   {FREQ_MONTHS, 12, 0, 0, 0, 0, 0}, MONTHS},
};

static const char days[] = "MONTUEWEDTHUFRISATSUN", months[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";

/* 1, 2, ...; 0: none of them */
static int place_in(const char *list, const char *text)
{
    if (strlen(text) != 3) return 0;
    for (int i = 0; list[3 * i]; i++)
        if (!memcmp(list + 3 * i, text, 3)) return i + 1;
    return 0;
}

/* Q-FEB and Y-JUN are old names of QE-FEB and YE-JUN. */
static int set_end(Freq *f, const struct Name *name, const char *text)
{
    int at = name->ends == DAYS ? place_in(days, text) : name->ends == MONTHS ? place_in(months, text) : 0;
    if (!at) return -1;
    if (name->ends == DAYS) f->weekday = at;
    if (name->ends == DAYS) return 0;
    f->month = at;
    f->phase = (int)name->freq.every;
    if (!f->day) f->day = 31;
    return 0;
}

static int repeat(Freq *f, int64_t n)
{
    int64_t nano = n * f->nano;
    f->every = f->every * n + nano / 1000000000;
    f->nano = (int32_t)(nano % 1000000000);
    return n < 1 ? -1 : 0;
}

int freq_read(Freq *f, const char *text, Err *e)
{
    int64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && n < 100000000; p++) n = 10 * n + (*p - '0');
    size_t length = strcspn(p, "-");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) != length || memcmp(names[i].name, p, length) || (!length && p == text)) continue;
        *f = names[i].freq;
        if ((p[length] && set_end(f, &names[i], p + length + 1)) || repeat(f, p > text ? n : 1)) break;
        return 0;
    }
    return err_set(e, FTS_USAGE, "\"%.32s\" is no frequency: use a number and one of s min h D B W MS ME QS QE YS YE, such as 15min, or a number alone", text);
}

static const char *months_name(const Freq *f, int64_t *n)
{
    static const char *const name[3][3] = {{"MS", "M", "ME"}, {"QS", "Q", "QE"}, {"YS", "Y", "YE"}};
    int unit = f->every % 12 == 0 ? 2 : f->every % 3 == 0 ? 1 : 0;
    *n = f->every / (int[]){1, 3, 12}[unit];
    return name[unit][f->day == 1 ? 0 : f->day == 31 ? 2 : 1];
}

static const char *time_name(const Freq *f, int64_t *n)
{
    static const struct { const char *name; int64_t seconds; } units[] = {{"D", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    size_t i = 0;
    if (f->nano) {
        *n = f->nano + 1000000000 * (f->every < 9000000000 ? f->every : 9000000000);
        return *n % 1000000 == 0 ? *n /= 1000000, "ms" : *n % 1000 == 0 ? *n /= 1000, "us" : "ns";
    }
    while (f->every % units[i].seconds) i++;
    *n = f->every / units[i].seconds;
    return units[i].name;
}

const char *freq_text(const Freq *f, char out[FREQ_TEXT])
{
    int64_t n = f->every;
    const char *name = f->unit == FREQ_MONTHS ? months_name(f, &n) : f->unit == FREQ_TIME ? time_name(f, &n) : f->unit == FREQ_BUSINESS ? "B" : "";
    snprintf(out, FREQ_TEXT, "%lld%s", (long long)n, name);
    return out;
}
