/* table_csv.c - tables of csv and tsv in the shapes of csv_table.h. In the long shape a first pass over the text finds out whether
 * the rows of each series stand together; if they do, series are handed out as they are read. Where columns are series, or rows of
 * several are mixed, the end of each is held until all is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv_table.h"
#include "data/table_state.h"
#include "util/array.h"

typedef struct Sheet {
    CsvTable csv;
    int      empty;                 /* not even a header */
    int64_t  time;                  /* the column of times, -1: there is none */
    Stamp    order;                 /* a time of it that shows whether days or months come first */
    int      has_order;
    Err      labels;                /* wide: why the first column holds no times, "": it does, or is a series */
    int64_t  first;                 /* wide: of series */
    Tail     tail;                  /* of the series handed out; wide: the times of all, its points mean nothing */
    Tail    *all;                   /* (ids.n, or wide the columns of series) NULL while series come one by one; owned */
    int64_t  nall, cap;
    Ids      ids;
    int      pending;               /* long: a row has been read that belongs to the next series */
    Str      id_name, time_name;    /* owned */
} Sheet;

static const char *const time_names[] = {"timestamp", "ds", "date", NULL}, *const other_time_names[] = {"datetime", "time", "day", "week", "month", NULL};

static const Stamp *order(const Sheet *s) { return s->has_order ? &s->order : NULL; }

static int time_error(const Sheet *s, Err *e)
{
    char name[32];
    return err_wrap(e, "line %lld, column %lld (%s)", (long long)s->csv.csv.row, (long long)s->time + 1, cell_shown(s->csv.name[s->time], name));
}

static int read_time(const Sheet *s, const Tail *before, Stamp *t, Err *e)
{
    Cell cell = s->csv.csv.cell[s->time];
    const Stamp *last = tail_last(before);
    return stamp_read(t, cell.p, cell.n, last ? last : order(s), e) ? time_error(s, e) : 0;
}

/* Is 07/01/2016 in July? If the first time of the column does not show it, another may. The first row comes next. */
static int find_order(Sheet *s, Err *e)
{
    Err ignored;
    int more, found = 0;
    csv_table_rewind(&s->csv);
    while (!found && (more = csv_table_row(&s->csv, e)) > 0) found = !stamp_read(&s->order, s->csv.csv.cell[s->time].p, s->csv.csv.cell[s->time].n, NULL, &ignored);
    s->has_order = found && (s->order.style.date == DATE_US || s->order.style.date == DATE_EU);
    csv_table_rewind(&s->csv);
    return !found && more < 0 ? -1 : 0;
}

static int set_id(Table *t, Cell c, Err *e)
{
    t->id.n = 0;
    t->named = 1;
    return cell_text(c, &t->id, e);
}

/* The row that was read last, as a point of a. */
static int push_row(const Table *t, Tail *a, Err *e)
{
    const Sheet *s = t->state;
    char shown[32];
    double x;
    Stamp time;
    if (csv_table_number(&s->csv, s->csv.target, &x, e) || (s->time >= 0 && read_time(s, a, &time, e))) return -1;
    if (!tail_push(a, t->keep, x, s->time < 0 ? NULL : &time, s->csv.csv.row, e)) return 0;
    if (s->csv.id < 0 || e->code == FTS_NOMEM) return -1;
    return err_wrap(e, "series \"%s\"", cell_shown(csv_table_id(&s->csv), shown));
}

static int long_series(Table *t, const Tail *a, Cell id, TableSeries *out, Err *e)
{
    const Sheet *s = t->state;
    char shown[32];
    int bad = tail_series(t, a, a, out, e);
    if (s->csv.id >= 0 && (bad || *t->why.message)) err_wrap(bad ? e : &t->why, "series \"%s\"", cell_shown(id, shown));
    return bad ? -1 : 1;
}

static int same_cell(Cell a, Cell b) { return a.n == b.n && !memcmp(a.p, b.p, a.n); }

/* 1: rows of all series stand together, and the number of series is known. 0: they are mixed. */
static int stand_together(Table *t, Err *e)
{
    Sheet *s = t->state;
    Cell last = {0};
    int more, together = 1;
    while ((more = csv_table_row(&s->csv, e)) > 0) {
        Cell id = csv_table_id(&s->csv);
        if (last.p && same_cell(id, last)) continue;
        together &= ids_find(&s->ids, id) < 0;
        if (ids_count(&s->ids, id, e)) return -1;
        last = id;
    }
    t->count = s->ids.n;
    return more < 0 ? -1 : together;
}

