/* source_yaml.c - see yaml.h. From the events of libyaml straight to series: no tree, so that a file costs what its points cost. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "data/csv.h"
#include "data/yaml.h"

enum { DEPTH = 64, HEAD = 1 << 16 };

typedef struct Yaml {
    yaml_parser_t parser;
    yaml_event_t  now;               /* the last one read; owned */
} Yaml;

__attribute__((format(printf, 3, 4)))
static int error_at(yaml_mark_t at, Err *e, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(e, FTS_FORMAT, "line %zu, column %zu: %s", at.line + 1, at.column + 1, text);
}

/* A failure without a story is one of memory, too: libyaml does not set the code for each allocation. */
static int parser_error(const yaml_parser_t *p, Err *e)
{
    if (p->error == YAML_MEMORY_ERROR || !p->problem) return err_set(e, FTS_NOMEM, "no memory for reading YAML");
    if (p->error == YAML_READER_ERROR) return err_set(e, FTS_FORMAT, "byte %zu: %s", p->problem_offset, p->problem);
    return error_at(p->problem_mark, e, "%s%s%s", p->problem, p->context ? " " : "", p->context ? p->context : "");
}

static int next(Yaml *y, Err *e)
{
    yaml_event_delete(&y->now);
    return yaml_parser_parse(&y->parser, &y->now) ? 0 : parser_error(&y->parser, e);
}

/* Up to what the first document holds: 1, 0 if there is none, -1. y is to be closed in any case. */
static int begin(Yaml *y, const void *text, size_t n, Err *e)
{
    *y = (Yaml){0};
    if (!yaml_parser_initialize(&y->parser)) return err_set(e, FTS_NOMEM, "no memory for reading YAML");
    yaml_parser_set_input_string(&y->parser, n ? text : (const void *)"", n);          /* an empty file is mapped to NULL */
    if (next(y, e) || next(y, e)) return -1;
    if (y->now.type == YAML_STREAM_END_EVENT) return 0;
    return next(y, e) ? -1 : 1;
}

static void end(Yaml *y)
{
    yaml_event_delete(&y->now);
    yaml_parser_delete(&y->parser);
}

/* How much deeper the event leads. */
static int nesting(const Yaml *y)
{
    switch (y->now.type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return 1;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:   return -1;
    default:                       return 0;
    }
}

/* To the end of the value that begins here, whatever is in it. */
static int skip(Yaml *y, Err *e)
{
    for (int depth = nesting(y); depth; depth += nesting(y)) {
        if (depth > DEPTH) return error_at(y->now.start_mark, e, "nested deeper than %d", DEPTH);
        if (next(y, e)) return -1;
    }
    return 0;
}

static int refuse_tag(const Yaml *y, const char *tag, Err *e)
{
    static const char standard[] = "tag:yaml.org,2002:";
    int known = !strncmp(tag, standard, sizeof standard - 1);
    char shown[32];
    if (known) tag += sizeof standard - 1;
    cell_shown((Cell){tag, strlen(tag)}, shown);
    return error_at(y->now.start_mark, e, "%s%s: tags are not read: write lists and numbers without them", known ? "!!" : "", shown);
}

/* Fine without a tag, or with the one that says what is there anyway. */
static int check_tag(const Yaml *y, const yaml_char_t *tag, const char *own, Err *e)
{
    return !tag || !strcmp((const char *)tag, own) ? 0 : refuse_tag(y, (const char *)tag, e);
}

static int refuse_alias(const Yaml *y, Err *e)
{
    const char *name = (const char *)y->now.data.alias.anchor;
    char shown[32];
    return error_at(y->now.start_mark, e, "aliases (*%s) are not read: write the values out", cell_shown((Cell){name, strlen(name)}, shown));
}

typedef struct Expected { const char *tag, *otherwise; int kinds; } Expected;

/* The first row is a text without quotes and tag, the second one in quotes. */
static const Expected *expected(const Yaml *y)
{
    static const Expected rows[] = {
        {"",             "no number",              SCALAR_NULL | SCALAR_BOOL | SCALAR_INT | SCALAR_BITS | SCALAR_FLOAT | SCALAR_WORD},
        {YAML_STR_TAG,   "a text, no number",      SCALAR_WORD},
        {YAML_FLOAT_TAG, "no number",              SCALAR_INT | SCALAR_FLOAT | SCALAR_WORD},
        {YAML_INT_TAG,   "no whole number",        SCALAR_INT | SCALAR_BITS},
        {YAML_BOOL_TAG,  "neither true nor false", SCALAR_BOOL},
        {YAML_NULL_TAG,  "not null",               SCALAR_NULL},
    };
    const char *tag = (const char *)y->now.data.scalar.tag;
    if (y->now.data.scalar.plain_implicit) return &rows[0];
    if (!tag) return &rows[1];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(tag, rows[i].tag)) return &rows[i];
    return NULL;
}

static int scalar(const Yaml *y, double *x, Err *e)
{
    const Expected *wanted = expected(y);
    Cell c = {(const char *)y->now.data.scalar.value, y->now.data.scalar.length};
    char shown[32];
    if (!wanted) return refuse_tag(y, (const char *)y->now.data.scalar.tag, e);
    ScalarKind kind = scalar_resolve(c.p, c.n, x);
    if (kind & wanted->kinds) return 0;
    return error_at(y->now.start_mark, e, "\"%s\" is %s", cell_shown(c, shown), kind == SCALAR_LONG ? "a number too long to be read exactly" : wanted->otherwise);
}

