/* test_plot.c - forecasts as pictures: round ticks, safe labels, lines that keep what can be seen, and files that every reader opens. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "report/canvas.h"
#include "report/label.h"
#include "report/plot.h"
#include "report/ticks.h"
#include "report/trace.h"
#include "test.h"
#include "util/file.h"
#include "xml.h"

static void ticks_are(double lo, double hi, int most, const char *want)
{
    Ticks t;
    Str got = {0};
    ticks_widen(&lo, &hi);
    ticks_find(&t, lo, hi, most);
    for (int i = 0; i < t.n; i++) {
        char text[TICK_TEXT];
        ticks_label(text, &t, i);
        str_addf(&got, "%s%s", i ? " " : "", text);
        if (!(ticks_value(&t, i) >= lo - 1e-6 * (hi / 2 - lo / 2) && ticks_value(&t, i) <= hi + 1e-6 * (hi / 2 - lo / 2)))
            test_fail(__FILE__, __LINE__, "%g..%g: the tick %s lies outside", lo, hi, text);
    }
    if (t.n > most + 1 || !got.p || strcmp(got.p, want)) test_fail(__FILE__, __LINE__, "%g..%g: got '%s', want '%s'", lo, hi, got.p ? got.p : "", want);
    str_free(&got);
}

#define M "\xE2\x88\x92"
TEST(report_plot_ticks)
{
    ticks_are(0, 10, 5, "0 2 4 6 8 10");
    ticks_are(0, 1, 5, "0 0.2 0.4 0.6 0.8 1.0");
    ticks_are(0.1, 0.7, 6, "0.1 0.2 0.3 0.4 0.5 0.6 0.7");
    ticks_are(-1, 1, 4, M "1.0 " M "0.5 0 0.5 1.0");
    ticks_are(3, 47, 5, "10 20 30 40");
    ticks_are(0, 2563, 7, "0 500 1,000 1,500 2,000 2,500");
    ticks_are(-12000, 12000, 4, M "10,000 0 10,000");
    ticks_are(0, 999999, 5, "0 200,000 400,000 600,000 800,000");
    ticks_are(0, 2e6, 4, "0 0.5M 1.0M 1.5M 2.0M");
    ticks_are(0, 1.5e8, 3, "0 50M 100M 150M");
    ticks_are(0, 3e9, 3, "0 1G 2G 3G");
    ticks_are(0, 6e14, 3, "0 200T 400T 600T");
    ticks_are(1e6, 1e6 + 2, 4, "1,000,000.0 1,000,000.5 1,000,001.0 1,000,001.5 1,000,002.0");
    ticks_are(0, 1e15, 5, "0 0.2e15 0.4e15 0.6e15 0.8e15 1.0e15");
    ticks_are(1e30, 3e30, 4, "1.0e30 1.5e30 2.0e30 2.5e30 3.0e30");
    ticks_are(1e-30, 3e-30, 2, "1e" M "30 2e" M "30 3e" M "30");
    ticks_are(-3e-30, 0, 3, M "3e" M "30 " M "2e" M "30 " M "1e" M "30 0");
    ticks_are(0, 0.0005, 5, "0 0.0001 0.0002 0.0003 0.0004 0.0005");
    ticks_are(5, 5, 2, "4.5 5.0 5.5");
    ticks_are(0, 0, 2, M "1 0 1");
    ticks_are(-2e30, -2e30, 2, M "2.2e30 " M "2.0e30 " M "1.8e30");
    ticks_are(4e-320, 5e-320, 2, M "1 0 1");
    ticks_are(1e20, nextafter(1e20, 1e21), 2, "0.9e20 1.0e20 1.1e20");
    ticks_are(-DBL_MAX, DBL_MAX, 4, M "1e308 0 1e308");
    ticks_are(DBL_MAX, DBL_MAX, 2, "1.7e308");
}

/* Whatever the range: some ticks, not too many, in a row 1, 2 or 5 apart. */
TEST(report_plot_ticks_of_any_range)
{
    for (int power = -250; power <= 300; power += 7) {
        for (int k = 1; k < 40; k++) {
            double lo = (k % 7 - 3) * pow(10, power), hi = lo + k * 0.37 * pow(10, power);
            Ticks t;
            ticks_widen(&lo, &hi);
            ticks_find(&t, lo, hi, 5);
            CHECK(t.n >= 2 && t.n <= 6 && (t.unit == 1 || t.unit == 2 || t.unit == 5));
        }
    }
}

