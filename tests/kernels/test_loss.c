/* heads_loss: predictions of all heads, Huber loss over the points that exist, gradients, and the first segment that is not finite. */
#include "device.h"
#include "kernels/op_help.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of (token, output): prediction - target, the rounding that this error carries, and the gradient of the loss; 0 without a target. */
typedef struct Element { double e, slack, g; int valid; } Element;
typedef struct Loss {
    Rig r;
    Heads h;
    Mat x, dx;
    StepSum *sum;
    Element *el;
    Out *osum, *obad, *odx, *odw;
    int bad;                             /* segment that is not finite, -1: none */
    Backend *b;
} Loss;

enum { SEG0 = 7, SUMS = MAX_HORIZONS + 4 };      /* huber, abs, sq, norm2, aux lie one behind the other */

static const int patch[][2] = {{1, 1}, {4, 4}, {3, 1}, {2, 5}, {32, 7}};
static const int horizons[][MAX_HORIZONS] = {{1, 8, 32, 64}, {1}, {3, 5}, {1, 2, 3, 4, 5, 6, 7, 11}, {2, 33}};
static const int width[] = {16, 7, 36, 1, 33, 20};
enum { NPATCH = sizeof patch / sizeof *patch, NHORIZONS = sizeof horizons / sizeof *horizons, NWIDTH = sizeof width / sizeof *width };
static int inside, outside;                      /* errors on either side of delta, over all cases */

static int first_segment(const Rig *r, int tok)
{
    int i = 0;
    while (i < r->c.in.nseg && r->c.seg[i].tok < tok) i++;
    return i;
}

static void run_loss(void *job, Backend *b, const Input *in, int tok)
{
    const Loss *k = job;
    Mat x = mat_at_row(k->x, tok), dx = mat_at_row(k->dx, tok);
    x.rows = in->ntok;
    if (dx.p) dx.rows = in->ntok;
    k->sum->seg0 = SEG0 + first_segment(&k->r, tok);
    b->ops.heads_loss(b, k->sum, dx, x, &k->h, in);
}

static double weight(const Loss *k, int o, int i) { return rounding(&k->r, (double)k->h.w.w[o * k->h.w.in + i]); }

/* A prediction is an fp32 number. The terms of its sum and the target are what its error is made of. */
static Element element(const Loss *k, int t, int o, const Seg *s, int point, int horizon)
{
    Element x = {.valid = point < s->npt};
    double pred = 0, delta = (double)k->h.delta;
    if (!x.valid) return x;
    for (int i = 0; i < k->x.cols; i++) {
        double p = (double)at(k->x, t, i) * weight(k, o, i);
        pred += p;
        x.slack += fabs(p);
    }
    x.e = (double)(float)pred - (double)k->r.c.in.points[s->pt + point];
    x.slack += fabs((double)k->r.c.in.points[s->pt + point]);
    x.g = rounding(&k->r, k->h.scale[horizon] * (x.e > delta ? delta : x.e < -delta ? -delta : x.e));
    return x;
}

static void elements(Loss *k)
{
    const Input *in = &k->r.c.in;
    Element *x = k->el;
    for (int t = 0; t < in->ntok; t++) {
        const Seg *s = segment_of(in, t);
        int o = 0;
        for (int i = 0; i < k->h.n; i++)
            for (int j = 0; j < k->h.h[i]; j++, o++, x++) *x = element(k, t, o, s, (t - s->tok) * in->S + in->P + j, i);
    }
}

/* Rounding errors of different elements are independent: their squares add up. To that of a prediction come those of adding a
 * token's elements in fp32, which are at most as many as K counts; tokens are added in double. */
typedef struct Total { double sum, square; } Total;
static void count(Total *run, Total *all, double value, double slope, double slack)
{
    run->sum += value;
    all->square += slope * slope * slack * slack;
}
static void close_run(Total *run, Total *all)
{
    all->sum += run->sum;
    all->square += run->sum * run->sum;
    *run = (Total){0, 0};
}

static void sums_formula(Loss *k)
{
    Total huber[MAX_HORIZONS] = {{0, 0}}, abs = {0, 0}, sq = {0, 0}, run[3] = {{0, 0}};
    const Element *x = k->el;
    double d = (double)k->h.delta;
    for (int t = 0; t < k->r.c.in.ntok; t++)
        for (int i = 0; i < k->h.n; i++) {
            for (int j = 0; j < k->h.h[i]; j++, x++) {
                double a = fabs(x->e);
                if (!x->valid) continue;
                if (a <= d) inside++; else outside++;
                count(&run[0], &huber[i], a <= d ? a * a / 2 : d * a - d * d / 2, a <= d ? a : d, x->slack);
                count(&run[1], &abs, a, 1, x->slack);
                count(&run[2], &sq, a * a, 2 * a, x->slack);
            }
            close_run(&run[0], &huber[i]);
            close_run(&run[1], &abs);
            close_run(&run[2], &sq);
        }
    const double *first = k->sum->huber;
    for (int i = 0; i < SUMS; i++) say(k->osum, 0, i, first[i], 0);            /* of the others not a bit changes */
    for (int i = 0; i < k->h.n; i++) say(k->osum, 0, i, first[i] + huber[i].sum, sqrt(huber[i].square));
    say(k->osum, 0, MAX_HORIZONS, k->sum->abs + abs.sum, sqrt(abs.square));
    say(k->osum, 0, MAX_HORIZONS + 1, k->sum->sq + sq.sum, sqrt(sq.square));
}

