/* zero, the embedding, RMS norm, the sum over a token's rows. */
#include "kernels/op_help.h"

#include <math.h>
#include <string.h>

static const int width[] = {16, 20, 36, 64, 1};

static void run_zero(void *job, Backend *b, const Input *in, int tok)
{
    Out *o = job;
    (void)in; (void)tok;
    b->ops.zero(b, o->p, (size_t)o->cols * sizeof(float));
}

static void zero_formula(void *job, Rig *r)
{
    Out *o = job;
    (void)r;
    for (int i = 0; i < o->cols; i++) say(o, 0, i, 0, 0);
}

TEST(op_zero)
{
    static const int size[] = {1, 3, 16383, 16385, 1000003};
    for (int i = 0; i < 5; i++) {
        Rig r;
        rig_open(&r, shapes[0], 1, 1, F32, 0);
        float *p = rig_floats(&r, (size_t)size[i], 0, 1);
        rig_check(&r, run_zero, zero_formula, rig_out(&r, "p", 'f', p, 1, size[i], size[i], 0));
        rig_close(&r);
    }
    Err e;
    Backend *b;
    OK(backend_open(&b, "cpu", F32, 1, &e));
    b->ops.zero(b, NULL, 0);
    backend_close(b);
}

typedef struct Embed { Rig r; Mat h, y; Weight g, e; Out *og, *oe; Backend *b; } Embed;

static void run_embed(void *job, Backend *b, const Input *in, int tok)
{
    const Embed *k = job;
    Mat h = mat_at_row(k->h, tok);
    h.rows = in->ntok;
    b->ops.embed(b, h, &k->g, &k->e, in);
}

/* Both products of a token with row d, and the sums of their terms' absolute values. */
typedef struct Pair { double g, e, ag, ae; const float *x; } Pair;
static Pair pair_of(const Embed *k, const Input *in, int t, int d)
{
    const Seg *s = segment_of(in, t);
    Pair p = {.x = in->points + s->pt + (t - s->tok) * in->S};
    for (int i = 0; i < in->P; i++) {
        double g = (double)k->g.w[d * in->P + i] * (double)p.x[i], e = (double)k->e.w[d * in->P + i] * (double)p.x[i];
        p.g += g;
        p.e += e;
        p.ag += fabs(g);
        p.ae += fabs(e);
    }
    return p;
}

/* The error of silu(g) is at most 1.1 times that of g, and |silu(g)| <= |g|. */
static void embed_formula(void *job, Rig *r)
{
    Embed *k = job;
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int d = 0; d < k->g.out; d++) {
            Pair p = pair_of(k, &r->c.in, t, d);
            say(k->og, t, d, silu_of(p.g) * p.e, 2.1 * p.ag * p.ae);
        }
}

static void embed_open(Embed *k, const int *shape, int P, int S, int D, Dtype type, int pad)
{
    rig_open(&k->r, shape, P, S, type, pad);
    k->g = rig_weight(&k->r, 1, D, P, 1);
    k->e = rig_weight(&k->r, 1, D, P, 1);
    k->g.full = k->e.full = 1;
    k->r.dims.D = D;
}

static const int patch[][2] = {{1, 1}, {4, 4}, {3, 1}, {2, 5}, {32, 7}};

TEST(op_embed)
{
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; i < 5; i++) {
            Embed k = {.b = NULL};
            embed_open(&k, shapes[s], patch[i][0], patch[i][1], width[(s + i) % 5], i == 2 ? BF16 : F32, i % 2);
            k.h = rig_mat(&k.r, k.r.c.in.ntok, k.g.out, F32, 0);
            k.og = rig_out_mat(&k.r, "h", k.h, patch[i][0] + 2);
            rig_check(&k.r, run_embed, embed_formula, &k);
            rig_close(&k.r);
        }
}

static void run_embed_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Embed *k = job;
    Mat dh = mat_at_row(k->h, tok);
    dh.rows = in->ntok;
    b->ops.embed_bwd(b, dh, &k->g, &k->e, in);
}

/* dg = dh e silu'(g), de = dh silu(g), with the errors of g, e, silu and its slope in the terms. */
static void embed_bwd_formula(void *job, Rig *r)
{
    Embed *k = job;
    for (int d = 0; d < k->g.out; d++)
        for (int i = 0; i < k->g.in; i++) {
            double g = (double)k->g.dw[d * k->g.in + i], e = (double)k->e.dw[d * k->g.in + i], tg = fabs(g), te = fabs(e);
            for (int t = 0; t < r->c.in.ntok; t++) {
                Pair p = pair_of(k, &r->c.in, t, d);
                double up = (double)at(k->h, t, d) * (double)p.x[i];
                g += up * p.e * slope_of_silu(p.g);
                e += up * silu_of(p.g);
                tg += fabs(up) * p.ae * (2.2 + 0.5 * p.ag);
                te += fabs(up) * 2.1 * p.ag;
            }
            say(k->og, d, i, g, tg);
            say(k->oe, d, i, e, te);
        }
}