static int grow_all(Sheet *s, int64_t n, Err *e)
{
    int64_t cap = s->cap;
    while (cap < n) cap = 2 * cap + 16;
    if (cap > s->cap && array_resize(&s->all, (size_t)cap * sizeof *s->all, "the series of a table", e)) return -1;
    s->cap = cap;
    while (s->nall < n) s->all[s->nall++] = (Tail){0};
    return 0;
}

static int collect_mixed(Table *t, Err *e)
{
    Sheet *s = t->state;
    int more;
    if (grow_all(s, s->ids.n, e)) return -1;
    while ((more = csv_table_row(&s->csv, e)) > 0)
        if (push_row(t, &s->all[ids_find(&s->ids, csv_table_id(&s->csv))], e)) return -1;
    return more;
}

/* At the first row. Under less certain names dates are times, numbers may be anything. */
static int64_t time_column(const Sheet *s)
{
    Stamp t;
    Err ignored;
    int64_t sure = csv_table_column(&s->csv, time_names), maybe = csv_table_column(&s->csv, other_time_names);
    if (sure >= 0 || maybe < 0 || !s->csv.csv.n) return sure;
    Cell cell = s->csv.csv.cell[maybe];
    return !stamp_read(&t, cell.p, cell.n, NULL, &ignored) && !stamp_is_count(&t) ? maybe : -1;
}

static int find_long_times(Table *t, Err *e)
{
    Sheet *s = t->state;
    csv_table_rewind(&s->csv);
    int more = csv_table_row(&s->csv, e);
    s->time = more > 0 && !t->timeless ? time_column(s) : -1;
    csv_table_rewind(&s->csv);
    return more < 0 || (s->time >= 0 && find_order(s, e)) ? -1 : 0;
}

static int open_long(Table *t, Err *e)
{
    Sheet *s = t->state;
    int together = stand_together(t, e);
    if (together < 0 || find_long_times(t, e)) return -1;
    if (!together) return collect_mixed(t, e);
    ids_free(&s->ids);
    s->ids = (Ids){0};
    return 0;
}

static int next_of_all(Table *t, TableSeries *out, Err *e)
{
    Sheet *s = t->state;
    if (t->at >= s->nall) return 0;
    return set_id(t, s->ids.id[t->at], e) ? -1 : long_series(t, &s->all[t->at], s->ids.id[t->at], out, e);
}

static int next_long(Table *t, TableSeries *out, Err *e)
{
    Sheet *s = t->state;
    if (s->all) return next_of_all(t, out, e);
    int more = s->pending ? 1 : csv_table_row(&s->csv, e);
    if (more <= 0) return more;
    Cell id = csv_table_id(&s->csv);
    if (s->csv.id >= 0 && set_id(t, id, e)) return -1;
    s->tail.n = s->tail.total = 0;
    s->pending = 0;
    do {
        s->pending = !same_cell(csv_table_id(&s->csv), id);
        if (s->pending) break;
        if (push_row(t, &s->tail, e)) return -1;
    } while ((more = csv_table_row(&s->csv, e)) > 0);
    return more < 0 ? -1 : long_series(t, &s->tail, id, out, e);
}

static int open_rows(Table *t, Err *e)
{
    (void)t;
    (void)e;
    return 0;
}

static int next_row(Table *t, TableSeries *out, Err *e)
{
    Sheet *s = t->state;
    double x;
    int more = csv_table_ragged_row(&s->csv, e);
    if (more <= 0) return more;
    s->tail.n = s->tail.total = 0;
    if (set_id(t, s->csv.csv.cell[0], e)) return -1;
    for (int64_t i = 1; i < s->csv.csv.n; i++)
        if (csv_table_number(&s->csv, i, &x, e) || tail_push(&s->tail, t->keep, x, NULL, 0, e)) return -1;
    return tail_series(t, &s->tail, &s->tail, out, e) ? -1 : 1;
}