/* How far the rounding of a prediction moves its gradient: nowhere once the error is cut. */
static double slack_of_g(const Loss *k, const Element *x, int o)
{
    int i = 0;
    for (int end = k->h.h[0]; o >= end; end += k->h.h[i]) i++;
    return fabs(x->e) < (double)k->h.delta + 1e-3 ? k->h.scale[i] * x->slack : 0;
}

static void dx_formula(Loss *k)
{
    int O = k->h.w.out;
    for (int t = 0; t < k->dx.rows; t++)
        for (int c = 0; c < k->dx.cols; c++) {
            double s = 0, terms = 0, square = 0;
            for (int o = 0; o < O; o++) {
                const Element *x = &k->el[t * O + o];
                double w = weight(k, o, c), moved = w * slack_of_g(k, x, o);
                s += x->g * w;
                terms += fabs(x->g * w);
                square += moved * moved;
            }
            say(k->odx, t, c, s, terms + sqrt(square));
        }
}

static void dw_formula(Loss *k)
{
    int D = k->h.w.in, O = k->h.w.out;
    for (int o = 0; o < O; o++)
        for (int c = 0; c < D; c++) {
            double s = (double)k->h.w.dw[o * D + c], terms = fabs(s), square = 0;
            for (int t = 0; k->dx.p && t < k->x.rows; t++) {
                const Element *e = &k->el[t * O + o];
                double x = (double)at(k->x, t, c), moved = x * slack_of_g(k, e, o);
                s += e->g * x;
                terms += fabs(e->g * x);
                square += moved * moved;
            }
            say(k->odw, o, c, s, terms + sqrt(square));
        }
}

static void loss_formula(void *job, Rig *r)
{
    Loss *k = job;
    (void)r;
    elements(k);
    sums_formula(k);
    say(k->obad, 0, 0, -1, 0);
    if (k->odx) dx_formula(k);
    if (k->odw) dw_formula(k);
}

static void loss_open(Loss *k, const int *shape, int p, const int *h, int D, Dtype type, int pad)
{
    *k = (Loss){.bad = -1};
    rig_open(&k->r, shape, patch[p][0], patch[p][1], type, pad);
    k->r.thin = 5;
    int O = 0;
    for (; k->h.n < MAX_HORIZONS && h[k->h.n]; k->h.n++) {
        k->h.h[k->h.n] = h[k->h.n];
        k->h.scale[k->h.n] = 1.0 / (3 + 7 * k->h.n);
        O += h[k->h.n];
    }
    k->h.delta = 1.25f;
    k->h.w = rig_weight(&k->r, 1, O, D, 0.25);
    k->x = rig_mat(&k->r, k->r.c.in.ntok, D, type, 1);
    k->sum = rig_mem(&k->r, sizeof *k->sum);
    *k->sum = (StepSum){.abs = 0.75, .sq = 2.5, .norm2 = 3, .aux = 4, .bad_seg = -1, .applied = 11};
    for (int i = 0; i < MAX_HORIZONS; i++) k->sum->huber[i] = i + 0.5;
    k->el = rig_mem(&k->r, (size_t)k->x.rows * (size_t)O * sizeof *k->el);
    k->r.dims.D = D;
    k->r.dims.O = O;
}

/* Without dx the gradient of W stays as it is, and need not exist. */
static void one_loss(const int *shape, int p, const int *h, int D, Dtype type, int pad, int with_dx, int with_dw)
{
    Loss k;
    loss_open(&k, shape, p, h, D, type, pad);
    int n = k.x.rows, O = k.h.w.out;
    if (with_dx) {
        k.dx = rig_mat(&k.r, n, D, type, 0);
        k.odx = rig_out_mat(&k.r, "dx", k.dx, O + D);
    }
    if (with_dw) k.odw = rig_out(&k.r, "dW", 'f', k.h.w.dw, O, D, D, with_dx ? n + D : 0);
    else         k.h.w.dw = NULL;
    k.osum = rig_out(&k.r, "sums", 'd', k.sum->huber, 1, SUMS, SUMS, D + 2);
    k.obad = rig_out(&k.r, "bad_seg", 'i', &k.sum->bad_seg, 1, 1, 1, 0);
    for (int i = 0; k.r.type == BF16 && i < k.r.nout; i++) k.r.out[i].steps = 0x1p-9;
    rig_check(&k.r, run_loss, loss_formula, &k);
    if (k.sum->applied != 11) test_fail(__FILE__, __LINE__, "applied is for adamw to set");
    rig_close(&k.r);
}

static void bad_formula(void *job, Rig *r)
{
    Loss *k = job;
    (void)r;
    say(k->obad, 0, 0, k->bad < 0 ? -1 : SEG0 + k->bad, 0);
}

