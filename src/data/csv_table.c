/* csv_table.c - see csv_table.h */
#include "data/csv_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/refuse.h"
#include "util/calendar.h"

static int is_named(Cell c, const char *name) { return c.n == strlen(name) && !strncasecmp(c.p, name, c.n); }

static int is_date(Cell c)
{
    Stamp t;
    Err ignored;
    return !stamp_read(&t, c.p, c.n, NULL, &ignored) && !stamp_is_count(&t);
}

int64_t csv_table_column(const CsvTable *t, const char *const *names)
{
    for (; *names; names++)
        for (int64_t i = 0; i < t->columns; i++)
            if (is_named(t->name[i], *names)) return i;
    return -1;
}

int csv_table_number(const CsvTable *t, int64_t column, double *x, Err *e)
{
    Cell c = t->csv.cell[column];
    char name[32], found[32];
    if (cell_number(c, t->csv.separator == ';', x) != CELL_TEXT) return 0;
    return err_set(e, FTS_FORMAT, "line %lld, column %lld (%s): found \"%s\", expected a number %s", (long long)t->csv.row, (long long)column + 1, cell_shown(t->name[column], name),
                   cell_shown(c, found), is_date(c) ? "(dates stand in the first column, or beside item_id and target in one called timestamp)" : "such as 1234.5, or nothing where a value is missing");
}

static int wrong_row(const CsvTable *t, Err *e)
{
    return err_set(e, FTS_FORMAT, "line %lld: the row has %lld cells, the header has %lld%s", (long long)t->csv.row, (long long)t->csv.n, (long long)t->columns,
                   t->csv.n > t->columns ? ": a cell that holds a separator needs quotes" : "");
}

/* Some programs end each row with a separator. */
static void drop_empty_end(CsvTable *t, int64_t keep)
{
    while (t->csv.n > keep && !t->csv.cell[t->csv.n - 1].n) t->csv.n--;
}

int csv_table_row(CsvTable *t, Err *e)
{
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
    drop_empty_end(t, t->columns);
    return t->csv.n == t->columns ? more : wrong_row(t, e);
}

/* Rows are as long as the longest series. */
int csv_table_ragged_row(CsvTable *t, Err *e)
{
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
    drop_empty_end(t, 1);
    return t->csv.n > t->columns ? wrong_row(t, e) : 1;
}

void csv_table_rewind(CsvTable *t)
{
    t->csv.p = t->body.p;
    t->csv.line = t->body.line;
}

Cell csv_table_id(const CsvTable *t) { return t->id < 0 ? (Cell){"", 0} : t->csv.cell[t->id]; }

/* The name of the first column tells too: days may be written as 20160701, and pandas gives none to row numbers. */
static int has_label(const CsvTable *t)
{
    static const char *const names[] = {"", "date", "ds", "timestamp", "datetime", "time", "year", "index", "unnamed: 0"};
    double x;
    if (t->columns > 1)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (is_named(t->name[0], names[i])) return 1;
    return cell_number(t->csv.cell[0], t->csv.separator == ';', &x) == CELL_TEXT;
}

int csv_table_first(const CsvTable *t, int64_t *first, Err *e)
{
    *first = has_label(t);
    if (*first < t->columns) return 0;
    return err_set(e, FTS_FORMAT, "line 1: no column of numbers beside the first: is the separator one of , ; and tab, and does the first line name the columns?");
}

static int is_rows(const CsvTable *t)
{
    char want[32];
    for (int64_t i = 0; i < t->columns; i++) {
        snprintf(want, sizeof want, "V%lld", (long long)i + 1);
        if (!is_named(t->name[i], want)) return 0;
    }
    return t->columns > 1;
}

/* A name may be a date where columns are days, but then none is a number. */
static int date_and_number(const CsvTable *t)
{
    int dates = 0, numbers = 0;
    double x;
    for (int64_t i = 0; i < t->columns; i++)
        if (cell_number(t->name[i], t->csv.separator == ';', &x) == CELL_NUMBER) numbers = 1;
        else if (is_date(t->name[i])) dates = 1;
    return dates && numbers;
}

