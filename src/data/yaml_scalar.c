/* yaml_scalar.c - what a text without quotes stands for in YAML 1.1.
 *
 * The rules are the regular expressions of PyYAML's resolver, with one deviation: there a float needs a point and, if it has
 * an exponent, a sign in it, and none in front of a point, so that 1e5, 1.5e3 and -.5 are texts and Python would fail on
 * them in a series. Here they are the numbers that everybody else takes them for. */
#include <math.h>
#include <string.h>

#include "data/jsonl.h"
#include "data/yaml.h"
#include "util/num.h"

enum { LONGEST = 512 };          /* of a number with underscores, which do not count; one without may have any length */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p)) p++;
    return p;
}

static ScalarKind word(const char *p, size_t n, double *x)
{
    static const struct { char text[8]; ScalarKind kind; float x; } words[] = {
        {"", SCALAR_NULL, NAN}, {"~", SCALAR_NULL, NAN}, {"null", SCALAR_NULL, NAN}, {"Null", SCALAR_NULL, NAN}, {"NULL", SCALAR_NULL, NAN},
        {".nan", SCALAR_FLOAT, NAN}, {".NaN", SCALAR_FLOAT, NAN}, {".NAN", SCALAR_FLOAT, NAN},
        {".inf", SCALAR_FLOAT, INFINITY}, {".Inf", SCALAR_FLOAT, INFINITY}, {".INF", SCALAR_FLOAT, INFINITY},
        {"+.inf", SCALAR_FLOAT, INFINITY}, {"+.Inf", SCALAR_FLOAT, INFINITY}, {"+.INF", SCALAR_FLOAT, INFINITY},
        {"-.inf", SCALAR_FLOAT, -INFINITY}, {"-.Inf", SCALAR_FLOAT, -INFINITY}, {"-.INF", SCALAR_FLOAT, -INFINITY},
        {"yes", SCALAR_BOOL, 1}, {"Yes", SCALAR_BOOL, 1}, {"YES", SCALAR_BOOL, 1}, {"no", SCALAR_BOOL, 0}, {"No", SCALAR_BOOL, 0}, {"NO", SCALAR_BOOL, 0},
        {"true", SCALAR_BOOL, 1}, {"True", SCALAR_BOOL, 1}, {"TRUE", SCALAR_BOOL, 1}, {"false", SCALAR_BOOL, 0}, {"False", SCALAR_BOOL, 0}, {"FALSE", SCALAR_BOOL, 0},
        {"on", SCALAR_BOOL, 1}, {"On", SCALAR_BOOL, 1}, {"ON", SCALAR_BOOL, 1}, {"off", SCALAR_BOOL, 0}, {"Off", SCALAR_BOOL, 0}, {"OFF", SCALAR_BOOL, 0},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (n != strlen(words[i].text) || memcmp(p, words[i].text, n)) continue;
        *x = (double)words[i].x;
        return words[i].kind;
    }
    return json_word(p, n, x) ? SCALAR_WORD : SCALAR_TEXT;
}

/* Digits of 1, 3 or 4 bits, of any number, rounded as if exact: the last bit of the head, which is behind those that
 * count, stands for everything that was left out. */
static ScalarKind bits(const char *p, const char *end, int width, double *x)
{
    static const char all[] = "0123456789abcdef0123456789ABCDEF";
    uint64_t head = 0, rest = 0;
    int exp = 0, any = 0;
    for (; p < end; p++) {
        if (*p == '_') continue;
        const char *at = memchr(all, *p, sizeof all - 1);
        uint64_t digit = at ? (uint64_t)(at - all) & 15 : 16;
        if (digit >> width) return SCALAR_TEXT;
        any = 1;
        if (head >> (64 - width)) rest |= digit, exp += exp < 2000 ? width : 0;
        else head = head << width | digit;
    }
    *x = ldexp((double)(head | (rest != 0)), exp);
    return any ? SCALAR_BITS : SCALAR_TEXT;
}

