/* ref_linear.c - products with a weight, and linear, linear_dx, linear_dw made of them. */
#include "kernels/cpu/ref.h"

#include <string.h>

static size_t row_of(const Weight *w, int group, int o) { return ((size_t)group * (size_t)w->out + (size_t)o) * (size_t)w->in; }

/* A row of a weight as an operand. */
static const float *weight_row(const Backend *b, const Weight *w, int group, int o, float *buf)
{
    Stored s = weight_group(w, group);
    size_t at = (size_t)o * (size_t)w->in;
    if (s.type == F32 && !rounds(b, w)) return (const float *)s.p + at;
    for (int i = 0; i < w->in; i++)
        buf[i] = s.type == BF16 ? bf16_to_f32(((const bf16 *)s.p)[at + (size_t)i]) : bf16_round(((const float *)s.p)[at + (size_t)i]);
    return buf;
}

void product_wt(const Backend *b, double *y, const float *x, int n, const Weight *w, int group, float *buf)
{
    for (int o = 0; o < w->out; o++) {
        const float *row = weight_row(b, w, group, o, buf);
        for (int i = 0; i < n; i++) y[(size_t)i * (size_t)w->out + (size_t)o] = dot(x + (size_t)i * (size_t)w->in, row, w->in);
    }
}

void product_w(const Backend *b, double *y, const float *x, int n, const Weight *w, int group, float *buf, Acc acc)
{
    if (acc == SET) memset(y, 0, (size_t)n * (size_t)w->in * sizeof *y);
    for (int o = 0; o < w->out; o++) {
        const float *row = weight_row(b, w, group, o, buf);
        for (int i = 0; i < n; i++) {
            double g = x[(size_t)i * (size_t)w->out + (size_t)o], *to = y + (size_t)i * (size_t)w->in;
            for (int k = 0; k < w->in; k++) to[k] += g * (double)row[k];
        }
    }
}

/* Row r as operands: where it lies, or converted into buf. */
static const float *operands(Mat m, int r, int n, int round, float *buf)
{
    if (m.type == F32 && !round) return (const float *)m.p + mat_at(m, r, 0);
    for (int i = 0; i < n; i++) buf[i] = rounded(round, mat_get(m, r, i));
    return buf;
}

void product_dw(const Backend *b, const Weight *w, int group, int o, Mat g, Mat x, int n, double *sum, float *buf)
{
    int round = rounds(b, w);
    float *dw = w->dw + row_of(w, group, o);
    memset(sum, 0, (size_t)w->in * sizeof *sum);
    for (int i = 0; i < n; i++) {
        double gi = rounded(round, mat_get(g, i, o));
        const float *xi = operands(x, i, w->in, round, buf);
        for (int k = 0; k < w->in; k++) sum[k] += gi * (double)xi[k];
    }
    for (int k = 0; k < w->in; k++) dw[k] = (float)((double)dw[k] + sum[k]);
}

typedef struct Linear { Backend *b; Mat y, x; const Weight *w; Vec bias; Acc acc; const Input *in; Work work; } Linear;
typedef struct LinearWork { float *x, *buf; double *y; } LinearWork;

static LinearWork linear_carve(Bump *s, const Weight *w)
{
    int wide = imax(w->in, w->out);
    return (LinearWork){take_floats(s, ROWS, wide), take_floats(s, 1, w->in), take_doubles(s, ROWS, wide)};
}

static size_t linear_each(const Weight *w)
{
    Bump s = {0};
    linear_carve(&s, w);
    return s.at;
}

/* Any product between two widths of the model. */
size_t ref_linear_scratch(const Dims *d, int threads)
{
    int wide = imax(imax(d->D, (d->H + 2 * d->Hk) * d->d), imax(d->O, imax(d->F, d->Fe)));
    Weight w = {.out = wide, .in = wide};
    return (size_t)threads * linear_each(&w);
}

static void load_operands(float *to, Mat m, int at, int n, int cols, int round)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < cols; k++) *to++ = rounded(round, mat_get(m, at + i, k));
}

static void linear_item(void *arg, int item, int worker)
{
    const Linear *a = arg;
    Bump s = work_of(a->work, worker);
    LinearWork k = linear_carve(&s, a->w);
    int at = item * ROWS, n = imin(ROWS, a->in->ntok - at), out = a->w->out;
    load_operands(k.x, a->x, at, n, a->w->in, rounds(a->b, a->w));
    product_wt(a->b, k.y, k.x, n, a->w, 0, k.buf);
    for (int i = 0; i < n; i++)
        for (int o = 0; o < out; o++) {
            double y = k.y[i * out + o];
            if (a->bias.w) y += (double)a->bias.w[o];
            if (a->acc == ADD) y += (double)mat_get(a->y, at + i, o);
            mat_set(a->y, at + i, o, y);
        }
}

void ref_linear(Backend *b, Mat y, Mat x, const Weight *w, Vec bias, Acc acc, const Input *in)
{
    Linear a = {b, y, x, w, bias, acc, in, work_open(b, 0, linear_each(w))};
    par_for(b->par, pieces(in->ntok, ROWS), linear_item, &a);
}

static void linear_dx_item(void *arg, int item, int worker)
{
    const Linear *a = arg;
    Bump s = work_of(a->work, worker);
    LinearWork k = linear_carve(&s, a->w);
    int at = item * ROWS, n = imin(ROWS, a->in->ntok - at), cols = a->w->in;
    load_operands(k.x, a->x, at, n, a->w->out, rounds(a->b, a->w));
    product_w(a->b, k.y, k.x, n, a->w, 0, k.buf, SET);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < cols; c++) mat_set(a->y, at + i, c, k.y[i * cols + c]);
}

void ref_linear_dx(Backend *b, Mat dx, Mat dy, const Weight *w, const Input *in)
{
    Linear a = {.b = b, .y = dx, .x = dy, .w = w, .in = in, .work = work_open(b, 0, linear_each(w))};
    par_for(b->par, pieces(in->ntok, ROWS), linear_dx_item, &a);
}

/* One row of dW, and one number of dbias. */
static void linear_dw_item(void *arg, int o, int worker)
{
    const Linear *a = arg;
    Bump s = work_of(a->work, worker);
    LinearWork k = linear_carve(&s, a->w);
    for (int c = 0; c < a->in->nchunk; c++) {
        int at = a->in->chunk[c], n = a->in->chunk[c + 1] - at;
        double sum = 0;
        product_dw(a->b, a->w, 0, o, mat_from(a->y, at, 0), mat_from(a->x, at, 0), n, k.y, k.buf);
        if (!a->bias.w) continue;
        for (int t = at; t < at + n; t++) sum += (double)mat_get(a->y, t, o);
        a->bias.dw[o] = (float)((double)a->bias.dw[o] + sum);
    }
}

void ref_linear_dw(Backend *b, const Weight *w, Vec bias, Mat dy, Mat x, const Input *in)
{
    Linear a = {.b = b, .y = dy, .x = x, .w = w, .bias = bias, .in = in, .work = work_open(b, 0, linear_each(w))};
    par_for(b->par, w->out, linear_dw_item, &a);
}
