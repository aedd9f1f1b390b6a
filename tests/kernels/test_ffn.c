/* ffn, ffn_bwd: the gated MLP over rows of experts, over one row per token (the shared expert), and with no scale (a dense model). */
#include "device.h"
#include "kernels/op_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* (D,F): neither is a multiple of a vector in some, F or D is wider than a tile of dW in the last ones. */
static const int widths[][2] = {{16, 20}, {20, 36}, {1, 17}, {17, 1}, {36, 64}, {20, 300}, {64, 100}, {400, 17}, {100, 17}, {24, 40}, {72, 136}, {264, 24}, {136, 264}};
enum { NWIDTHS = sizeof widths / sizeof *widths - 4,      /* the last: multiples of 8, for the library and for wgmma alone */
       NSMALL = 4, WIDEST = 400, FEW = 110 };

/* A hidden unit of a row: gate and up, what they are off by, the hidden number, and their gradients; each t is the terms of the one before it. */
typedef struct Unit { double g, tg, u, tu, h, th, dg, tdg, du, tdu; } Unit;

typedef struct Mlp {
    Rig r;
    Route route;
    int shared;                          /* the rows are those of the shared expert */
    int *group;                          /* of a row */
    Unit *unit;                          /* (rows,F) */
    double x_row[WIDEST], dout_row[WIDEST], g_row[WIDEST];      /* of one row: x, dout, and scale * dout as an operand */
    float *gate, *up, *down;             /* the weights as operands */
    Ffn w;
    Mat x, y, again, keep, dout, dx;
    Out *oy, *okeep, *odx, *odw[3], *oscale;
    Backend *b;
} Mlp;

static const Rows *rows_of(const Mlp *k) { return k->shared ? &k->route.shared : &k->route.routed; }
static int token_of(const Mlp *k, int row) { return rows_of(k)->token ? rows_of(k)->token[row] : row; }
static double scale_of(const Mlp *k, int row) { return rows_of(k)->scale ? (double)rows_of(k)->scale[row] : 1; }

