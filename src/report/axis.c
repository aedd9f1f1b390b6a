/* axis.c - see axis.h */
#include "report/axis.h"

#include <float.h>
#include <math.h>

#include "report/label.h"

const uint32_t AXIS_LINE = 0xAAB3BB, AXIS_GRID = 0xE7EAED, AXIS_TEXT = 0x5F6B76;

void range_add(Range *r, const double *v, int64_t n)
{
    for (int64_t i = 0; v && i < n; i++) {
        if (!isfinite(v[i])) continue;
        if (!r->any || v[i] < r->lo) r->lo = v[i];
        if (!r->any || v[i] > r->hi) r->hi = v[i];
        r->any = 1;
    }
}

/* Where nothing is negative the axis does not pretend that it could be, and zero shows when it is near. */
void range_pad(const Range *r, Frame *f)
{
    int positive = r->lo >= 0, near_zero = r->lo <= 0.25 * r->hi;
    f->lo = r->lo;
    f->hi = r->hi;
    ticks_widen(&f->lo, &f->hi);
    double air = f->hi / 20 - f->lo / 20;
    f->hi = fmin(f->hi + air, DBL_MAX);
    f->lo = fmax(f->lo - air, -DBL_MAX);
    if (positive && f->hi > 0 && (near_zero || f->lo < 0)) f->lo = 0;
}

void axis_steps(Ticks *t, const Frame *f, double size)
{
    char widest[TICK_TEXT];
    ticks_whole(widest, f->to);
    int most = (int)(f->w / (label_width(widest, size) + 2.2 * size));
    most = most < 2 ? 2 : most > 8 ? 8 : most;
    if (f->to - f->from < most) *t = (Ticks){f->from, (int)(f->to - f->from) + 1, 1, 0};
    else ticks_find(t, (double)f->from, (double)f->to, most);
}

double axis_label_width(const Ticks *t, double size)
{
    double widest = 0;
    for (int i = 0; i < t->n; i++) {
        char text[TICK_TEXT];
        ticks_label(text, t, i);
        widest = fmax(widest, label_width(text, size));
    }
    return widest;
}

void axis_draw_value(Canvas *c, const Frame *f, double value, const char *text, double size)
{
    double y = frame_y(f, value);
    c->line(c, (double[]){f->x, y, f->x + f->w, y}, 2, 0.8, AXIS_GRID);
    c->text(c, f->x - 0.6 * size, y + 0.35 * size, text, &(Font){size, AXIS_TEXT, ANCHOR_RIGHT, 0});
}

void axis_draw_values(Canvas *c, const Frame *f, const Ticks *t, double size)
{
    for (int i = 0; i < t->n; i++) {
        char text[TICK_TEXT];
        ticks_label(text, t, i);
        axis_draw_value(c, f, ticks_value(t, i), text, size);
    }
}

void axis_draw_base(Canvas *c, const Frame *f) { c->line(c, (double[]){f->x, f->y + f->h, f->x + f->w, f->y + f->h}, 2, 1, AXIS_LINE); }

void axis_draw_mark(Canvas *c, const Frame *f, double x, double size, int row, const char *text, Anchor anchor)
{
    double y = f->y + f->h;
    c->line(c, (double[]){x, y, x, y + 4}, 2, 1, AXIS_LINE);
    c->text(c, x, y + (1.65 + 1.35 * row) * size, text, &(Font){size, AXIS_TEXT, anchor, 0});
}