/* 0b, 0x or an octal number behind its sign. */
static ScalarKind based(const char *p, const char *end, double *x)
{
    if (end - p < 2 || *p != '0') return SCALAR_TEXT;
    if (p[1] == 'b') return bits(p + 2, end, 1, x);
    return p[1] == 'x' ? bits(p + 2, end, 4, x) : bits(p, end, 3, x);
}

/* The length of p without its underscores, which is copied up to LONGEST; -1 if that is no number: they stand behind a digit,
 * but not in an exponent or behind a colon. */
static int64_t without_underscores(const char *p, const char *end, char *out)
{
    int64_t n = 0;
    int digit = 0, closed = 0;
    for (; p < end; p++) {
        if (!is_digit(*p) && !memchr("_.:eE+-", *p, 7)) return -1;
        if (*p == '_' && (!digit || closed)) return -1;
        if (*p == '.') closed = 0;
        if (*p == ':' || *p == 'e' || *p == 'E') closed = 1;
        if (*p != '_' && n < LONGEST) out[n] = *p;
        digit |= is_digit(*p);
        n += *p != '_';
    }
    return n;
}

/* A text with a colon in it: 1:30:59 or 1:30.5 */
static ScalarKind base60_kind(const char *p, const char *end)
{
    const char *first = p;
    p = skip_digits(p, end);
    while (p < end && *p == ':') {
        const char *part = ++p;
        p = skip_digits(p, end);
        if (p == part || p - part > 2 || (p - part == 2 && *part > '5')) return SCALAR_TEXT;
    }
    if (p < end && *p == '.') return skip_digits(p + 1, end) == end ? SCALAR_FLOAT : SCALAR_TEXT;
    return p == end && *first != '0' ? SCALAR_INT : SCALAR_TEXT;
}

/* From the last part to the first, as Python adds them up. Whole numbers are exact below 2^53, and nobody writes larger ones so. */
static ScalarKind base60(const char *p, const char *end, double *x)
{
    ScalarKind kind = base60_kind(p, end);
    double part = 0, base = 1;
    if (!kind) return SCALAR_TEXT;
    for (*x = 0; end > p; base *= 60) {
        const char *from = end;
        while (from > p && from[-1] != ':') from--;
        num_read(from, (size_t)(end - from), &part);
        *x += part * base;
        end = from > p ? from - 1 : p;
    }
    return *x < 0x1p53 ? kind : SCALAR_LONG;
}

/* Behind the sign. Zeros in front are those of an octal number, so 08 is none. */
static ScalarKind decimal(const char *p, const char *end, double *x)
{
    size_t n = (size_t)(end - p);
    if (!n || (!is_digit(*p) && *p != '.')) return SCALAR_TEXT;
    if (memchr(p, ':', n)) return base60(p, end, x);
    if (num_read(p, n, x) != n) return SCALAR_TEXT;
    if (skip_digits(p, end) < end) return SCALAR_FLOAT;
    return *p != '0' || n == 1 ? SCALAR_INT : SCALAR_TEXT;
}

static ScalarKind number(const char *p, const char *end, double *x)
{
    char text[LONGEST];
    ScalarKind kind = based(p, end, x);
    if (kind) return kind;
    if (p < end && memchr(p, '_', (size_t)(end - p))) {
        int64_t n = without_underscores(p, end, text);
        if (n < 0 || n > LONGEST) return n < 0 ? SCALAR_TEXT : SCALAR_LONG;
        p = text;
        end = text + n;
    }
    return decimal(p, end, x);
}

ScalarKind scalar_resolve(const char *p, size_t n, double *x)
{
    int sign = n && (*p == '-' || *p == '+');
    ScalarKind kind = n ? number(p + sign, p + n, x) : SCALAR_TEXT;
    if (!kind) return word(p, n, x);
    if (*p == '-') *x = -*x;
    return kind;
}