enum { NONE = -1 };

/* Up to two segments get a bad point: the last one, which is a target, or the first, which is none. `before`: what is known already. */
static void one_bad(const int *shape, int p, int a, int b, int last, float value, int before, int want)
{
    Loss k;
    loss_open(&k, shape, p, horizons[0], 7, F32, 1);
    for (int i = 0; i < 2; i++) {
        const Seg *s = (i ? b : a) == NONE ? NULL : &k.r.c.seg[i ? b : a];
        if (s) ((float *)k.r.c.in.points)[s->pt + (last ? s->npt - 1 : 0)] = value;
    }
    k.bad = want;
    k.sum->bad_seg = before;
    k.obad = rig_out(&k.r, "bad_seg", 'i', &k.sum->bad_seg, 1, 1, 1, 0);
    rig_check(&k.r, run_loss, bad_formula, &k);
    rig_close(&k.r);
}

/* Several blocks of tokens in a chunk, several chunks: the first one wins wherever the micro-batches end. */
static void bad_segments(void)
{
    static const int shape[] = {3, 7, 8, 9}, last[] = {3, 3, 6, 5};
    for (int i = 0; i < 4; i++) {
        const int *s = shapes[shape[i]];
        int n = last[i], p = i % 4;
        one_bad(s, p, NONE, NONE, 1, NAN, NONE, NONE);
        for (int a = 0; a < n; a++) one_bad(s, p, a, NONE, 1, a % 2 ? NAN : INFINITY, NONE, a);
        one_bad(s, p, n - 1, 1, 1, -INFINITY, NONE, 1);
        one_bad(s, p, n - 2, 0, 1, NAN, NONE, 0);
        one_bad(s, p, 0, 1, 0, NAN, NONE, NONE);
        one_bad(s, p, 1, 2, 1, NAN, SEG0, 0);
    }
}

static double loss_scalar(void *job)
{
    Loss *k = job;
    double s = 0;
    Mat dx = k->dx;
    memset(k->sum->huber, 0, sizeof k->sum->huber);
    k->dx.p = NULL;
    run_loss(k, k->b, &k->r.c.in, 0);
    k->dx = dx;
    for (int i = 0; i < k->h.n; i++) s += k->h.scale[i] * k->sum->huber[i];
    return s;
}

/* Every third target is far away, so errors lie on either side of delta, none so near that a difference crosses it: between the
 * two the loss is a polynomial of degree 2, of which differences give the slope exactly. */
static void loss_slopes(void)
{
    static const int shape[] = {3, 4, 0, 2, 0, -1}, h[MAX_HORIZONS] = {2, 5};
    Loss k;
    loss_open(&k, shape, 2, h, 5, F32, 0);
    k.h.delta = 20;
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < k.r.c.seg[s].npt; i += 3) ((float *)k.r.c.in.points)[k.r.c.seg[s].pt + i] += i % 2 ? 50 : -50;
    k.dx = rig_mat(&k.r, 9, 5, F32, 0);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    memset(k.h.w.dw, 0, 35 * sizeof(float));
    run_loss(&k, k.b, &k.r.c.in, 0);
    slopes_check("heads x", k.x.p, k.dx.p, 45, loss_scalar, &k, 1e-6);
    slopes_check("heads W", (float *)k.h.w.w, k.h.w.dw, 35, loss_scalar, &k, 1e-6);
    tier_close(k.b);
    rig_close(&k.r);
}

__attribute__((weak)) extern int emu_lt_made[];         /* tests/emu/cublasLt.c: products by each of its algorithms */

TEST(cuda_heads_by_a_library)
{
    if (!test_device_is_there()) return;
    TestEnv library = test_env("FTS_CUBLAS", "yes");
    int before = emu_lt_made ? emu_lt_made[0] : 0;
    for (int s = 1; s < 5; s++)
        for (int type = F32; type <= BF16; type++) one_loss(shapes[s], s % NPATCH, horizons[s % NHORIZONS], width[s % NWIDTH], (Dtype)type, 8 * (s % 2), s % 3 > 0, 1);
    test_env_back(&library);
    CHECK(test_device_is_real() || emu_lt_made[0] > before);
}

TEST(op_heads_loss)
{
    inside = outside = 0;
    loss_slopes();
    bad_segments();
    for (int s = 0; s < nshapes; s++)
        for (int p = 0; p < (s < nsmall ? NPATCH : 2); p++) {
            int with = s + 2 * p;
            const int *h = horizons[(s + p) % NHORIZONS];
            one_loss(shapes[s], p, h, width[with % NWIDTH], F32, p % 3, 1, 1);
            if (s >= nsmall) continue;
            one_loss(shapes[s], p, horizons[0], width[(with + 1) % NWIDTH], F32, p % 2, 1, 1);
            one_loss(shapes[s], p, h, width[(with + 3) % NWIDTH], F32, p % 2, 0, p % 2);
            one_loss(shapes[s], p, h, width[(with + 5) % NWIDTH], BF16, p % 3, 1, 1);
        }
    CHECK(inside > 10000 && outside > 10000);
}
