/* page_curves.c - losses, rates and times of runs over their steps: a row of the table below is a chart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/chart.h"
#include "report/markup.h"
#include "report/page_parts.h"

enum { OF_STEPS = -1 };
enum { SHARE_OF_TIME = STEP_FIELDS };  /* a column that is none of the log: data_ms / step_ms, in percent */

static const struct Kind {
    const char *id, *title, *about;
    int of, column;                    /* OF_STEPS, LOG_VAL or LOG_OOD; its column */
    int ratio;                         /* see Chart */
    int several;                       /* 1: of one run it stands in the chart of the loss */
    int naive;                         /* there is a value of repeating the last one */
    int noisy;                         /* see Curve */
} kinds[] = {
    {"val",     "Validation loss",          "Held-back windows of the training data.",                    LOG_VAL,  VAL_PRED,      1, 1, 0, 0},
    {"valmae",  "Validation MAE",           "Of scaled values. Dotted: by repeating the last value.",                      LOG_VAL,  VAL_MAE,       1, 0, 1, 0},
    {"valmse",  "Validation MSE",           "Of scaled values. Dotted: by repeating the last value.",                       LOG_VAL,  VAL_MSE,       1, 0, 1, 0},
    {"ood",     "Out-of-distribution loss", "Windows of data that no training step sees.",                LOG_OOD,  VAL_PRED,      1, 1, 0, 0},
    {"oodmae",  "Out-of-distribution MAE",  "Of scaled values. Dotted: by repeating the last value.",                      LOG_OOD,  VAL_MAE,       1, 0, 1, 0},
    {"oodmse",  "Out-of-distribution MSE",  "Of scaled values. Dotted: by repeating the last value.",                       LOG_OOD,  VAL_MSE,       1, 0, 1, 0},
    {"aux",     "Balance loss",             "1 where all experts get the same share of tokens.",          OF_STEPS, STEP_AUX,      1, 0, 0, 1},
    {"lr",      "Learning rate",            "A warm-up, then a cosine.",                                                         OF_STEPS, STEP_LR,       0, 0, 0, 0},
    {"norm",    "Gradient norm",            "Before clipping.",                                           OF_STEPS, STEP_NORM,     1, 0, 0, 1},
    {"tokens",  "Tokens per second",        "Real tokens; validations and checkpoints do not count.",     OF_STEPS, STEP_TOKENS,   0, 0, 0, 1},
    {"points",  "Points per second",        "Points of series: what models of different tokens share.",   OF_STEPS, STEP_POINTS,   0, 0, 0, 1},
    {"ms",      "Time per step, ms",        "Mean over the steps since the line before.",                 OF_STEPS, STEP_MS,       0, 0, 0, 1},
    {"data",    "Waiting for data, % of a step", "The part of a step in which the model had no batch yet.", OF_STEPS, SHARE_OF_TIME, 0, 0, 0, 1},
    {"tflops",  "Teraflops",                "Of the model: 6 for each active parameter and token, and attention.", OF_STEPS, STEP_TFLOPS, 0, 0, 0, 1},
    {"peak",    "Peak memory, MB",          "Of the process, up to this step.",                           OF_STEPS, STEP_PEAK,     0, 0, 0, 0},
};

/* The curves of a chart, with the values that they own. */
typedef struct Curves { Curve curve[2 * PAGE_RUNS + 3]; double *value[2 * PAGE_RUNS + 3]; int n; int64_t ends[2]; double naive[2 * PAGE_RUNS + 3][2]; } Curves;

static void curves_free(Curves *c)
{
    for (int i = 0; i < c->n; i++) free(c->value[i]);
    c->n = 0;
}

static const LogRows *rows_of(const RunLog *l, int of) { return of == OF_STEPS ? &l->steps : &l->validation[of]; }

static void share_of_time(const LogRows *r, double *value)
{
    for (int64_t i = 0; i < r->n; i++) {
        const double *row = r->value + i * r->width;
        value[i] = row[STEP_MS] > 0 ? 100 * row[STEP_DATA_MS] / row[STEP_MS] : NAN;
    }
}

static int add_curve(Curves *c, const char *name, const LogRows *r, int column, int look, int run, int noisy, Err *e)
{
    size_t bytes = (size_t)r->n * sizeof(double);
    if (!r->n) return 0;
    double *value = malloc(bytes);
    if (!value) return err_nomem(e, bytes, "a curve");
    if (column == SHARE_OF_TIME) share_of_time(r, value);
    else rows_column(r, column, value);
    c->value[c->n] = value;
    c->curve[c->n++] = (Curve){name, r->step, value, r->n, look, run, noisy, 0};
    return 0;
}

