/* test_page.c - the page of a run: whole, well-formed, nothing but itself, and whatever a log says, text stays text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/page.h"
#include "test.h"
#include "util/rng.h"
#include "xml.h"

#define CORPUS "tests/corpus/report/runlog"
#define EVIL "<script>alert(1)</script>&amp;\"'"

/* A log with everything: `steps` lines about steps, every tenth with a validation. */
static void put_log(Str *s, int steps, double loss, const char *settings)
{
    str_addf(s, "{\"event\":\"start\",\"time\":1000,\"step\":0,\"steps\":%d,\"settings\":%s}\n", steps, settings);
    str_addf(s, "{\"event\":\"baseline\",\"name\":\"val\",\"mae\":0.75,\"mse\":1.5}\n{\"event\":\"baseline\",\"name\":\"val_ood\",\"mae\":0.875,\"mse\":2.5}\n");
    for (int i = 1; i <= steps; i++) {
        str_addf(s, "{\"event\":\"step\",\"time\":%d,\"step\":%d,\"steps\":%d,\"loss\":%d.5,\"pred\":", 1000 + i, i, steps, i % 3);
        if (isnan(loss)) str_addf(s, "null");
        else str_addf(s, "%d.25", (int)loss + i % 5);
        str_addf(s, ",\"aux\":1.%d,\"lr\":0.00%d,\"grad_norm\":2,\"tokens_per_s\":30000,\"points_per_s\":40000,\"step_ms\":20,\"data_ms\":%d,\"peak_mb\":100}\n", i % 10, i % 10, i % 4);
        str_addf(s, "{\"event\":\"experts\",\"time\":%d,\"step\":%d,\"share\":[[0.5,0.5],[0.25,0.75]]}\n", 1000 + i, i);
        if (i % 10) continue;
        str_addf(s, "{\"event\":\"validation\",\"name\":\"val\",\"step\":%d,\"pred\":0.5,\"aux\":1,\"mae\":0.5,\"mse\":1}\n", i);
        str_addf(s, "{\"event\":\"validation\",\"name\":\"val_ood\",\"step\":%d,\"pred\":0.625,\"aux\":1,\"mae\":0.5,\"mse\":1}\n", i);
    }
    str_addf(s, "{\"event\":\"end\",\"time\":9000,\"step\":%d,\"why\":\"done\"}\n", steps);
}

