/* source_csv.c - files of comma separated values in the shapes of csv_table.h. Each is read twice, to count and to fill, and so
 * needs no memory beside the points and the ids. */
#include <stdlib.h>

#include "data/csv_table.h"
#include "util/calendar.h"

/* Room for exactly n points. At most one cell stands for each and costs a byte of text, so n is honest. */
static int reserve(Decoded *d, int64_t n, Err *e)
{
    size_t bytes = (size_t)n * sizeof *d->point;
    d->point = malloc(bytes + !bytes);
    if (!d->point) return err_nomem(e, bytes, "decoded series");
    d->cap = n;
    return 0;
}

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

static int long_series(Decoded *d, CsvTable *t, Ids *s, Err *e)
{
    int more;
    double x;
    while ((more = csv_table_row(t, e)) > 0)
        if (ids_count(s, csv_table_id(t), e)) return -1;
    if (more || long_layout(d, s, e)) return -1;
    csv_table_rewind(t);
    while ((more = csv_table_row(t, e)) > 0) {
        if (csv_table_number(t, t->target, &x, e)) return -1;
        d->point[s->points[ids_find(s, csv_table_id(t))]++] = x;
    }
    return more;
}

static int long_table(Decoded *d, CsvTable *t, Err *e)
{
    Ids s = {0};
    int bad = long_series(d, t, &s, e);
    ids_free(&s);
    return bad;
}

static int row_table(Decoded *d, CsvTable *t, Err *e)
{
    int more;
    double x;
    while ((more = csv_table_ragged_row(t, e)) > 0) {
        if (decoded_series(d, e)) return -1;
        for (int64_t i = 1; i < t->csv.n; i++)
            if (csv_table_number(t, i, &x, e) || decoded_point(d, x, e)) return -1;
    }
    return more;
}

static int wide_layout(Decoded *d, const CsvTable *t, int64_t first, int64_t rows, Err *e)
{
    if (reserve(d, rows * (t->columns - first), e)) return -1;
    for (int64_t i = first; i < t->columns; i++) {
        if (decoded_series(d, e)) return -1;
        d->n += rows;
    }
    return 0;
}

typedef struct Label { Cell cell; int64_t line; } Label;             /* the first cell of a row */

/* Tables are sometimes kept with the newest row first. Of labels and counts nothing can be said. */
static int check_order(Label first, Label last, Err *e)
{
    Stamp from, to;
    Err ignored;
    char a[STAMP_TEXT], b[STAMP_TEXT];
    if (stamp_read(&from, first.cell.p, first.cell.n, NULL, &ignored) || stamp_read(&to, last.cell.p, last.cell.n, &from, &ignored)) return 0;
    if (stamp_is_count(&from) || stamp_is_count(&to) || stamp_order(&from, &to) <= 0) return 0;
    return err_set(e, FTS_FORMAT, "times run backwards, from %s in line %lld to %s in line %lld: sort the rows by time", stamp_text(&from, a), (long long)first.line, stamp_text(&to, b),
                   (long long)last.line);
}

static int wide_table(Decoded *d, CsvTable *t, Err *e)
{
    int more;
    int64_t rows = 0, first = 0;
    Label from = {0}, to = {0};
    for (; (more = csv_table_row(t, e)) > 0; rows++) {
        if (!rows && csv_table_first(t, &first, e)) return -1;
        to = (Label){t->csv.cell[0], t->csv.row};
        if (!rows) from = to;
    }
    if (more || !rows) return more;
    if (first && check_order(from, to, e)) return -1;
    if (wide_layout(d, t, first, rows, e)) return -1;
    csv_table_rewind(t);
    for (int64_t r = 0; (more = csv_table_row(t, e)) > 0; r++)
        for (int64_t i = first; i < t->columns; i++)
            if (csv_table_number(t, i, &d->point[(i - first) * rows + r], e)) return -1;
    return more;
}

int csv_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    static int (*const of[])(Decoded *d, CsvTable *t, Err *e) = {[CSV_LONG] = long_table, [CSV_ROWS] = row_table, [CSV_WIDE] = wide_table};
    CsvTable t;
    int more = csv_table_open(&t, text, n, e);
    if (more > 0) more = of[t.shape](d, &t, e);
    csv_table_free(&t);
    return more;
}

static int csv_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".csv") || named_like(path, is_dir, ".tsv"); }
static int csv_open(Source *s, Err *e) { return decoded_open(s, csv_decode, e); }

const Format format_csv = {"csv", ".csv", csv_sniff, csv_open, decoded_read, decoded_close};
