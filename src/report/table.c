/* table.c - see table.h */
#include "report/table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/file.h"
#include "util/json.h"
#include "util/str.h"

struct Forecasts {
    ForecastsTo to;
    const struct Writer *writer;
    Out     out;                        /* open if to.path names a file */
    int     in_file;
    Str     line;                       /* the one being made */
    int64_t n, cap;                     /* series that came; wide: that fit */
    double *x;                          /* wide: (n,steps); owned, as are the others */
    Stamp  *time;                       /* wide: (steps) of the first series, NULL: it has none */
    char  **id;                         /* wide: (n) */
};

typedef struct Writer {
    int (*begin)(Forecasts *f, Err *e);
    int (*add)(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e);
    int (*end)(Forecasts *f, Err *e);
} Writer;

static int put_line(Forecasts *f, Err *e)
{
    if (f->in_file) str_add(&f->line, "\n", 1);
    if (str_ok(&f->line, e)) return -1;
    if (f->in_file) return out_write(&f->out, f->line.p, f->line.n, e);
    f->to.line(f->to.user, f->line.p);
    return 0;
}

/* Readers leave out blanks around a cell, and take a row of one empty cell for no row. */
static int needs_quotes(const char *text, char separator)
{
    size_t n = strlen(text);
    char special[] = {'"', '\n', '\r', separator, 0};
    return !n || text[strcspn(text, special)] || strchr(" \t", text[0]) || strchr(" \t", text[n - 1]);
}

static void put_text(Forecasts *f, const char *text)
{
    if (!needs_quotes(text, f->to.form.separator)) {
        str_add(&f->line, text, strlen(text));
        return;
    }
    str_add(&f->line, "\"", 1);
    for (; *text; text++) str_add(&f->line, "\"\"", *text == '"' ? 2 : 0), str_add(&f->line, text, *text != '"');
    str_add(&f->line, "\"", 1);
}

static void put_separator(Forecasts *f) { str_add(&f->line, &f->to.form.separator, 1); }

static void put_number(Forecasts *f, double x)
{
    if (isfinite(x)) json_put_number(&f->line, x);
}

/* The time of step i, or its number. */
static void put_time(Forecasts *f, const Stamp *time, int64_t i)
{
    char text[STAMP_TEXT];
    if (time) put_text(f, stamp_text(&time[i], text));
    else str_addf(&f->line, "%lld", (long long)i + 1);
}

static int done(Forecasts *f, Err *e)
{
    (void)f;
    (void)e;
    return 0;
}

static int long_begin(Forecasts *f, Err *e)
{
    f->line.n = 0;
    if (f->to.form.id) {
        put_text(f, f->to.form.id);
        put_separator(f);
    }
    put_text(f, f->to.form.time ? f->to.form.time : "step");
    put_separator(f);
    put_text(f, "predictions");
    return put_line(f, e);
}

static int long_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    for (int64_t i = 0; i < f->to.steps; i++) {
        f->line.n = 0;
        if (f->to.form.id) {
            put_text(f, id);
            put_separator(f);
        }
        put_time(f, time, i);
        put_separator(f);
        put_number(f, x[i]);
        if (put_line(f, e)) return -1;
    }
    return 0;
}

static int wide_room(Forecasts *f, Err *e)
{
    int64_t cap = 2 * f->cap + 16;
    size_t bytes;
    if (f->n < f->cap) return 0;
    if (__builtin_mul_overflow((size_t)cap * sizeof *f->x, (size_t)f->to.steps, &bytes)) return err_nomem(e, SIZE_MAX, "forecasts");
    if (array_resize(&f->x, bytes + !bytes, "forecasts", e) || array_resize(&f->id, (size_t)cap * sizeof *f->id, "forecasts", e)) return -1;
    f->cap = cap;
    return 0;
}

static int wide_times(Forecasts *f, const Stamp *time, Err *e)
{
    size_t bytes = (size_t)f->to.steps * sizeof *time;
    if (f->n || !time) return 0;
    f->time = malloc(bytes + !bytes);
    if (!f->time) return err_nomem(e, bytes, "the times of forecasts");
    memcpy(f->time, time, bytes);
    return 0;
}

static int wide_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    if (wide_times(f, time, e) || wide_room(f, e)) return -1;
    f->id[f->n] = strdup(id);
    if (!f->id[f->n]) return err_nomem(e, strlen(id), "the name of a series");
    if (f->to.steps) memcpy(f->x + f->n * f->to.steps, x, (size_t)f->to.steps * sizeof *x);
    f->n++;
    return 0;
}

