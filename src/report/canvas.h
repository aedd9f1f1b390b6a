/* canvas.h - what a picture is drawn on: rectangles, lines and text behind function pointers, so that a drawing need not know its file format.
 *
 * Lengths are in units of the page (a pixel at normal size), y grows downward, colours are 0xRRGGBB. Drawing cannot fail; finish tells what went wrong. */
#ifndef REPORT_CANVAS_H
#define REPORT_CANVAS_H

#include <stdint.h>

#include "util/err.h"
#include "util/str.h"

typedef enum { ANCHOR_LEFT, ANCHOR_CENTRE, ANCHOR_RIGHT } Anchor;              /* which part of a text stands at x */
typedef struct Font { double size; uint32_t rgb; Anchor anchor; int bold; } Font;

typedef struct Canvas Canvas;
struct Canvas {
    void (*rect)(Canvas *c, double x, double y, double w, double h, uint32_t rgb);
    void (*line)(Canvas *c, const double *xy, int n, double width, uint32_t rgb);              /* xy (n,2); of one point: a dot as wide as the line */
    void (*text)(Canvas *c, double x, double y, const char *text, const Font *font);           /* y: of its base line; text: clean UTF-8 (label.h) */
    int  (*finish)(Canvas *c, Str *file, Err *e);                                              /* the bytes of the file are added */
    void (*close)(Canvas *c);
    Str   body;                        /* of SVG */
    void *own;                         /* cairo's context, of PNG */
};

/* A white page. title: for readers that cannot see the picture. On failure nothing is open. */
int canvas_svg(Canvas *c, double width, double height, const char *title, Err *e);
int canvas_png(Canvas *c, double width, double height, const char *title, Err *e);

/* A picture inside a page of HTML, which gives it its size, font and background, and may give its colours and groups others.
 * id: unique in the page, a name of letters and digits. description: what there is to see. */
int  canvas_inline(Canvas *c, double width, double height, const char *id, const char *title, const char *description, Err *e);
void canvas_group(Canvas *c, const char *classes);           /* of SVG only: what is drawn up to the end belongs to these classes */
void canvas_group_end(Canvas *c);

#endif
