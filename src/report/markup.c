/* markup.c - see markup.h */
#include "report/markup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report/label.h"
#include "report/ticks.h"
#include "util/json.h"

#define DASH "\xE2\x80\x93"

static const char *entity(char c)
{
    switch (c) {
    case '<':  return "&lt;";
    case '>':  return "&gt;";
    case '&':  return "&amp;";
    case '"':  return "&quot;";
    case '\'': return "&#39;";
    default:   return NULL;
    }
}

void markup_text(Str *s, const char *text)
{
    for (size_t left = text ? strlen(text) : 0, used; left; text += used, left -= used) {
        size_t n = used = str_utf8(text, left);
        const char *p = label_char(text, &n), *as = n == 1 ? entity(*p) : NULL;
        if (as) str_addf(s, "%s", as);
        else str_add(s, p, n);
        used = used ? used : 1;
    }
}

void markup_whole(Str *s, int64_t x)
{
    char text[TICK_TEXT];
    ticks_whole(text, x);
    str_addf(s, "%s", text);
}

/* x in so many significant digits. */
static double rounded(double x, int digits)
{
    int places = digits - 1 - (int)floor(log10(fabs(x)));
    if (places > 22 || places < -22) return x;               /* powers of ten are exact up to there */
    double p = pow(10, abs(places));
    return places < 0 ? nearbyint(x / p) * p : nearbyint(x * p) / p;
}

void markup_number(Str *s, double x, int digits)
{
    if (!isfinite(x)) { str_addf(s, DASH); return; }
    if (x != 0) x = rounded(x, digits);
    if (fabs(x) >= 1000 && fabs(x) < 1e15 && x == floor(x)) markup_whole(s, (int64_t)x);
    else json_put_number(s, x);
}

void markup_fixed(Str *s, double x, int digits)
{
    size_t from = s->n, have = 0;
    markup_number(s, x, digits);
    if (s->failed || !isfinite(x) || x == 0 || memchr(s->p + from, 'e', s->n - from)) return;
    int point = 0, begun = 0;
    for (const char *p = s->p + from; *p; p++) {
        point |= *p == '.';
        begun |= *p >= '1' && *p <= '9';
        have += begun && *p >= '0' && *p <= '9';
    }
    if (have < (size_t)digits && !point) str_add(s, ".", 1);
    for (; have < (size_t)digits; have++) str_add(s, "0", 1);
}

/* x counts the small unit, of which 60 are a large one. */
static void two_units(Str *s, double x, const char *large, const char *small)
{
    int64_t n = (int64_t)nearbyint(x);
    markup_whole(s, n / 60);
    str_addf(s, " %s %02d %s", large, (int)(n % 60), small);
}

void markup_seconds(Str *s, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e15) str_addf(s, DASH);
    else if (seconds >= 3600) two_units(s, seconds / 60, "h", "min");
    else if (seconds >= 60) two_units(s, seconds, "min", "s");
    else {
        markup_number(s, seconds, 2);
        str_addf(s, " s");
    }
}

void markup_time(Str *s, double seconds)
{
    struct tm t;
    time_t at = seconds >= 0 && seconds < 253402300800.0 ? (time_t)seconds : -1;       /* up to the year 9999 */
    if (at < 0 || !gmtime_r(&at, &t)) { str_addf(s, DASH); return; }
    str_addf(s, "%04d-%02d-%02d %02d:%02d UTC", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min);
}
