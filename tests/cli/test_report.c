/* test_report.c - the report verb as typed, on runs that were trained on the spot; and its page in a browser where there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "util/file.h"
#include "util/str.h"

/* A folder with two runs, one and two, made once. */
static const char *runs(void)
{
    static char dir[256];
    if (*dir) return dir;
    snprintf(dir, sizeof dir, "%s", test_folder());
    const Said *s = cli("cd %s && cp -r %s series && $P data synth other --series 8 --length 200 --seed 3 && for r in one two; do $P train --dataset-path series --ood-val-dataset-path other"
                        " --checkpoint-dir $r --steps-per-epoch 12 --log-every 1 --val-every 4 --val-split 0.1 --no-tensorboard " CLI_SMALL " $([ $r = two ] && echo --patch --patch-len 8 --patch-stride 8); done",
                        dir, cli_data());
    if (s->status) test_fail(__FILE__, __LINE__, "%s", s->err);
    return dir;
}

static char *page(const char *name)
{
    char path[512];
    Map m;
    Err e;
    snprintf(path, sizeof path, "%s/%s", runs(), name);
    if (map_open(&m, path, &e)) { test_fail(__FILE__, __LINE__, "%s", e.message); return NULL; }
    char *text = strndup((const char *)m.p, m.n);
    map_close(&m);
    return text;
}

static int has(const char *text, const char *what)
{
    int there = text && strstr(text, what);
    if (!there) test_fail(__FILE__, __LINE__, "the page lacks '%s'", what);
    return there;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++) n++;
    return n;
}

TEST(cli_report_of_one_run)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && $P report one", runs());
    CHECK(s->status == 0 && !*s->err && cli_match(s->out, "one/report.html: 1 run, [0-9]+ kB\n"));
    char *html = page("one/report.html");
    int good = has(html, "<title>one</title>") && has(html, "<dd>12 of 12</dd>") && has(html, "By the checkpoint step_000012: 6 of ") && has(html, "<h3>Layer 1</h3>")
            && has(html, ": series ") && count(html, "class=\"chart sample\"") == 6 && has(html, "by repeating the last value</small>") && !strstr(html, "http");
    free(html);
    CHECK(good);
    s = cli("cd %s && cp one/report.html first.html && $P report one --threads 1 && cmp one/report.html first.html && $P report one/ --samples 2 --output few.html", runs());
    CHECK(s->status == 0 && strstr(s->out, "few.html: 1 run, "));
    html = page("few.html");
    good = count(html, "class=\"chart sample\"") == 2;
    free(html);
    CHECK(good);
}

TEST(cli_report_of_several_runs)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && $P report one two one/log.jsonl --samples 1", runs());
    CHECK(s->status == 0 && !*s->err && cli_match(s->out, "report.html: 3 runs, [0-9]+ kB\n"));
    char *html = page("report.html");
    int good = has(html, "<title>3 training runs</title>") && has(html, "<th scope=\"row\">patch</th><td>off</td><td>on</td><td>off</td><td class=\"preset\">off</td>")
            && has(html, "id=\"run2\"") && count(html, "class=\"chart sample\"") == 2 && has(html, "No sample forecasts: one/log.jsonl: no folder of a model");
    free(html);
    CHECK(good);
    s = cli("cd %s && mkdir -p copies && cp -r one copies/one && $P report one copies/one --samples 0 --output same.html", runs());
    CHECK(s->status == 0);
    html = page("same.html");
    good = has(html, ">copies/one<") && !strstr(html, "id=\"samples\"") && has(html, "<h3>What differs between the runs</h3>\n<p>Nothing.</p>");
    free(html);
    CHECK(good);
}

/* What is missing is said in one line, or in a sentence of the page. */
TEST(cli_report_of_what_is_damaged)
{
    if (!cli_program()) return;
    cli_fails(cli("cd %s && $P report nowhere", runs()), 1, "foundationts: nowhere: there is no such folder: a run is the --checkpoint-dir of a training");
    cli_fails(cli("cd %s && $P report series", runs()), 1, "foundationts: series: there is no log.jsonl in it: a run is the --checkpoint-dir of a training");
    cli_fails(cli("cd %s && mkdir -p empty && : >empty/log.jsonl && $P report empty", runs()), 1, "foundationts: empty/log.jsonl: nothing was logged yet: there is not one line about a step");
    cli_fails(cli("cd %s && $P report", runs()), 2, "foundationts: report needs a RUN");
    cli_fails(cli("cd %s && $P report one --samples 25", runs()), 2, "foundationts: --samples: 25 is outside 0..24");
    const Said *s = cli("cd %s && mkdir -p torn && { cat one/log.jsonl; printf '{\"event\":\"st'; } >torn/log.jsonl && $P report torn", runs());
    CHECK(s->status == 0 && cli_match(s->err, "foundationts: torn: 1 line of log.jsonl could not be read, the first is line [0-9]+: column 13: the text ends inside a string\n"));
    char *html = page("torn/report.html");
    int good = has(html, "1 line of the log could not be read") && has(html, "No sample forecasts: torn: no model in this folder");
    free(html);
    CHECK(good);
    s = cli("cd %s && mkdir -p aside && cp -r one aside/one && cd aside && $P report one && cd .. && cp -r one moved && sed -i 's/\"series\"/\"changed\"/' moved/log.jsonl &&"
            " $P data synth changed --series 60 --length 300 --seed 8 && $P report moved", runs());
    CHECK(s->status == 0);
    html = page("aside/one/report.html");
    good = has(html, "No sample forecasts: ") && has(html, "series");
    free(html);
    html = page("moved/report.html");
    good = good && has(html, "No sample forecasts: the data is not what the run was trained on.");
    free(html);
    CHECK(good);
}