static int wide_end(Forecasts *f, Err *e)
{
    int labels = f->to.form.time != NULL;
    f->line.n = 0;
    if (labels) put_text(f, f->to.form.time);
    for (int64_t k = 0; k < f->n; k++) {
        if (k || labels) put_separator(f);
        put_text(f, f->id[k]);
    }
    if (f->n && put_line(f, e)) return -1;
    for (int64_t i = 0; f->n && i < f->to.steps; i++) {
        f->line.n = 0;
        if (labels) put_time(f, f->time, i);
        for (int64_t k = 0; k < f->n; k++) {
            if (k || labels) put_separator(f);
            put_number(f, f->x[k * f->to.steps + i]);
        }
        if (put_line(f, e)) return -1;
    }
    return 0;
}

static int rows_begin(Forecasts *f, Err *e)
{
    f->line.n = 0;
    for (int64_t i = 0; i <= f->to.steps; i++) {
        if (i) put_separator(f);
        str_addf(&f->line, "V%lld", (long long)i + 1);
    }
    return put_line(f, e);
}

static int rows_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    (void)time;
    f->line.n = 0;
    put_text(f, id);
    for (int64_t i = 0; i < f->to.steps; i++) {
        put_separator(f);
        put_number(f, x[i]);
    }
    return put_line(f, e);
}

static int jsonl_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    (void)time;
    f->line.n = 0;
    str_addf(&f->line, "{\"item_id\": ");
    json_put_string(&f->line, id);
    str_addf(&f->line, ", \"predictions\": [");
    for (int64_t i = 0; i < f->to.steps; i++) {
        if (i) str_add(&f->line, ", ", 2);
        json_put_number(&f->line, x[i]);
    }
    str_addf(&f->line, "]}");
    return put_line(f, e);
}

/* Numbers begin at a multiple of 64 bytes, as numpy writes them. */
static int npy_begin(Forecasts *f, Err *e)
{
    static const char magic[] = "\x93NUMPY\x01";
    if (f->to.series < 0) return err_set(e, FTS_USAGE, "%s: how many series there are must be known before an array of numpy is written", f->to.path);
    str_add(&f->line, magic, sizeof magic);
    str_add(&f->line, "\0", 2);
    str_addf(&f->line, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }", (long long)f->to.series, (long long)f->to.steps);
    while (f->line.n % 64 != 63 && !f->line.failed) str_add(&f->line, " ", 1);
    str_add(&f->line, "\n", 1);
    if (str_ok(&f->line, e)) return -1;
    f->line.p[8] = (char)(f->line.n - 10);
    return out_write(&f->out, f->line.p, f->line.n, e);
}

static int npy_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    (void)id;
    (void)time;
    for (int64_t i = 0; i < f->to.steps; i++) {
        float y = (float)x[i];
        if (out_write(&f->out, &y, sizeof y, e)) return -1;
    }
    return 0;
}

static const Writer writers[] = {
    [FORM_LONG] = {long_begin, long_add, done}, [FORM_WIDE] = {done, wide_add, wide_end}, [FORM_ROWS] = {rows_begin, rows_add, done},
    [FORM_JSONL] = {done, jsonl_add, done}, [FORM_NPY] = {npy_begin, npy_add, done},
};

int forecasts_open(Forecasts **made, const ForecastsTo *to, Err *e)
{
    Forecasts *f = calloc(1, sizeof *f);
    *made = NULL;
    if (!f) return err_nomem(e, sizeof *f, "forecasts");
    f->to = *to;
    f->in_file = to->path && *to->path && strcmp(to->path, "-");
    f->writer = &writers[to->form.kind == FORM_NPY && !f->in_file ? FORM_JSONL : to->form.kind];
    if ((!f->in_file || !out_open(&f->out, to->path, e)) && !f->writer->begin(f, e)) {
        *made = f;
        return 0;
    }
    forecasts_drop(f);
    return -1;
}

int forecasts_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e)
{
    if (f->writer->add(f, id, time, x, e)) return -1;
    if (f->writer != &writers[FORM_WIDE]) f->n++;
    return 0;
}

int forecasts_close(Forecasts *f, Err *e)
{
    int bad = f->writer->end(f, e);
    assert(f->to.series < 0 || f->n == f->to.series);
    if (!bad && f->in_file) bad = out_commit(&f->out, e);
    forecasts_drop(f);
    return bad;
}

void forecasts_drop(Forecasts *f)
{
    if (!f) return;
    out_drop(&f->out);
    for (int64_t i = 0; f->id && i < f->n; i++) free(f->id[i]);
    free(f->id);
    free(f->x);
    free(f->time);
    str_free(&f->line);
    free(f);
}
