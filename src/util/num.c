/* num.c - see num.h */
#include "util/num.h"

#include <stdio.h>
#include <stdlib.h>

/* What a double needs at most to be rounded right is 767 digits and whether anything follows them. */
enum { DIGITS_MAX = 770 };

typedef struct Decimal {                /* value = head * 10^exp if nothing but zeros follows the head */
    const char *first, *last;           /* from the first digit that is not 0 (NULL: all are) to the end of the digits; a point may stand between */
    uint64_t    head;                   /* up to 19 digits from there as a number */
    int         nhead, more;            /* how many those are; more: 1 if a digit other than 0 follows them */
    int64_t     exp;
} Decimal;

static const char *read_digits(Decimal *d, const char *p, const char *end, int *any)
{
    int fraction = 0;
    for (; p < end; p++) {
        if (*p == '.' && !fraction) { fraction = 1; continue; }
        if (*p < '0' || *p > '9') break;
        *any = 1;
        if (!d->first && *p != '0') d->first = p;
        if (d->nhead < 19) {
            d->head = 10 * d->head + (uint64_t)(*p - '0');
            if (d->first) d->nhead++;
            d->exp -= fraction;
        } else {
            d->more |= *p != '0';
            d->exp += !fraction;
        }
    }
    d->last = p;
    return p;
}

/* An e without digits after it is not part of the number. */
static const char *read_exponent(Decimal *d, const char *p, const char *end)
{
    const char *q = p;
    int64_t x = 0;
    int minus = 0;
    if (q == end || (*q != 'e' && *q != 'E')) return p;
    if (++q < end && (*q == '-' || *q == '+')) minus = *q++ == '-';
    if (q == end || *q < '0' || *q > '9') return p;
    for (; q < end && *q >= '0' && *q <= '9'; q++)
        if (x < (int64_t)1 << 56) x = 10 * x + (*q - '0');
    d->exp += minus ? -x : x;
    return q;
}

/* strtod() gets digits and an exponent but no decimal point, the one thing a locale would change. */
static double slow(const Decimal *d)
{
    char text[DIGITS_MAX + 32];
    int n = 0, dropped = 0;
    for (const char *p = d->first; p < d->last; p++) {
        if (*p == '.') continue;
        if (n < DIGITS_MAX) text[n++] = *p;
        else dropped |= *p != '0';
    }
    int64_t exp = d->exp - (n - d->nhead) - dropped;
    if (dropped) text[n++] = '1';
    if (exp > 100000) exp = 100000;
    if (exp < -100000) exp = -100000;
    snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)exp);
    return strtod(text, NULL);
}

/* Clinger 1990: below 2^53 and 10^22 both factors are exact, so one operation rounds once. */
static double value_of(const Decimal *d)
{
    static const double ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (!d->head) return 0;
    if (!d->more && d->head <= (uint64_t)1 << 53) {
        if (d->exp >= 0 && d->exp <= 22) return (double)d->head * ten[d->exp];
        if (d->exp < 0 && d->exp >= -22) return (double)d->head / ten[-d->exp];
    }
    return slow(d);
}

size_t num_read(const char *p, size_t n, double *x)
{
    const char *start = p, *end;
    Decimal d = {0};
    int any = 0, minus = 0;
    if (!n) return 0;
    end = p + n;
    if (*p == '-' || *p == '+') minus = *p++ == '-';
    p = read_digits(&d, p, end, &any);
    if (!any) return 0;
    p = read_exponent(&d, p, end);
    double v = value_of(&d);
    *x = minus ? -v : v;
    return (size_t)(p - start);
}
