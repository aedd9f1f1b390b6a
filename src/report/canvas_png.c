/* canvas_png.c - a canvas of pixels, drawn by cairo where the build found it. */
#include "report/canvas.h"

#ifdef FTS_CAIRO
#include <cairo.h>
#include <math.h>

enum { PIXELS = 2 };                   /* per unit: sharp on the screens of today and in print */

static void set_colour(cairo_t *cr, uint32_t rgb)
{
    cairo_set_source_rgb(cr, (rgb >> 16) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0);
}

static void png_rect(Canvas *c, double x, double y, double w, double h, uint32_t rgb)
{
    set_colour(c->own, rgb);
    cairo_rectangle(c->own, x, y, w, h);
    cairo_fill(c->own);
}

static void png_line(Canvas *c, const double *xy, int n, double width, uint32_t rgb)
{
    set_colour(c->own, rgb);
    cairo_set_line_width(c->own, width);
    cairo_move_to(c->own, xy[0], xy[1]);
    if (n == 1) cairo_line_to(c->own, xy[0], xy[1]);        /* no length, and yet round caps make it a dot */
    for (int i = 1; i < n; i++) cairo_line_to(c->own, xy[2 * i], xy[2 * i + 1]);
    cairo_stroke(c->own);
}

static void png_text(Canvas *c, double x, double y, const char *text, const Font *font)
{
    static const double share[] = {0, 0.5, 1};
    cairo_text_extents_t size;
    set_colour(c->own, font->rgb);
    cairo_select_font_face(c->own, "sans-serif", CAIRO_FONT_SLANT_NORMAL, font->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->own, font->size);
    cairo_text_extents(c->own, text, &size);
    cairo_move_to(c->own, x - share[font->anchor] * size.x_advance, y);
    cairo_show_text(c->own, text);
}

static int failed(cairo_status_t status, Err *e)
{
    if (status == CAIRO_STATUS_SUCCESS) return 0;
    return err_set(e, status == CAIRO_STATUS_NO_MEMORY ? FTS_NOMEM : FTS_IO, "drawing a PNG: %s", cairo_status_to_string(status));
}

static cairo_status_t add_bytes(void *file, const unsigned char *p, unsigned n)
{
    str_add(file, p, n);
    return ((Str *)file)->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static int png_finish(Canvas *c, Str *file, Err *e)
{
    if (failed(cairo_status(c->own), e)) return -1;
    return failed(cairo_surface_write_to_png_stream(cairo_get_target(c->own), add_bytes, file), e);
}

static void png_close(Canvas *c)
{
    cairo_destroy(c->own);
    c->own = NULL;
}

int canvas_png(Canvas *c, double width, double height, const char *title, Err *e)
{
    (void)title;
    *c = (Canvas){png_rect, png_line, png_text, png_finish, png_close, {0}, NULL};
    cairo_surface_t *pixels = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(width * PIXELS), (int)ceil(height * PIXELS));
    c->own = cairo_create(pixels);
    cairo_surface_destroy(pixels);                           /* the context keeps it */
    cairo_scale(c->own, PIXELS, PIXELS);
    cairo_set_line_cap(c->own, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(c->own, CAIRO_LINE_JOIN_ROUND);
    png_rect(c, 0, 0, width, height, 0xFFFFFF);
    if (!failed(cairo_status(c->own), e)) return 0;
    png_close(c);
    return -1;
}

#else

int canvas_png(Canvas *c, double width, double height, const char *title, Err *e)
{
    (void)c, (void)width, (void)height, (void)title;
    return err_set(e, FTS_USAGE, "this build cannot draw PNG: use .svg, or install libcairo2-dev and build again");
}

#endif
