/* chart.c - see chart.h */
#include "report/chart.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/chart_table.h"
#include "report/label.h"
#include "report/markup.h"

/* A picture is as wide as its place on a screen, so that its text has its own size there. */
static const struct Shape { const char *name; double w, h, text, line; int ticks; } shapes[] = {{"narrow", 360, 190, 11, 1.6, 5}, {"wide", 1000, 320, 13, 1.8, 6}};

/* What is drawn: the values of a curve, or their logarithms. */
typedef struct Scale { int log; Range range; Frame frame; Ticks ticks; } Scale;

void chart_look(char out[16], int look)
{
    if (look == CURVE_GREY) snprintf(out, 16, "kg");
    else snprintf(out, 16, "k%d", look);
}

void chart_swatch(Str *page, int look)
{
    char class[16];
    chart_look(class, look);
    str_addf(page, "<svg class=\"swatch %s\" viewBox=\"0 0 30 8\" aria-hidden=\"true\"><line x1=\"1\" y1=\"4\" x2=\"29\" y2=\"4\"/></svg>", class);
}

int chart_has_points(const Curve *curve, int n)
{
    Range r = {0, 0, 0};
    for (int i = 0; i < n; i++) range_add(&r, curve[i].value, curve[i].n);
    return r.any;
}

static Scale scale_of(const Chart *c)
{
    Scale s = {.range = {0, 0, 0}};
    for (int i = 0; i < c->n; i++) range_add(&s.range, c->curve[i].value, c->curve[i].n);
    s.log = c->ratio && s.range.lo > 0 && s.range.hi / s.range.lo > CHART_RATIO;
    if (s.log) s.range = (Range){log10(s.range.lo), log10(s.range.hi), 1};
    return s;
}

/* Whole powers of ten only: between them a label would be no round number. */
static void scale_ticks(Scale *s, int most)
{
    Frame *f = &s->frame;
    if (!s->log) range_pad(&s->range, f);
    else {
        double air = 0.05 * (s->range.hi - s->range.lo);
        f->lo = s->range.lo - air;
        f->hi = s->range.hi + air;
    }
    ticks_find(&s->ticks, f->lo, f->hi, most);
    if (s->log && s->ticks.power < 0) s->ticks = (Ticks){(int64_t)ceil(f->lo), (int)(floor(f->hi) - ceil(f->lo)) + 1, 1, 0};
}

static void tick_text(char out[TICK_TEXT], const Scale *s, int i)
{
    Str text = {0};
    if (!s->log) { ticks_label(out, &s->ticks, i); return; }
    markup_number(&text, pow(10, ticks_value(&s->ticks, i)), 2);
    snprintf(out, TICK_TEXT, "%s", text.failed ? "" : text.p);
    str_free(&text);
}

static double labels_width(const Scale *s, double size)
{
    double widest = 0;
    for (int i = 0; i < s->ticks.n; i++) {
        char text[TICK_TEXT];
        tick_text(text, s, i);
        widest = fmax(widest, label_width(text, size));
    }
    return widest;
}

static void place(Scale *s, const Chart *c, const struct Shape *shape)
{
    Frame *f = &s->frame;
    scale_ticks(s, shape->ticks);
    double labels = fmin(labels_width(s, shape->text) + 0.6 * shape->text, shape->w / 2);
    *f = (Frame){labels, 0.7 * shape->text, shape->w - labels - 1.2 * shape->text, shape->h - 2.9 * shape->text, 0, c->to > 0 ? c->to : 1, f->lo, f->hi};
}

static void draw_axes(Canvas *v, const Scale *s, double size)
{
    Ticks t;
    for (int i = 0; i < s->ticks.n; i++) {
        char text[TICK_TEXT];
        tick_text(text, s, i);
        axis_draw_value(v, &s->frame, ticks_value(&s->ticks, i), text, size);
    }
    axis_draw_base(v, &s->frame);
    axis_steps(&t, &s->frame, size);
    for (int i = 0; i < t.n; i++) {
        char text[TICK_TEXT];
        ticks_label(text, &t, i);
        axis_draw_mark(v, &s->frame, frame_x(&s->frame, ticks_value(&t, i)), size, 0, text, ANCHOR_CENTRE);
    }
}

static int draw_line(Canvas *v, const Scale *s, const Curve *c, double width, const char *more, Err *e)
{
    char classes[48], look[16], run[16] = "";
    double *log = NULL;
    if (s->log) {
        log = malloc((size_t)c->n * sizeof *log + 1);
        if (!log) return err_nomem(e, (size_t)c->n * sizeof *log, "a curve");
        for (int64_t i = 0; i < c->n; i++) log[i] = log10(c->value[i]);
    }
    chart_look(look, c->look);
    if (c->run >= 0) snprintf(run, sizeof run, " r%d", c->run);
    snprintf(classes, sizeof classes, "%s%s%s", look, run, more);
    canvas_group(v, classes);
    trace_draw(v, &s->frame, &(Trace){.value = log ? log : c->value, .step = c->step, .n = c->n, .lead = NAN, .width = width});
    canvas_group_end(v);
    free(log);
    return 0;
}

/* A long curve is cut into BINS, so that its mean costs no more than its points. */
enum { BINS = 400, REACH = 50, NOISY_LEAST = 40 };        /* a mean is over a 25th of the curve: a 50th to each side */
typedef struct Mean { int64_t step[BINS]; double value[BINS], sum[BINS]; int64_t count[BINS], n; } Mean;