static float *operands(Rig *r, const Weight *w)
{
    size_t n = (size_t)w->groups * (size_t)w->out * (size_t)w->in;
    float *p = rig_mem(r, n * sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = (float)rounding(r, (double)w->w[i]);
    return p;
}

static int *groups_of(Mlp *k)
{
    const Route *a = &k->route;
    int *p = rig_mem(&k->r, (size_t)rows_of(k)->n * sizeof *p);
    for (int i = 0; i < rows_of(k)->n; i++) p[i] = 0;
    for (int i = 0; !k->shared && i < a->routed.n; i++) p[a->row[i]] = a->expert[i];
    return p;
}

static void mlp_open(Mlp *k, const int *shape, int D, int F, int E, int K, int shared, Dtype type, int pad, int crowd)
{
    rig_open(&k->r, shape, 1, 1, type, pad);
    k->r.thin = getenv("FTS_CUBLAS") ? 0 : 53;
    k->route = rig_route(&k->r, E, K, crowd);
    k->shared = shared;
    k->r.dims.D = D;
    k->r.dims.F = shared ? F : 1;
    k->r.dims.Fe = shared ? 1 : F;
    int groups = shared ? 1 : E;
    k->w = (Ffn){rig_weight(&k->r, groups, F, D, 0.5), rig_weight(&k->r, groups, F, D, 0.5), rig_weight(&k->r, groups, D, F, 0.5)};
    k->x = rig_mat(&k->r, k->r.c.in.ntok, D, type, 1);
    k->gate = operands(&k->r, &k->w.gate);
    k->up = operands(&k->r, &k->w.up);
    k->down = operands(&k->r, &k->w.down);
    k->group = groups_of(k);
    k->unit = rig_mem(&k->r, (size_t)rows_of(k)->n * (size_t)F * sizeof *k->unit);
}

static double product(const float *w, const double *x, int n, double *terms)
{
    double s = 0;
    *terms = 0;
    for (int i = 0; i < n; i++) {
        double p = (double)w[i] * x[i];
        s += p;
        *terms += fabs(p);
    }
    return s;
}

static void load_row(Mlp *k, int row)
{
    for (int i = 0; i < k->x.cols; i++) {
        k->x_row[i] = (double)at(k->x, token_of(k, row), i);
        k->dout_row[i] = k->dout.p ? (double)at(k->dout, token_of(k, row), i) : 0;
        k->g_row[i] = rounding(&k->r, scale_of(k, row) * k->dout_row[i]);
    }
}

/* gate and up of every row: products, or what was kept, which is exact. The slope of silu is at most 1.1. */
static void units(Mlp *k, int kept)
{
    int F = k->w.gate.out, D = k->w.gate.in;
    for (int row = 0; row < rows_of(k)->n; row++) {
        load_row(k, row);
        for (int f = 0; f < F; f++) {
            Unit *p = &k->unit[row * F + f];
            size_t w = ((size_t)k->group[row] * (size_t)F + (size_t)f) * (size_t)D;
            p->g = rounding(&k->r, product(k->gate + w, k->x_row, D, &p->tg));
            p->u = rounding(&k->r, product(k->up + w, k->x_row, D, &p->tu));
            if (kept) {
                p->g = (double)at(k->keep, row, f);
                p->u = (double)at(k->keep, row, F + f);
                p->tg = p->tu = 0;
            }
            p->h = rounding(&k->r, silu_of(p->g) * p->u);
            p->th = 1.1 * p->tg * fabs(p->u) + fabs(silu_of(p->g)) * p->tu + fabs(p->h);
        }
    }
}

static void ffn_formula(void *job, Rig *r)
{
    Mlp *k = job;
    int F = k->w.gate.out, D = k->w.gate.in;
    (void)r;
    units(k, 0);
    for (int row = 0; row < k->y.rows; row++) {
        const Unit *p = k->unit + row * F;
        const float *w = k->down + (size_t)k->group[row] * (size_t)D * (size_t)F;
        for (int c = 0; c < D; c++) {
            double s = 0, terms = 0;
            for (int f = 0; f < F; f++) {
                s += p[f].h * (double)w[c * F + f];
                terms += p[f].th * fabs((double)w[c * F + f]);
            }
            say(k->oy, row, c, s, terms);
        }
        for (int f = 0; f < F; f++) {
            say(k->okeep, row, f, p[f].g, p[f].tg);
            say(k->okeep, row, F + f, p[f].u, p[f].tu);
        }
    }
}

/* The rows of a micro-batch in a matrix of rows; and back. */
static Mat rows_in(const Mlp *k, const Part *p, Mat all, int tok, int n, int fetch)
{
    if (!k->shared) return part_rows(p, all, fetch);
    Mat m = mat_at_row(all, tok);
    m.rows = n;
    return m;
}
static void rows_back(const Mlp *k, const Part *p, Mat rows, Mat all)
{
    if (!k->shared) part_return(p, rows, all);
}

static void same_rows(Mat a, Mat b, const char *tier)
{
    for (int i = 0; i < a.rows; i++)
        if (memcmp(mat_at_row(a, i).p, mat_at_row(b, i).p, (size_t)a.cols * dtype_size(a.type)))
            test_fail(__FILE__, __LINE__, "%s: row %d of %d has other bits if nothing is kept", tier, i, a.rows);
}

static void run_ffn(void *job, Backend *b, const Input *in, int tok)
{
    const Mlp *k = job;
    Part p;
    part_open(&p, &k->route, in, tok);
    const Rows *rows = k->shared ? &p.r.shared : &p.r.routed;
    Mat x = mat_at_row(k->x, tok), y = rows_in(k, &p, k->y, tok, in->ntok, 0), again = rows_in(k, &p, k->again, tok, in->ntok, 0);
    Mat keep = rows_in(k, &p, k->keep, tok, in->ntok, 0);
    x.rows = in->ntok;
    rig_copies(b, (const Weight *[]){&k->w.gate, &k->w.up, &k->w.down}, 3);
    b->ops.ffn(b, y, keep, x, &k->w, rows, in);
    b->ops.ffn(b, again, (Mat){0}, x, &k->w, rows, in);
    same_rows(y, again, b->tier);
    rows_back(k, &p, y, k->y);
    rows_back(k, &p, again, k->again);
    rows_back(k, &p, keep, k->keep);
    part_close(&p);
}

static void one_ffn(int s, int with, int E, int K, int shared, Dtype type)
{
    Mlp k = {.b = NULL};
    int D = widths[with][0], F = widths[with][1], n;
    mlp_open(&k, shapes[s], D, F, E, K, shared, type, rig_pad(s + with), s % 4 == 1);
    n = rows_of(&k)->n;
    k.y = rig_mat(&k.r, n, D, type, 0);
    k.again = rig_mat(&k.r, n, D, type, 0);
    k.keep = rig_mat(&k.r, n, 2 * F, type, 0);
    k.oy = rig_out_mat(&k.r, "y", k.y, D + F);
    k.okeep = rig_out_mat(&k.r, "keep", k.keep, D);
    if (type == BF16) k.oy->steps = 0x1p-6;                  /* gate, up or hidden, near the middle of two bf16: a step of at most 2^-7 each, seldom all at once */
    rig_check(&k.r, run_ffn, ffn_formula, &k);
    rig_close(&k.r);
}

typedef void One(int s, int with, int E, int K, int shared, Dtype type);

static int tokens_of(const int *shape)
{
    int n = 0;
    for (; *shape >= 0; shape++) n += *shape;
    return n;
}

/* Every shape with every routing, its experts and its shared expert; widths go round. Many tokens meet the wide ones
 * and bf16 with one routing only, which is not always the same. */
static void all_of(One *one)
{
    int E, K;
    for (int s = 0; s < nshapes; s++)
        for (int i = 0, n = tokens_of(shapes[s]); routes(i, &E, &K); i++)
            for (int shared = !K; shared < 2; shared++) {
                int every = n < FEW || (n < CHUNK && i == s % 5), with = every ? (s + 4 * i + 2 * shared) % NWIDTHS : (s + i + shared) % NSMALL;
                one(s, with, E, K, shared, F32);
                if (every) one(s, with, E, K, shared, BF16);
            }
}

TEST(op_ffn) { all_of(one_ffn); }

static void shared_by_a_library(One *one)
{
    static const int with[] = {NWIDTHS, 1};                 /* what it takes, and what it does not */
    const char *set = getenv("FTS_CUBLAS");
    char before[16] = "";
    if (set) snprintf(before, sizeof before, "%s", set);
    setenv("FTS_CUBLAS", "yes", 1);
    for (int s = 0; s < nsmall; s++)
        for (int i = 0; i < 2 && tokens_of(shapes[s]) < FEW; i++)
            for (int type = F32; type <= BF16; type++) one(s, with[i], (s + i) % 3 ? 4 : 0, (s + i) % 3 ? 2 : 0, 1, (Dtype)type);
    if (set) setenv("FTS_CUBLAS", before, 1); else unsetenv("FTS_CUBLAS");
}

/* dgate = wide u silu'(g), dup = wide silu(g) of a unit, wide = W_down^T (scale dout); the slope of silu has a slope of at most
 * 0.5, and is s + silu(g) (1-s): off by a rounding of 1 + |silu(g)|. */
static void unit_bwd(const Mlp *k, Unit *p, double wide, double terms)
{
    double a = silu_of(p->g), slope = slope_of_silu(p->g);
    p->dg = rounding(&k->r, wide * p->u * slope);
    p->du = rounding(&k->r, wide * a);
    p->tdg = terms * fabs(p->u * slope) + fabs(wide) * (fabs(slope) * p->tu + fabs(p->u) * (0.5 * p->tg + 1 + fabs(a)));
    p->tdu = terms * fabs(a) + fabs(wide) * (1.1 * p->tg + fabs(a));
}

/* All units of a row, and what the row adds to its scale's gradient: <W_down^T dout, hidden>. */
static void row_bwd(Mlp *k, int row)
{
    int F = k->w.gate.out, D = k->w.gate.in;
    double sum = 0, all = 0;
    for (int f = 0; f < F; f++) {
        Unit *p = &k->unit[row * F + f];
        double wide = 0, terms = 0, dh = 0, tdh = 0;
        for (int c = 0; c < D; c++) {
            double w = (double)k->down[(k->group[row] * D + c) * F + f], g = k->g_row[c] * w, d = k->dout_row[c] * w;
            wide += g;
            terms += fabs(g);
            dh += d;
            tdh += fabs(d);
        }
        unit_bwd(k, p, wide, terms);
        sum += dh * p->h;
        all += tdh * fabs(p->h) + fabs(dh) * p->th;
    }
    if (k->oscale) say(k->oscale, row, 0, sum, all);
}

static void dx_of(Mlp *k, int row)
{
    int F = k->w.gate.out, D = k->w.gate.in;
    const Unit *p = k->unit + row * F;
    for (int i = 0; i < D; i++) {
        double s = 0, terms = 0;
        for (int f = 0; f < F; f++) {
            size_t at_w = ((size_t)k->group[row] * (size_t)F + (size_t)f) * (size_t)D + (size_t)i;
            s += p[f].dg * (double)k->gate[at_w] + p[f].du * (double)k->up[at_w];
            terms += p[f].tdg * fabs((double)k->gate[at_w]) + p[f].tdu * fabs((double)k->up[at_w]);
        }
        say(k->odx, row, i, s, terms);
    }
}

static void dw_of(Mlp *k, int row)
{
    int F = k->w.gate.out, D = k->w.gate.in, e = k->group[row];
    for (int i = 0; i < D; i++) {
        double x = k->x_row[i], g = k->g_row[i];
        for (int f = 0; f < F; f++) {
            const Unit *p = &k->unit[row * F + f];
            say_more(k->odw[0], e * F + f, i, p->dg * x, p->tdg * fabs(x));
            say_more(k->odw[1], e * F + f, i, p->du * x, p->tdu * fabs(x));
            say_more(k->odw[2], e * D + i, f, g * p->h, fabs(g) * p->th);
        }
    }
}

static void ffn_bwd_formula(void *job, Rig *r)
{
    Mlp *k = job;
    const Weight *w[3] = {&k->w.gate, &k->w.up, &k->w.down};
    (void)r;
    for (int i = 0; i < 3; i++)
        for (int o = 0; o < w[i]->groups * w[i]->out; o++)
            for (int c = 0; c < w[i]->in; c++) {
                double dw = (double)w[i]->dw[o * w[i]->in + c];
                say(k->odw[i], o, c, dw, fabs(dw));
            }
    units(k, k->keep.p != NULL);
    for (int row = 0; row < rows_of(k)->n; row++) {
        load_row(k, row);
        row_bwd(k, row);
        dx_of(k, row);
        dw_of(k, row);
    }
}

/* The gradients of a micro-batch's scales are its own where its rows are. */
static void scales_back(const Mlp *k, const Part *p)
{
    for (int i = 0; !k->shared && p->from && i < p->r.routed.n; i++) k->route.routed.dscale[p->from[i]] = p->r.routed.dscale[i];
}

static void run_ffn_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Mlp *k = job;
    Part p;
    part_open(&p, &k->route, in, tok);
    Mat x = mat_at_row(k->x, tok), dout = mat_at_row(k->dout, tok), dx = rows_in(k, &p, k->dx, tok, in->ntok, 0), keep = rows_in(k, &p, k->keep, tok, in->ntok, 1);
    x.rows = dout.rows = in->ntok;
    rig_copies(b, (const Weight *[]){&k->w.gate, &k->w.up, &k->w.down}, 3);
    b->ops.ffn_bwd(b, dx, dout, keep, x, &k->w, k->shared ? &p.r.shared : &p.r.routed, in);
    scales_back(k, &p);
    rows_back(k, &p, dx, k->dx);
    rows_back(k, &p, keep, k->keep);
    part_close(&p);
}

