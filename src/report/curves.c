/* curves.c - see curves.h */
#include "report/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/label.h"
#include "report/picture.h"
#include "report/ticks.h"

static const double WIDTH = 1080, MARGIN = 28, GAP = 40, CHART = 210, HEADING = 18, TITLE = 13, TEXT = 11.5, LINE = 1.8, DOT = 5.5, INSET = 8;
static const uint32_t GRID = 0xE7EAED, AXIS = 0xAAB3BB, INK = 0x5F6B76, DARK = 0x1F2933, GREY = 0x8A949E;
/* Of Okabe and Ito, which colour-blind readers tell apart. */
static const uint32_t palette[] = {0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x7A5C00, 0x333333};
enum { COLUMNS = 2, COLOURS = sizeof palette / sizeof *palette };

typedef struct Box { double x, y, w, h, left, right, low, high; int powers; } Box;      /* the frame on the page, and the values it spans: left, right as they are spread */

static uint32_t colour_of(int i) { return i < 0 ? GREY : palette[i % COLOURS]; }
static double spread(const Box *b, double x) { return b->powers ? log2(x) : x; }
static double at_x(const Box *b, double x) { return b->x + INSET + (b->w - 2 * INSET) * (b->right > b->left ? (spread(b, x) - b->left) / (b->right - b->left) : 0.5); }
static double at_y(const Box *b, double y) { return b->y + b->h * (1 - (y - b->low) / (b->high - b->low)); }

static int span(Box *b, const CurveChart *c)
{
    int empty = 1;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->curve[i].n; k++) {
            double x = spread(b, c->curve[i].x[k]), y = c->curve[i].y[k];
            if (!isfinite(x) || !isfinite(y)) continue;
            if (empty || x < b->left) b->left = x;
            if (empty || x > b->right) b->right = x;
            if (empty || y < b->low) b->low = y;
            if (empty || y > b->high) b->high = y;
            empty = 0;
        }
    if (empty) return 0;
    if (c->from_zero && b->low > 0) b->low = 0;
    ticks_widen(&b->low, &b->high);
    b->high += 0.05 * (b->high - b->low);
    if (!c->from_zero) b->low -= 0.05 * (b->high - b->low);
    return 1;
}

/* Room for the labels of the values; places what stands left of the frame. */
static void draw_values(Box *b, Canvas *c)
{
    char text[TICK_TEXT];
    double widest = 0, left = b->x;
    Ticks t;
    ticks_find(&t, b->low, b->high, 6);
    for (int i = 0; i < t.n; i++) {
        ticks_label(text, &t, i);
        widest = fmax(widest, label_width(text, TEXT));
    }
    b->x = left + widest + 0.6 * TEXT;
    b->w -= b->x - left;
    for (int i = 0; i < t.n; i++) {
        double y = at_y(b, ticks_value(&t, i));
        ticks_label(text, &t, i);
        c->line(c, (double[]){b->x, y, b->x + b->w, y}, 2, 0.8, GRID);
        c->text(c, b->x - 0.6 * TEXT, y + 0.35 * TEXT, text, &(Font){TEXT, INK, ANCHOR_RIGHT, 0});
    }
}

/* A label below the frame, unless it would touch one that is there. used: right end of the last one */
static void put_below(const Box *b, Canvas *c, double x, const char *text, double *used)
{
    double half = label_width(text, TEXT) / 2;
    if (at_x(b, x) - half < *used + TEXT) return;
    c->line(c, (double[]){at_x(b, x), b->y + b->h, at_x(b, x), b->y + b->h + 4}, 2, 1, AXIS);
    c->text(c, at_x(b, x), b->y + b->h + 1.65 * TEXT, text, &(Font){TEXT, INK, ANCHOR_CENTRE, 0});
    *used = at_x(b, x) + half;
}

/* Where there are values, from left to right. */
static void label_powers(const Box *b, const CurveChart *chart, Canvas *c)
{
    char text[TICK_TEXT];
    double used = -1e9, last = -1;
    for (;;) {
        double next = INFINITY;
        for (int i = 0; i < chart->n; i++)
            for (int k = 0; k < chart->curve[i].n; k++)
                if (chart->curve[i].x[k] > last && chart->curve[i].x[k] < next) next = chart->curve[i].x[k];
        if (!isfinite(next)) return;
        ticks_whole(text, (int64_t)next);
        put_below(b, c, next, text, &used);
        last = next;
    }
}