static double embed_scalar(void *job)
{
    Embed *k = job;
    double s = 0;
    run_embed(&(Embed){.h = k->y, .g = k->g, .e = k->e}, k->b, &k->r.c.in, 0);
    for (int t = 0; t < k->y.rows; t++)
        for (int d = 0; d < k->y.cols; d++) s += (double)at(k->y, t, d) * (double)at(k->h, t, d);
    return s;
}

static void embed_slopes(void)
{
    static const int shape[] = {2, 3, 0, 1, 0, -1};
    Embed k = {.b = NULL};
    embed_open(&k, shape, 3, 2, 4, F32, 0);
    k.h = rig_mat(&k.r, 6, 4, F32, 1);
    k.y = rig_mat(&k.r, 6, 4, F32, 0);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    memset(k.g.dw, 0, 12 * sizeof(float));
    memset(k.e.dw, 0, 12 * sizeof(float));
    run_embed_bwd(&k, k.b, &k.r.c.in, 0);
    slopes_check("embed Wg", (float *)k.g.w, k.g.dw, 12, embed_scalar, &k, 2e-5);
    slopes_check("embed We", (float *)k.e.w, k.e.dw, 12, embed_scalar, &k, 2e-5);
    tier_close(k.b);
    rig_close(&k.r);
}

TEST(op_embed_bwd)
{
    embed_slopes();
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; i < 5; i++) {
            Embed k = {.b = NULL};
            int D = width[(s + i) % 5], P = patch[i][0], n;
            embed_open(&k, shapes[s], P, patch[i][1], D, i == 2 ? BF16 : F32, i % 2);
            n = k.r.c.in.ntok;
            k.h = rig_mat(&k.r, n, D, F32, 1);
            k.og = rig_out(&k.r, "dWg", 'f', k.g.dw, D, P, P, n + P);
            k.oe = rig_out(&k.r, "dWe", 'f', k.e.dw, D, P, P, n + P);
            rig_check(&k.r, run_embed_bwd, embed_bwd_formula, &k);
            rig_close(&k.r);
        }
}

typedef struct Norm { Rig r; Mat h, y, again, keep, dy, dh; float *rstd; Vec w; Out *oy, *ok, *orstd, *odw; Backend *b; } Norm;
static const float eps = 1e-6f;

/* Also rebuilds y from what was kept: that must be the same bits. */
static void run_norm(void *job, Backend *b, const Input *in, int tok)
{
    const Norm *k = job;
    Mat h = mat_at_row(k->h, tok), y = mat_at_row(k->y, tok), keep = mat_at_row(k->keep, tok), again = mat_at_row(k->again, tok);
    h.rows = y.rows = keep.rows = again.rows = in->ntok;
    b->ops.norm(b, y, keep, k->rstd + tok, h, k->w, eps);
    b->ops.norm(b, again, (Mat){0}, k->rstd + tok, keep, k->w, eps);
    for (int i = 0; i < y.rows; i++)
        if (memcmp(mat_at_row(y, i).p, mat_at_row(again, i).p, (size_t)y.cols * dtype_size(y.type)))
            test_fail(__FILE__, __LINE__, "%s: row %d rebuilt from keep has other bits", b->tier, i);
}

static double rstd_of(const Rig *r, Mat h, int t)
{
    double sq = 0;
    for (int i = 0; i < h.cols; i++) sq += pow(rounding(r, (double)at(h, t, i)), 2);
    return 1 / sqrt(sq / h.cols + (double)eps);
}

static void norm_formula(void *job, Rig *r)
{
    Norm *k = job;
    for (int t = 0; t < r->c.in.ntok; t++) {
        double rstd = rstd_of(r, k->h, t);
        say(k->orstd, t, 0, rstd, rstd);
        for (int i = 0; i < k->w.n; i++) {
            double h = rounding(r, (double)at(k->h, t, i)), y = h * rstd * (double)k->w.w[i];
            say(k->oy, t, i, y, fabs(y));
            say(k->ok, t, i, h, 0);
        }
    }
}