/* As the forward op keeps them. */
static void fill_keep(Mlp *k)
{
    int F = k->w.gate.out, n = rows_of(k)->n;
    k->keep = rig_mat(&k->r, n, 2 * F, k->r.type, 0);
    units(k, 0);
    for (int row = 0; row < n; row++)
        for (int f = 0; f < F; f++) {
            put(k->keep, row, f, k->unit[row * F + f].g);
            put(k->keep, row, F + f, k->unit[row * F + f].u);
        }
}

static Out *weight_out(Rig *r, const char *name, const Weight *w, int K) { return rig_out(r, name, 'f', w->dw, w->groups * w->out, w->in, w->in, K); }

static void ffn_bwd_case(int s, int with, int E, int K, int shared, Dtype type, int kept)
{
    Mlp k = {.b = NULL};
    int D = widths[with][0], F = widths[with][1], n;
    mlp_open(&k, shapes[s], D, F, E, K, shared, type, rig_pad(s + with), s % 4 == 1);
    n = k.r.c.in.ntok;
    float *scale = rows_of(&k)->scale;
    if (scale && shared && n > 2) scale[1] = 0x1p-100f;        /* hardly asked: its gradient is no less exact */
    if (kept) fill_keep(&k);
    k.dout = rig_mat(&k.r, n, D, F32, 1);
    k.dx = rig_mat(&k.r, rows_of(&k)->n, D, type, 0);
    k.odx = rig_out_mat(&k.r, "dx", k.dx, D + 2 * F);
    k.odw[0] = weight_out(&k.r, "dWgate", &k.w.gate, n + D);
    k.odw[1] = weight_out(&k.r, "dWup", &k.w.up, n + D);
    k.odw[2] = weight_out(&k.r, "dWdown", &k.w.down, n + D);
    if (rows_of(&k)->scale) k.oscale = rig_out(&k.r, "dscale", 'f', rows_of(&k)->dscale, rows_of(&k)->n, 1, 1, D + F);
    for (int i = 0; type == BF16 && i < k.r.nout; i++) k.r.out[i].steps = 0x1p-9;
    rig_check(&k.r, run_ffn_bwd, ffn_bwd_formula, &k);
    rig_close(&k.r);
}

