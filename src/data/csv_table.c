/* csv_table.c - see csv_table.h */
#include "data/csv_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int is_named(Cell c, const char *name) { return c.n == strlen(name) && !strncasecmp(c.p, name, c.n); }

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
    return err_set(e, FTS_FORMAT, "line %lld, column %lld (%s): found \"%s\", expected a number: leave it empty where a value is missing",
                   (long long)t->csv.row, (long long)column + 1, cell_shown(t->name[column], name), cell_shown(c, found));
}

int csv_table_row(CsvTable *t, Err *e)
{
    int more = csv_row(&t->csv, e);
    if (more <= 0 || t->csv.n == t->columns) return more;
    return err_set(e, FTS_FORMAT, "line %lld: the row has %lld cells, the header has %lld", (long long)t->csv.row, (long long)t->csv.n, (long long)t->columns);
}

/* Rows are as long as the longest series. */
int csv_table_ragged_row(CsvTable *t, Err *e)
{
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
    if (t->csv.n > t->columns)
        return err_set(e, FTS_FORMAT, "line %lld: the row has %lld cells, the header has %lld", (long long)t->csv.row, (long long)t->csv.n, (long long)t->columns);
    while (t->csv.n > 1 && !t->csv.cell[t->csv.n - 1].n) t->csv.n--;
    return 1;
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
    static const char *const names[] = {"", "date", "ds", "timestamp"};
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
    return err_set(e, FTS_FORMAT, "line 1: no column of numbers beside the first: is the separator one of , ; and tab?");
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

/* Taken for a header, a row of data would be lost in silence. Names may be numbers, but then they count: 0,1,2 or 1990,1991. */
static int is_data(const CsvTable *t)
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
        return err_set(e, FTS_FORMAT, "line %lld: numbers where the names of the columns were expected: add a header line, V1,V2,V3,... if each row is a series", (long long)t->csv.row);
    t->body = *start;
    csv_table_rewind(t);
    return 1;
}

int csv_table_open(CsvTable *t, const void *text, size_t n, Err *e)
{
    *t = (CsvTable){0};
    csv_init(&t->csv, text, n);
    Csv start = t->csv;
    int more = csv_row(&t->csv, e);
    if (more <= 0) return more;
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
