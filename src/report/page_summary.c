/* page_summary.c - what became of each run, in a few numbers: a row of the table below is a number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/page_parts.h"

enum { LAST = 10 };                    /* steps whose mean is the loss at the end: one alone is noisy */

/* Of a column: the last value that is finite, the least, the middle one, or the mean of the last few. */
static double last_of(const LogRows *r, int column)
{
    for (int64_t i = r->n; i-- > 0;)
        if (isfinite(r->value[i * r->width + column])) return r->value[i * r->width + column];
    return NAN;
}

static double least_of(const LogRows *r, int column)
{
    double least = NAN;
    for (int64_t i = 0; i < r->n; i++) least = fmin(least, r->value[i * r->width + column]);
    return least;
}

static double late_mean(const LogRows *r, int column)
{
    double sum = 0;
    int n = 0;
    for (int64_t i = r->n; i-- > 0 && n < LAST;) {
        double x = r->value[i * r->width + column];
        if (isfinite(x)) sum += x, n++;
    }
    return n ? sum / n : NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Without memory for a copy there is no median: the caller's page has run out of it as well, and says so. */
static double median_of(const LogRows *r, int column)
{
    double *x = malloc((size_t)r->n * sizeof *x + 1), median = NAN;
    int64_t n = 0;
    for (int64_t i = 0; x && i < r->n; i++)
        if (isfinite(r->value[i * r->width + column])) x[n++] = r->value[i * r->width + column];
    if (n) {
        qsort(x, (size_t)n, sizeof *x, by_value);
        median = x[n / 2];
    }
    free(x);
    return median;
}

static double waiting(const RunLog *l)
{
    double waited = 0, all = 0;
    for (int64_t i = 0; i < l->steps.n; i++) {
        const double *row = l->steps.value + i * l->steps.width;
        if (!isfinite(row[STEP_DATA_MS]) || !isfinite(row[STEP_MS])) continue;
        waited += row[STEP_DATA_MS];
        all += row[STEP_MS];
    }
    return all > 0 ? 100 * waited / all : NAN;
}

enum { NOTHING, PARAMETERS, ACTIVE, TRAINED, VAL, VAL_BEST, MAE, MAE_NAIVE, MSE, MSE_NAIVE, OOD, OOD_BEST, OOD_MAE, OOD_MAE_NAIVE, OOD_MSE, OOD_MSE_NAIVE, TOKENS, POINTS, TIME, WAITING, PEAK };

static double number_of(const PageRun *r, int what)
{
    const RunLog *l = r->log;
    const LogRows *val = &l->validation[LOG_VAL], *ood = &l->validation[LOG_OOD];
    switch (what) {
    case PARAMETERS:    return r->parameters ? (double)r->parameters : NAN;
    case ACTIVE:        return r->active ? (double)r->active : NAN;
    case TRAINED:       return late_mean(&l->steps, STEP_PRED);
    case VAL:           return last_of(val, VAL_PRED);
    case VAL_BEST:      return least_of(val, VAL_PRED);
    case MAE:           return last_of(val, VAL_MAE);
    case MAE_NAIVE:     return l->naive[LOG_VAL][VAL_MAE];
    case MSE:           return last_of(val, VAL_MSE);
    case MSE_NAIVE:     return l->naive[LOG_VAL][VAL_MSE];
    case OOD:           return last_of(ood, VAL_PRED);
    case OOD_BEST:      return least_of(ood, VAL_PRED);
    case OOD_MAE:       return last_of(ood, VAL_MAE);
    case OOD_MAE_NAIVE: return l->naive[LOG_OOD][VAL_MAE];
    case OOD_MSE:       return last_of(ood, VAL_MSE);
    case OOD_MSE_NAIVE: return l->naive[LOG_OOD][VAL_MSE];
    case TOKENS:        return median_of(&l->steps, STEP_TOKENS);
    case POINTS:        return median_of(&l->steps, STEP_POINTS);
    case TIME:          return median_of(&l->steps, STEP_MS);
    case WAITING:       return waiting(l);
    case PEAK:          return last_of(&l->steps, STEP_PEAK);
    default:            return NAN;
    }
}

enum { ANY_RUNS = -1 };                /* any two runs may be compared; else only those with the same targets of this validation */

/* digits 0: a whole number. best: -1 the least is, 1 the largest, 0 there is none. also: what stands beside it in small print. */
static const struct Number { const char *name; int what, digits, best, also; const char *also_is; int targets; } numbers[] = {
    {"Parameters",               PARAMETERS, 0, 0,  ACTIVE,        "active for a token", ANY_RUNS},
    {"Training loss at the end", TRAINED,    4, -1, NOTHING,       "", LOG_VAL},
    {"Validation loss",          VAL,        4, -1, VAL_BEST,      "at best", LOG_VAL},
    {"Validation MAE",           MAE,        4, -1, MAE_NAIVE,     "by repeating the last value", LOG_VAL},
    {"Validation MSE",           MSE,        4, -1, MSE_NAIVE,     "by repeating the last value", LOG_VAL},
    {"Out-of-distribution loss", OOD,        4, -1, OOD_BEST,      "at best", LOG_OOD},
    {"Out-of-distribution MAE",  OOD_MAE,    4, -1, OOD_MAE_NAIVE, "by repeating the last value", LOG_OOD},
    {"Out-of-distribution MSE",  OOD_MSE,    4, -1, OOD_MSE_NAIVE, "by repeating the last value", LOG_OOD},
    {"Tokens per second",        TOKENS,     3, 0,  NOTHING,       "", ANY_RUNS},
    {"Points per second",        POINTS,     3, 1,  NOTHING,       "", ANY_RUNS},
    {"Time per step, ms",        TIME,       3, 0,  NOTHING,       "", ANY_RUNS},
    {"Waiting for data, %",      WAITING,    2, 0,  NOTHING,       "", ANY_RUNS},
    {"Peak memory, MB",          PEAK,       3, 0,  NOTHING,       "", ANY_RUNS},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void put_number(Str *html, double x, int digits)
{
    if (digits) markup_fixed(html, x, digits);
    else markup_number(html, x, 15);
}

static const struct End { const char *why, *text; } ends[] = {
    {"done", "finished"}, {"stopped", "stopped, can be resumed"}, {"time", "time was over, can be resumed"},
};

static void write_state(Str *html, const PageRun *r)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!strcmp(r->log->why, ends[i].why)) { str_addf(html, "%s", ends[i].text); return; }
    if (*r->log->why) markup_text(html, r->log->why);
    else str_addf(html, "going on, or broken off");
}

