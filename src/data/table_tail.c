/* table_tail.c - see table_state.h: the end of a series, held while it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/table_state.h"
#include "util/array.h"

enum { SHOWS_FREQ = 64 };           /* times that the frequency is seen in, however few are wanted */

static int64_t held(int64_t keep) { return keep > INT64_MAX / 64 ? 0 : keep && keep < SHOWS_FREQ ? SHOWS_FREQ : keep; }

static void drop(Tail *a, int64_t keep)
{
    int64_t from = a->n - keep;
    memmove(a->x, a->x + from, (size_t)keep * sizeof *a->x);
    if (a->time) memmove(a->time, a->time + from, (size_t)keep * sizeof *a->time);
    if (a->row) memmove(a->row, a->row + from, (size_t)keep * sizeof *a->row);
    a->n = keep;
}

static int room(Tail *a, int64_t keep, int timed, Err *e)
{
    if (a->n < a->cap) return 0;
    if (keep && a->n >= 2 * keep) return drop(a, keep), 0;
    int64_t cap = 2 * a->cap + 4;
    if (keep && cap > 2 * keep) cap = 2 * keep;
    if (array_resize(&a->x, (size_t)cap * sizeof *a->x, "the points of a series", e)) return -1;
    if (timed && array_resize(&a->time, (size_t)cap * sizeof *a->time, "the times of a series", e)) return -1;
    if (timed && array_resize(&a->row, (size_t)cap * sizeof *a->row, "the times of a series", e)) return -1;
    a->cap = cap;
    return 0;
}

const Stamp *tail_last(const Tail *a) { return a->time && a->n ? &a->time[a->n - 1] : NULL; }

static int out_of_order(const Tail *a, const Stamp *time, int64_t row, const char *what, Err *e)
{
    char now[STAMP_TEXT], before[STAMP_TEXT];
    return err_set(e, FTS_FORMAT, "line %lld: the time %s behind %s of line %lld: %s", (long long)row, stamp_text(time, now), stamp_text(tail_last(a), before), (long long)a->row[a->n - 1], what);
}

static int in_order(const Tail *a, const Stamp *time, int64_t row, Err *e)
{
    const Stamp *last = tail_last(a);
    if (!last) return 0;
    if (stamp_is_count(last) != stamp_is_count(time)) return out_of_order(a, time, row, "times are all dates or all whole numbers", e);
    int order = stamp_order(last, time);
    if (order < 0) return 0;
    return out_of_order(a, time, row, order ? "sort the rows of a series by time" : "a series has one point for each time", e);
}

int tail_push(Tail *a, int64_t keep, double x, const Stamp *time, int64_t row, Err *e)
{
    if ((time && in_order(a, time, row, e)) || room(a, held(keep), time != NULL, e)) return -1;
    a->x[a->n] = x;
    if (time) {
        a->time[a->n] = *time;
        a->row[a->n] = row;
    }
    a->n++;
    a->total++;
    return 0;
}

/* The first series that shows a frequency, and whose times are counts as this one is, or dates. */
static int find_lent(const Table *t, const Stamp *one, Freq *f, Err *e)
{
    Table *scout;
    TableSeries s;
    int more, found = 0;
    if (table_open_text(&scout, t->format->name, t->text, t->size, &(TableOptions){.keep = 1}, e)) return -1;
    scout->scout = 1;
    while (!found && (more = table_next(scout, &s, e)) > 0)
        if (s.has_time && s.freq.every + s.freq.nano && stamp_is_count(&s.last) == stamp_is_count(one)) found = 1, *f = s.freq;
    table_close(scout);
    return found ? 1 : more;
}

/* One time alone goes on as other series of the table do. */
static int lend_freq(Table *t, const Stamp *one, Freq *f, Err *e)
{
    Freq *lent = &t->lent[stamp_is_count(one)];
    if (t->scout) return 0;
    if (!lent->every && !lent->nano) {
        int found = find_lent(t, one, lent, e);
        if (found < 0) return -1;
        if (!found) return err_set(e, FTS_FORMAT, "%s: give it with --freq", t->why.message);
    }
    *f = *lent;
    return 0;
}

/* Why holds what the times are; what is done about it is added. */
static int choose_freq(Table *t, const Stamp *time, int64_t n, Freq *f, Err *e)
{
    char text[FREQ_TEXT], why[sizeof t->why.message];
    if (n == 1 ? lend_freq(t, time, f, e) : calendar_usual(time, n, f, e)) return -1;
    memcpy(why, t->why.message, sizeof why);
    snprintf(t->why.message, sizeof t->why.message, "%.400s: goes on at %s, %s; --freq gives another", why, freq_text(f, text), n == 1 ? "as other series do" : "the middle one of its steps");
    return 0;
}

int tail_series(Table *t, const Tail *x, const Tail *time, TableSeries *s, Err *e)
{
    int64_t n = t->keep && t->keep < x->n ? t->keep : x->n;
    *s = (TableSeries){.n = n, .total = x->total, .x = n ? x->x + (x->n - n) : NULL};
    if (!tail_last(time)) return 0;
    s->time = time->time + (time->n - n);
    s->has_time = 1;
    s->last = *tail_last(time);
    s->freq = t->freq;
    if (t->has_freq) return 0;
    int64_t shows = held(t->keep) && held(t->keep) < time->n ? held(t->keep) : time->n, from = time->n - shows;
    if (!calendar_infer(time->time + from, time->row + from, shows, &s->freq, &t->why)) return 0;
    return choose_freq(t, time->time + from, shows, &s->freq, e);
}

void tail_free(Tail *a)
{
    free(a->x);
    free(a->time);
    free(a->row);
    *a = (Tail){0};
}
