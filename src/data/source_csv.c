/* source_csv.c - files of comma separated values in three shapes, told apart by the header:
 *   long    columns "target" (or "y") and "item_id" (or "unique_id", "id"): a point a row, series by id
 *   rows    columns V1, V2, ... as in the M4 competition: a series a row, its id first
 *   wide    anything else: a series a column, but for a first column of dates or ids
 * Each is read twice, to count and to fill, and so needs no memory beside the points and the ids. */
#include "data/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/hash.h"

typedef struct Table {
    Csv      csv;
    Cell    *name;                  /* (columns) the header; owned */
    int64_t  columns;
    Csv      body;                  /* where rows begin; owns nothing */
} Table;

static void rewind_to(Table *t, const Csv *at)
{
    t->csv.p = at->p;
    t->csv.line = at->line;
}

static int is_named(Cell c, const char *name) { return c.n == strlen(name) && !strncasecmp(c.p, name, c.n); }

/* -1: there is none */
static int64_t column_of(const Table *t, const char *const *names)
{
    for (; *names; names++)
        for (int64_t i = 0; i < t->columns; i++)
            if (is_named(t->name[i], *names)) return i;
    return -1;
}

static int get_number(const Table *t, int64_t column, double *x, Err *e)
{
    Cell c = t->csv.cell[column];
    char name[32], found[32];
    if (cell_number(c, t->csv.separator == ';', x) != CELL_TEXT) return 0;
    return err_set(e, FTS_FORMAT, "line %lld, column %lld (%s): found \"%s\", expected a number: leave it empty where a value is missing",
                   (long long)t->csv.row, (long long)column + 1, cell_shown(t->name[column], name), cell_shown(c, found));
}

/* The next row, which must have as many cells as the header. */
static int whole_row(Table *t, Err *e)
{
    int more = csv_row(&t->csv, e);
    if (more <= 0 || t->csv.n == t->columns) return more;
    return err_set(e, FTS_FORMAT, "line %lld: the row has %lld cells, the header has %lld", (long long)t->csv.row, (long long)t->csv.n, (long long)t->columns);
}

/* Room for exactly n points. At most one cell stands for each and costs a byte of text, so n is honest. */
static int reserve(Decoded *d, int64_t n, Err *e)
{
    size_t bytes = (size_t)n * sizeof *d->point;
    d->point = malloc(bytes + !bytes);
    if (!d->point) return err_nomem(e, bytes, "decoded series");
    d->cap = n;
    return 0;
}

typedef struct Ids {
    Cell    *id;                    /* (n) in order of first appearance; owned, as are the others */
    int64_t *points;                /* (n) how many; later where the next one goes */
    int64_t *slot;                  /* (slots) 1 + place in id, 0 free; a power of two, at most half full */
    int64_t  n, slots;
} Ids;

static void ids_free(Ids *s)
{
    free(s->id);
    free(s->points);
    free(s->slot);
}

static int64_t *ids_slot(const Ids *s, Cell id)
{
    uint64_t mask = (uint64_t)s->slots - 1, at = hash_add(HASH_START, id.p, id.n);
    for (at = (at ^ at >> 32) & mask; s->slot[at]; at = (at + 1) & mask) {
        Cell c = s->id[s->slot[at] - 1];
        if (c.n == id.n && !memcmp(c.p, id.p, id.n)) break;
    }
    return &s->slot[at];
}

static int ids_grow(Ids *s, Err *e)
{
    int64_t slots = s->slots ? 2 * s->slots : 64;
    Cell *id = realloc(s->id, (size_t)slots / 2 * sizeof *id);
    if (id) s->id = id;
    int64_t *points = realloc(s->points, (size_t)slots / 2 * sizeof *points);
    if (points) s->points = points;
    int64_t *slot = calloc((size_t)slots, sizeof *slot);
    if (!id || !points || !slot) {
        free(slot);
        return err_nomem(e, (size_t)slots * sizeof *slot, "the ids of series");
    }
    free(s->slot);
    s->slot = slot;
    s->slots = slots;
    for (int64_t i = 0; i < s->n; i++) *ids_slot(s, s->id[i]) = i + 1;
    return 0;
}

static int ids_count(Ids *s, Cell id, Err *e)
{
    if (2 * s->n == s->slots && ids_grow(s, e)) return -1;
    int64_t *slot = ids_slot(s, id);
    if (!*slot) {
        s->id[s->n] = id;
        s->points[s->n++] = 0;
        *slot = s->n;
    }
    s->points[*slot - 1]++;
    return 0;
}

/* Without a column of ids all rows are of one series. */
static Cell id_of(const Table *t, int64_t id) { return id < 0 ? (Cell){"", 0} : t->csv.cell[id]; }

static int long_layout(Decoded *d, Ids *s, Err *e)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n; i++) n += s->points[i];
    if (reserve(d, n, e)) return -1;
    for (int64_t i = 0; i < s->n; i++) {
        if (decoded_series(d, e)) return -1;
        d->n += s->points[i];
        s->points[i] = d->start[i];
    }
    return 0;
}

static int long_series(Decoded *d, Table *t, int64_t id, int64_t target, Ids *s, Err *e)
{
    int more;
    double x;
    while ((more = whole_row(t, e)) > 0)
        if (ids_count(s, id_of(t, id), e)) return -1;
    if (more || long_layout(d, s, e)) return -1;
    rewind_to(t, &t->body);
    while ((more = whole_row(t, e)) > 0) {
        if (get_number(t, target, &x, e)) return -1;
        d->point[s->points[*ids_slot(s, id_of(t, id)) - 1]++] = x;
    }
    return more;
}