static const char *wrong_page(const Str *html)
{
    static const char doctype[] = "<!DOCTYPE html>\n";
    if (html->n < sizeof doctype || strncmp(html->p, doctype, sizeof doctype - 1)) return "no doctype";
    return wrong_xml(html->p + sizeof doctype - 1, html->p + html->n);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

/* Each picture has a title, a description, and a line or dots in a group of its curves (or, of a forecast, in its colours); how many pictures, -1: one is empty. */
static int pictures(const char *html)
{
    int n = 0;
    for (const char *p = html; (p = strstr(p, "<svg id=\"")); n++) {
        const char *end = strstr(p, "</svg>"), *curve = strstr(p, "<g class=\"k"), *history = strstr(p, "stroke=\"#55636f\"");
        if (!end) return -1;
        if (curve && curve < end) p = curve;
        else if (history && history < end) p = history;
        else return -1;
        const char *line = strstr(p, "<polyline"), *dot = strstr(p, "<circle"), *points = strstr(p, "points=\"");
        if (curve == p && !((line && line < end) || (dot && dot < end))) return -1;
        if (line && line < end && (!points || points > end)) return -1;
        p = end;
    }
    return n;
}

/* Every link and label of the page leads to an id that is there once. */
static const char *wrong_ids(const char *html)
{
    static const char *const by[] = {" href=\"#", " aria-labelledby=\"", " aria-describedby=\""};
    static char id[80];
    char want[120];
    for (size_t k = 0; k < sizeof by / sizeof *by; k++)
        for (const char *p = html; (p = strstr(p, by[k]));) {
            p += strlen(by[k]);
            snprintf(id, sizeof id, "%.*s", (int)strcspn(p, "\""), p);
            snprintf(want, sizeof want, " id=\"%s\"", id);
            if (count(html, want) != 1) return id;
        }
    for (const char *p = html; (p = strstr(p, " id=\"")); p += 5) {
        snprintf(want, sizeof want, "%.*s\"", (int)strcspn(p + 5, "\"") + 5, p);
        snprintf(id, sizeof id, "%.79s", want);
        if (count(html, want) != 1) return id;
    }
    return NULL;
}

static int page_of(Str *html, const char *log, const PageRun *like, Err *e)
{
    RunLog l;
    PageRun run = *like;
    if (runlog_decode(&l, log, strlen(log), e)) return -1;
    run.log = &l;
    int bad = page_write(html, &run, 1, "{\"batch_size\":1024,\"patch\":false}", e);
    runlog_close(&l);
    return bad;
}

static const double past[] = {1, 2, 3, 4, NAN, 6}, ahead[] = {7, 8.5}, truth[] = {7.5, 8};
static const PageSample sample = {{"energy/load: series 3, point 512", past, 6, ahead, truth, 2, NULL, NULL, NULL}, 0.5, 1.75};
static const PageRun whole = {"run", NULL, 500352, 352896, 1, &sample, 1, "By the checkpoint step_000030."};

TEST(page_is_whole_and_needs_nothing_but_itself)
{
    static const char *const never[] = {"http", "src=", "url(", "@import", "<link", "<img", "<iframe", "NaN", "nan", "inf<"};
    static const char *const there[] = {"<title>run</title>", "<h2 id=\"summary-h\">", "<h2 id=\"curves-h\">", "<h2 id=\"experts-h\">", "<h2 id=\"samples-h\">", "<h2 id=\"settings-h\">",
        "<dd>finished</dd>", "<dd>30 of 30</dd>", "500,352", "352,896 active for a token", "0.7500 by repeating the last value", "<h3>Learning rate</h3>", "<h3>Tokens per second</h3>",
        "<h3>Waiting for data, % of a step</h3>", "<h3>Layer 2</h3>", "<h3>Out-of-distribution MAE</h3>", "energy/load: series 3, point 512", "By the checkpoint step_000030.",
        "prefers-color-scheme:dark", "@media print", "<th scope=\"row\">batch-size</th><td>64</td><td class=\"preset\">1,024</td>"};
    Err e = {0};
    Str log = {0}, html = {0}, again = {0};
    put_log(&log, 30, 1, "{\"batch_size\":64,\"patch\":false}");
    OK(page_of(&html, log.p, &whole, &e));
    OK(page_of(&again, log.p, &whole, &e));
    const char *wrong = wrong_page(&html);
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
    wrong = wrong_ids(html.p);
    if (wrong) test_fail(__FILE__, __LINE__, "the id %s", wrong);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(html.p, never[i])) test_fail(__FILE__, __LINE__, "the page has %s", never[i]);
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (!strstr(html.p, there[i])) test_fail(__FILE__, __LINE__, "the page lacks %s", there[i]);
    int same = html.n == again.n && !memcmp(html.p, again.p, html.n), figures = count(html.p, "<figure "), all = pictures(html.p), tables = count(html.p, "<summary>Numbers</summary>");
    str_free(&log);
    str_free(&html);
    str_free(&again);
    CHECK(same && figures == 16 && all == figures + 1 && tables == figures);      /* the loss is drawn twice, for wide and narrow screens */
}

