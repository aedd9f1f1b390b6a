/* plan.c - see plan.h */
#include "model/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

Param plan_book(Plan *p, int groups, int out, int in, int full)
{
    Param t = {p->floats, groups, out, in, full, p->n};
    size_t n = (size_t)groups * (size_t)out * (size_t)(in ? in : 1);
    p->floats += (n + 15) / 16 * 16;                 /* 64-byte lines */
    return t;
}

static Entry *entry_add(Plan *p)
{
    if (p->failed) return NULL;
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 128;
        Entry *grown = realloc(p->entry, (size_t)cap * sizeof *grown);
        if (!grown) { p->failed = 1; return NULL; }
        p->entry = grown;
        p->cap = cap;
    }
    return &p->entry[p->n++];
}

__attribute__((format(printf, 6, 0)))
static void name_rows(Plan *p, const Param *whole, int first_row, int rows, Init init, const char *fmt, va_list ap)
{
    Entry *x = entry_add(p);
    if (!x) return;
    size_t width = (size_t)(whole->in ? whole->in : 1);
    *x = (Entry){.at = whole->at + (size_t)first_row * width, .rows = rows, .cols = whole->in, .init = init};
    x->rounds = whole->in && !whole->full;
    x->grouped = whole->groups > 1;
    x->whole = whole->in && !whole->full && rows == whole->out && first_row % whole->out == 0;
    vsnprintf(x->name, sizeof x->name, fmt, ap);
}

void plan_name(Plan *p, const Param *whole, int first_row, int rows, Init init, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    name_rows(p, whole, first_row, rows, init, fmt, ap);
    va_end(ap);
}

Param plan_matrix(Plan *p, int out, int in, int full, const char *fmt, ...)
{
    Param t = plan_book(p, 1, out, in, full);
    va_list ap;
    va_start(ap, fmt);
    name_rows(p, &t, 0, out, INIT_NORMAL, fmt, ap);
    va_end(ap);
    return t;
}

Param plan_vector(Plan *p, int n, Init init, const char *fmt, ...)
{
    Param t = plan_book(p, 1, n, 0, 1);
    va_list ap;
    va_start(ap, fmt);
    name_rows(p, &t, 0, n, init, fmt, ap);
    va_end(ap);
    return t;
}

int plan_ok(const Plan *p, Err *e) { return p->failed ? err_nomem(e, (size_t)p->cap * sizeof(Entry), "the table of parameters") : 0; }

static int ranges(const Plan *p, Range *r, int cap, int all, int grouped)
{
    int n = 0;
    for (int i = 0; i < p->n; i++) {
        const Entry *x = &p->entry[i];
        size_t len = (size_t)x->rows * (size_t)(x->cols ? x->cols : 1);
        if (!x->cols || !(all || x->rounds) || !(grouped || !x->grouped)) continue;
        if (n && n <= cap && r[n - 1].at + r[n - 1].n == x->at) r[n - 1].n += len;
        else if (n < cap) r[n++] = (Range){x->at, len};
    }
    return n;
}

int plan_decay(const Plan *p, Range *r, int cap) { return ranges(p, r, cap, 1, 1); }
int plan_rounded(const Plan *p, Range *r, int cap, int grouped) { return ranges(p, r, cap, 0, grouped); }

void plan_free(Plan *p)
{
    free(p->entry);
    *p = (Plan){0};
}