static int number(const Yaml *y, double *x, Err *e)
{
    switch (y->now.type) {
    case YAML_SCALAR_EVENT:         return scalar(y, x, e);
    case YAML_ALIAS_EVENT:          return refuse_alias(y, e);
    case YAML_SEQUENCE_START_EVENT: return error_at(y->now.start_mark, e, "a list inside a series: a series has one dimension");
    default:                        return error_at(y->now.start_mark, e, "a mapping inside a series: a series has one dimension");
    }
}

/* From the first item of a list, or its end, to its end. */
static int points(Decoded *d, Yaml *y, Err *e)
{
    double x;
    if (decoded_series(d, e)) return -1;
    while (y->now.type != YAML_SEQUENCE_END_EVENT)
        if (number(y, &x, e) || decoded_point(d, x, e) || next(y, e)) return -1;
    return 0;
}

static int numbers(Decoded *d, Yaml *y, Err *e)
{
    if (y->now.type == YAML_ALIAS_EVENT) return refuse_alias(y, e);
    if (y->now.type != YAML_SEQUENCE_START_EVENT) return error_at(y->now.start_mark, e, "expected a list of numbers");
    return check_tag(y, y->now.data.sequence_start.tag, YAML_SEQ_TAG, e) || next(y, e) ? -1 : points(d, y, e);
}

static int is_series_key(const Yaml *y)
{
    const char *key = (const char *)y->now.data.scalar.value;
    return y->now.type == YAML_SCALAR_EVENT && (!strcmp(key, "sequence") || !strcmp(key, "target"));
}

static int mapping(Decoded *d, Yaml *y, Err *e)
{
    yaml_mark_t at = y->now.start_mark;
    int found = 0;
    if (check_tag(y, y->now.data.mapping_start.tag, YAML_MAP_TAG, e) || next(y, e)) return -1;
    while (y->now.type != YAML_MAPPING_END_EVENT) {
        int series = is_series_key(y);
        if (series && found++) return error_at(y->now.start_mark, e, "a second series in one mapping");
        if (skip(y, e) || next(y, e)) return -1;
        if (series ? numbers(d, y, e) : skip(y, e)) return -1;
        if (next(y, e)) return -1;
    }
    return found ? 0 : error_at(at, e, "a mapping without \"sequence\" or \"target\"");
}

static int series(Decoded *d, Yaml *y, Err *e)
{
    switch (y->now.type) {
    case YAML_SEQUENCE_START_EVENT: return numbers(d, y, e);
    case YAML_MAPPING_START_EVENT:  return mapping(d, y, e);
    case YAML_ALIAS_EVENT:          return refuse_alias(y, e);
    default:                        return error_at(y->now.start_mark, e, "expected a list of numbers or a mapping with \"sequence\"");
    }
}

/* Of series, or of the numbers of one: the first item decides. */
static int list(Decoded *d, Yaml *y, Err *e)
{
    if (check_tag(y, y->now.data.sequence_start.tag, YAML_SEQ_TAG, e) || next(y, e)) return -1;
    if (y->now.type == YAML_SCALAR_EVENT) return points(d, y, e);
    while (y->now.type != YAML_SEQUENCE_END_EVENT)
        if (series(d, y, e) || next(y, e)) return -1;
    return 0;
}

static int document(Decoded *d, Yaml *y, const void *text, size_t n, Err *e)
{
    int found = begin(y, text, n, e);
    if (found < 0) return -1;
    if (!found) return error_at(y->now.start_mark, e, "the text ends, expected a list of series: is the file empty?");
    if (y->now.type == YAML_SEQUENCE_START_EVENT ? list(d, y, e) : series(d, y, e)) return -1;
    if (next(y, e) || next(y, e)) return -1;                         /* the end of the document, and what is behind it */
    return y->now.type == YAML_STREAM_END_EVENT ? 0 : error_at(y->now.start_mark, e, "a second document: a file holds one");
}

int yaml_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    Yaml y;
    int bad = document(d, &y, text, n, e);
    end(&y);
    return bad;
}

/* Settings lie beside data as .yaml, too, and are nobody's: data is a list, or a mapping with a series in it. Its key may
 * stand behind others, but within the head, whose cut end is an error like any other: not mine. */
static int is_data(Yaml *y, const void *text, size_t n)
{
    Err e;
    if (begin(y, text, n, &e) <= 0) return 0;
    if (y->now.type != YAML_MAPPING_START_EVENT) return y->now.type == YAML_SEQUENCE_START_EVENT;
    if (next(y, &e)) return 0;
    while (y->now.type != YAML_MAPPING_END_EVENT) {
        if (is_series_key(y)) return 1;
        if (skip(y, &e) || next(y, &e) || skip(y, &e) || next(y, &e)) return 0;
    }
    return 0;
}

static int yaml_sniff(const char *path, int is_dir)
{
    Yaml y;
    Map m;
    Err e;
    if (!named_like(path, is_dir, ".yaml") && !named_like(path, is_dir, ".yml")) return 0;
    if (map_open(&m, path, &e)) return 0;
    int mine = is_data(&y, m.p, m.n < HEAD ? m.n : HEAD);
    end(&y);
    map_close(&m);
    return mine;
}

static int yaml_open(Source *s, Err *e) { return decoded_open(s, yaml_decode, e); }

const Format format_yaml = {"yaml", ".yaml", yaml_sniff, yaml_open, decoded_read, decoded_close};