TEST(page_text_of_files_stays_text)
{
    Err e = {0};
    Str log = {0}, html = {0}, settings = {0};
    char quoted[200] = "";
    for (const char *p = EVIL; *p; p++) snprintf(quoted + strlen(quoted), 8, *p == '"' ? "\\\"" : "%c", *p);
    str_addf(&settings, "{\"dataset_path\":[\"%s\"],\"%s\":\"%s\"}", quoted, quoted, quoted);
    put_log(&log, 12, 1, settings.p);
    str_addf(&log, "{\"event\":\"notice\",\"text\":\"%s\"}\n{\"event\":\"end\",\"step\":12,\"why\":\"%s\"}\n", quoted, quoted);
    PageSample s = sample;
    s.series.title = EVIL;
    OK(page_of(&html, log.p, &(PageRun){EVIL, NULL, 0, 0, 0, &s, 1, EVIL}, &e));
    const char *wrong = wrong_page(&html);
    int scripts = count(html.p, "<script"), escaped = count(html.p, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;&#39;");
    str_free(&log);
    str_free(&html);
    str_free(&settings);
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
    CHECK(scripts == 1 && escaped >= 9);
}

static int page_of_two(Str *html, const char *a, const char *b, Err *e)
{
    RunLog l[2] = {{.lines = 0}, {.lines = 0}};
    int bad = runlog_decode(&l[0], a, strlen(a), e) || runlog_decode(&l[1], b, strlen(b), e);
    const PageRun run[] = {{"first", &l[0], 10, 5, 1, NULL, 0, NULL}, {"second", &l[1], 20, 5, 1, &sample, 1, NULL}};
    bad = bad || page_write(html, run, 2, NULL, e);
    runlog_close(&l[0]);
    runlog_close(&l[1]);
    return bad ? -1 : 0;
}

TEST(page_compares_runs)
{
    static const char *const there[] = {"<title>2 training runs</title>", "<input type=\"checkbox\" id=\"run1\" checked=\"checked\"/>", "<h2 id=\"summary-h\">Comparison</h2>",
        "What differs between the runs", "<th scope=\"row\">batch-size</th><td>64</td><td>32</td>", "<g class=\"k1 r1\">", "<h3>Validation loss</h3>",
        "<td class=\"best\"><strong>3.250</strong> <span>best</span></td><td>5.250</td>"};
    Err e = {0};
    Str a = {0}, b = {0}, html = {0};
    put_log(&a, 20, 1, "{\"batch_size\":64,\"k\":2}");
    put_log(&b, 10, 3, "{\"batch_size\":32,\"k\":2}");
    OK(page_of_two(&html, a.p, b.p, &e));
    const char *wrong = wrong_page(&html);
    if (wrong || wrong_ids(html.p) || pictures(html.p) < 20) test_fail(__FILE__, __LINE__, "%s, id %s, %d pictures", wrong ? wrong : "", wrong_ids(html.p), pictures(html.p));
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (!strstr(html.p, there[i])) test_fail(__FILE__, __LINE__, "the page lacks %s", there[i]);
    int notes = count(html.p, "Not all runs are validated on the same targets"), differs = count(html.p, "<th scope=\"row\">k</th>");
    html.n = 0;
    char *naive = strstr(b.p, "0.75");
    CHECK(naive);
    naive[2] = '6';
    OK(page_of_two(&html, a.p, b.p, &e));
    int others = count(html.p, "Not all runs are validated on the same targets"), best = count(html.p, "<strong>3.250");
    str_free(&a);
    str_free(&b);
    str_free(&html);
    CHECK(!notes && differs == 1 && others == 1 && !best);
}

/* A page of whatever was left of a log, or an error that says why not. */
static int survives(const char *text, size_t n)
{
    Err e = {0};
    RunLog l;
    Str html = {0};
    if (runlog_decode(&l, text, n, &e)) return e.code == FTS_FORMAT;
    const PageRun run[] = {{"a", &l, 0, 0, 0, NULL, 0, NULL}, {"b", &l, 0, 0, 0, NULL, 0, "none"}};
    int good = 1;
    for (int several = 1; several <= 2; several++) {
        html.n = 0;
        good &= !page_write(&html, run, several, NULL, &e) && !wrong_page(&html) && pictures(html.p) >= 0 && !wrong_ids(html.p);
    }
    if (!good) test_fail(__FILE__, __LINE__, "%s %s", wrong_page(&html) ? wrong_page(&html) : "", e.message);
    runlog_close(&l);
    str_free(&html);
    return good;
}

TEST(page_of_damaged_logs)
{
    Names names;
    Err e = {0};
    uint64_t used = 0;
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, CORPUS, &e));
    for (int i = 0; i < names.n; i++) {
        char path[256];
        Map m;
        snprintf(path, sizeof path, CORPUS "/%s", names.name[i]);
        OK(map_open(&m, path, &e));
        if (!survives((const char *)m.p, m.n)) test_fail(__FILE__, __LINE__, "%s", path);
        char *now = malloc(m.n + 1);
        CHECK(now);
        for (int round = 0; round < 12 && m.n; round++) {
            memcpy(now, m.p, m.n);
            for (int k = 0; k < 3; k++) {
                uint64_t r = rng_hash(10, RNG_TEST, used++);
                now[r % m.n] = "0123456789e-.,\"{}[]nN"[(r >> 40) % 21];
            }
            if (!survives(now, m.n)) test_fail(__FILE__, __LINE__, "%s, round %d", path, round);
        }
        free(now);
        map_close(&m);
    }
    CHECK(names.n >= 11);
    names_free(&names);
}

