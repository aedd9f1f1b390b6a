/* canvas_svg.c - a canvas that is plain text: the same drawing gives the same bytes on every machine and in every locale. */
#include <math.h>
#include <stdlib.h>

#include "report/canvas.h"
#include "report/markup.h"

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
    markup_text(&c->body, text);
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

static const Canvas svg = {svg_rect, svg_line, svg_text, svg_finish, svg_close, {0}, NULL};

static void put_view(Str *s, double width, double height)
{
    str_addf(s, " viewBox=\"0 0 ");
    put_length(s, width);
    str_add(s, " ", 1);
    put_length(s, height);
    str_addf(s, "\" role=\"img\"");
}

static int opened(Canvas *c, Err *e)
{
    if (!str_ok(&c->body, e)) return 0;
    svg_close(c);
    return -1;
}

/* The white rectangle keeps dark text readable where the page around the picture is dark. */
int canvas_svg(Canvas *c, double width, double height, const char *title, Err *e)
{
    *c = svg;
    Str *s = &c->body;
    str_addf(s, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    put_attribute(s, "width", width);
    put_attribute(s, "height", height);
    put_view(s, width, height);
    str_addf(s, " font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\""
                " stroke-linecap=\"round\" stroke-linejoin=\"round\">\n<title>");
    markup_text(s, title);
    str_addf(s, "</title>\n");
    svg_rect(c, 0, 0, width, height, 0xFFFFFF);
    return opened(c, e);
}

int canvas_inline(Canvas *c, double width, double height, const char *id, const char *title, const char *description, Err *e)
{
    *c = svg;
    Str *s = &c->body;
    str_addf(s, "<svg id=\"%s\"", id);
    put_view(s, width, height);
    str_addf(s, " aria-labelledby=\"%s-t\" aria-describedby=\"%s-d\">\n<title id=\"%s-t\">", id, id, id);
    markup_text(s, title);
    str_addf(s, "</title>\n<desc id=\"%s-d\">", id);
    markup_text(s, description);
    str_addf(s, "</desc>\n");
    return opened(c, e);
}

void canvas_group(Canvas *c, const char *classes) { str_addf(&c->body, "<g class=\"%s\">\n", classes); }
void canvas_group_end(Canvas *c) { str_addf(&c->body, "</g>\n"); }
