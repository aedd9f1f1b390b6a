/* canvas_svg.c - a canvas that is plain text: the same drawing gives the same bytes on every machine and in every locale. */
#include <math.h>
#include <stdlib.h>

#include "report/canvas.h"

/* Tenths of a unit are finer than an eye can see. By hand, because printf's decimal point is the locale's. */
static void put_length(Str *s, double x)
{
    long tenths = lround(x * 10);
    long size = labs(tenths);
    str_addf(s, "%s%ld", tenths < 0 ? "-" : "", size / 10);
    if (size % 10) str_addf(s, ".%ld", size % 10);
}

static void put_attribute(Str *s, const char *name, double x)
{
    str_addf(s, " %s=\"", name);
    put_length(s, x);
    str_add(s, "\"", 1);
}

static void put_escaped(Str *s, const char *text)
{
    static const struct { char c; const char *as; } escape[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        size_t i = 0;
        while (i < sizeof escape / sizeof *escape && escape[i].c != *text) i++;
        if (i < sizeof escape / sizeof *escape) str_addf(s, "%s", escape[i].as);
        else str_add(s, text, 1);
    }
}

static void svg_rect(Canvas *c, double x, double y, double w, double h, uint32_t rgb)
{
    str_addf(&c->body, "<rect");
    put_attribute(&c->body, "x", x);
    put_attribute(&c->body, "y", y);
    put_attribute(&c->body, "width", w);
    put_attribute(&c->body, "height", h);
    str_addf(&c->body, " fill=\"#%06x\"/>\n", (unsigned)rgb);
}

static void svg_dot(Canvas *c, const double *xy, double width, uint32_t rgb)
{
    str_addf(&c->body, "<circle");
    put_attribute(&c->body, "cx", xy[0]);
    put_attribute(&c->body, "cy", xy[1]);
    put_attribute(&c->body, "r", width / 2);
    str_addf(&c->body, " fill=\"#%06x\"/>\n", (unsigned)rgb);
}

static void svg_line(Canvas *c, const double *xy, int n, double width, uint32_t rgb)
{
    if (n == 1) { svg_dot(c, xy, width, rgb); return; }
    str_addf(&c->body, "<polyline fill=\"none\" stroke=\"#%06x\"", (unsigned)rgb);
    put_attribute(&c->body, "stroke-width", width);
    str_addf(&c->body, " points=\"");
    for (int i = 0; i < n; i++) {
        if (i) str_add(&c->body, " ", 1);
        put_length(&c->body, xy[2 * i]);
        str_add(&c->body, ",", 1);
        put_length(&c->body, xy[2 * i + 1]);
    }
    str_addf(&c->body, "\"/>\n");
}

static void svg_text(Canvas *c, double x, double y, const char *text, const Font *font)
{
    static const char *const anchor[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    str_addf(&c->body, "<text");
    put_attribute(&c->body, "x", x);
    put_attribute(&c->body, "y", y);
    put_attribute(&c->body, "font-size", font->size);
    str_addf(&c->body, "%s%s fill=\"#%06x\">", anchor[font->anchor], font->bold ? " font-weight=\"600\"" : "", (unsigned)font->rgb);
    put_escaped(&c->body, text);
    str_addf(&c->body, "</text>\n");
}

static int svg_finish(Canvas *c, Str *file, Err *e)
{
    if (str_ok(&c->body, e)) return -1;
    str_add(file, c->body.p, c->body.n);
    str_addf(file, "</svg>\n");
    return str_ok(file, e);
}

static void svg_close(Canvas *c) { str_free(&c->body); }

/* The white rectangle keeps dark text readable where the page around the picture is dark. */
int canvas_svg(Canvas *c, double width, double height, const char *title, Err *e)
{
    *c = (Canvas){svg_rect, svg_line, svg_text, svg_finish, svg_close, {0}, NULL};
    Str *s = &c->body;
    str_addf(s, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    put_attribute(s, "width", width);
    put_attribute(s, "height", height);
    str_addf(s, " viewBox=\"0 0 ");
    put_length(s, width);
    str_add(s, " ", 1);
    put_length(s, height);
    str_addf(s, "\" role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\""
                " stroke-linecap=\"round\" stroke-linejoin=\"round\">\n<title>");
    put_escaped(s, title);
    str_addf(s, "</title>\n");
    svg_rect(c, 0, 0, width, height, 0xFFFFFF);
    if (!str_ok(s, e)) return 0;
    svg_close(c);
    return -1;
}
