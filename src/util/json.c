/* json.c - see json.h. RFC 8259, strict: no comments, no trailing commas, strings are valid UTF-8. */
#include "util/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/num.h"

enum { DEPTH = sizeof ((Json *)0)->bracket };

void json_init(Json *j, const void *text, size_t n)
{
    *j = (Json){.start = text ? text : ""};         /* an empty file is mapped to NULL */
    j->end = j->start + n;
    if (n >= 3 && !memcmp(j->start, "\xEF\xBB\xBF", 3)) j->start += 3;
    j->p = j->start;
}

int json_error(const Json *j, Err *e, const char *fmt, ...)
{
    char what[768];
    int line = 1, column = 1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    for (const char *p = j->start; p < j->p; p++) {
        if (*p == '\n') line++, column = 1;
        else column += ((unsigned char)*p & 0xC0) != 0x80;         /* characters, not bytes */
    }
    return err_set(e, FTS_FORMAT, "line %d, column %d: %s", line, column, what);
}

/* The byte that comes next, after white space; -1 at the end. */
static int next(Json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r')) j->p++;
    return j->p < j->end ? (unsigned char)*j->p : -1;
}

static int is_digit(const Json *j) { return j->p < j->end && *j->p >= '0' && *j->p <= '9'; }

/* "found '}', expected a string" and the like. */
static int unexpected(Json *j, const char *want, Err *e)
{
    int c = next(j);
    if (c < 0) return json_error(j, e, "the text ends, expected %s", want);
    if (c > 32 && c < 127) return json_error(j, e, "found '%c', expected %s", c, want);
    return json_error(j, e, "found byte 0x%02x, expected %s", (unsigned)c, want);
}

char json_peek(Json *j)
{
    int c = next(j);
    if (c < 0) return 0;
    if (c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I') return '0';
    return c && strchr("{[\"tfn", c) ? (char)c : '?';
}

int json_open(Json *j, char bracket, Err *e)
{
    if (next(j) != bracket) return unexpected(j, bracket == '{' ? "an object" : "an array", e);
    if (j->depth == DEPTH) return json_error(j, e, "nested deeper than %d", DEPTH);
    j->bracket[j->depth] = bracket;
    j->fresh[j->depth++] = 1;
    j->p++;
    return 0;
}

int json_more(Json *j, Err *e)
{
    assert(j->depth > 0);
    int top = j->depth - 1, fresh = j->fresh[top], closing = j->bracket[top] == '{' ? '}' : ']', c = next(j);
    if (c == closing) {
        j->p++;
        j->depth--;
        return 0;
    }
    j->fresh[top] = 0;
    if (c < 0) return json_error(j, e, "the text ends inside an %s", closing == '}' ? "object" : "array");
    if (fresh) return 1;
    if (c != ',') return unexpected(j, closing == '}' ? "',' or '}'" : "',' or ']'", e);
    j->p++;
    if (next(j) == closing) return json_error(j, e, "a comma before '%c'", closing);
    return 1;
}

static size_t utf8_write(char *out, unsigned c)
{
    if (c < 0x80) { out[0] = (char)c; return 1; }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i; c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | c);
    return n;
}

/* The four digits after \u. */
static int hex4(Json *j, unsigned *c, Err *e)
{
    *c = 0;
    for (int i = 0; i < 4; i++) {
        const char *hex = "0123456789abcdef", *at = NULL;
        if (j->p < j->end && *j->p) at = strchr(hex, *j->p >= 'A' && *j->p <= 'F' ? *j->p + 32 : *j->p);
        if (!at) return json_error(j, e, "\\u needs four hexadecimal digits");
        *c = *c * 16 + (unsigned)(at - hex);
        j->p++;
    }
    return 0;
}

static int unicode_escape(Json *j, unsigned *c, Err *e)
{
    unsigned low;
    if (hex4(j, c, e)) return -1;
    if (*c < 0xD800 || *c > 0xDFFF) return 0;
    if (*c > 0xDBFF || j->end - j->p < 2 || j->p[0] != '\\' || j->p[1] != 'u') return json_error(j, e, "half of a surrogate pair");
    j->p += 2;
    if (hex4(j, &low, e)) return -1;
    if (low < 0xDC00 || low > 0xDFFF) return json_error(j, e, "half of a surrogate pair");
    *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
    return 0;
}

