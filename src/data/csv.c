/* csv.c - see csv.h */
#include "data/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/num.h"
#include "util/str.h"

static int blank(const Csv *c, char x) { return x == ' ' || x == '\r' || (x == '\t' && c->separator != '\t'); }

static void skip_blank_lines(Csv *c)
{
    for (;;) {
        const char *q = c->p;
        while (q < c->end && (*q == ' ' || *q == '\r')) q++;
        if (q < c->end && *q != '\n') return;
        c->p = q + (q < c->end);
        if (q == c->end) return;
        c->line++;
    }
}

/* At a tie the rarer sign decides: names contain commas more often than tabs or semicolons. */
static char find_separator(const char *p, const char *end)
{
    static const char sign[] = {'\t', ';', ','};
    size_t count[3] = {0}, best = 2;
    int quoted = 0;
    for (; p < end && (quoted || *p != '\n'); p++) {
        quoted ^= *p == '"';
        for (int i = 0; i < 3 && !quoted; i++) count[i] += *p == sign[i];
    }
    for (size_t i = 3; i-- > 0;)
        if (count[i] && count[i] >= count[best]) best = i;
    return sign[best];
}

void csv_init(Csv *c, const void *text, size_t n)
{
    const char *p = n ? text : "";
    *c = (Csv){.p = p, .end = p + n, .line = 1, .row = 1, .separator = ','};
    if (n >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3)) c->p += 3;
    skip_blank_lines(c);
    c->separator = find_separator(c->p, c->end);
}

void csv_free(Csv *c)
{
    free(c->cell);
    c->cell = NULL;
}

static int keep(Csv *c, Cell cell, Err *e)
{
    if (c->n == c->cap) {
        int64_t more = 2 * c->cap + 16;
        Cell *p = realloc(c->cell, (size_t)more * sizeof *p);
        if (!p) return err_nomem(e, (size_t)more * sizeof *p, "a row of cells");
        c->cell = p;
        c->cap = more;
    }
    c->cell[c->n++] = cell;
    return 0;
}

static int quoted_cell(Csv *c, Cell *cell, Err *e)
{
    int64_t line = c->line;
    cell->p = ++c->p;
    for (;; c->p++) {
        if (c->p == c->end) return err_set(e, FTS_FORMAT, "line %lld, column %lld: a quote that is never closed", (long long)line, (long long)c->n + 1);
        c->line += *c->p == '\n';
        if (*c->p != '"') continue;
        if (c->end - c->p < 2 || c->p[1] != '"') break;
        c->p++;
    }
    cell->n = (size_t)(c->p++ - cell->p);
    while (c->p < c->end && blank(c, *c->p)) c->p++;
    if (c->p == c->end || *c->p == c->separator || *c->p == '\n') return 0;
    return err_set(e, FTS_FORMAT, "line %lld, column %lld: text after a closing quote: a quote inside quotes is written twice",
                   (long long)c->line, (long long)c->n + 1);
}

static int read_cell(Csv *c, Cell *cell, Err *e)
{
    while (c->p < c->end && blank(c, *c->p)) c->p++;
    if (c->p < c->end && *c->p == '"') return quoted_cell(c, cell, e);
    const char *q = cell->p = c->p;
    while (q < c->end && *q != c->separator && *q != '\n') q++;
    c->p = q;
    while (q > cell->p && blank(c, q[-1])) q--;
    cell->n = (size_t)(q - cell->p);
    return 0;
}

int csv_row(Csv *c, Err *e)
{
    skip_blank_lines(c);
    c->n = 0;
    c->row = c->line;
    if (c->p == c->end) return 0;
    for (;;) {
        Cell cell = {0};
        if (read_cell(c, &cell, e) || keep(c, cell, e)) return -1;
        if (c->p == c->end) return 1;
        if (*c->p++ != '\n') continue;
        c->line++;
        return 1;
    }
}

static Cell trimmed(Cell c)
{
    while (c.n && strchr(" \t\r\n", *c.p) && *c.p) c.p++, c.n--;
    while (c.n && strchr(" \t\r\n", c.p[c.n - 1]) && c.p[c.n - 1]) c.n--;
    return c;
}

static int is_word(Cell c, const char *word) { return c.n == strlen(word) && !strncasecmp(c.p, word, c.n); }

/* What is no number in digits. */
static CellKind word_number(Cell c, double *x)
{
    static const char *const missing[] = {"", "nan", "na", "null", "?", "n/a"};
    int sign = c.n && (*c.p == '-' || *c.p == '+');
    Cell bare = {c.p + sign, c.n - (size_t)sign};
    *x = (double)NAN;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (is_word(c, missing[i])) return CELL_MISSING;
    if (!is_word(bare, "inf") && !is_word(bare, "infinity")) return CELL_TEXT;
    *x = sign && *c.p == '-' ? -(double)INFINITY : (double)INFINITY;
    return CELL_NUMBER;
}

/* 1: text is c with a point for its only comma. Longer than the buffer is no number that anybody writes with one. */
static int comma_to_point(Cell c, char *text, size_t size)
{
    const char *comma = c.n ? memchr(c.p, ',', c.n) : NULL;
    if (!comma || c.n > size || memchr(c.p, '.', c.n)) return 0;
    memcpy(text, c.p, c.n);
    text[comma - c.p] = '.';
    return 1;
}

CellKind cell_number(Cell c, int comma, double *x)
{
    char text[1024];
    c = trimmed(c);
    if (comma && comma_to_point(c, text, sizeof text)) c.p = text;
    if (c.n && num_read(c.p, c.n, x) == c.n) return CELL_NUMBER;
    return word_number(c, x);
}

int cell_text(Cell c, Str *out, Err *e)
{
    if (c.n && memchr(c.p, 0, c.n)) return err_set(e, FTS_FORMAT, "a zero byte in a name");
    for (size_t i = 0; i < c.n; i++) {
        str_add(out, c.p + i, 1);
        i += c.p[i] == '"' && i + 1 < c.n && c.p[i + 1] == '"';
    }
    str_add(out, "", 0);
    return str_ok(out, e);
}

const char *cell_shown(Cell c, char out[32]) { return str_shown(c.p, c.n, out); }
