/* page_samples.c - forecasts of held-back windows beside what came true. */
#include <math.h>
#include <stdio.h>

#include "report/canvas.h"
#include "report/chart.h"
#include "report/markup.h"
#include "report/page_parts.h"
#include "report/panel.h"

static const PanelStyle style = {11, 12, 1.5, 5};
static const double WIDTH = 360, HEIGHT = 190;
enum { ROWS = 120 };

static void place(Panel *p)
{
    double labels = fmin(p->label_width + 0.6 * style.text, WIDTH / 2);
    p->left = 0;
    p->frame.x = labels;
    p->frame.w = WIDTH - labels - 1.2 * style.text;
    panel_marks(p, &style);
    p->frame.y = 0.7 * style.text;
    p->frame.h = HEIGHT - (1.55 + 1.35 * p->rows) * style.text;
}

static void describe(Str *s, const PageSample *m)
{
    str_addf(s, "The end of a series, a forecast of ");
    markup_whole(s, m->series.horizon);
    str_addf(s, " points, and what came true. Mean absolute error of the forecast ");
    markup_number(s, m->mae, 4);
    str_addf(s, ", of repeating the last value ");
    markup_number(s, m->naive, 4);
    str_addf(s, ".");
}

static void write_cell(Str *html, const double *v, int64_t i, int64_t n)
{
    str_addf(html, "<td>");
    if (v && i >= 0 && i < n && isfinite(v[i])) markup_number(html, v[i], 5);
    str_addf(html, "</td>");
}

/* What the picture shows, thinned like it. */
static void write_table(Str *html, const Panel *p)
{
    const PlotSeries *s = p->series;
    int64_t shown = s->nhistory - p->skipped + s->horizon, every = (shown + ROWS - 1) / ROWS;
    str_addf(html, "<details><summary>Numbers</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"numbers of this forecast\"><table>\n<thead><tr><th scope=\"col\">point</th>"
                   "<th scope=\"col\">value</th><th scope=\"col\">forecast</th></tr></thead>\n<tbody>\n");
    for (int64_t i = p->skipped; i < s->nhistory + s->horizon; i += every) {
        str_addf(html, "<tr><th scope=\"row\">");
        markup_whole(html, i);
        str_addf(html, "</th>");
        if (i < s->nhistory) write_cell(html, s->history, i, s->nhistory);
        else write_cell(html, s->truth, i - s->nhistory, s->horizon);
        write_cell(html, s->forecast, i - s->nhistory, s->horizon);
        str_addf(html, "</tr>\n");
    }
    str_addf(html, "</tbody></table></div></details>\n");
}

static int draw(Str *html, const PageSample *m, const char *id, Panel *p, Err *e)
{
    Canvas v;
    Str about = {0};
    char svg[48];
    snprintf(svg, sizeof svg, "%s-svg", id);
    describe(&about, m);
    PlotSeries untitled = m->series;
    untitled.title = NULL;             /* it stands above the picture, where it can be longer */
    panel_init(p, &untitled, &style);
    place(p);
    int bad = str_ok(&about, e) || canvas_inline(&v, WIDTH, HEIGHT, svg, m->series.title ? m->series.title : "forecast", about.p, e);
    str_free(&about);
    if (bad) return -1;
    panel_draw(p, &style, &v);
    p->series = &m->series;
    plot_begin(html, "all", &p->frame, WIDTH);
    bad = v.finish(&v, html, e);
    str_addf(html, "</div>\n");
    v.close(&v);
    return bad ? -1 : 0;
}

static int write_sample(Str *html, const PageSample *m, int run, int i, Err *e)
{
    char id[32];
    Panel p;
    snprintf(id, sizeof id, "sample%d-%d", run, i);
    Str about = {0};
    str_addf(&about, "MAE ");
    markup_number(&about, m->mae, 3);
    str_addf(&about, ", repeating the last value ");
    markup_number(&about, m->naive, 3);
    int bad = str_ok(&about, e);
    if (!bad) figure_begin(html, id, "chart sample", m->series.title, about.p);
    str_free(&about);
    if (bad || draw(html, m, id, &p, e)) return -1;
    write_table(html, &p);
    figure_end(html);
    return str_ok(html, e);
}

static void write_legend(Str *html)
{
    static const struct { const char *class, *name; } entry[] = {{"ph", "history"}, {"pt", "truth"}, {"pf", "forecast"}};
    str_addf(html, "<ul class=\"legend\">");
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++)
        str_addf(html, "<li><svg class=\"swatch %s\" viewBox=\"0 0 30 8\" aria-hidden=\"true\"><line x1=\"1\" y1=\"4\" x2=\"29\" y2=\"4\"/></svg>%s</li>", entry[i].class, entry[i].name);
    str_addf(html, "</ul>\n");
}

static int write_run(Str *html, const Page *p, int run, Err *e)
{
    const PageRun *r = &p->run[run];
    if (!r->nsamples && !r->said) return 0;
    run_heading(html, p, run);
    if (r->said) {
        str_addf(html, "<p class=\"note\">");
        markup_text(html, r->said);
        str_addf(html, "</p>\n");
    }
    if (!r->nsamples) return 0;
    str_addf(html, "<div class=\"grid\">\n");
    for (int i = 0; i < r->nsamples; i++)
        if (write_sample(html, &r->sample[i], run, i, e)) return -1;
    str_addf(html, "</div>\n");
    return 0;
}

int page_samples(Str *html, const Page *p, Err *e)
{
    int any = 0, shown = 0;
    for (int i = 0; i < p->n; i++) {
        any |= p->run[i].nsamples || p->run[i].said;
        shown |= p->run[i].nsamples > 0;
    }
    if (!any) return 0;
    section_begin(html, "samples", "Sample forecasts", "The end of windows that were held back for validation: the model sees the history alone.");
    if (shown) write_legend(html);
    for (int i = 0; i < p->n; i++)
        if (write_run(html, p, i, e)) return -1;
    section_end(html);
    return str_ok(html, e);
}