/* One character of a string, unescaped into c[4]. Returns its length, 0 at the closing quote, -1. */
static int character(Json *j, char *c, Err *e)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned code;
    if (j->p == j->end) return json_error(j, e, "the text ends inside a string");
    if (*j->p == '"') { j->p++; return 0; }
    if (*j->p != '\\') {
        size_t n = str_utf8(j->p, (size_t)(j->end - j->p));
        if (!n) return json_error(j, e, "a string that is not UTF-8");
        if ((unsigned char)*j->p < 0x20) return json_error(j, e, "a control character in a string");
        memcpy(c, j->p, n);
        j->p += n;
        return (int)n;
    }
    if (++j->p == j->end) return json_error(j, e, "the text ends inside a string");
    const char *at = *j->p ? strchr(from, *j->p) : NULL;
    if (!at && *j->p != 'u') return json_error(j, e, "an unknown escape in a string");
    j->p++;
    if (at) { c[0] = to[at - from]; return 1; }
    return unicode_escape(j, &code, e) ? -1 : (int)utf8_write(c, code);
}

/* Unescapes as much as fits; out NULL: only checks. *whole: bytes of all of it. */
static int quoted(Json *j, const char *want, char *out, size_t size, size_t *whole, Err *e)
{
    char c[4];
    int n;
    size_t used = 0;
    *whole = 0;
    if (next(j) != '"') return unexpected(j, want, e);
    j->p++;
    while ((n = character(j, c, e)) > 0) {
        if (out && !c[0]) return json_error(j, e, "a zero byte in a string");
        *whole += (size_t)n;
        if (!out || *whole >= size) continue;
        memcpy(out + used, c, (size_t)n);
        used += (size_t)n;
    }
    if (out) out[used] = 0;
    return n;
}

/* A cut key ends in an ellipsis, so that it cannot become equal to a shorter one. */
int json_key(Json *j, char *key, size_t size, Err *e)
{
    size_t whole;
    assert(!key || size >= 8);
    if (quoted(j, "a key in quotes", key, size, &whole, e)) return -1;
    if (key && whole >= size) {
        size_t n = size - 4;
        while (n && ((unsigned char)key[n] & 0xC0) == 0x80) n--;
        memcpy(key + n, "\xE2\x80\xA6", 4);
    }
    if (next(j) != ':') return unexpected(j, "':'", e);
    j->p++;
    return 0;
}

int json_string(Json *j, char *out, size_t size, Err *e)
{
    size_t whole;
    assert(out && size);
    if (quoted(j, "a string", out, size, &whole, e)) return -1;
    return whole < size ? 0 : json_error(j, e, "a string of %zu bytes, at most %zu", whole, size - 1);
}

static int word(Json *j, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, w, n)) return 0;
    j->p += n;
    return 1;
}

static int digits(Json *j, Err *e)
{
    if (!is_digit(j)) return json_error(j, e, "a digit is missing in a number");
    while (is_digit(j)) j->p++;
    return 0;
}

/* [-] digits, without zeros in front */
static int whole_part(Json *j, Err *e)
{
    if (*j->p == '-') j->p++;
    const char *first = j->p;
    if (digits(j, e)) return -1;
    return *first == '0' && j->p - first > 1 ? json_error(j, e, "a number that begins with 0") : 0;
}

static int fraction_part(Json *j, Err *e)
{
    if (j->p < j->end && *j->p == '.') {
        j->p++;
        if (digits(j, e)) return -1;
    }
    if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
        j->p++;
        if (j->p < j->end && (*j->p == '+' || *j->p == '-')) j->p++;
        if (digits(j, e)) return -1;
    }
    return 0;
}

int json_number(Json *j, double *x, Err *e)
{
    if (json_peek(j) != '0') return unexpected(j, "a number", e);
    const char *from = j->p;
    if (word(j, "NaN")) { *x = (double)__builtin_nanf(""); return 0; }
    if (word(j, "Infinity")) { *x = __builtin_inf(); return 0; }
    if (word(j, "-Infinity")) { *x = -__builtin_inf(); return 0; }
    if (whole_part(j, e) || fraction_part(j, e)) return -1;
    num_read(from, (size_t)(j->p - from), x);
    return 0;
}

/* Computed on the negative side, which reaches one further. */
int json_int(Json *j, int64_t *x, Err *e)
{
    int64_t v = 0;
    if (json_peek(j) != '0' || *j->p == 'N' || *j->p == 'I') return unexpected(j, "a whole number", e);
    const char *from = j->p;
    if (whole_part(j, e)) return -1;
    if (j->p < j->end && (*j->p == '.' || *j->p == 'e' || *j->p == 'E')) return unexpected(j, "a whole number", e);
    for (const char *p = from + (*from == '-'); p < j->p; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v)) return json_error(j, e, "a whole number out of range");
    if (*from != '-' && v == INT64_MIN) return json_error(j, e, "a whole number out of range");
    *x = *from == '-' ? v : -v;
    return 0;
}