/* Taken for a header, a row of data would be lost in silence. Names may be numbers, but then they count: 0,1,2 or 1990,1991. */
static int is_data(const CsvTable *t)
{
    double x = 0, last = 0;
    int comma = t->csv.separator == ';';
    if (date_and_number(t) || (cell_number(t->name[0], comma, &x) == CELL_NUMBER && t->columns == 1)) return 1;
    for (int64_t i = 1; i < t->columns; i++, last = x)
        if (cell_number(t->name[i], comma, &x) == CELL_TEXT) return 0;
        else if (i > 1 && !(x == last + 1)) return 1;
    if (t->columns == 1) return 0;
    return cell_number(t->name[0], comma, &x) == CELL_NUMBER || (t->columns == 2 && !(last == 0 || last == 1));
}

/* Numbers in the first row beside column `but`, and nothing else. Times may stand first. */
static int other_numbers(CsvTable *t, int64_t but)
{
    Err ignored;
    double x;
    int64_t n = 0;
    if (csv_row(&t->csv, &ignored) <= 0 || t->csv.n != t->columns) return 0;
    for (int64_t i = has_label(t); i < t->columns; i++) {
        if (i == but) continue;
        if (cell_number(t->csv.cell[i], t->csv.separator == ';', &x) == CELL_TEXT) return 0;
        n++;
    }
    return n > 0;
}

/* Columns of any table may be called x, y and z: y is the value of a long one beside ids or ds, or if it alone holds numbers. */
static int64_t value_column(CsvTable *t)
{
    static const char *const target[] = {"target", NULL}, *const y[] = {"y", NULL}, *const ds[] = {"ds", NULL};
    int64_t sure = csv_table_column(t, target), maybe = csv_table_column(t, y);
    if (sure >= 0 || maybe < 0 || t->id >= 0 || csv_table_column(t, ds) >= 0) return sure >= 0 ? sure : maybe;
    int others = other_numbers(t, maybe);
    csv_table_rewind(t);
    return others ? -1 : maybe;
}

static int shape(CsvTable *t, const Csv *start, Err *e)
{
    static const char *const ids[] = {"item_id", "unique_id", "id", NULL};
    t->id = csv_table_column(t, ids);
    t->target = value_column(t);
    t->headless = is_data(t);
    t->shape = t->headless ? CSV_WIDE : t->target >= 0 ? CSV_LONG : is_rows(t) ? CSV_ROWS : CSV_WIDE;
    if (!t->headless) return 1;
    if (t->columns > 1)
        return err_set(e, FTS_FORMAT, "line %lld: numbers where the names of the columns were expected: add a header line, such as date,sales, or V1,V2,V3,... if each row is a series", (long long)t->csv.row);
    t->body = *start;
    csv_table_rewind(t);
    return 1;
}

int csv_table_open(CsvTable *t, const void *text, size_t n, Err *e)
{
    *t = (CsvTable){0};
    const char *other = refuse_bytes(text, n);
    if (other) return err_set(e, FTS_FORMAT, "no table: it is %s", other);
    csv_init(&t->csv, text, n);
    Csv start = t->csv;
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
    if (t->csv.p == t->csv.end && memchr(text, '\r', n) && !memchr(text, '\n', n))
        return err_set(e, FTS_FORMAT, "one line only, in which rows end with a carriage return alone: save it with the line ends of Unix or Windows");
    drop_empty_end(t, 1);
    for (int64_t i = 0; i < t->csv.n; i++)
        if (t->csv.cell[i].n && memchr(t->csv.cell[i].p, 0, t->csv.cell[i].n)) return err_set(e, FTS_FORMAT, "no table: there are zero bytes in its first line, as no text has them");
    t->columns = t->csv.n;
    t->name = malloc((size_t)t->columns * sizeof *t->name);
    if (!t->name) return err_nomem(e, (size_t)t->columns * sizeof *t->name, "the names of columns");
    memcpy(t->name, t->csv.cell, (size_t)t->columns * sizeof *t->name);
    t->body = t->csv;
    return shape(t, &start, e);
}

void csv_table_free(CsvTable *t)
{
    free(t->name);
    csv_free(&t->csv);
    *t = (CsvTable){0};
}