static void one_norm(int s, int D, Dtype type, int pad)
{
    Norm k = {.b = NULL};
    rig_open(&k.r, shapes[s], 1, 1, type, pad);
    int n = k.r.c.in.ntok;
    k.r.dims.D = D;
    k.w = rig_vec(&k.r, D, 1, 0.2);
    k.h = rig_mat(&k.r, n, D, F32, s % 2 ? 1 : 1000);
    k.y = rig_mat(&k.r, n, D, type, 0);
    k.again = rig_mat(&k.r, n, D, type, 0);
    k.keep = rig_mat(&k.r, n, D, type, 0);
    k.rstd = rig_mem(&k.r, (size_t)n * sizeof(float));
    k.oy = rig_out_mat(&k.r, "y", k.y, D);
    k.ok = rig_out_mat(&k.r, "keep", k.keep, 0);
    k.orstd = rig_out(&k.r, "rstd", 'f', k.rstd, n, 1, 1, D);
    for (int c = 0; n > 2 && c < D; c++) put(k.h, 2, c, 0);           /* a row of zeros */
    rig_check(&k.r, run_norm, norm_formula, &k);
    rig_close(&k.r);
}

TEST(op_norm)
{
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; i < 5; i++) {
            if (s < 3) one_norm(s, 8 * width[i] + 8, F32, 0);
            one_norm(s, width[i], F32, i % 2);
            if (s < nsmall) one_norm(s, width[i], BF16, i % 2);
        }
}

static void run_norm_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Norm *k = job;
    Mat dh = mat_at_row(k->dh, tok), dy = mat_at_row(k->dy, tok), keep = mat_at_row(k->keep, tok);
    dh.rows = dy.rows = keep.rows = in->ntok;
    b->ops.norm_bwd(b, dh, dy, keep, k->rstd + tok, k->w, in);
}

static void norm_dh_row(const Norm *k, int t)
{
    int D = k->w.n;
    double r = (double)k->rstd[t], m = 0, tm = 0;
    for (int i = 0; i < D; i++) {
        double x = (double)at(k->dy, t, i) * (double)k->w.w[i] * (double)at(k->keep, t, i) / D;
        m += x;
        tm += fabs(x);
    }
    for (int i = 0; i < D; i++) {
        double dh = (double)at(k->dh, t, i), g = (double)at(k->dy, t, i) * (double)k->w.w[i], pull = (double)at(k->keep, t, i) * r * r;
        say(k->oy, t, i, dh + r * (g - pull * m), fabs(dh) + r * (fabs(g) + fabs(pull) * tm));
    }
}

static void norm_bwd_formula(void *job, Rig *r)
{
    Norm *k = job;
    for (int t = 0; t < r->c.in.ntok; t++) norm_dh_row(k, t);
    for (int i = 0; i < k->w.n; i++) {
        double s = (double)k->w.dw[i], terms = fabs(s);
        for (int t = 0; t < r->c.in.ntok; t++) {
            double x = (double)at(k->dy, t, i) * (double)at(k->keep, t, i) * (double)k->rstd[t];
            s += x;
            terms += fabs(x);
        }
        say(k->odw, i, 0, s, terms);
    }
}

static void norm_bwd_open(Norm *k, const int *shape, int D, Dtype type, int pad)
{
    rig_open(&k->r, shape, 1, 1, type, pad);
    int n = k->r.c.in.ntok;
    k->r.dims.D = D;
    k->w = rig_vec(&k->r, D, 1, 0.25);
    k->keep = rig_mat(&k->r, n, D, type, 1);
    k->dy = rig_mat(&k->r, n, D, type, 1);
    k->dh = rig_mat(&k->r, n, D, F32, 1);
    k->rstd = rig_mem(&k->r, (size_t)n * sizeof(float));
    for (int t = 0; t < n; t++) k->rstd[t] = (float)rstd_of(&k->r, k->keep, t);
}

static double norm_scalar(void *job)
{
    Norm *k = job;
    double s = 0;
    k->b->ops.norm(k->b, k->y, k->again, k->rstd, k->keep, k->w, eps);
    for (int t = 0; t < k->y.rows; t++)
        for (int i = 0; i < k->y.cols; i++) s += (double)at(k->y, t, i) * (double)at(k->dy, t, i);
    return s;
}

/* The fifth derivative of 1/rms is not about 1 but some hundreds, where D is 6: hence 2e-4. */
static void norm_slopes(void)
{
    static const int shape[] = {2, 0, 3, 0, -1};
    Norm k = {.b = NULL};
    norm_bwd_open(&k, shape, 6, F32, 0);
    k.y = rig_mat(&k.r, 5, 6, F32, 0);
    k.again = rig_mat(&k.r, 5, 6, F32, 0);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    memset(k.dh.p, 0, 30 * sizeof(float));
    memset(k.w.dw, 0, 6 * sizeof(float));
    run_norm_bwd(&k, k.b, &k.r.c.in, 0);
    slopes_check("norm h", k.keep.p, k.dh.p, 30, norm_scalar, &k, 2e-4);
    slopes_check("norm w", (float *)k.w.w, k.w.dw, 6, norm_scalar, &k, 2e-5);
    tier_close(k.b);
    rig_close(&k.r);
}