TEST(page_of_runs_that_only_began)
{
    static const struct { const char *log, *says; int pictures; } rows[] = {
        {"{\"event\":\"start\",\"step\":0,\"steps\":9,\"settings\":{}}\n", "No step was logged yet", 0},
        {"{\"event\":\"step\",\"step\":1,\"pred\":0.5}\n", "No validation was logged", 2},
        {"{\"event\":\"step\",\"step\":1,\"pred\":null,\"lr\":1e-6}\n", "<h3>Learning rate</h3>", 1},
        {"{\"event\":\"step\",\"step\":1,\"pred\":NaN}\n{\"event\":\"step\",\"step\":2,\"pred\":0.5}\n", "not finite", 2},
        {"{\"event\":\"step\",\"step\":1,\"pred\":1e300}\n{\"event\":\"step\",\"step\":2,\"pred\":1e-300}\n", "Logarithmic scale.", 2},
        {"{\"event\":\"step\",\"step\":1,\"pred\":-1e308}\n{\"event\":\"step\",\"step\":2,\"pred\":1e308}\n", "<h3>Loss</h3>", 2},
        {"{\"event\":\"step\",\"step\":1e15,\"pred\":1}\n", "1,000,000,000,000,000", 2},
        {"{\"event\":\"step\",\"step\":0,\"pred\":1}\nx\n", "1 line of the log could not be read and is left out, the first is line 2: column 1: found &#39;x&#39;, expected an object", 2},
        {"{\"event\":\"experts\",\"step\":3,\"share\":[[0,0.5,0.5,0,0,0,0,0,0]]}\n", "most loaded", 1},
        {"{\"event\":\"resume\",\"step\":7,\"steps\":9,\"settings\":{}}\n", "Resumed after step 7.", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Err e = {0};
        Str html = {0};
        OK(page_of(&html, rows[i].log, &(PageRun){"run", NULL, 0, 0, 0, NULL, 0, NULL}, &e));
        const char *wrong = wrong_page(&html);
        if (wrong || !strstr(html.p, rows[i].says) || pictures(html.p) != rows[i].pictures)
            test_fail(__FILE__, __LINE__, "row %zu: %s, %d pictures, '%s' %s", i, wrong ? wrong : "well-formed", pictures(html.p), rows[i].says, strstr(html.p, rows[i].says) ? "there" : "missing");
        str_free(&html);
    }
}

TEST(page_of_a_long_run_is_thinned)
{
    enum { STEPS = 100000 };
    Err e = {0};
    Str log = {0}, html = {0};
    for (int i = 1; i <= STEPS; i++) str_addf(&log, "{\"event\":\"step\",\"step\":%d,\"pred\":0.%06d}\n", i, i * 7919 % 1000000);
    OK(page_of(&html, log.p, &(PageRun){"run", NULL, 0, 0, 0, NULL, 0, NULL}, &e));
    int thin = html.n < 150000, some = strstr(html.p, "some of 100,000 rows") != NULL, last = strstr(html.p, "<th scope=\"row\">100,000</th>") != NULL;
    str_free(&log);
    str_free(&html);
    CHECK(thin && some && last);
}

TEST(page_every_failed_allocation_is_told)
{
    Err e = {0};
    Str log = {0};
    RunLog l;
    long n = 1, failed = 0;
    put_log(&log, 50, 1, "{\"batch_size\":64}");
    OK(runlog_decode(&l, log.p, log.n, &e));
    str_free(&log);
    PageRun run = whole;
    run.log = &l;
    for (int bad = 1; bad && n < 2000; n++, failed += bad) {
        Str html = {0};
        test_alloc_fail(n);
        bad = page_write(&html, &run, 1, "{}", &e) != 0;
        test_alloc_fail(0);
        str_free(&html);
        if (bad && e.code != FTS_NOMEM) test_fail(__FILE__, __LINE__, "allocation %ld: %s", n, e.message);
    }
    runlog_close(&l);
    CHECK(n < 2000 && failed > 50);
}

static void text_is(void (*put)(Str *s, double x), double x, const char *want)
{
    Str s = {0};
    put(&s, x);
    if (!s.p || strcmp(s.p, want)) test_fail(__FILE__, __LINE__, "%g: got '%s', want '%s'", x, s.p ? s.p : "", want);
    str_free(&s);
}

static void four(Str *s, double x) { markup_number(s, x, 4); }
static void four_fixed(Str *s, double x) { markup_fixed(s, x, 4); }

TEST(page_numbers_and_times)
{
    static const struct { void (*put)(Str *s, double x); double x; const char *want; } rows[] = {
        {four, 0, "0"}, {four, 0.41234, "0.4123"}, {four, 12345.6, "12,350"}, {four, -1234567, "\xE2\x88\x92" "1,235,000"}, {four, 1e-7, "1e-07"}, {four, 3.14159e20, "3.142e+20"},
        {four, 0.298, "0.298"}, {four, NAN, "\xE2\x80\x93"}, {four, INFINITY, "\xE2\x80\x93"}, {four, 4e-320, "4e-320"}, {four, 999.96, "1,000"},
        {four_fixed, 0.298, "0.2980"}, {four_fixed, 1, "1.000"}, {four_fixed, 0, "0"}, {four_fixed, 12346, "12,350"}, {four_fixed, 0.05, "0.05000"}, {four_fixed, 1e-9, "1e-09"}, {four_fixed, NAN, "\xE2\x80\x93"},
        {markup_seconds, 0.123, "0.12 s"}, {markup_seconds, 59, "59 s"}, {markup_seconds, 60, "1 min 00 s"}, {markup_seconds, 3725, "1 h 02 min"}, {markup_seconds, 1e7, "2,777 h 47 min"},
        {markup_seconds, -1, "\xE2\x80\x93"}, {markup_seconds, NAN, "\xE2\x80\x93"},
        {markup_time, 0, "1970-01-01 00:00 UTC"}, {markup_time, 1795609765.787, "2026-11-25 12:29 UTC"}, {markup_time, 1e300, "\xE2\x80\x93"}, {markup_time, NAN, "\xE2\x80\x93"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) text_is(rows[i].put, rows[i].x, rows[i].want);
}