TEST(report_plot_whole_numbers)
{
    static const struct { int64_t x; const char *want; } rows[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {-1234567, M "1,234,567"}, {INT64_MAX, "9,223,372,036,854,775,807"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[TICK_TEXT];
        ticks_whole(text, rows[i].x);
        TEXT(text, rows[i].want);
    }
}

TEST(report_plot_labels_are_clean_and_fit)
{
    static const struct { const char *text, *want; double width; } rows[] = {
        {NULL, "", 100}, {"", "", 100}, {"store_1", "store_1", 100}, {"a\tb\nc\x7F" "d\xC2\x85" "e", "a b c d e", 100},
        {"\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x97\xA5\xE6\x9C\xAC", 100}, {"a\xFFz", "a\xEF\xBF\xBDz", 100}, {"\xE6\x97", "\xEF\xBF\xBD\xEF\xBF\xBD", 100},
        {"\xEF\xBF\xBF", "\xEF\xBF\xBD", 100}, {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 100}, {"0123456789", "0123\xE2\x80\xA6", 35.5}, {"0123456789", "0123456789", 62.5},
        {"\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5", "\xE6\x97\xA5\xE2\x80\xA6", 25}, {"ab", "\xE2\x80\xA6", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[LABEL_TEXT];
        label_fit(got, sizeof got, rows[i].text, 10, rows[i].width);
        TEXT(got, rows[i].want);
    }
    char small[8];
    label_fit(small, sizeof small, "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", 10, 1e9);
    TEXT(small, "\xC3\xA4\xC3\xA4\xE2\x80\xA6");
    CHECK(label_width("WWW", 10) > label_width("iii", 10) && label_width("", 10) == 0);
}

/* A canvas that remembers what its lines were. */
typedef struct Seen { Canvas canvas; int lines, dots, points; double top, bottom, left, right; } Seen;

static void see_line(Canvas *c, const double *xy, int n, double width, uint32_t rgb)
{
    Seen *s = (Seen *)c;
    (void)width, (void)rgb;
    s->lines += n > 1;
    s->dots += n == 1;
    s->points += n > 1 ? n : 0;
    for (int i = 0; i < n; i++) {
        s->left = fmin(s->left, xy[2 * i]);
        s->right = fmax(s->right, xy[2 * i]);
        s->top = fmin(s->top, xy[2 * i + 1]);
        s->bottom = fmax(s->bottom, xy[2 * i + 1]);
    }
}

static Seen see(const Frame *f, const Trace *t)
{
    Seen s = {.canvas = {.line = see_line}, .top = INFINITY, .bottom = -INFINITY, .left = INFINITY, .right = -INFINITY};
    trace_draw(&s.canvas, f, t);
    return s;
}

TEST(report_plot_line_breaks_at_gaps)
{
    double v[] = {1, 2, NAN, 4, INFINITY, 6, 7, 8, NAN, NAN};
    Frame f = {0, 0, 100, 50, 0, 9, 0, 10};
    Seen s = see(&f, &(Trace){v, 0, 10, NAN, 1, 0, NULL});
    CHECK(s.lines == 2 && s.points == 5 && s.dots == 1);
    f.to = 10;
    CHECK(see(&f, &(Trace){v, 1, 10, 3, 1, 0, NULL}).points == 6);                       /* sets out from the lead */
    CHECK(see(&f, &(Trace){v + 2, 1, 8, 3, 1, 0, NULL}).points == 3);                    /* which is none before a gap */
    CHECK(see(&f, &(Trace){v + 2, 1, 1, 3, 1, 0, NULL}).dots == 0);
    s = see(&f, &(Trace){v, 1, 1, 3, 1, 0, NULL});
    CHECK(s.lines == 1 && s.points == 2 && s.dots == 1);                           /* a horizon of one step shows a dot */
    f.w = 1000;
    s = see(&f, &(Trace){v, 0, 10, NAN, 1, 0, NULL});
    CHECK(s.lines == 2 && s.dots == 6);                                            /* there is room for a dot each */
    s = see(&f, &(Trace){v, 0, 0, 3, 1, 0, NULL});
    CHECK(!s.lines && !s.dots);
}

/* Values that say at which steps they are, dense or not, with as many points as the column they fall on needs. */
TEST(report_plot_line_at_given_steps)
{
    enum { N = 20000 };
    double v[] = {1, 2, NAN, 4, 5};
    int64_t at[] = {10, 20, 30, 500, 1000};
    Frame f = {0, 0, 1010, 50, 0, 1000, 0, 10};
    Seen s = see(&f, &(Trace){.value = v, .step = at, .n = 5, .lead = NAN, .width = 1});
    CHECK(s.lines == 2 && s.points == 4 && s.dots == 4 && s.left == 5 + 10 && s.right == 5 + 1000);
    double *many = malloc(N * sizeof *many);
    int64_t *step = malloc(N * sizeof *step);
    CHECK(many && step);
    for (int i = 0; i < N; i++) many[i] = i % 2, step[i] = 7 * i;
    many[9001] = 9;
    f.to = 7 * (N - 1);
    s = see(&f, &(Trace){.value = many, .step = step, .n = N, .lead = NAN, .width = 1});
    f.to *= 100;                                                                   /* all of it in the first hundredth of the picture */
    Seen narrow = see(&f, &(Trace){.value = many, .step = step, .n = N, .lead = NAN, .width = 1});
    free(many);
    free(step);
    CHECK(s.points <= 4 * 1011 && s.points > 1000 && s.top == frame_y(&f, 9) && s.left == 5 && s.right == 1005 && !s.dots);
    CHECK(narrow.points <= 4 * 12 && narrow.top == frame_y(&f, 9) && narrow.right < 15.1);
}

TEST(report_plot_long_line_keeps_what_can_be_seen)
{
    enum { N = 1000000 };
    double *v = malloc(N * sizeof *v);
    CHECK(v);
    for (int i = 0; i < N; i++) v[i] = i % 2 ? 0.25 : -0.25;
    v[700001] = 9;
    v[300000] = -8;
    v[123456] = NAN;
    Frame f = {0, 0, 900, 300, 0, N - 1, -10, 10};
    Seen s = see(&f, &(Trace){v, 0, N, NAN, 1, 0, NULL});
    int whole = s.lines, few = s.points <= 4 * 901 + 8;
    int top = s.top == frame_y(&f, 9), bottom = s.bottom == frame_y(&f, -8), ends = s.left == frame_x(&f, 0) && s.right == frame_x(&f, N - 1);
    for (int i = 500000; i < 600000; i++) v[i] = NAN;
    s = see(&f, &(Trace){v, 0, N, NAN, 1, 0, NULL});
    free(v);
    CHECK(top && bottom && ends);
    CHECK(few && whole <= 4 && s.lines > whole - 1 && s.lines <= 5 && s.points < 4 * 820 + 8);
}

/* All coordinates of the lines lie on the page. */
static int points_on_page(const char *svg)
{
    double w = 0, h = 0, x, y;
    int used, n = 0;
    if (sscanf(strstr(svg, "viewBox"), "viewBox=\"0 0 %lf %lf", &w, &h) != 2) return -1;
    for (const char *p = svg; (p = strstr(p, " points=\"")); ) {
        for (p += 9; sscanf(p, "%lf,%lf%n", &x, &y, &used) == 2; p += used, n++)
            if (!(x >= 0 && x <= w && y >= 0 && y <= h)) return -1;
        if (*p != '"') return -1;
    }
    return n;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)); p++) n++;
    return n;
}