static void mean_make(Mean *m, const Curve *c)
{
    m->n = c->n < BINS ? c->n : BINS;
    for (int64_t k = 0; k < m->n; k++) {
        int64_t from = k * c->n / m->n, to = (k + 1) * c->n / m->n;
        m->step[k] = c->step[from + (to - from) / 2];
        m->sum[k] = 0;
        m->count[k] = 0;
        for (int64_t i = from; i < to; i++)
            if (isfinite(c->value[i])) m->sum[k] += c->value[i], m->count[k]++;
    }
    for (int64_t k = 0, reach = m->n / REACH; k < m->n; k++) {
        int64_t count = 0;
        double sum = 0;
        for (int64_t i = k > reach ? k - reach : 0; i <= k + reach && i < m->n; i++) sum += m->sum[i], count += m->count[i];
        m->value[k] = m->count[k] ? sum / (double)count : NAN;
    }
}

static int draw_curve(Canvas *v, const Scale *s, const Curve *c, double width, Err *e)
{
    if (!c->noisy || c->n < NOISY_LEAST) return draw_line(v, s, c, width, c->base ? " base" : "", e);
    Mean *m = malloc(sizeof *m);
    if (!m) return err_nomem(e, sizeof *m, "a curve");
    mean_make(m, c);
    Curve mean = *c;
    mean.step = m->step;
    mean.value = m->value;
    mean.n = m->n;
    int bad = draw_line(v, s, c, width, " raw", e) || draw_line(v, s, &mean, 1.15 * width, "", e);
    free(m);
    return bad ? -1 : 0;
}

static void describe(Str *s, const Chart *c)
{
    str_addf(s, "%d line%s over steps 0 to %" PRId64 ".", c->n, c->n == 1 ? "" : "s", c->to);
    for (int i = 0; i < c->n; i++) {
        Range r = {0, 0, 0};
        range_add(&r, c->curve[i].value, c->curve[i].n);
        str_addf(s, " %s: ", c->curve[i].name);
        if (!r.any) { str_addf(s, "no values."); continue; }
        markup_number(s, r.lo, 4);
        str_addf(s, " to ");
        markup_number(s, r.hi, 4);
        str_addf(s, ", the last ");
        markup_number(s, c->curve[i].value[c->curve[i].n - 1], 4);
        str_addf(s, ".");
    }
}

static int draw(Str *page, const Chart *c, Scale *s, const struct Shape *shape, Err *e)
{
    Canvas v;
    Str about = {0};
    char id[48];
    snprintf(id, sizeof id, "%s-%s", c->id, shape->name);
    describe(&about, c);
    int bad = str_ok(&about, e) || canvas_inline(&v, shape->w, shape->h, id, c->title, about.p, e);
    str_free(&about);
    if (bad) return -1;
    place(s, c, shape);
    draw_axes(&v, s, shape->text);
    for (int i = c->n - 1; i >= 0 && !bad; i--) bad = draw_curve(&v, s, &c->curve[i], shape->line, e);      /* the first lies on top */
    plot_begin(page, c->wide ? shape->name : "all", &s->frame, shape->w);
    bad = bad || v.finish(&v, page, e);
    str_addf(page, "</div>\n");
    v.close(&v);
    return bad ? -1 : 0;
}

static void write_legend(Str *page, const Chart *c)
{
    int named = 0;
    for (int i = 0; i < c->n; i++) named += c->curve[i].run < 0 && !c->curve[i].base;
    if (named < 2) return;
    str_addf(page, "<ul class=\"legend\">");
    for (int i = 0; i < c->n; i++) {
        if (c->curve[i].run >= 0 || c->curve[i].base) continue;
        str_addf(page, "<li>");
        chart_swatch(page, c->curve[i].look);
        markup_text(page, c->curve[i].name);
        str_addf(page, "</li>");
    }
    str_addf(page, "</ul>\n");
}

void figure_begin(Str *page, const char *id, const char *classes, const char *title, const char *about)
{
    str_addf(page, "<figure class=\"%s\" id=\"%s\">\n<figcaption><h3>", classes, id);
    markup_text(page, title);
    str_addf(page, "</h3>");
    if (*about) {
        str_addf(page, "<p>");
        markup_text(page, about);
        str_addf(page, "</p>");
    }
    str_addf(page, "</figcaption>\n");
}

void plot_begin(Str *page, const char *class, const Frame *f, double width)
{
    str_addf(page, "<div class=\"plot %s\" data-x=\"%ld %ld %ld\" data-from=\"%" PRId64 "\" data-to=\"%" PRId64 "\">\n", class, lround(frame_x(f, (double)f->from)),
             lround(frame_x(f, (double)f->to)), lround(width), f->from, f->to);
}

void figure_end(Str *page) { str_addf(page, "</figure>\n"); }

int chart_write(Str *page, const Chart *c, Err *e)
{
    Scale s = scale_of(c);
    char about[512];
    snprintf(about, sizeof about, "%s%s%s", c->about, *c->about && s.log ? " " : "", s.log ? "Logarithmic scale." : "");
    figure_begin(page, c->id, c->wide ? "chart whole" : "chart", c->title, about);
    if (draw(page, c, &s, &shapes[0], e) || (c->wide && draw(page, c, &s, &shapes[1], e))) return -1;
    write_legend(page, c);
    if (chart_table(page, c, e)) return -1;
    figure_end(page);
    return str_ok(page, e);
}