static int is_long(Decoded *d, Table *t, int64_t target, Err *e)
{
    static const char *const names[] = {"item_id", "unique_id", "id", NULL};
    Ids s = {0};
    int bad = long_series(d, t, column_of(t, names), target, &s, e);
    ids_free(&s);
    return bad;
}

static int is_rows(const Table *t)
{
    char want[32];
    for (int64_t i = 0; i < t->columns; i++) {
        snprintf(want, sizeof want, "V%lld", (long long)i + 1);
        if (!is_named(t->name[i], want)) return 0;
    }
    return t->columns > 1;
}

/* Rows are as long as the longest series: what is empty at the end is no point. */
static int row_series(Decoded *d, Table *t, Err *e)
{
    int more;
    while ((more = csv_row(&t->csv, e)) > 0) {
        int64_t n = t->csv.n;
        double x;
        if (n > t->columns) return err_set(e, FTS_FORMAT, "line %lld: the row has %lld cells, the header has %lld", (long long)t->csv.row, (long long)n, (long long)t->columns);
        while (n > 1 && !t->csv.cell[n - 1].n) n--;
        if (decoded_series(d, e)) return -1;
        for (int64_t i = 1; i < n; i++)
            if (get_number(t, i, &x, e) || decoded_point(d, x, e)) return -1;
    }
    return more;
}

/* 1: the first column is no series. Its name tells too: days may be written as 20160701, and pandas gives none to row numbers. */
static int is_label(const Table *t)
{
    static const char *const names[] = {"", "date", "ds", "timestamp"};
    double x;
    if (t->columns > 1)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (is_named(t->name[0], names[i])) return 1;
    return cell_number(t->csv.cell[0], t->csv.separator == ';', &x) == CELL_TEXT;
}

static int wide_layout(Decoded *d, const Table *t, int64_t first, int64_t rows, Err *e)
{
    if (first == t->columns)
        return err_set(e, FTS_FORMAT, "line 1: no column of numbers beside the first: is the separator one of , ; and tab?");
    if (reserve(d, rows * (t->columns - first), e)) return -1;
    for (int64_t i = first; i < t->columns; i++) {
        if (decoded_series(d, e)) return -1;
        d->n += rows;
    }
    return 0;
}

static int wide_series(Decoded *d, Table *t, Err *e)
{
    int more;
    int64_t rows = 0, first = 0;
    for (; (more = whole_row(t, e)) > 0; rows++)
        if (!rows) first = is_label(t);
    if (more || !rows) return more;
    if (wide_layout(d, t, first, rows, e)) return -1;
    rewind_to(t, &t->body);
    for (int64_t r = 0; (more = whole_row(t, e)) > 0; r++)
        for (int64_t i = first; i < t->columns; i++)
            if (get_number(t, i, &d->point[(i - first) * rows + r], e)) return -1;
    return more;
}

/* Taken for a header, a row of data would be lost in silence. Names may be numbers, but then they count: 0,1,2 or 1990,1991. */
static int is_data(const Table *t)
{
    double x = 0, last = 0;
    int comma = t->csv.separator == ';';
    if (cell_number(t->name[0], comma, &x) == CELL_NUMBER && t->columns == 1) return 1;
    for (int64_t i = 1; i < t->columns; i++, last = x)
        if (cell_number(t->name[i], comma, &x) == CELL_TEXT) return 0;
        else if (i > 1 && !(x == last + 1)) return 1;
    if (t->columns == 1) return 0;
    return cell_number(t->name[0], comma, &x) == CELL_NUMBER || (t->columns == 2 && !(last == 0 || last == 1));
}

static int shape(Decoded *d, Table *t, const Csv *start, Err *e)
{
    static const char *const names[] = {"target", "y", NULL};
    int64_t target = column_of(t, names);
    if (is_data(t)) {
        if (t->columns > 1)
            return err_set(e, FTS_FORMAT, "line %lld: numbers where the names of the columns were expected: add a header line, V1,V2,V3,... if each row is a series", (long long)t->csv.row);
        t->body = *start;
        rewind_to(t, start);
        return wide_series(d, t, e);
    }
    if (target >= 0) return is_long(d, t, target, e);
    return is_rows(t) ? row_series(d, t, e) : wide_series(d, t, e);
}

static int table(Decoded *d, Table *t, Err *e)
{
    Csv start = t->csv;
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
    t->columns = t->csv.n;
    t->name = malloc((size_t)t->columns * sizeof *t->name);
    if (!t->name) return err_nomem(e, (size_t)t->columns * sizeof *t->name, "the names of columns");
    memcpy(t->name, t->csv.cell, (size_t)t->columns * sizeof *t->name);
    t->body = t->csv;
    return shape(d, t, &start, e);
}

int csv_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    Table t = {0};
    csv_init(&t.csv, text, n);
    int bad = table(d, &t, e);
    free(t.name);
    csv_free(&t.csv);
    return bad;
}

static int csv_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".csv") || named_like(path, is_dir, ".tsv"); }
static int csv_open(Source *s, Err *e) { return decoded_open(s, csv_decode, e); }

const Format format_csv = {"csv", ".csv", csv_sniff, csv_open, decoded_read, decoded_close};
