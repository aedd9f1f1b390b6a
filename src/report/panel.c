/* panel.c - see panel.h */
#include "report/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/axis.h"
#include "report/label.h"

/* Forecast and truth: vermilion and blue of Okabe and Ito, which colour-blind readers tell apart; the past stands back in slate. */
const uint32_t PANEL_HISTORY = 0x55636F, PANEL_FORECAST = 0xD55E00, PANEL_TRUTH = 0x0072B2, PANEL_TEXT = 0x5F6B76, PANEL_TITLE = 0x1F2933,
               PANEL_FUTURE = 0xFDF4EC, PANEL_SPLIT = 0xC9B8A8;

enum { HORIZONS = 3, LEAST_HISTORY = 64 };

static int has_label(const PlotSeries *s) { return s->first || s->split || s->last; }

void panel_init(Panel *p, const PlotSeries *s, const PanelStyle *style)
{
    int64_t shown = s->horizon > LEAST_HISTORY / HORIZONS ? HORIZONS * s->horizon : LEAST_HISTORY;
    *p = (Panel){.series = s, .skipped = s->nhistory > shown ? s->nhistory - shown : 0};
    Frame *f = &p->frame;
    Range r = {0, 0, 0};
    int64_t end = s->nhistory + s->horizon - 1;
    f->from = p->skipped;
    f->to = end > f->from ? end : f->from;
    if (s->history) range_add(&r, s->history + p->skipped, s->nhistory - p->skipped);
    range_add(&r, s->forecast, s->horizon);
    range_add(&r, s->truth, s->horizon);
    p->empty = !r.any;
    if (p->empty) return;
    range_pad(&r, f);
    ticks_find(&p->ticks, f->lo, f->hi, style->ticks);
    p->label_width = axis_label_width(&p->ticks, style->text);
}

static void add_mark(Panel *p, double step, Anchor anchor, const char *text, double size)
{
    if (!text || p->marks == PANEL_MARKS) return;
    PanelMark *m = &p->mark[p->marks++];
    *m = (PanelMark){.x = frame_x(&p->frame, step), .anchor = anchor};
    label_fit(m->text, sizeof m->text, text, size, p->frame.w / 2);
}

static double mark_left(const PanelMark *m, double size) { return m->x - label_width(m->text, size) * m->anchor / 2; }
static double mark_right(const PanelMark *m, double size) { return mark_left(m, size) + label_width(m->text, size); }

/* The caller's labels: begin, forecast, end. One that would touch the one before it goes down a row. */
static void label_marks(Panel *p, double size)
{
    const PlotSeries *s = p->series;
    char earlier[TICK_TEXT];
    ticks_whole(earlier, p->skipped - s->nhistory);
    strcat(earlier, " steps");
    if (s->nhistory) add_mark(p, (double)p->frame.from, ANCHOR_LEFT, p->skipped ? earlier : s->first, size);
    add_mark(p, (double)s->nhistory, s->nhistory ? ANCHOR_CENTRE : ANCHOR_LEFT, s->split, size);
    if (s->horizon > 1) add_mark(p, (double)p->frame.to, ANCHOR_RIGHT, s->last, size);
    for (int i = 1; i < p->marks; i++) {
        if (mark_right(&p->mark[i - 1], size) + size <= mark_left(&p->mark[i], size)) continue;
        p->mark[i].row = !p->mark[i - 1].row;
        p->rows = 2;
    }
}

static void number_marks(Panel *p, double size)
{
    Ticks t;
    axis_steps(&t, &p->frame, size);
    for (int i = 0; i < t.n; i++) {
        char text[TICK_TEXT];
        ticks_label(text, &t, i);
        add_mark(p, ticks_value(&t, i), ANCHOR_CENTRE, text, size);
    }
}

void panel_marks(Panel *p, const PanelStyle *style)
{
    p->marks = 0;
    p->rows = 1;
    if (has_label(p->series)) label_marks(p, style->text);
    else number_marks(p, style->text);
}

static void draw_future(const Panel *p, Canvas *c)
{
    const Frame *f = &p->frame;
    double begin = p->series->nhistory ? frame_x(f, (double)p->series->nhistory - 0.5) : f->x;
    if (p->series->horizon < 1) return;
    c->rect(c, begin, f->y, f->x + f->w - begin, f->h, PANEL_FUTURE);
    if (p->series->nhistory) c->line(c, (double[]){begin, f->y, begin, f->y + f->h}, 2, 1, PANEL_SPLIT);
}

static void draw_axes(const Panel *p, const PanelStyle *style, Canvas *c)
{
    axis_draw_values(c, &p->frame, &p->ticks, style->text);
    axis_draw_base(c, &p->frame);
    for (int i = 0; i < p->marks; i++) axis_draw_mark(c, &p->frame, p->mark[i].x, style->text, p->mark[i].row, p->mark[i].text, p->mark[i].anchor);
}

/* The forecast lies on top: it is what the picture is about. Both set out from the last value that was known. */
static void draw_traces(const Panel *p, const PanelStyle *style, Canvas *c)
{
    const PlotSeries *s = p->series;
    int64_t n = s->nhistory - p->skipped;
    double known = n > 0 ? s->history[s->nhistory - 1] : NAN;
    if (n > 0) trace_draw(c, &p->frame, &(Trace){s->history + p->skipped, p->skipped, n, NAN, style->line, PANEL_HISTORY, NULL});
    if (s->truth) trace_draw(c, &p->frame, &(Trace){s->truth, s->nhistory, s->horizon, known, style->line, PANEL_TRUTH, NULL});
    if (s->forecast) trace_draw(c, &p->frame, &(Trace){s->forecast, s->nhistory, s->horizon, known, 1.35 * style->line, PANEL_FORECAST, NULL});
}

void panel_draw(const Panel *p, const PanelStyle *style, Canvas *c)
{
    const Frame *f = &p->frame;
    char title[LABEL_TEXT];
    label_fit(title, sizeof title, p->series->title, style->title, f->x + f->w - p->left);
    if (*title) c->text(c, p->left, f->y - 0.9 * style->title, title, &(Font){style->title, PANEL_TITLE, ANCHOR_LEFT, 1});
    if (!p->empty) draw_future(p, c);
    draw_axes(p, style, c);
    if (p->empty) c->text(c, f->x + f->w / 2, f->y + f->h / 2, "no values", &(Font){style->text, PANEL_TEXT, ANCHOR_CENTRE, 0});
    else draw_traces(p, style, c);
}
