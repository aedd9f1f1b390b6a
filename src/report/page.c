/* page.c - see page.h. The frame of the page; its sections are in files of their own. */
#include "report/page.h"

#include <assert.h>
#include <inttypes.h>

#include "report/chart.h"
#include "report/markup.h"
#include "report/page_parts.h"

enum { LOOKS_LEAST = 8 };              /* experts of a layer have as many */

static const struct Section { const char *id, *name; int (*write)(Str *html, const Page *p, Err *e); } sections[] = {
    {"summary", "Summary", page_summary},         {"curves", "Curves", page_curves},       {"experts", "Expert load", page_experts},
    {"samples", "Forecasts", page_samples},       {"settings", "Settings", page_settings}, {"events", "Notices", page_events},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

void section_begin(Str *html, const char *id, const char *title, const char *about)
{
    str_addf(html, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id, id, id, title);
    if (*about) str_addf(html, "<p>%s</p>\n", about);
}

void section_end(Str *html) { str_addf(html, "</section>\n"); }

int runs_share(const Page *p, int validation, int column)
{
    for (int i = 1; i < p->n; i++)
        if (p->run[i].log->naive[validation][column] != p->run[0].log->naive[validation][column]) return 0;
    return 1;
}

void run_heading(Str *html, const Page *p, int run)
{
    if (p->n == 1) return;
    str_addf(html, "<h3 class=\"run\">");
    chart_swatch(html, run);
    markup_text(html, p->run[run].name);
    str_addf(html, "</h3>\n");
}

void run_table_begin(Str *html, const Page *p, const char *label, const char *first)
{
    str_addf(html, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"runs\">\n<thead><tr>", label);
    str_addf(html, *first ? "<th scope=\"col\">%s</th>" : "<td class=\"corner\">%s</td>", first);
    for (int i = 0; i < p->n; i++) {
        str_addf(html, "<th scope=\"col\">");
        if (p->n > 1) chart_swatch(html, i);
        markup_text(html, p->n > 1 ? p->run[i].name : "value");
        str_addf(html, "</th>");
    }
}

void run_table_end(Str *html) { str_addf(html, "</tbody></table></div>\n"); }

static void write_title(Str *html, const Page *p)
{
    if (p->n == 1) markup_text(html, p->run->name);
    else str_addf(html, "%d training runs", p->n);
}

static void write_head(Str *html, const Page *p)
{
    str_addf(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                   "<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"generator\" content=\"foundationts %s\"/>\n<title>", FTS_VERSION);
    write_title(html, p);
    str_addf(html, "</title>\n<style>\n");
    page_style(html, p->looks);
    str_addf(html, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#summary\">To the summary</a>\n<header>\n<p>Training report</p>\n<h1>");
    write_title(html, p);
    str_addf(html, "</h1>\n");
}

/* A link for each section that was written. */
static void write_links(Str *html, const int *there)
{
    str_addf(html, "<nav aria-label=\"Sections\"><ul>");
    for (int i = 0; i < SECTIONS; i++)
        if (there[i]) str_addf(html, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].name);
    str_addf(html, "</ul></nav>\n</header>\n<main>\n");
}

static int write_sections(Str *html, const Page *p, Err *e)
{
    Str body = {0};
    int there[SECTIONS], bad = 0;
    for (int i = 0; i < SECTIONS && !bad; i++) {
        size_t before = body.n;
        bad = sections[i].write(&body, p, e);
        there[i] = body.n > before;
    }
    if (!bad) {
        write_links(html, there);
        str_add(html, body.p, body.n);
    }
    str_free(&body);
    return bad ? -1 : 0;
}

int page_write(Str *html, const PageRun *run, int n, const char *defaults, Err *e)
{
    Page p = {run, n, defaults, 0, n > LOOKS_LEAST ? n : LOOKS_LEAST};
    assert(n >= 1 && n <= PAGE_RUNS);
    for (int i = 0; i < n; i++)
        if (run[i].log->last > p.to) p.to = run[i].log->last;
    write_head(html, &p);
    if (write_sections(html, &p, e)) return -1;
    str_addf(html, "</main>\n<footer><p>Made by foundationts %s from log.jsonl.</p></footer>\n<script>\n", FTS_VERSION);
    page_script(html);
    str_addf(html, "</script>\n</body>\n</html>\n");
    return str_ok(html, e);
}