static void label_evenly(const Box *b, Canvas *c)
{
    char text[TICK_TEXT];
    double used = -1e9, left = b->left, right = b->right;
    Ticks t;
    ticks_widen(&left, &right);
    ticks_find(&t, left, right, 5);
    for (int i = 0; i < t.n; i++) {
        ticks_label(text, &t, i);
        if (ticks_value(&t, i) >= b->left && ticks_value(&t, i) <= b->right) put_below(b, c, ticks_value(&t, i), text, &used);
    }
}

static void draw_curve(const Box *b, const Curve *v, Canvas *c)
{
    double before[2] = {NAN, NAN};
    for (int k = 0; k < v->n; k++) {
        double now[2] = {at_x(b, v->x[k]), at_y(b, v->y[k])};
        if (isfinite(before[1]) && isfinite(now[1])) c->line(c, (double[]){before[0], before[1], now[0], now[1]}, 2, v->colour < 0 ? 1 : LINE, colour_of(v->colour));
        if (isfinite(now[1]) && v->colour >= 0) c->line(c, now, 1, DOT, colour_of(v->colour));
        memcpy(before, now, sizeof before);
    }
}

static void draw_chart(const CurveChart *chart, double x, double y, double w, Canvas *c)
{
    Box b = {.x = x, .y = y + 1.9 * TITLE, .w = w, .h = CHART, .powers = chart->powers};
    c->text(c, x, y + TITLE, chart->title, &(Font){TITLE, DARK, ANCHOR_LEFT, 1});
    if (!span(&b, chart)) {
        c->text(c, x + w / 2, b.y + CHART / 2, "no values", &(Font){TEXT, INK, ANCHOR_CENTRE, 0});
        return;
    }
    draw_values(&b, c);
    c->line(c, (double[]){b.x, b.y + b.h, b.x + b.w, b.y + b.h}, 2, 1, AXIS);
    if (chart->powers) label_powers(&b, chart, c);
    else label_evenly(&b, c);
    c->text(c, b.x + b.w / 2, b.y + b.h + 3.2 * TEXT, chart->axis, &(Font){TEXT, INK, ANCHOR_CENTRE, 0});
    for (int i = 0; i < chart->n; i++) draw_curve(&b, &chart->curve[i], c);
}

/* Draws from line to line; c NULL: only measures. Returns the height. */
static double draw_legend(const char *const *names, int n, double y, Canvas *c)
{
    double x = MARGIN, line = 1.6 * TITLE, top = y;
    for (int i = 0; i < n; i++) {
        char name[LABEL_TEXT];
        label_fit(name, sizeof name, names[i], TITLE, WIDTH / 2);
        double w = 29 + label_width(name, TITLE) + 20;
        if (x > MARGIN && x + w > WIDTH - MARGIN) { x = MARGIN; y += line; }
        if (c) c->line(c, (double[]){x, y + 0.6 * TITLE, x + 22, y + 0.6 * TITLE}, 2, 2.2, colour_of(i));
        if (c) c->text(c, x + 29, y + 0.95 * TITLE, name, &(Font){TITLE, INK, ANCHOR_LEFT, 0});
        x += w;
    }
    return y - top + line;
}

int curves_write(const char *path, const CurveChart *chart, int n, const char *const *names, int nnames, const char *heading, Err *e)
{
    Canvas c;
    char text[LABEL_TEXT];
    double top = MARGIN + 1.9 * HEADING, cell = CHART + 1.9 * TITLE + 5.2 * TEXT, w = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
    double charts = top + draw_legend(names, nnames, top, NULL) + 10;
    label_fit(text, sizeof text, heading, HEADING, WIDTH - 2 * MARGIN);
    if (picture_open(&c, path, WIDTH, ceil(charts + (n + COLUMNS - 1) / COLUMNS * cell + 6), text, e)) return -1;
    c.text(&c, MARGIN, MARGIN + 0.8 * HEADING, text, &(Font){HEADING, DARK, ANCHOR_LEFT, 1});
    draw_legend(names, nnames, top, &c);
    for (int i = 0; i < n; i++) draw_chart(&chart[i], MARGIN + i % COLUMNS * (w + GAP), charts + i / COLUMNS * cell, w, &c);
    return picture_write(&c, path, e);
}
