/* page_experts.c - the share of tokens that each expert gets, a chart for each layer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/chart.h"
#include "report/markup.h"
#include "report/page_parts.h"

enum { EACH = 8, LAYERS = 64 };        /* more experts than EACH: the most and the least loaded one and those in the middle */

int page_has_experts(const Page *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->run[i].log->experts.n) return 1;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* out (3, n): of each row the largest, the middle and the least share of a router; scratch (experts). */
static void spread(const RunLog *l, int router, double *out, double *scratch)
{
    int64_t n = l->experts.n;
    for (int64_t i = 0; i < n; i++) {
        const double *row = l->experts.value + i * l->experts.width + router * l->nexperts;
        int m = 0;
        for (int k = 0; k < l->nexperts; k++)
            if (isfinite(row[k])) scratch[m++] = row[k];
        qsort(scratch, (size_t)m, sizeof *scratch, by_value);
        out[i] = m ? scratch[m - 1] : NAN;
        out[n + i] = m ? scratch[m / 2] : NAN;
        out[2 * n + i] = m ? scratch[0] : NAN;
    }
}

static void title_of(char *out, size_t size, const PageRun *r, int router)
{
    if (r->mixtures > 1) snprintf(out, size, "Layer %d, mixture %d", router / r->mixtures + 1, router % r->mixtures + 1);
    else snprintf(out, size, "Layer %d", router + 1);
}

static int write_router(Str *html, const Page *p, int run, int router, Err *e)
{
    static const char *const spread_name[] = {"most loaded", "in the middle", "least loaded"};
    const RunLog *l = p->run[run].log;
    int64_t n = l->experts.n, ends[2] = {0, p->to};
    int lines = l->nexperts > EACH ? 3 : l->nexperts;
    double even[2] = {1.0 / l->nexperts, 1.0 / l->nexperts};
    size_t bytes = ((size_t)n * (size_t)lines + (size_t)l->nexperts) * sizeof(double);
    double *value = malloc(bytes);
    char id[32], title[64], name[EACH][16];
    Curve curve[EACH + 1];
    if (!value) return err_nomem(e, bytes, "the shares of experts");
    if (l->nexperts > EACH) spread(l, router, value, value + n * lines);
    for (int k = 0; k < lines; k++) {
        if (l->nexperts <= EACH) rows_column(&l->experts, router * l->nexperts + k, value + n * k);
        snprintf(name[k], sizeof name[k], "expert %d", k + 1);
        curve[k] = (Curve){l->nexperts > EACH ? spread_name[k] : name[k], l->experts.step, value + n * k, n, k, -1, 1, 0};
    }
    curve[lines] = (Curve){"even share", ends, even, 2, CURVE_GREY, -1, 0, 1};
    snprintf(id, sizeof id, "experts%d-%d", run, router);
    title_of(title, sizeof title, &p->run[run], router);
    int bad = chart_has_points(curve, lines) && chart_write(html, &(Chart){.id = id, .title = title, .about = "", .curve = curve, .n = lines + 1, .to = p->to}, e);
    free(value);
    return bad ? -1 : 0;
}

static int write_run(Str *html, const Page *p, int run, Err *e)
{
    const RunLog *l = p->run[run].log;
    if (!l->experts.n) return 0;
    run_heading(html, p, run);
    str_addf(html, "<div class=\"grid\">\n");
    for (int i = 0; i < l->routers && i < LAYERS; i++)
        if (write_router(html, p, run, i, e)) return -1;
    str_addf(html, "</div>\n");
    if (l->routers > LAYERS) str_addf(html, "<p class=\"note\">The first %d of %d are shown.</p>\n", LAYERS, l->routers);
    return 0;
}

int page_experts(Str *html, const Page *p, Err *e)
{
    if (!page_has_experts(p)) return 0;
    section_begin(html, "experts", "Expert load", "The share of tokens that went to each expert of a layer. Lines that stay apart, or one that goes to 0, are experts that learn little. Dotted: the same for all.");
    for (int i = 0; i < p->n; i++)
        if (write_run(html, p, i, e)) return -1;
    section_end(html);
    return str_ok(html, e);
}
