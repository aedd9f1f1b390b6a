/* table_source.c - tables of every format that is no text with ids and times: series by their number. The form of an answer is numpy's. */
#include <stdlib.h>
#include <string.h>

#include "data/table_state.h"
#include "util/array.h"

typedef struct Others { Source source; double *x; int64_t cap; } Others;          /* x: (cap) of the series handed out; owned */

static int others_open(Table *t, Err *e)
{
    Others *o = calloc(1, sizeof *o);
    if (!o) return err_nomem(e, sizeof *o, "a table");
    t->state = o;
    if (source_open(&o->source, t->format, t->path, NULL, e)) return -1;
    t->form = (Form){.kind = FORM_NPY};
    t->count = o->source.count;
    return 0;
}

static int others_next(Table *t, TableSeries *s, Err *e)
{
    Others *o = t->state;
    if (t->at >= t->count) return 0;
    s->total = o->source.length[t->at];
    s->n = t->keep && t->keep < s->total ? t->keep : s->total;
    if (s->n > o->cap && array_resize(&o->x, (size_t)s->n * sizeof *o->x, "the points of a series", e)) return -1;
    if (s->n > o->cap) o->cap = s->n;
    s->x = o->x;
    return t->format->read(&o->source, t->at, s->total - s->n, s->n, o->x, e) ? -1 : 1;
}

static void others_close(Table *t)
{
    Others *o = t->state;
    if (!o) return;
    source_close(&o->source);
    free(o->x);
    free(o);
}

const TableKind table_source = {NULL, others_open, others_next, others_close};