/* Writes a plot and returns its text, checked as every one must be; NULL after a failure. free() it. */
static char *svg_of(const PlotSeries *s, int n, const char *heading)
{
    char path[128];
    Err e = {0};
    Map m;
    snprintf(path, sizeof path, "%s/plot.svg", test_folder());
    if (plot_write(path, s, n, heading, &e) || map_open(&m, path, &e)) { test_fail(__FILE__, __LINE__, "%s", e.message); return NULL; }
    char *text = strndup((const char *)m.p, m.n);
    map_close(&m);
    const char *wrong = wrong_xml(text, text + strlen(text));
    if (wrong) test_fail(__FILE__, __LINE__, "%s: %s", heading ? heading : "", wrong);
    if (points_on_page(text) <= 0) test_fail(__FILE__, __LINE__, "%s: a point off the page", heading ? heading : "");
    if (strstr(text, "nan") || strstr(text, "inf") || strstr(text, "NaN")) test_fail(__FILE__, __LINE__, "%s: a number that is none", heading ? heading : "");
    return text;
}

static const char *const HISTORY = "stroke=\"#55636f\"", *const FORECAST = "stroke=\"#d55e00\"", *const TRUTH = "stroke=\"#0072b2\"";

TEST(report_plot_svg_canvas_bytes)
{
    Canvas c;
    Err e = {0};
    Str file = {0};
    OK(canvas_svg(&c, 100, 50.5, "a & b", &e));
    c.rect(&c, 1, 2.25, 3, 4, 0x0072B2);
    c.line(&c, (double[]){0, 0, -0.04, 10.06, 99.95, 1e3}, 3, 1.5, 0xFF);
    c.line(&c, (double[]){7, 8}, 1, 3, 0xABCDEF);
    c.text(&c, 5, 6, "<'\">", &(Font){12.5, 0, ANCHOR_RIGHT, 1});
    OK(c.finish(&c, &file, &e));
    c.close(&c);
    TEXT(file.p, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50.5\" viewBox=\"0 0 100 50.5\" role=\"img\""
                 " font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n"
                 "<title>a &amp; b</title>\n"
                 "<rect x=\"0\" y=\"0\" width=\"100\" height=\"50.5\" fill=\"#ffffff\"/>\n"
                 "<rect x=\"1\" y=\"2.3\" width=\"3\" height=\"4\" fill=\"#0072b2\"/>\n"
                 "<polyline fill=\"none\" stroke=\"#0000ff\" stroke-width=\"1.5\" points=\"0,0 0,10.1 100,1000\"/>\n"
                 "<circle cx=\"7\" cy=\"8\" r=\"1.5\" fill=\"#abcdef\"/>\n"
                 "<text x=\"5\" y=\"6\" font-size=\"12.5\" text-anchor=\"end\" font-weight=\"600\" fill=\"#000000\">&lt;&#39;&quot;&gt;</text>\n"
                 "</svg>\n");
    str_free(&file);
}