static void one_ffn_bwd(int s, int with, int E, int K, int shared, Dtype type)
{
    int few = tokens_of(shapes[s]) < FEW, kept = (E + shared) % 2;
    if (few || kept)  ffn_bwd_case(s, with, E, K, shared, type, 1);
    if (few || !kept) ffn_bwd_case(s, with, E, K, shared, type, 0);
}

/* sum over rows of scale <y, dout> */
static double ffn_scalar(void *job)
{
    Mlp *k = job;
    double s = 0;
    k->b->ops.ffn(k->b, k->y, (Mat){0}, k->x, &k->w, rows_of(k), &k->r.c.in);
    for (int row = 0; row < k->y.rows; row++)
        for (int c = 0; c < k->y.cols; c++) s += scale_of(k, row) * (double)at(k->y, row, c) * (double)at(k->dout, token_of(k, row), c);
    return s;
}

/* The gradient of x is the sum of its rows' ones. */
static void x_slopes(Mlp *k)
{
    float dx[6 * 4] = {0};
    for (int row = 0; row < k->dx.rows; row++)
        for (int c = 0; c < 4; c++) dx[token_of(k, row) * 4 + c] += at(k->dx, row, c);
    slopes_check("ffn x", k->x.p, dx, 24, ffn_scalar, k, 2e-5);
}

