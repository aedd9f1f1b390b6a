/* test_curves.c - numbers against numbers: every curve is there, labels do not touch, gaps stay gaps. */
#include "report/curves.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "util/file.h"

static int times(const Map *m, const char *what)
{
    size_t n = strlen(what);
    int found = 0;
    for (size_t i = 0; i + n <= m->n; i++) found += !memcmp(m->p + i, what, n);
    return found;
}

static const double powers[] = {1, 4, 16, 17, 64}, values[] = {10, 40, 30, 35, 90}, halves[] = {0, 0.5, 1}, gap[] = {0.3, NAN, 0.2};

TEST(report_curves_have_names_ticks_and_points)
{
    Err e;
    Map m;
    char path[512];
    const Curve first[] = {{powers, values, 5, 0}, {powers, values, 1, 1}, {(double[]){1, 64}, (double[]){95, 95}, 2, CURVES_GREY}}, second[] = {{halves, gap, 3, 1}};
    const CurveChart chart[] = {{"speed <fast>", "windows", first, 3, 1, 1}, {"loss", "seconds", second, 1, 0, 0}, {"nothing", "", NULL, 0, 0, 0}};
    snprintf(path, sizeof path, "%s/a.svg", test_folder());
    OK(curves_write(path, chart, 3, (const char *const[]){"one", "two"}, 2, "Heading", &e));
    OK(map_open(&m, path, &e));
    CHECK(times(&m, ">Heading<") == 2 && times(&m, ">one<") == 1 && times(&m, ">two<") == 1 && times(&m, ">speed &lt;fast&gt;<") == 1 && times(&m, ">no values<") == 1);
    CHECK(times(&m, ">1<") == 1 && times(&m, ">4<") == 1 && times(&m, ">16<") == 1 && times(&m, ">17<") == 0 && times(&m, ">64<") == 1 && times(&m, ">0<") == 2 && times(&m, ">80<") == 1);
    CHECK(times(&m, ">seconds<") == 1 && times(&m, ">0.30<") == 1 && times(&m, ">0.4<") == 1);
    CHECK(times(&m, "nan") == 0 && times(&m, "inf") == 0);
    map_close(&m);
}

TEST(report_curves_into_a_png_and_into_nothing)
{
    Err e;
    char path[512];
    const char *dir = test_folder();
    const Curve one = {powers, values, 1, 0};
    const CurveChart chart = {"t", "x", &one, 1, 0, 0};
    snprintf(path, sizeof path, "%s/a.png", dir);
    if (curves_write(path, &chart, 1, (const char *const[]){"a"}, 1, "", &e) && !strstr(e.message, "cairo")) test_fail(__FILE__, __LINE__, "%s", e.message);
    snprintf(path, sizeof path, "%s/none/a.svg", dir);
    CHECK(curves_write(path, &chart, 1, (const char *const[]){"a"}, 1, "", &e) && e.code == FTS_IO);
    CHECK(curves_write("a.jpg", &chart, 1, NULL, 0, "", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "a.jpg: a plot is written as .svg or .png: end its name with one of them");
}