enum { PAST = 400, AHEAD = 48 };
typedef struct Values { double past[PAST], forecast[AHEAD], truth[AHEAD]; } Values;

static void wave(Values *v, double level, double amplitude)
{
    for (int i = 0; i < PAST; i++) v->past[i] = level + amplitude * sin(i * 0.26);
    for (int i = 0; i < AHEAD; i++) {
        v->truth[i] = level + amplitude * sin((PAST + i) * 0.26);
        v->forecast[i] = level + 0.8 * amplitude * sin((PAST + i) * 0.26);
    }
}

TEST(report_plot_one_series)
{
    Values v;
    wave(&v, 1500, 700);
    PlotSeries s = {"load <MW> & \"more\"", v.past, PAST, v.forecast, v.truth, AHEAD, "2016-07-01", "2018-02-20", "2018-02-22"};
    char *svg = svg_of(&s, 1, "ETTh1: 48 steps");
    if (!svg) return;
    int lines = count(svg, HISTORY) == 2 && count(svg, FORECAST) == 2 && count(svg, TRUTH) == 2;         /* the legend and the chart */
    int names = strstr(svg, ">ETTh1: 48 steps</text>") && strstr(svg, ">load &lt;MW&gt; &amp; &quot;more&quot;</text>") && strstr(svg, ">truth</text>");
    int axis = strstr(svg, ">1,500</text>") && strstr(svg, ">2018-02-20</text>") && strstr(svg, ">2018-02-22</text>");
    int begin = !strstr(svg, "2016-07-01") && strstr(svg, ">" M "144 steps</text>");                      /* three horizons of history are shown, not its begin */
    int small = strlen(svg) < 8000;
    free(svg);
    CHECK(lines && names && axis && begin && small);
    s = (PlotSeries){.history = v.past, .nhistory = 60, .forecast = v.forecast, .horizon = 12, .first = "Monday", .split = "noon", .last = "Friday"};
    if (!(svg = svg_of(&s, 1, NULL))) return;
    lines = count(svg, HISTORY) == 2 && count(svg, FORECAST) == 2 && !strstr(svg, "truth");
    begin = strstr(svg, ">Monday</text>") && strstr(svg, ">Friday</text>") && strstr(svg, "<title>forecast</title>");
    free(svg);
    CHECK(lines && begin);
}

TEST(report_plot_steps_are_numbered_without_labels)
{
    Values v;
    wave(&v, 0, 1);
    char *svg = svg_of(&(PlotSeries){.history = v.past, .nhistory = PAST, .forecast = v.forecast, .horizon = AHEAD}, 1, NULL);
    if (!svg) return;
    int numbers = strstr(svg, ">400</text>") && strstr(svg, ">300</text>") && !strstr(svg, ">250</text>");
    free(svg);
    CHECK(numbers);
}