/* A first column that is no series holds times if its name says so or its first cell is one; otherwise labels, which say nothing. */
static int find_times(const Table *t, Err *e)
{
    Sheet *s = t->state;
    Stamp stamp;
    if (csv_table_first(&s->csv, &s->first, e) || grow_all(s, s->csv.columns - s->first, e)) return -1;
    if (t->timeless || !s->first) return 0;
    s->time = 0;
    if (find_order(s, e) || csv_table_row(&s->csv, e) < 0) return -1;
    Cell cell = s->csv.csv.cell[0];
    if (!csv_table_column(&s->csv, time_names) || !stamp_read(&stamp, cell.p, cell.n, order(s), &s->labels)) return 0;
    time_error(s, &s->labels);
    s->time = -1;
    return 0;
}

static int push_columns(const Table *t, Err *e)
{
    Sheet *s = t->state;
    double x;
    Stamp time;
    if (s->time >= 0 && (read_time(s, &s->tail, &time, e) || tail_push(&s->tail, t->keep, 0, &time, s->csv.csv.row, e))) return -1;
    for (int64_t i = s->first; i < s->csv.columns; i++)
        if (csv_table_number(&s->csv, i, &x, e) || tail_push(&s->all[i - s->first], t->keep, x, NULL, 0, e)) return -1;
    return 0;
}

static int open_wide(Table *t, Err *e)
{
    Sheet *s = t->state;
    int more;
    for (int first = 1; (more = csv_table_row(&s->csv, e)) > 0; first = 0)
        if ((first && find_times(t, e)) || push_columns(t, e)) return -1;
    t->count = s->nall;
    return more;
}

static int next_column(Table *t, TableSeries *out, Err *e)
{
    static const Cell unnamed = {"predictions", 11};
    Sheet *s = t->state;
    if (t->at >= s->nall) return 0;
    if (set_id(t, s->csv.headless ? unnamed : s->csv.name[s->first + t->at], e)) return -1;
    t->named += s->csv.headless;
    if (*s->labels.message && !t->at) snprintf(t->why.message, sizeof t->why.message, "%.400s: the answer numbers its rows", s->labels.message);
    return tail_series(t, &s->all[t->at], &s->tail, out, e) ? -1 : 1;
}

static const struct Shape { FormKind form; int (*open)(Table *t, Err *e); int (*next)(Table *t, TableSeries *s, Err *e); } shapes[] = {
    [CSV_LONG] = {FORM_LONG, open_long, next_long}, [CSV_ROWS] = {FORM_ROWS, open_rows, next_row}, [CSV_WIDE] = {FORM_WIDE, open_wide, next_column},
};

static int name_of(const Sheet *s, int64_t column, Str *text, const char **name, Err *e)
{
    if (column < 0) return 0;
    if (cell_text(s->csv.name[column], text, e)) return -1;
    *name = text->p;
    return 0;
}

static int set_form(Table *t, Err *e)
{
    Sheet *s = t->state;
    int64_t id = s->csv.shape == CSV_LONG ? s->csv.id : -1, time = s->csv.shape == CSV_WIDE && s->first ? 0 : s->time;
    t->form = (Form){.kind = shapes[s->csv.shape].form, .separator = s->csv.csv.separator};
    return name_of(s, id, &s->id_name, &t->form.id, e) || name_of(s, time, &s->time_name, &t->form.time, e) ? -1 : 0;
}

static int sheet_open(Table *t, Err *e)
{
    Sheet *s = calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s, "a table");
    t->state = s;
    s->time = -1;
    int more = csv_table_open(&s->csv, t->text, t->size, e);
    s->empty = !more;
    if (s->empty) t->form = (Form){.kind = FORM_WIDE, .separator = ','};
    return more <= 0 ? more : shapes[s->csv.shape].open(t, e) || set_form(t, e) ? -1 : 0;
}

static int sheet_next(Table *t, TableSeries *out, Err *e)
{
    Sheet *s = t->state;
    return s->empty ? 0 : shapes[s->csv.shape].next(t, out, e);
}

static void sheet_close(Table *t)
{
    Sheet *s = t->state;
    if (!s) return;
    for (int64_t i = 0; i < s->nall; i++) tail_free(&s->all[i]);
    tail_free(&s->tail);
    ids_free(&s->ids);
    csv_table_free(&s->csv);
    str_free(&s->id_name);
    str_free(&s->time_name);
    free(s->all);
    free(s);
}

const TableKind table_csv = {&format_csv, sheet_open, sheet_next, sheet_close};