int json_bool(Json *j, int *x, Err *e)
{
    int c = next(j);
    if (c == 't' && word(j, "true")) { *x = 1; return 0; }
    if (c == 'f' && word(j, "false")) { *x = 0; return 0; }
    return unexpected(j, "true or false", e);
}

/* Recursion as deep as json_open() allows. */
int json_skip(Json *j, Err *e)
{
    char kind = json_peek(j);
    double x;
    size_t whole;
    int more, b;
    switch (kind) {
    case '{':
    case '[':
        if (json_open(j, kind, e)) return -1;
        while ((more = json_more(j, e)) > 0)
            if ((kind == '{' && json_key(j, NULL, 0, e)) || json_skip(j, e)) return -1;
        return more;
    case '"': return quoted(j, "a string", NULL, 0, &whole, e);
    case '0': return json_number(j, &x, e);
    case 't':
    case 'f': return json_bool(j, &b, e);
    case 'n': return word(j, "null") ? 0 : unexpected(j, "null", e);
    default:  return unexpected(j, "a value", e);
    }
}

int json_end(Json *j, Err *e)
{
    return next(j) < 0 && !j->depth ? 0 : unexpected(j, j->depth ? "a closing bracket" : "the end", e);
}

int json_has_key(const void *text, size_t n, const char *key)
{
    Json j;
    Err e;
    char found[64];
    json_init(&j, text, n);
    if (json_open(&j, '{', &e)) return 0;
    while (json_more(&j, &e) > 0 && !json_key(&j, found, sizeof found, &e)) {
        if (!strcmp(found, key)) return 1;
        if (json_skip(&j, &e)) return 0;
    }
    return 0;
}

/* What is not UTF-8, such as a file name from elsewhere, becomes U+FFFD: the text stays readable to every parser. */
void json_put_string(Str *s, const char *text)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    size_t left = strlen(text);
    str_add(s, "\"", 1);
    while (left) {
        const char *at = strchr(from, *text);
        size_t n = str_utf8(text, left);
        if (at) str_addf(s, "\\%c", to[at - from]);
        else if (!n) str_add(s, "\xEF\xBF\xBD", 3);
        else if ((unsigned char)*text < 0x20) str_addf(s, "\\u%04x", (unsigned)(unsigned char)*text);
        else str_add(s, text, n);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    str_add(s, "\"", 1);
}

/* The digits of x rounded to n of them, and the power of ten of the first. The point of printf() depends on the locale, so it is left behind. */
static int round_digits(double x, int n, char *digit, int *exp)
{
    char text[64], *out = digit;
    snprintf(text, sizeof text, "%.*e", n - 1, x);
    char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') *out++ = *p;
    *exp = 0;
    for (char *q = p + 2; *q; q++) *exp = 10 * *exp + (*q - '0');
    if (p[1] == '-') *exp = -*exp;
    while (out > digit + 1 && out[-1] == '0') out--;
    *out = 0;
    return (int)(out - digit);
}

/* Any number of 15 digits survives the way through a double, so fewer than those are found by dropping zeros. Not so for subnormal ones. */
static int shortest_digits(double x, char *digit, int *exp)
{
    for (int n = x < 0x1p-1022 ? 1 : 15;; n++) {
        char text[48];
        double back = 0;
        int len = round_digits(x, n, digit, exp), w = snprintf(text, sizeof text, "%se%d", digit, *exp - len + 1);
        num_read(text, (size_t)w, &back);
        if (n == 17 || back == x) return len;
    }
}

/* Laid out as Python does: 0.0001, 1e-05, 1e+16; but 1, not 1.0. */
void json_put_number(Str *s, double x)
{
    char digit[32];
    int exp, n;
    if (!__builtin_isfinite(x)) { str_add(s, "null", 4); return; }
    if (__builtin_signbit(x)) str_add(s, "-", 1);
    n = shortest_digits(__builtin_fabs(x), digit, &exp);
    if (exp < -4 || exp > 15) str_addf(s, "%.1s%s%se%c%02d", digit, n > 1 ? "." : "", digit + 1, exp < 0 ? '-' : '+', exp < 0 ? -exp : exp);
    else if (exp < 0) str_addf(s, "0.%.*s%s", -exp - 1, "000", digit);
    else if (n > exp + 1) str_addf(s, "%.*s.%s", exp + 1, digit, digit + exp + 1);
    else str_addf(s, "%s%.*s", digit, exp + 1 - n, "000000000000000");
}