/* Lines across for repeating the last value: grey where all runs have the same, which are then compared on the same targets. */
static void add_naives(Curves *c, const Page *p, const struct Kind *k)
{
    int shared = runs_share(p, k->of, k->column);
    for (int i = 0; i < (shared ? 1 : p->n); i++) {
        double value = p->run[i].log->naive[k->of][k->column], *two = c->naive[c->n];
        if (!isfinite(value)) continue;
        two[0] = two[1] = value;
        c->value[c->n] = NULL;
        c->curve[c->n++] = (Curve){"repeating the last value", c->ends, two, 2, shared ? CURVE_GREY : i, shared ? -1 : i, 0, 1};
    }
}

static int write_chart(Str *html, const Page *p, const Chart *like, const Curves *c, Err *e)
{
    Chart chart = *like;
    chart.curve = c->curve;
    chart.n = c->n;
    chart.to = p->to;
    return chart_has_points(c->curve, c->n) ? chart_write(html, &chart, e) : 0;
}

static int write_kind(Str *html, const Page *p, const struct Kind *k, Err *e)
{
    Curves c = {.n = 0, .ends = {0, p->to}};
    int bad = 0;
    for (int i = 0; i < p->n && !bad; i++) {
        const PageRun *r = &p->run[i];
        bad = add_curve(&c, p->n > 1 ? r->name : k->title, rows_of(r->log, k->of), k->column, i, p->n > 1 ? i : -1, k->noisy, e);
    }
    int any = chart_has_points(c.curve, c.n);
    if (any && k->naive) add_naives(&c, p, k);
    bad = bad || (any && write_chart(html, p, &(Chart){.id = k->id, .title = k->title, .about = k->about, .ratio = k->ratio}, &c, e));
    curves_free(&c);
    return bad ? -1 : 0;
}

/* The loss of several runs, or all losses of one. */
static int write_loss(Str *html, const Page *p, Err *e)
{
    static const char *const names[] = {"training", "validation", "out of distribution"};
    Curves c = {.n = 0};
    int bad = 0, one = p->n == 1;
    for (int i = 0; i < p->n && !bad; i++) bad = add_curve(&c, one ? names[0] : p->run[i].name, &p->run[i].log->steps, STEP_PRED, i, one ? -1 : i, 1, e);
    for (int v = 0; v < LOG_VALIDATIONS && one && !bad; v++) bad = add_curve(&c, names[v + 1], &p->run->log->validation[v], VAL_PRED, v + 1, -1, 0, e);
    bad = bad || write_chart(html, p, &(Chart){.id = "loss", .title = one ? "Loss" : "Training loss", .wide = 1, .ratio = 1,
        .about = "Huber loss of the forecasts, mean over all horizons, without the balance loss."}, &c, e);
    curves_free(&c);
    return bad ? -1 : 0;
}

static void write_runs(Str *html, const Page *p)
{
    str_addf(html, "<fieldset class=\"pick\"><legend>Runs shown</legend>\n");
    for (int i = 0; i < p->n; i++) {
        str_addf(html, "<label><input type=\"checkbox\" id=\"run%d\" checked=\"checked\"/>", i);
        chart_swatch(html, i);
        markup_text(html, p->run[i].name);
        str_addf(html, "</label>\n");
    }
    str_addf(html, "</fieldset>\n");
}

int page_curves(Str *html, const Page *p, Err *e)
{
    int bad = 0, steps = 0;
    for (int i = 0; i < p->n; i++) steps |= p->run[i].log->steps.n > 0;
    section_begin(html, "curves", "Curves", steps ? "From left to right: optimizer steps. Over noisy values lies their running mean." : "No step was logged yet: come back when the run has gone on for a while (--log-every).");
    if (p->n > 1) write_runs(html, p);
    str_addf(html, "<div class=\"grid\">\n");
    bad = write_loss(html, p, e);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !bad; k++)
        if (p->n > 1 || !kinds[k].several) bad = write_kind(html, p, &kinds[k], e);
    str_addf(html, "</div>\n");
    for (int v = 0; v < LOG_VALIDATIONS && steps; v++) {
        int any = 0;
        for (int i = 0; i < p->n; i++) any |= p->run[i].log->validation[v].n > 0;
        if (!any) str_addf(html, "<p class=\"note\">%s</p>\n", v == LOG_VAL ? "No validation was logged: not yet (--val-every), or without --val-split."
                                                                           : "No out-of-distribution validation was logged: not yet, or without --ood-val-dataset-path.");
    }
    section_end(html);
    return bad ? -1 : str_ok(html, e);
}