/* The page with the script that looks at it. */
static int put_look(const char *from, const char *to, const char *style)
{
    char *html = page(from);
    Map js;
    Err e;
    char path[512];
    if (!html || map_open(&js, "tests/cli/layout.js", &e)) { free(html); return -1; }
    Str s = {0};
    char *end = strstr(html, "</body>");
    str_add(&s, html, end ? (size_t)(end - html) : 0);
    str_addf(&s, "<style>%s</style><script>%.*s</script></body></html>\n", style, (int)js.n, (const char *)js.p);
    snprintf(path, sizeof path, "%s/%s", runs(), to);
    int bad = !end || str_ok(&s, &e) || file_write(path, s.p, s.n, &e);
    str_free(&s);
    map_close(&js);
    free(html);
    return bad ? -1 : 0;
}

/* A browser has no narrow windows, but a frame may be as narrow as a phone. */
static int put_frame(int width)
{
    char path[512];
    Str s = {0};
    Err e;
    str_addf(&s, "<!DOCTYPE html><html><head><meta name=\"color-scheme\" content=\"light dark\"></head><body><iframe src=\"look.html\" style=\"border:0;width:%dpx;height:900px\"></iframe>"
                 "<script>addEventListener('message', function (e) { document.body.dataset.layout = e.data; });</script></body></html>\n", width);
    snprintf(path, sizeof path, "%s/frame.html", runs());
    int bad = str_ok(&s, &e) || file_write(path, s.p, s.n, &e);
    str_free(&s);
    return bad ? -1 : 0;
}

/* What the script says of a page in a frame of this width. */
static const Said *look(const char *name, int width, int dark, const char *style)
{
    if (put_look(name, "look.html", style) || put_frame(width)) test_fail(__FILE__, __LINE__, "%s cannot be put into a frame", name);
    return cli("cd %s && timeout 60 $FTS_CHROMIUM --headless=new --no-sandbox --disable-gpu --user-data-dir=$PWD/profile --window-size=1400,1000 --virtual-time-budget=5000 %s"
               " --dump-dom file://$PWD/frame.html 2>/dev/null | grep -o 'data-layout=\"[^\"]*\"'", runs(), dark ? "--blink-settings=preferredColorScheme=0" : "");
}

TEST(cli_report_looks_right_in_a_browser)
{
    static const struct { const char *page; int width, dark; } looks[] = {
        {"one/report.html", 1280, 0}, {"one/report.html", 390, 0}, {"one/report.html", 390, 1}, {"report.html", 1280, 0}, {"report.html", 1280, 1}, {"report.html", 390, 0},
    };
    static const char ugly[] = "figcaption{margin-bottom:-60px}h1{width:2000px;color:#ddd}.tiles dt{font-size:8px}.k0 polyline{stroke:#eee}.wide :is(polyline,circle){display:none}";
    static const char *const seen[] = {"1280 px: ", "wider than the screen", "; on '", "contrast of text", "contrast of a line", "text of 8.0 px", "an empty picture"};
    if (!cli_program()) return;
    if (!getenv("FTS_CHROMIUM")) { test_skip("no browser: FTS_CHROMIUM names a chromium"); return; }
    if (!path_exists("tests/cli/layout.js")) { test_skip("not run from the root of the project"); return; }
    const Said *s = cli("cd %s && $P report one && $P report one two --samples 2", runs());
    CHECK(s->status == 0);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        char want[64];
        s = look(looks[i].page, looks[i].width, looks[i].dark, "");
        snprintf(want, sizeof want, "data-layout=\"%d px%s: fine\"\n", looks[i].width, looks[i].dark ? ", dark" : "");
        if (strcmp(s->out, want)) test_fail(__FILE__, __LINE__, "%s, %d px%s: %s", looks[i].page, looks[i].width, looks[i].dark ? ", dark" : "", *s->out ? s->out : "it said nothing");
    }
    s = look("one/report.html", 1280, 0, ugly);
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        if (!strstr(s->out, seen[i])) test_fail(__FILE__, __LINE__, "the script does not see '%s': %s", seen[i], s->out);
}
