/* page_events.c - what runs said besides numbers, and what is wrong with their logs. */
#include <inttypes.h>

#include "report/markup.h"
#include "report/page_parts.h"

static int has_events(const RunLog *l) { return l->bad || l->earlier || l->resumes || l->said; }

static void write_damage(Str *html, const RunLog *l)
{
    if (l->earlier) str_addf(html, "<p class=\"note\">%" PRId64 " lines of an earlier run in the same folder are left out.</p>\n", l->earlier);
    if (!l->bad) return;
    str_addf(html, "<p class=\"note\">%" PRId64 " line%s of the log could not be read and %s left out, the first is line %" PRId64 ": ", l->bad, l->bad == 1 ? "" : "s",
             l->bad == 1 ? "is" : "are", l->bad_line);
    markup_text(html, l->bad_why);
    str_addf(html, "</p>\n");
}

static void write_resumes(Str *html, const RunLog *l)
{
    if (!l->resumes) return;
    str_addf(html, "<p>Resumed after step ");
    for (int i = 0; i < l->resumes && i < LOG_RESUMES; i++) {
        if (i) str_addf(html, ", ");
        markup_whole(html, l->resume[i]);
    }
    str_addf(html, l->resumes > LOG_RESUMES ? " and later.</p>\n" : ".</p>\n");
}

static void write_notices(Str *html, const RunLog *l)
{
    if (!l->said) return;
    if (l->said > l->notices.n) str_addf(html, "<p>The last %d of %" PRId64 " notices:</p>\n", l->notices.n, l->said);
    str_addf(html, "<ul class=\"notices\">\n");
    for (int i = 0; i < l->notices.n; i++) {
        str_addf(html, "<li>");
        markup_text(html, l->notices.name[i]);
        str_addf(html, "</li>\n");
    }
    str_addf(html, "</ul>\n");
}

int page_events(Str *html, const Page *p, Err *e)
{
    int any = 0;
    for (int i = 0; i < p->n; i++) any |= has_events(p->run[i].log);
    if (!any) return 0;
    section_begin(html, "events", "Notices", "");
    for (int i = 0; i < p->n; i++) {
        const RunLog *l = p->run[i].log;
        if (!has_events(l)) continue;
        run_heading(html, p, i);
        write_damage(html, l);
        write_resumes(html, l);
        write_notices(html, l);
    }
    section_end(html);
    return str_ok(html, e);
}