TEST(report_plot_many_series)
{
    static const struct { int n, charts; const char *heading; } rows[] = {{2, 2, ">sales</text>"}, {12, 12, ">sales</text>"}, {64, 64, ">sales</text>"}, {321, 64, ">sales \xC2\xB7 64 of 321 series</text>"}};
    Values v;
    PlotSeries s[321];
    wave(&v, 3, 1);
    for (int i = 0; i < 321; i++) s[i] = (PlotSeries){"store", v.past, PAST, v.forecast, i ? NULL : v.truth, AHEAD, NULL, NULL, NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *svg = svg_of(s, rows[i].n, "sales");
        if (!svg) return;
        int charts = count(svg, ">store</text>"), forecasts = count(svg, FORECAST) - 1, truths = count(svg, TRUTH) - 1, told = strstr(svg, rows[i].heading) != NULL;
        free(svg);
        CHECK(charts == rows[i].charts && forecasts == charts && truths == 1 && told);
    }
    char *svg = svg_of(s, 65, NULL);
    int told = svg && strstr(svg, ">64 of 65 series</text>");
    free(svg);
    CHECK(told);
}

#define X40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG "\xFF\x01" X40 X40 X40 X40 X40 X40
TEST(report_plot_extremes)
{
    Values huge, tiny, flat, zero, none, most, both;
    wave(&huge, 3e30, 2e30);
    wave(&tiny, 3e-30, 2e-30);
    wave(&flat, 5, 0);
    wave(&zero, 0, 0);
    wave(&none, NAN, 0);
    wave(&most, 0, DBL_MAX);
    wave(&both, 1, 0.5);
    both.past[398] = -INFINITY;
    both.past[399] = both.forecast[0] = both.truth[47] = NAN;
    const struct { const char *name, *has; PlotSeries s; } rows[] = {
        {"1e30",         ">4e30</text>",            {"", huge.past, PAST, huge.forecast, huge.truth, AHEAD, NULL, NULL, NULL}},
        {"1e-30",        ">4e" M "30</text>",       {"", tiny.past, PAST, tiny.forecast, tiny.truth, AHEAD, NULL, NULL, NULL}},
        {"constant",     ">5.0</text>",             {"", flat.past, PAST, flat.forecast, flat.truth, AHEAD, NULL, NULL, NULL}},
        {"zero",         ">0</text>",               {"", zero.past, PAST, zero.forecast, NULL, AHEAD, NULL, NULL, NULL}},
        {"no values",    ">no values</text>",       {"", none.past, PAST, none.forecast, none.truth, AHEAD, "a", "b", "c"}},
        {"the largest",  "e308</text>",             {"", most.past, PAST, most.forecast, most.truth, AHEAD, NULL, NULL, NULL}},
        {"gaps",         FORECAST,                  {"", both.past, PAST, both.forecast, both.truth, AHEAD, NULL, NULL, NULL}},
        {"one and one",  "<circle",                 {"", flat.past, 1, both.forecast + 1, NULL, 1, NULL, NULL, NULL}},
        {"horizon 1",    "<circle",                 {"", huge.past, 64, huge.forecast, huge.truth, 1, "a", "b", "c"}},
        {"no history",   ">2020</text>",            {"", NULL, 0, tiny.forecast, NULL, AHEAD, NULL, "2020", "2021"}},
        {"one forecast", "<circle",                 {"", NULL, 0, tiny.forecast, NULL, 1, NULL, NULL, NULL}},
        {"no forecast",  HISTORY,                   {"", huge.past, PAST, NULL, NULL, 0, NULL, NULL, NULL}},
        {"no name",      "x\xE2\x80\xA6</text>",    {LONG, flat.past, 9, flat.forecast, NULL, 9, NULL, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *svg = svg_of(&rows[i].s, 1, rows[i].name);
        if (!svg || !strstr(svg, rows[i].has)) test_fail(__FILE__, __LINE__, "%s: no %s", rows[i].name, rows[i].has);
        free(svg);
    }
}

TEST(report_plot_same_bytes_twice)
{
    Values v;
    wave(&v, 1500, 700);
    PlotSeries s = {"load", v.past, PAST, v.forecast, v.truth, AHEAD, NULL, NULL, NULL};
    char *a = svg_of(&s, 1, "x"), *b = svg_of(&s, 1, "x");
    int same = a && b && !strcmp(a, b);
    free(a);
    free(b);
    CHECK(same);
}

TEST(report_plot_errors)
{
    double v[] = {1, 2, 3};
    PlotSeries s = {"x", v, 3, v, NULL, 3, NULL, NULL, NULL};
    Err e = {0};
    char path[128];
    CHECK(plot_write("x.pdf", &s, 1, "h", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "x.pdf: a plot is written as .svg or .png: end its name with one of them");
    CHECK(plot_write("svg", &s, 1, "h", &e) && plot_write("", &s, 1, "h", &e) && plot_write(".svg", &s, 1, "h", &e));
    CHECK(plot_write("x.svg", &s, 0, "h", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "x.svg: there is no series to plot");
    snprintf(path, sizeof path, "%s/none/x.svg", test_folder());
    CHECK(plot_write(path, &s, 1, "h", &e) && e.code == FTS_IO && strstr(e.message, "none/x.svg: No such file or directory"));
    snprintf(path, sizeof path, "%s/x.SVG", test_folder());
    OK(plot_write(path, &s, 1, "h", &e));
    test_write_fail(1);
    CHECK(plot_write(path, &s, 1, "h", &e) && strstr(e.message, "No space left"));
    test_write_fail(0);
    int failures = 0;
    for (long n = 1; n < 200; n++) {
        test_alloc_fail(n);
        int bad = plot_write(path, &s, 1, "h", &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM);
        failures++;
    }
    CHECK(failures > 3 && failures < 190);
}

static unsigned big_endian(const unsigned char *p) { return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3]; }

/* How many byte values the pixels of a PNG have; -1 if it is none. A page of one colour has a handful, because its rows are stored as differences. */
static int png_variety(const unsigned char *p, size_t n, unsigned *w, unsigned *h)
{
    Str packed = {0};
    if (n < 33 || memcmp(p, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR", 16)) return -1;
    *w = big_endian(p + 16);
    *h = big_endian(p + 20);
    for (size_t at = 8, size; at + 12 <= n && (size = big_endian(p + at)) <= n - at - 12; at += size + 12)
        if (!memcmp(p + at + 4, "IDAT", 4)) str_add(&packed, p + at + 8, size);
    uLongf room = *h * (*w * 4ul + 1);
    unsigned char *pixels = malloc(room);
    int seen[256] = {0}, variety = 0;
    int bad = !pixels || !packed.p || uncompress(pixels, &room, (unsigned char *)packed.p, packed.n) != Z_OK;
    for (size_t i = 0; !bad && i < room; i++) variety += !seen[pixels[i]]++;
    free(pixels);
    str_free(&packed);
    return bad ? -1 : variety;
}

TEST(report_plot_png)
{
    Values v;
    Err e = {0};
    Map m;
    char path[128];
    unsigned w = 0, h = 0;
    wave(&v, 1500, 700);
    PlotSeries s[] = {{"load \xFF <&>", v.past, PAST, v.forecast, v.truth, AHEAD, NULL, NULL, NULL}, {NULL, v.past, 1, v.forecast, NULL, 1, "a", "b", "c"}};
    snprintf(path, sizeof path, "%s/plot.png", test_folder());
    if (plot_write(path, s, 1, "ETTh1", &e) && strstr(e.message, "this build")) {
        TEXT(e.message + strlen(path), ": this build cannot draw PNG: use .svg, or install libcairo2-dev and build again");
        CHECK(e.code == FTS_USAGE && !path_exists(path));
        test_skip("this build is without cairo");
        return;
    }
    for (int n = 1; n <= 2; n++) {
        OK(plot_write(path, s, n, "ETTh1", &e));
        OK(map_open(&m, path, &e));
        int variety = png_variety(m.p, m.n, &w, &h);
        map_close(&m);
        CHECK(variety > 30 && w == (n == 1 ? 1920u : 2160u) && h > 400 && h < 1200);
    }
    snprintf(path, sizeof path, "%s/none/x.png", test_folder());
    CHECK(plot_write(path, s, 1, "h", &e) && strstr(e.message, "none/x.png: No such file or directory"));
}

TEST(report_plot_png_page_is_blank_until_drawn_on)
{
    Canvas c;
    Err e = {0};
    Str file = {0};
    unsigned w = 0, h = 0;
    if (canvas_png(&c, 100, 50, "x", &e)) { test_skip("this build is without cairo"); return; }
    OK(c.finish(&c, &file, &e));
    c.close(&c);
    int variety = png_variety((const unsigned char *)file.p, file.n, &w, &h);
    str_free(&file);
    CHECK(variety > 0 && variety < 6 && w == 200 && h == 100);
}
