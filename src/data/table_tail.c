/* table_tail.c - see table_state.h: the end of a series, held while it is read. */
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

int tail_series(const Table *t, const Tail *x, const Tail *time, TableSeries *s, Err *e)
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
    return calendar_infer(time->time + from, time->row + from, shows, &s->freq, e);
}

void tail_free(Tail *a)
{
    free(a->x);
    free(a->time);
    free(a->row);
    *a = (Tail){0};
}
