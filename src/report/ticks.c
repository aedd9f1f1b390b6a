/* ticks.c - see ticks.h */
#include "report/ticks.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINUS "\xE2\x88\x92"           /* U+2212, as wide as a plus */

static double times_ten_to(double x, int power) { return power < 0 ? x / pow(10, -power) : x * pow(10, power); }

/* Below 1e-280 powers of ten lose digits, and below 1e-12 of the value labels would differ in their thirteenth digit only. */
void ticks_widen(double *lo, double *hi)
{
    double size = fmax(fabs(*lo), fabs(*hi));
    if (*hi / 2 - *lo / 2 >= fmax(1e-12 * size, 1e-280)) return;
    double half = size < 1e-280 ? 1 : 0.1 * size;
    *lo = fmax(*lo - half, -DBL_MAX);
    *hi = fmin(*hi + half, DBL_MAX);
}

void ticks_find(Ticks *t, double lo, double hi, int most)
{
    static const int units[] = {1, 2, 5};
    double gap = (hi / 2 - lo / 2) / most * 2;              /* in halves, because hi - lo may be too large for a double */
    int k = 0, power = (int)floor(log10(gap));
    while (k < 3 && times_ten_to(units[k], power) < gap * (1 - 1e-9)) k++;
    *t = (Ticks){.unit = units[k % 3], .power = power + k / 3};
    double step = times_ten_to(t->unit, t->power);
    t->first = (int64_t)ceil(lo / step - 1e-6);
    t->n = (int)((int64_t)floor(hi / step + 1e-6) - t->first) + 1;
}

double ticks_value(const Ticks *t, int i) { return times_ten_to((double)((t->first + i) * t->unit), t->power); }

/* How the numbers of one axis are written: divided by 10^shift, followed by the suffix. */
typedef struct Notation { int shift; char suffix[24]; } Notation;

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/* The power of ten of the largest value. */
static int largest_power(const Ticks *t)
{
    int64_t a = magnitude(t->first), b = magnitude(t->first + t->n - 1);
    int power = t->power;
    for (int64_t rest = (a > b ? a : b) * t->unit; rest >= 10; rest /= 10) power++;
    return power;
}

static Notation notation(const Ticks *t)
{
    static const char *const prefix[] = {"M", "G", "T"};
    int power = largest_power(t), thousands = power / 3 * 3;
    Notation n = {0};
    if (power >= 6 && power < 15 && thousands - t->power <= 3) {
        n.shift = thousands;
        snprintf(n.suffix, sizeof n.suffix, "%s", prefix[thousands / 3 - 2]);
    } else if (power >= 15 || t->power < -5) {
        n.shift = power;
        snprintf(n.suffix, sizeof n.suffix, "e%s%d", power < 0 ? MINUS : "", power < 0 ? -power : power);
    }
    return n;
}

/* digits, in groups of three */
static void put_grouped(char out[TICK_TEXT], const char *digits)
{
    size_t n = strlen(digits), to = strlen(out);
    for (size_t i = 0; i < n && to + 2 < TICK_TEXT; i++) {
        if (i && (n - i) % 3 == 0) out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = 0;
}

void ticks_whole(char out[TICK_TEXT], int64_t x)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, magnitude(x));
    snprintf(out, TICK_TEXT, "%s", x < 0 ? MINUS : "");
    put_grouped(out, digits);
}

void ticks_label(char out[TICK_TEXT], const Ticks *t, int i)
{
    int64_t whole = (t->first + i) * t->unit, ten = 1;
    Notation as = notation(t);
    char digits[TICK_TEXT];
    int places = as.shift - t->power, zeros = places < 0 ? -places : 0;
    if (!whole) { snprintf(out, TICK_TEXT, "0"); return; }
    for (int k = 0; k < places; k++) ten *= 10;
    snprintf(out, TICK_TEXT, "%s", whole < 0 ? MINUS : "");
    snprintf(digits, sizeof digits, "%" PRId64 "%.*s", magnitude(whole) / ten, zeros, "000000000000000");
    put_grouped(out, digits);
    size_t n = strlen(out);
    snprintf(digits, sizeof digits, "%" PRId64, ten + magnitude(whole) % ten);          /* a one before them keeps leading zeros */
    snprintf(out + n, TICK_TEXT - n, "%s%s%s", places > 0 ? "." : "", digits + 1, as.suffix);
}