static void write_steps(Str *html, const PageRun *r)
{
    markup_whole(html, r->log->last);
    if (!r->log->planned) return;
    str_addf(html, " of ");
    markup_whole(html, r->log->planned);
}

static void write_worked(Str *html, const PageRun *r) { markup_seconds(html, r->log->worked); }
static void write_last_line(Str *html, const PageRun *r) { markup_time(html, r->log->to); }

static const struct Fact { const char *name; void (*write)(Str *html, const PageRun *r); } facts[] = {
    {"State", write_state}, {"Steps", write_steps}, {"Time at work", write_worked}, {"Last line of the log", write_last_line},
};

/* The best of all runs where they can be told apart; NaN: none. */
static double best_of(const Page *p, const struct Number *k)
{
    double best = NAN, worst = NAN;
    int comparable = k->targets == ANY_RUNS || runs_share(p, k->targets, VAL_MAE);
    for (int i = 0; i < p->n && k->best && comparable; i++) {
        double x = number_of(&p->run[i], k->what);
        best = k->best < 0 ? fmin(best, x) : fmax(best, x);
        worst = k->best < 0 ? fmax(worst, x) : fmin(worst, x);
    }
    return best != worst ? best : NAN;
}

static int is_known(const Page *p, int what)
{
    for (int i = 0; i < p->n; i++)
        if (isfinite(number_of(&p->run[i], what))) return 1;
    return 0;
}

static void write_tile(Str *html, const Page *p, const struct Number *k)
{
    str_addf(html, "<div><dt>%s</dt><dd>", k->name);
    put_number(html, number_of(p->run, k->what), k->digits);
    if (is_known(p, k->also)) {
        str_addf(html, " <small>");
        put_number(html, number_of(p->run, k->also), k->digits);
        str_addf(html, " %s</small>", k->also_is);
    }
    str_addf(html, "</dd></div>\n");
}

static void write_tiles(Str *html, const Page *p)
{
    str_addf(html, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        str_addf(html, "<div><dt>%s</dt><dd>", facts[i].name);
        facts[i].write(html, p->run);
        str_addf(html, "</dd></div>\n");
    }
    for (int i = 0; i < NUMBERS; i++)
        if (is_known(p, numbers[i].what)) write_tile(html, p, &numbers[i]);
    str_addf(html, "</dl>\n");
}

static void write_number_row(Str *html, const Page *p, const struct Number *k)
{
    double best = best_of(p, k);
    str_addf(html, "<tr><th scope=\"row\">%s</th>", k->name);
    for (int i = 0; i < p->n; i++) {
        double x = number_of(&p->run[i], k->what);
        str_addf(html, x == best ? "<td class=\"best\"><strong>" : "<td>");
        put_number(html, x, k->digits);
        str_addf(html, x == best ? "</strong> <span>best</span></td>" : "</td>");
    }
    str_addf(html, "</tr>\n");
    if (!is_known(p, k->also)) return;
    str_addf(html, "<tr><th scope=\"row\" class=\"sub\">%s</th>", k->also_is);
    for (int i = 0; i < p->n; i++) {
        str_addf(html, "<td>");
        put_number(html, number_of(&p->run[i], k->also), k->digits);
        str_addf(html, "</td>");
    }
    str_addf(html, "</tr>\n");
}

static void write_table(Str *html, const Page *p)
{
    run_table_begin(html, p, "Comparison of the runs", "");
    str_addf(html, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        str_addf(html, "<tr><th scope=\"row\">%s</th>", facts[i].name);
        for (int k = 0; k < p->n; k++) {
            str_addf(html, "<td>");
            facts[i].write(html, &p->run[k]);
            str_addf(html, "</td>");
        }
        str_addf(html, "</tr>\n");
    }
    for (int i = 0; i < NUMBERS; i++)
        if (is_known(p, numbers[i].what)) write_number_row(html, p, &numbers[i]);
    run_table_end(html);
    if ((is_known(p, MAE_NAIVE) && !runs_share(p, LOG_VAL, VAL_MAE)) || (is_known(p, OOD_MAE_NAIVE) && !runs_share(p, LOG_OOD, VAL_MAE)))
        str_addf(html, "<p class=\"note\">Not all runs are validated on the same targets: repeating the last value is not equally wrong for all. Other windows, other tokens or another"
                       " seed make such runs no match for each other, and none is called the best. Compare each with its own line of repeating the last value.</p>\n");
}

int page_summary(Str *html, const Page *p, Err *e)
{
    section_begin(html, "summary", p->n > 1 ? "Comparison" : "Summary", "");
    if (p->n > 1) write_table(html, p);
    else write_tiles(html, p);
    section_end(html);
    return str_ok(html, e);
}
