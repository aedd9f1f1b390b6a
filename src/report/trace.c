/* trace.c - see trace.h */
#include "report/trace.h"

#include <math.h>

/* Room inside the box for half a dot at its left and right. */
static const double INSET = 5;
static const double DOT = 2.6;         /* width of a dot: so many times that of its line */
static const double DENSE = 0.7;       /* lines that fill an area are so many times as wide, or the area would be a block */
static const double DOTS_APART = 14;   /* values so far apart show a dot each */

double frame_x(const Frame *f, double step)
{
    if (f->to == f->from) return f->x + f->w / 2;
    return f->x + INSET + (f->w - 2 * INSET) * (step - (double)f->from) / (double)(f->to - f->from);
}

/* In halves, because hi - lo may be too large for a double. */
double frame_y(const Frame *f, double value) { return f->y + f->h * ((f->hi / 2 - value / 2) / (f->hi / 2 - f->lo / 2)); }

/* A line that is being drawn, in pieces of at most PIECE points. */
enum { PIECE = 1024 };
typedef struct Pen {
    Canvas *canvas;
    const Trace *trace;
    double width;
    int    dots, joined;               /* each value gets a dot; the first of xy belongs to what was drawn before */
    int    n;
    double xy[2 * PIECE];              /* (n,2) */
} Pen;

/* The end of a line; a value between two gaps would be no line at all and becomes a dot. */
static void pen_lift(Pen *p)
{
    const Trace *t = p->trace;
    if (p->n > 1) p->canvas->line(p->canvas, p->xy, p->n, p->width, t->rgb);
    for (int i = p->joined; i < p->n && (p->dots || p->n == 1); i++) p->canvas->line(p->canvas, p->xy + 2 * i, 1, DOT * p->width, t->rgb);
    p->n = p->joined = 0;
}

static void pen_to(Pen *p, double x, double y)
{
    if (p->n == PIECE) {
        double last[2] = {p->xy[2 * PIECE - 2], p->xy[2 * PIECE - 1]};
        pen_lift(p);
        p->xy[0] = last[0];
        p->xy[1] = last[1];
        p->n = p->joined = 1;
    }
    p->xy[2 * p->n] = x;
    p->xy[2 * p->n++ + 1] = y;
}

static double value_at(const Trace *t, int64_t i) { return i < 0 ? t->lead : t->value[i]; }
static double step_at(const Trace *t, int64_t i) { return (double)(t->step && i >= 0 ? t->step[i] : t->at + i); }

/* Values a..b-1, which fall onto one column of pixels: the first, the least, the greatest and the last make the same picture as all. */
static void draw_column(Pen *p, const Frame *f, int64_t a, int64_t b)
{
    const Trace *t = p->trace;
    while (a < b && !isfinite(value_at(t, a))) a++;
    if (a == b) { pen_lift(p); return; }
    int64_t least = a, greatest = a, last = a;
    for (int64_t i = a; i < b; i++) {
        double v = value_at(t, i);
        if (!isfinite(v)) continue;
        if (v < value_at(t, least)) least = i;
        if (v > value_at(t, greatest)) greatest = i;
        last = i;
    }
    int64_t seen[] = {a, least < greatest ? least : greatest, least < greatest ? greatest : least, last};
    for (int k = 0; k < 4; k++)
        if (!k || seen[k] > seen[k - 1]) pen_to(p, frame_x(f, step_at(t, seen[k])), frame_y(f, value_at(t, seen[k])));
}

/* Values that a box as wide as this would hold: one a step, or as close to each other as they are on average. */
static double places(const Frame *f, const Trace *t)
{
    double all = (double)(f->to - f->from);
    if (!t->step || t->n < 2) return all;
    return all * (double)(t->n - 1) / (double)(t->step[t->n - 1] - t->step[0]);
}

/* More than two values per column of pixels. */
static int is_dense(const Frame *f, const Trace *t) { return places(f, t) > 2 * f->w; }

/* The steps a..end that begin in the same column as a; one alone where there are no more steps than two per column. */
static int64_t column_end(const Frame *f, const Trace *t, int64_t a)
{
    if (!is_dense(f, t)) return a + 1;
    double column = floor(frame_x(f, step_at(t, a)));
    int64_t b = a + 1;
    while (b < t->n && floor(frame_x(f, step_at(t, b))) <= column) b++;
    return b;
}

void trace_draw(Canvas *c, const Frame *f, const Trace *t)
{
    Pen p = {.canvas = c, .trace = t, .width = t->width * (is_dense(f, t) ? DENSE : 1)};
    int lead = t->n > 0 && isfinite(t->lead) && isfinite(t->value[0]) && !is_dense(f, t);
    p.dots = t->n == 1 || (f->w - 2 * INSET) / places(f, t) >= DOTS_APART;
    p.joined = lead;                   /* the lead is another line's point and gets no dot of this one */
    for (int64_t a = lead ? -1 : 0, b; a < t->n; a = b) {
        b = column_end(f, t, a);
        draw_column(&p, f, a, b);
    }
    pen_lift(&p);
}