static void ffn_slopes(int E, int K, int shared)
{
    static const int shape[] = {2, 3, 0, 1, 0, -1};
    Mlp k = {.b = NULL};
    mlp_open(&k, shape, 4, 5, E, K, shared, F32, 0, 0);
    size_t n = (size_t)(k.w.gate.groups * 20);
    k.dout = rig_mat(&k.r, 6, 4, F32, 1);
    k.y = rig_mat(&k.r, rows_of(&k)->n, 4, F32, 0);
    k.dx = rig_mat(&k.r, rows_of(&k)->n, 4, F32, 0);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    tier_soil(k.b, 0xff);
    memset(k.w.gate.dw, 0, n * sizeof(float));
    memset(k.w.up.dw, 0, n * sizeof(float));
    memset(k.w.down.dw, 0, n * sizeof(float));
    run_ffn_bwd(&k, k.b, &k.r.c.in, 0);
    x_slopes(&k);
    slopes_check("ffn gate", (float *)k.w.gate.w, k.w.gate.dw, n, ffn_scalar, &k, 2e-5);
    slopes_check("ffn up", (float *)k.w.up.w, k.w.up.dw, n, ffn_scalar, &k, 2e-5);
    slopes_check("ffn down", (float *)k.w.down.w, k.w.down.dw, n, ffn_scalar, &k, 2e-5);
    if (rows_of(&k)->scale) slopes_check("ffn scale", rows_of(&k)->scale, rows_of(&k)->dscale, (size_t)rows_of(&k)->n, ffn_scalar, &k, 2e-5);
    tier_close(k.b);
    rig_close(&k.r);
}

TEST(op_ffn_bwd)
{
    ffn_slopes(3, 2, 0);
    ffn_slopes(3, 2, 1);
    ffn_slopes(0, 0, 1);
    all_of(one_ffn_bwd);
}

TEST(cuda_shared_expert_by_a_library)
{
    if (!test_device_is_there()) return;
    shared_by_a_library(one_ffn);
    shared_by_a_library(one_ffn_bwd);
}

/* Tiles of rows are full in some cases, and experts without rows in others; tiles and slices of each width, too: by tiles of 256 columns with the bits of those of 128, and the other way round. */
TEST(cuda_mlp_by_wgmma)
{
    static const int what[][5] = {{5, 1, 4, 2, 0}, {8, 0, 8, 2, 0}, {4, 3, 3, 3, 0}, {8, 2, 0, 0, 1}, {2, 0, 4, 2, 1}};
    int before[2] = {test_wgmma_count(0), test_wgmma_count(1)};
    if (!test_device_is_there()) return;
    if (test_wgmma_asked()) { test_skip("FTS_WGMMA has all tests of the MLP do this"); return; }
    for (int how = 2; how <= 3; how++) {
        test_wgmma_ask(how);
        for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
            one_ffn(what[i][0], NWIDTHS + what[i][1], what[i][2], what[i][3], what[i][4], BF16);
            one_ffn_bwd(what[i][0], NWIDTHS + what[i][1], what[i][2], what[i][3], what[i][4], BF16);
        }
        test_wgmma_ask(0);
    }
    for (int wide = 0; wide < 2; wide++) CHECK(before[wide] < 0 || test_wgmma_count(wide) > before[wide]);
}
