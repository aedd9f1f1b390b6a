/* plot.c - see plot.h. The page: heading, legend, and where each chart stands. */
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/label.h"
#include "report/panel.h"
#include "report/picture.h"

/* How a page of up to `charts` of them looks. chart: height of the box of one. */
static const struct Look { int charts, columns; double width, chart; PanelStyle style; } looks[] = {
    {1,         1, 960,  300, {12.5, 14,   1.6, 7}},
    {4,         2, 1080, 180, {11.5, 13,   1.4, 5}},
    {12,        3, 1080, 130, {11,   12.5, 1.3, 5}},
    {PLOT_MOST, 4, 1280, 120, {11,   12.5, 1.2, 5}},
};

static const double MARGIN = 28, HEADING = 18, LEGEND = 13, GAP = 30;

/* What is known about the page before anything is drawn. */
typedef struct Page {
    const struct Look *look;
    Panel *panel;                      /* (n) owned */
    int    n, rows, titles, truths;    /* rows: of text below each chart; any title, any truth */
    char   heading[LABEL_TEXT];
    double top, height;                /* y of the first chart with its title; of the page */
} Page;

static double chart_height(const Page *p)
{
    const struct Look *l = p->look;
    return (p->titles ? 1.9 * l->style.title : 0) + l->chart + (0.9 + 1.35 * p->rows) * l->style.text + 20;
}

/* Left edges line up down the page, so every chart leaves the room that the widest label of any needs. */
static void place_charts(Page *p)
{
    const struct Look *l = p->look;
    double labels = 0, cell = (l->width - 2 * MARGIN - (l->columns - 1) * GAP) / l->columns;
    for (int i = 0; i < p->n; i++) labels = fmax(labels, p->panel[i].label_width + 0.6 * l->style.text);
    labels = fmin(labels, cell / 2);
    p->rows = 1;
    for (int i = 0; i < p->n; i++) {
        Panel *c = &p->panel[i];
        c->left = MARGIN + i % l->columns * (cell + GAP);
        c->frame.x = c->left + labels;
        c->frame.w = cell - labels;
        panel_marks(c, &l->style);
        if (c->rows > p->rows) p->rows = c->rows;
    }
    for (int i = 0; i < p->n; i++) {
        p->panel[i].frame.y = p->top + i / l->columns * chart_height(p) + (p->titles ? 1.9 * l->style.title : 0);
        p->panel[i].frame.h = l->chart;
    }
    p->height = ceil(p->top + (p->n + l->columns - 1) / l->columns * chart_height(p) + MARGIN - 20);
}

static void set_heading(Page *p, const char *heading, int series)
{
    char count[64] = "";
    double room = p->look->width - 2 * MARGIN;
    if (series > p->n) snprintf(count, sizeof count, "%s%d of %d series", heading && *heading ? " \xC2\xB7 " : "", p->n, series);
    label_fit(p->heading, sizeof p->heading, heading, HEADING, room - label_width(count, HEADING));
    size_t n = strlen(p->heading);
    if (n + strlen(count) < LABEL_TEXT) strcpy(p->heading + n, count);
}

static int page_open(Page *p, const PlotSeries *s, int n, const char *heading, Err *e)
{
    *p = (Page){.look = looks, .n = n < PLOT_MOST ? n : PLOT_MOST};
    while (p->look->charts < p->n) p->look++;
    p->panel = calloc((size_t)p->n, sizeof *p->panel);
    if (!p->panel) return err_nomem(e, (size_t)p->n * sizeof *p->panel, "the charts of a plot");
    for (int i = 0; i < p->n; i++) {
        panel_init(&p->panel[i], &s[i], &p->look->style);
        p->titles |= s[i].title && *s[i].title;
        p->truths |= s[i].truth != NULL;
    }
    set_heading(p, heading, n);
    p->top = MARGIN + (*p->heading ? 1.9 * HEADING : 0) + 2.2 * LEGEND;
    place_charts(p);
    return 0;
}

static void draw_legend(const Page *p, Canvas *c)
{
    const struct { const char *name; uint32_t rgb; double width; int shown; } entry[] = {
        {"history",  PANEL_HISTORY,  2,   1},
        {"forecast", PANEL_FORECAST, 2.7, 1},
        {"truth",    PANEL_TRUTH,    2,   p->truths},
    };
    double x = MARGIN, y = p->top - 1.3 * LEGEND;
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++) {
        if (!entry[i].shown) continue;
        c->line(c, (double[]){x, y - 0.33 * LEGEND, x + 22, y - 0.33 * LEGEND}, 2, entry[i].width, entry[i].rgb);
        c->text(c, x + 29, y, entry[i].name, &(Font){LEGEND, PANEL_TEXT, ANCHOR_LEFT, 0});
        x += 29 + label_width(entry[i].name, LEGEND) + 18;
    }
}

static void page_draw(const Page *p, Canvas *c)
{
    if (*p->heading) c->text(c, MARGIN, MARGIN + 0.8 * HEADING, p->heading, &(Font){HEADING, PANEL_TITLE, ANCHOR_LEFT, 1});
    draw_legend(p, c);
    for (int i = 0; i < p->n; i++) panel_draw(&p->panel[i], &p->look->style, c);
}

int plot_write(const char *path, const PlotSeries *s, int n, const char *heading, Err *e)
{
    Page p;
    Canvas c;
    if (n < 1) return err_set(e, FTS_USAGE, "%s: there is no series to plot", path);
    if (page_open(&p, s, n, heading, e)) return -1;
    int bad = picture_open(&c, path, p.look->width, p.height, *p.heading ? p.heading : "forecast", e);
    if (!bad) {
        page_draw(&p, &c);
        bad = picture_write(&c, path, e);
    }
    free(p.panel);
    return bad ? -1 : 0;
}