TEST(op_norm_bwd)
{
    norm_slopes();
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; i < 5; i++)
            for (int type = F32; type <= (s < nsmall ? BF16 : F32); type++) {
                Norm k = {.b = NULL};
                norm_bwd_open(&k, shapes[s], width[i], (Dtype)type, i % 2);
                k.oy = rig_out_mat(&k.r, "dh", k.dh, width[i]);
                k.odw = rig_out(&k.r, "dw", 'f', k.w.dw, width[i], 1, 1, k.r.c.in.ntok + 2);
                rig_check(&k.r, run_norm_bwd, norm_bwd_formula, &k);
                rig_close(&k.r);
            }
}

typedef struct Sum { Rig r; Mat h, y, ys; Route route; Out *o; } Sum;

static void run_combine(void *job, Backend *b, const Input *in, int tok)
{
    const Sum *k = job;
    Part p;
    part_open(&p, &k->route, in, tok);
    Mat h = mat_at_row(k->h, tok), ys = mat_at_row(k->ys, tok), y = part_rows(&p, k->y, 1);
    h.rows = ys.rows = in->ntok;
    b->ops.combine(b, h, y, ys, &p.r, in);
    part_return(&p, y, k->y);
    part_close(&p);
}

static void combine_formula(void *job, Rig *r)
{
    Sum *k = job;
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int i = 0; i < k->h.cols; i++) {
            double s = (double)at(k->h, t, i), x = (k->route.shared.scale ? (double)k->route.shared.scale[t] : 1) * (double)at(k->ys, t, i), terms = fabs(s) + fabs(x);
            s += x;
            for (int j = 0; j < k->route.K; j++) {
                int e = k->route.expert[t * k->route.K + j], row = k->route.row[t * k->route.K + j];
                x = (double)k->route.prob[t * k->route.E + e] * (double)at(k->y, row, i);
                s += x;
                terms += fabs(x);
            }
            say(k->o, t, i, s, terms);
        }
}

static void run_combine_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Sum *k = job;
    Part p;
    part_open(&p, &k->route, in, tok);
    Mat dx = mat_at_row(k->h, tok), dys = mat_at_row(k->ys, tok), dy = part_rows(&p, k->y, 1);
    dx.rows = dys.rows = in->ntok;
    b->ops.combine_bwd(b, dx, dy, dys, &p.r, in);
    part_return(&p, dy, k->y);
    part_close(&p);
}

static void combine_bwd_formula(void *job, Rig *r)
{
    Sum *k = job;
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int i = 0; i < k->h.cols; i++) {
            double s = (double)at(k->ys, t, i), terms = fabs(s);
            for (int j = 0; j < k->route.K; j++) {
                double x = (double)at(k->y, k->route.row[t * k->route.K + j], i);
                s += x;
                terms += fabs(x);
            }
            say(k->o, t, i, s, terms);
        }
}

static void one_sum(int s, int E, int K, Dtype type, int backward)
{
    Sum k = {.o = NULL};
    int D = width[(s + E) % 5], n;
    rig_open(&k.r, shapes[s], 1, 1, type, s % 2);
    n = k.r.c.in.ntok;
    k.r.dims.D = D;
    k.route = rig_route(&k.r, E, K, s % 4 == 1);
    k.h = backward ? rig_mat(&k.r, n, D, type, 0) : rig_mat(&k.r, n, D, F32, 1);
    k.y = rig_mat(&k.r, K * n, D, type, 1);
    k.ys = rig_mat(&k.r, n, D, type, 1);
    k.o = rig_out_mat(&k.r, backward ? "dx" : "h", k.h, K + 2);
    if (backward) rig_check(&k.r, run_combine_bwd, combine_bwd_formula, &k);
    else          rig_check(&k.r, run_combine, combine_formula, &k);
    rig_close(&k.r);
}

static void all_sums(int backward)
{
    int E, K;
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; routes(i, &E, &K); i++) {
            one_sum(s, E, K, F32, backward);
            if (s < nsmall) one_sum(s, E, K, BF16, backward);
        }
}

TEST(op_combine) { all_sums(0); }
TEST(op_combine_bwd) { all_sums(1); }
