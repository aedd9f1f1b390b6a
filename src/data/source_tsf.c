/* source_tsf.c - see tsf.h */
#include "data/tsf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/csv.h"

typedef struct Tsf {
    const char *p, *end;             /* what is left of the line; its end without blanks */
    const char *begin;               /* of the line */
    int64_t line;
    int     attributes, data;        /* how many were declared; 1: @data was seen */
} Tsf;

__attribute__((format(printf, 4, 5)))
static int tsf_error(const Tsf *t, const char *at, Err *e, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(e, FTS_FORMAT, "line %lld, column %lld: %s", (long long)t->line, (long long)(at - t->begin) + 1, text);
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static Cell next_word(Tsf *t)
{
    while (t->p < t->end && is_blank(*t->p)) t->p++;
    Cell c = {t->p, 0};
    while (t->p < t->end && !is_blank(*t->p)) t->p++;
    c.n = (size_t)(t->p - c.p);
    return c;
}

static int is_word(Cell c, const char *word) { return c.n == strlen(word) && !strncasecmp(c.p, word, c.n); }

static int attribute(Tsf *t, Err *e)
{
    Cell name = next_word(t), type = next_word(t);
    char found[32];
    if (!name.n || !type.n) return tsf_error(t, t->p, e, "expected @attribute NAME TYPE");
    if (!is_word(type, "string") && !is_word(type, "numeric") && !is_word(type, "date"))
        return tsf_error(t, type.p, e, "found \"%s\", expected string, numeric or date", cell_shown(type, found));
    t->attributes++;
    return 0;
}

static int flag(Tsf *t, Err *e)
{
    Cell c = next_word(t);
    char found[32];
    if (is_word(c, "true") || is_word(c, "false")) return 0;
    return tsf_error(t, c.p, e, "found \"%s\", expected true or false", cell_shown(c, found));
}

/* Tags that say nothing about values are passed over, known or not. */
static int tag(Tsf *t, Err *e)
{
    Cell c = next_word(t);
    if (*c.p != '@') return tsf_error(t, c.p, e, "expected a line that begins with @ or #: series come after @data");
    if (is_word(c, "@data")) t->data = 1;
    if (is_word(c, "@attribute")) return attribute(t, e);
    return is_word(c, "@missing") || is_word(c, "@equallength") ? flag(t, e) : 0;
}

/* Moves p behind the attributes. */
static int skip_attributes(Tsf *t, Err *e)
{
    const char *first = t->p, *p;
    int fields = 1;
    for (p = t->p; (p = memchr(p, ':', (size_t)(t->end - p))); fields++) t->p = ++p;
    if (fields == t->attributes + 1) return 0;
    return tsf_error(t, first, e, "%d fields between colons, expected %d: one for each @attribute and the series", fields, t->attributes + 1);
}

static int series(Decoded *d, Tsf *t, Err *e)
{
    if (skip_attributes(t, e) || decoded_series(d, e)) return -1;
    for (;;) {
        const char *stop = memchr(t->p, ',', (size_t)(t->end - t->p));
        Cell c = {t->p, (size_t)((stop ? stop : t->end) - t->p)};
        char found[32];
        double x;
        while (c.n && is_blank(*c.p)) c.p++, c.n--;
        if (!c.n) return tsf_error(t, c.p, e, "nothing where a number was expected: a missing value is written as ?");
        if (cell_number(c, 0, &x) == CELL_TEXT) return tsf_error(t, c.p, e, "found \"%s\", expected a number or ?", cell_shown(c, found));
        if (decoded_point(d, x, e)) return -1;
        if (!stop) return 0;
        t->p = stop + 1;
    }
}

static int tsf_line(Decoded *d, Tsf *t, Err *e)
{
    while (t->end > t->p && is_blank(t->end[-1])) t->end--;
    while (t->p < t->end && is_blank(*t->p)) t->p++;
    if (t->p == t->end || *t->p == '#') return 0;
    return t->data ? series(d, t, e) : tag(t, e);
}

int tsf_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    const char *p = n ? text : "", *end = p + n;
    Tsf t = {.p = p, .end = p, .begin = p};
    if (n >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3)) p += 3;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        t.p = t.begin = p;
        t.end = stop ? stop : end;
        t.line++;
        if (tsf_line(d, &t, e)) return -1;
        p = stop ? stop + 1 : end;
    }
    return t.data ? 0 : err_set(e, FTS_FORMAT, "line %lld: the text ends without @data", (long long)t.line);
}

static int tsf_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".tsf"); }
static int tsf_open(Source *s, Err *e) { return decoded_open(s, tsf_decode, e); }

const Format format_tsf = {"tsf", ".tsf", tsf_sniff, tsf_open, decoded_read, decoded_close};
