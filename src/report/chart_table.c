/* chart_table.c - see chart_table.h */
#include "report/chart_table.h"

#include <math.h>
#include <stdlib.h>

#include "report/markup.h"

enum { ROWS = 100, ROWS_LEAST = 12, ROWS_ALL = 300 };        /* of a curve; of one among many; of all curves, about */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t rows_of(const Chart *c)
{
    int64_t n = c->n > 3 ? ROWS_ALL / c->n : ROWS;
    return n < ROWS_LEAST ? ROWS_LEAST : n;
}

/* The steps of all curves' rows, each once; step: (rows_of * c->n). How many. */
static int64_t choose_steps(const Chart *c, int64_t *step)
{
    int64_t most = rows_of(c), n = 0, unique = 0;
    for (int k = 0; k < c->n; k++) {
        const Curve *v = &c->curve[k];
        int64_t take = v->n < most ? v->n : most;
        for (int64_t i = 0; i < take; i++) step[n++] = v->step[take < 2 ? 0 : i * (v->n - 1) / (take - 1)];
    }
    qsort(step, (size_t)n, sizeof *step, by_value);
    for (int64_t i = 0; i < n; i++)
        if (!unique || step[i] != step[unique - 1]) step[unique++] = step[i];
    return unique;
}

/* The value of a curve at a step; 0: it has none there. */
static int value_at(const Curve *c, int64_t step, double *x)
{
    int64_t low = 0, high = c->n;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (c->step[mid] < step) low = mid + 1;
        else high = mid;
    }
    if (low == c->n || c->step[low] != step) return 0;
    *x = c->value[low];
    return 1;
}

/* Hidden with its run. */
static void begin_cell(Str *page, const char *tag, const Curve *c)
{
    if (c->run < 0) str_addf(page, "<%s>", tag);
    else str_addf(page, "<%s class=\"r%d\">", tag, c->run);
}

static void write_head(Str *page, const Chart *c)
{
    str_addf(page, "<thead><tr><th scope=\"col\">step</th>");
    for (int k = 0; k < c->n; k++) {
        begin_cell(page, "th scope=\"col\"", &c->curve[k]);
        markup_text(page, c->curve[k].name);
        str_addf(page, "</th>");
    }
    str_addf(page, "</tr></thead>\n<tbody>\n");
}

static void write_row(Str *page, const Chart *c, int64_t step)
{
    double x;
    str_addf(page, "<tr><th scope=\"row\">");
    markup_whole(page, step);
    str_addf(page, "</th>");
    for (int k = 0; k < c->n; k++) {
        begin_cell(page, "td", &c->curve[k]);
        if (value_at(&c->curve[k], step, &x)) {
            if (isfinite(x)) markup_number(page, x, 5);
            else str_addf(page, "not finite");
        }
        str_addf(page, "</td>");
    }
    str_addf(page, "</tr>\n");
}

int chart_table(Str *page, const Chart *c, Err *e)
{
    size_t bytes = (size_t)(rows_of(c) * c->n) * sizeof(int64_t) + 1;
    int64_t *step = malloc(bytes), longest = 0;
    if (!step) return err_nomem(e, bytes, "a table");
    int64_t n = choose_steps(c, step);
    for (int k = 0; k < c->n; k++)
        if (c->curve[k].n > longest) longest = c->curve[k].n;
    str_addf(page, "<details><summary>Numbers</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    markup_text(page, c->title);
    str_addf(page, ": numbers\"><table>\n");
    if (longest > rows_of(c)) {
        str_addf(page, "<caption>some of ");
        markup_whole(page, longest);
        str_addf(page, " rows</caption>\n");
    }
    write_head(page, c);
    for (int64_t i = 0; i < n; i++) write_row(page, c, step[i]);
    str_addf(page, "</tbody></table></div></details>\n");
    free(step);
    return str_ok(page, e);
}
