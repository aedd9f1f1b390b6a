/* norm_route, dispatch, route_bwd, balance. Numbers are drawn so that no rounding changes who is chosen; what is equal is equal in every tier. */
#include "kernels/op_help.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/rng.h"

static const int width[] = {16, 20, 36, 64, 1, 17, 100};
enum { NWIDTHS = sizeof width / sizeof *width, EXPERTS = 36, LONG = 4 };
/* Rows that a warp does not hold in registers, and just more than it reads at once. For few tokens. */
static const int wide[LONG] = {520, 136, 129, 1100};
enum { PLAIN, ALIKE, LARGE, KINDS };     /* ALIKE: the first and the last expert have equal weights. LARGE: logits of about 1000 */

/* x is what is routed: kept rows whose norm, with rstd and weights of 1, is they themselves in every tier. */
typedef struct Gate { Rig r; Route route, again; Router w; Balance s; double coef; Mat x, y, dx; float *one; Backend *b; Out *oy, *prob, *expert, *scale, *psum, *odx, *ogate, *oshare; } Gate;

/* routes(), then more experts than a vector has numbers, and than a warp has threads; with 16 the shared gate is the first column behind a padding. */
static int shape_of(int i, int *E, int *K)
{
    static const int more_experts[] = {16, EXPERTS};
    int n = 0;
    while (routes(n, E, K)) n++;
    if (i < n) return routes(i, E, K);
    if (i - n >= (int)(sizeof more_experts / sizeof *more_experts)) return 0;
    *E = more_experts[i - n];
    *K = 3;
    return 1;
}

static const float *row_of(const Gate *k, int e) { return e < k->route.E ? k->w.gate.w + e * k->w.gate.in : k->w.share.w; }

/* Row e = E is that of the shared gate. */
static double logit_of(const Gate *k, int t, int e, double *terms)
{
    double s = 0;
    *terms = 0;
    for (int i = 0; i < k->x.cols; i++) {
        double p = (double)at(k->x, t, i) * (double)row_of(k, e)[i];
        s += p;
        *terms += fabs(p);
    }
    return s;
}

static int equal_rows(const Gate *k, int e, int j) { return !memcmp(row_of(k, e), row_of(k, j), (size_t)k->x.cols * sizeof(float)); }

/* Two logits must differ by more than twice the tolerance of both. Far below the highest one probabilities are 0 everywhere,
 * but between exp(-87) and exp(-104) they are 0 in one tier and tiny in another: no logit may lie there. */
static int apart(const Gate *k, int t)
{
    double l[EXPERTS], a[EXPERTS], high = -INFINITY;
    for (int e = 0; e < k->route.E; e++) {
        l[e] = logit_of(k, t, e, &a[e]);
        high = fmax(high, l[e]);
    }
    for (int e = 0; e < k->route.E; e++) {
        if (high - l[e] > 85 && high - l[e] < 106) return 0;
        for (int j = 0; j < e; j++) {
            double terms = a[e] + a[j] + (high - l[e]) + (high - l[j]) + 2;
            int zeros = high - l[e] > 105 && high - l[j] > 105;
            if (!zeros && !equal_rows(k, e, j) && fabs(l[e] - l[j]) <= 2 * op_tolerance(0x1p-24, k->x.cols + 2, terms, 'f', 0)) return 0;
        }
    }
    return 1;
}

static void draw(Gate *k, int t)
{
    do
        for (int i = 0; i < k->x.cols; i++) put(k->x, t, i, rint(1024 * rng_normal(7, RNG_TEST, (uint64_t)k->r.serial++)) / 1024);
    while (!apart(k, t));
}

static void gate_open(Gate *k, const int *shape, int D, int E, int K, Dtype type, int pad, int kind, int crowd)
{
    rig_open(&k->r, shape, 1, 1, type, pad);
    k->r.dims.D = D;
    k->route = rig_route(&k->r, E, K, crowd);
    double scale = kind == LARGE ? 1000 / sqrt(D) : 0.5;
    int n = k->r.c.in.ntok;
    k->w = (Router){rig_weight(&k->r, 1, E, D, scale), rig_weight(&k->r, 1, 1, D, scale), rig_vec(&k->r, D, 1, 0), 1e-6f};
    k->w.gate.full = k->w.share.full = 1;
    if (kind == ALIKE) memcpy((float *)k->w.gate.w + (E - 1) * D, k->w.gate.w, (size_t)D * sizeof(float));
    k->x = rig_mat(&k->r, n, D, type, 1);
    k->y = rig_mat(&k->r, n, D, type, 0);
    k->one = rig_floats(&k->r, (size_t)n, 1, 0);
    k->s = (Balance){.psum = rig_mem(&k->r, (size_t)E * sizeof(double)), .share = rig_floats(&k->r, (size_t)E, 0.25, 0.125)};
    for (int e = 0; e < E; e++) k->s.psum[e] = 1.5 + e;
}

/* psum is a sum in double of what is in prob, so it is known better than prob is. */
static void check_psum(const Gate *k, const char *tier, const Route *r, const double *before, int n)
{
    for (int e = 0; e < r->E; e++) {
        double sum = before[e];
        for (int t = 0; t < n; t++) sum += (double)r->prob[t * r->E + e];
        if (!(fabs(k->s.psum[e] - sum) <= 1e-12 * sum) && !isnan(sum)) test_fail(__FILE__, __LINE__, "%s: psum[%d] is %.17g, want %.17g", tier, e, k->s.psum[e], sum);
    }
}

/* Where the routing of a micro-batch goes, and its rows. */
static Route route_at(const Route *all, const Input *in, int tok)
{
    Route r = {.prob = all->prob + tok * all->E, .expert = all->expert + tok * all->K, .E = all->E, .K = all->K};
    r.shared = (Rows){.scale = all->shared.scale + tok, .n = in->ntok};
    return r;
}
static Mat rows_at(Mat m, const Input *in, int tok)
{
    m = mat_at_row(m, tok);
    m.rows = in->ntok;
    return m;
}

static void run_route(void *job, Backend *b, const Input *in, int tok)
{
    const Gate *k = job;
    double before[EXPERTS];
    memcpy(before, k->s.psum, (size_t)k->route.E * sizeof *before);
    Route r = route_at(&k->route, in, tok);
    b->ops.norm_route(b, &r, &k->s, rows_at(k->y, in, tok), (Mat){0}, k->one + tok, rows_at(k->x, in, tok), &k->w, in);
    check_psum(k, b->tier, &r, before, in->ntok);
}

/* p and its terms. The exponent of e is off by its logit's error and a rounding of what it lies below the highest; p by the
 * exponent's error and the mean of all exponents' errors; 2 for exp and the quotient. Below 2^-126 p may become 0. */
static void softmax_of(const Gate *k, int t, double *p, double *terms)
{
    int E = k->route.E;
    double l[EXPERTS], high = -INFINITY, sum = 0, mean = 0;
    for (int e = 0; e < E; e++) {
        l[e] = logit_of(k, t, e, &terms[e]);
        high = fmax(high, l[e]);
    }
    for (int e = 0; e < E; e++) sum += p[e] = exp(l[e] - high);
    for (int e = 0; e < E; e++) {
        p[e] /= sum;
        terms[e] += high - l[e];
        mean += p[e] * terms[e];
    }
    for (int e = 0; e < E; e++) terms[e] = p[e] * (terms[e] + mean + 2) + 0x1p-100;
}

/* How many come before e: the larger ones, and of equal ones those with a lower number. */
static int place_of(const double *p, int E, int e)
{
    int n = 0;
    for (int j = 0; j < E; j++) n += (float)p[j] > (float)p[e] || ((float)p[j] == (float)p[e] && j < e);
    return n;
}

static void route_formula(void *job, Rig *r)
{
    Gate *k = job;
    int E = k->route.E;
    double p[EXPERTS], terms[EXPERTS], sum[EXPERTS], all[EXPERTS] = {0};
    for (int e = 0; e < E; e++) sum[e] = k->s.psum[e];
    for (int t = 0; t < r->c.in.ntok; t++) {
        softmax_of(k, t, p, terms);
        for (int e = 0; e < E; e++) {
            int place = place_of(p, E, e);
            say(k->prob, t, e, p[e], terms[e]);
            if (place < k->route.K) say(k->expert, t, place, e, 0);
            sum[e] += p[e];
            all[e] += terms[e];
        }
        for (int i = 0; i < k->x.cols; i++) say(k->oy, t, i, (double)at(k->x, t, i), 0);
        double a, s = 1 / (1 + exp(-logit_of(k, t, E, &a)));
        say(k->scale, t, 0, s, s * ((1 - s) * a + 1) + 0x1p-100);
    }
    for (int e = 0; e < E; e++) say(k->psum, e, 0, sum[e], all[e]);
}

static void one_route(int s, int D, int E, int K, Dtype type, int kind)
{
    Gate k = {.b = NULL};
    gate_open(&k, shapes[s], D, E, K, type, s % 2, kind, 0);
    int n = k.r.c.in.ntok;
    for (int t = 0; t < n; t++) draw(&k, t);
    for (int i = 0; n > 1 && i < D; i++) put(k.x, 1, i, 0);            /* a token of zeros: all are equal */
    memset(k.route.prob, 0xff, (size_t)(n * E) * sizeof(float));
    memset(k.route.expert, 0xff, (size_t)(n * K) * sizeof(int));
    memset(k.route.shared.scale, 0xff, (size_t)n * sizeof(float));
    k.oy = rig_out_mat(&k.r, "y", k.y, 0);
    k.prob = rig_out(&k.r, "prob", 'f', k.route.prob, n, E, E, D + 2);
    k.expert = rig_out(&k.r, "expert", 'i', k.route.expert, n, K, K, 0);
    k.scale = rig_out(&k.r, "shared", 'f', k.route.shared.scale, n, 1, 1, D + 2);
    k.psum = rig_out(&k.r, "psum", 'd', k.s.psum, E, 1, 1, D + 2);
    rig_check(&k.r, run_route, route_formula, &k);
    rig_close(&k.r);
}

/* Of what is no number nobody is better: the first ones are chosen, so that later ops stay in bounds. */
static void route_without_numbers(float x, int D)
{
    Gate k = {.b = NULL};
    gate_open(&k, (const int[]){3, 0, -1}, D, 8, 2, F32, 0, PLAIN, 0);
    put(k.x, 1, 2, (double)x);
    for (int t = 0; t < TIERS; t++) {
        Backend *b = tier_open(tier_names[t], F32, 1, &k.r.dims);
        if (!b) continue;
        run_route(&k, b, &k.r.c.in, 0);
        if (k.route.expert[2] != 0 || k.route.expert[3] != 1 || !isnan(k.route.prob[8]) || isnan(k.route.prob[0]) || isnan(k.route.prob[16]))
            test_fail(__FILE__, __LINE__, "%s: %g in x: experts %d and %d", tier_names[t], (double)x, k.route.expert[2], k.route.expert[3]);
        tier_close(b);
    }
    rig_close(&k.r);
}

static int same_bits(float x, float y) { return !memcmp(&x, &y, sizeof x); }

/* y, keep and rstd are those of norm, and what is routed is y. [0]: by both ops, [1]: by one */
static void route_twice(Gate *k, Backend *b, Mat h, Vec norm, Mat *keep, Mat *y, float **rstd)
{
    const Input *in = &k->r.c.in;
    Router alone = k->w, both = k->w;
    Route got[] = {k->route, k->again};
    size_t n = (size_t)h.rows, E = (size_t)got->E;
    both.norm = norm;
    b->ops.norm(b, y[0], keep[0], rstd[0], h, norm, both.eps);
    b->ops.norm_route(b, &got[0], &k->s, k->y, (Mat){0}, k->one, y[0], &alone, in);
    b->ops.norm_route(b, &got[1], &k->s, y[1], keep[1], rstd[1], h, &both, in);
    for (int t = 0; t < h.rows; t++)
        for (int i = 0; i < h.cols; i++) CHECK(same_bits(at(y[0], t, i), at(y[1], t, i)) && same_bits(at(keep[0], t, i), at(keep[1], t, i)));
    CHECK(!memcmp(rstd[0], rstd[1], n * sizeof(float)) && !memcmp(got[0].prob, got[1].prob, n * E * sizeof(float)));
    CHECK(!memcmp(got[0].expert, got[1].expert, n * (size_t)got->K * sizeof(int)) && !memcmp(got[0].shared.scale, got[1].shared.scale, n * sizeof(float)));
}

static void one_twice(const int *shape, int D, int E, int K, Dtype type, int pad)
{
    Gate k = {.b = NULL};
    gate_open(&k, shape, D, E, K, type, pad, PLAIN, 0);
    int n = k.r.c.in.ntok;
    k.again = rig_route(&k.r, E, K, 1);
    Mat h = rig_mat(&k.r, n, D, F32, 3), keep[2], y[2];
    Vec norm = rig_vec(&k.r, D, 1, 0.25);
    float *rstd[2];
    for (int i = 0; i < 2; i++) {
        keep[i] = rig_mat(&k.r, n, D, type, 0);
        y[i] = rig_mat(&k.r, n, D, type, 0);
        rstd[i] = rig_mem(&k.r, (size_t)n * sizeof(float));
    }
    for (int t = 0; t < TIERS; t++) {
        Backend *b = tier_open(tier_names[t], type, 1, &k.r.dims);
        if (!b) continue;
        tier_soil(b, 0xff);
        route_twice(&k, b, h, norm, keep, y, rstd);
        CHECK(tier_close(b) && rig_intact(&k.r));
    }
    rig_close(&k.r);
}

TEST(op_norm_route)
{
    static const int small[] = {2, 9, 0, 1, 0, -1};
    int E, K;
    for (int D = 3; D <= 16; D += 13) {
        route_without_numbers(NAN, D);
        route_without_numbers(INFINITY, D);
    }
    for (int i = 0; i < NWIDTHS + LONG; i++)
        for (int type = F32; type <= BF16; type++) {
            int D = i < NWIDTHS ? width[i] : wide[i - NWIDTHS];
            one_twice(small, D, 1 + i, 1 + i / 3, (Dtype)type, 8 * (i % 2));
            if (i >= NWIDTHS) one_route(4, D, 1 + i, 1 + i % 2, (Dtype)type, i % KINDS);
        }
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; shape_of(i, &E, &K); i++)
            for (int kind = 0; K && kind < (s < nsmall ? KINDS : 1); kind++) {
                one_route(s, width[(s + i + kind) % NWIDTHS], E, K, F32, kind);
                if (s < nsmall) one_route(s, width[(s + i) % NWIDTHS], E, K, BF16, kind);
            }
}

typedef struct Sort { Rig r; Route want, got; Balance s; Out *start, *count, *token, *row, *scale, *total; } Sort;

static void soil_sort(const Route *a, int tables)
{
    memset(a->routed.start, 0xff, (size_t)tables * sizeof(int));
    memset(a->routed.count, 0xff, (size_t)tables * sizeof(int));
    memset(a->routed.token, 0xff, (size_t)a->routed.n * sizeof(int));
    memset(a->routed.scale, 0xff, (size_t)a->routed.n * sizeof(float));
    memset(a->row, 0xff, (size_t)a->routed.n * sizeof(int));
}

static int same_sort(const Route *a, const Route *b, int tables)
{
    size_t table = (size_t)tables * sizeof(int), rows = (size_t)b->routed.n * 4;
    return !memcmp(a->routed.start, b->routed.start, table) && !memcmp(a->routed.count, b->routed.count, table) && !memcmp(a->row, b->row, rows)
        && !memcmp(a->routed.token, b->routed.token, rows) && !memcmp(a->routed.scale, b->routed.scale, rows);
}

/* Rows of a micro-batch have numbers of their own: they are compared with its own plain search. */
static void run_dispatch(void *job, Backend *b, const Input *in, int tok)
{
    const Sort *k = job;
    Route r = k->got;
    Part p;
    part_open(&p, &k->want, in, tok);
    r.prob = p.r.prob;
    r.expert = p.r.expert;
    r.routed.n = p.r.routed.n;
    soil_sort(&k->got, k->r.c.in.nchunk * r.E);
    b->ops.dispatch(b, &r, &k->s, in);
    if (p.from && !same_sort(&r, &p.r, in->nchunk * r.E)) test_fail(__FILE__, __LINE__, "%s: %d tokens from token %d on are sorted otherwise", b->tier, in->ntok, tok);
    part_close(&p);
}

static void dispatch_formula(void *job, Rig *r)
{
    Sort *k = job;
    const Rows *w = &k->want.routed;
    for (int e = 0; e < k->want.E; e++) {
        double sum = (double)k->s.count[e];
        for (int c = 0; c < r->c.in.nchunk; c++) {
            say(k->start, e, c, w->start[e * r->c.in.nchunk + c], 0);
            say(k->count, e, c, w->count[e * r->c.in.nchunk + c], 0);
            sum += w->count[e * r->c.in.nchunk + c];
        }
        say(k->total, e, 0, sum, 0);
    }
    for (int i = 0; i < w->n; i++) {
        say(k->token, i, 0, w->token[i], 0);
        say(k->scale, i, 0, (double)w->scale[i], 0);
        say(k->row, i, 0, k->want.row[i], 0);
    }
}

static Out *numbered(Rig *r, const char *name, char kind, void *p, int rows, int cols)
{
    Out *o = rig_out(r, name, kind, p, rows, cols, cols, 0);
    o->whole = 1;
    return o;
}

/* Totals start beyond 32 bits. Gradients are not there, as in inference. */
static void one_sort(int s, int E, int K, int crowd)
{
    Sort k = {.start = NULL};
    rig_open(&k.r, shapes[s], 1, 1, F32, 0);
    k.want = rig_route(&k.r, E, K, crowd);
    int n = k.want.routed.n, nchunk = k.r.c.in.nchunk;
    size_t table = (size_t)(E * nchunk) * sizeof(int), rows = (size_t)n * 4;
    k.got = k.want;
    k.got.row = rig_mem(&k.r, rows);
    k.got.routed = (Rows){rig_mem(&k.r, table), rig_mem(&k.r, table), rig_mem(&k.r, rows), rig_mem(&k.r, rows), NULL, n};
    k.got.shared = (Rows){0};
    k.s.count = rig_mem(&k.r, (size_t)E * sizeof *k.s.count);
    for (int e = 0; e < E; e++) k.s.count[e] = ((int64_t)1 << 33) + e;
    k.start = numbered(&k.r, "start", 'i', k.got.routed.start, E, nchunk);
    k.count = numbered(&k.r, "count", 'i', k.got.routed.count, E, nchunk);
    k.token = numbered(&k.r, "token", 'i', k.got.routed.token, n, 1);
    k.scale = numbered(&k.r, "scale", 'f', k.got.routed.scale, n, 1);
    k.row = numbered(&k.r, "row", 'i', k.got.row, n, 1);
    k.total = rig_out(&k.r, "total", 'l', k.s.count, E, 1, 1, 0);
    rig_check(&k.r, run_dispatch, dispatch_formula, &k);
    rig_close(&k.r);
}

TEST(op_dispatch)
{
    int E, K;
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; shape_of(i, &E, &K); i++)
            for (int crowd = 0; K && crowd < 2; crowd++) one_sort(s, E, K, crowd);
}

static void run_route_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Gate *k = job;
    Part p;
    part_open(&p, &k->route, in, tok);
    b->ops.route_bwd(b, rows_at(k->dx, in, tok), rows_at(k->x, in, tok), &k->w, &p.r, &k->s, k->coef, in);
    part_close(&p);
}

/* dlogit_e = sum over j of dp_j p_j (1 if j = e, - p_e): E of the experts, then the shared gate. */
static void dlogit_of(const Gate *k, int t, double *d, double *terms)
{
    const Route *r = &k->route;
    const float *p = r->prob + t * r->E;
    double dp[EXPERTS], a[EXPERTS], s = (double)r->shared.scale[t];
    for (int e = 0; e < r->E; e++) {
        dp[e] = k->coef * (double)k->s.share[e];
        a[e] = fabs(dp[e]);
    }
    for (int i = 0; i < r->K; i++) {
        double x = (double)r->routed.dscale[r->row[t * r->K + i]];
        dp[r->expert[t * r->K + i]] += x;
        a[r->expert[t * r->K + i]] += fabs(x);
    }
    for (int e = 0; e < r->E; e++) {
        d[e] = terms[e] = 0;
        for (int j = 0; j < r->E; j++) d[e] += dp[j] * (double)p[j] * ((j == e) - (double)p[e]);
        for (int j = 0; j < r->E; j++) terms[e] += a[j] * (double)p[j] * ((j == e) + (double)p[e]);
    }
    d[r->E] = (double)r->shared.dscale[t] * s * (1 - s);
    terms[r->E] = fabs((double)r->shared.dscale[t]) * s;                /* 1 - s is off by a rounding of 1 */
}

static void route_bwd_formula(void *job, Rig *r)
{
    Gate *k = job;
    int E = k->route.E, D = k->x.cols;
    double d[EXPERTS + 1], terms[EXPERTS + 1];
    for (int i = 0; i < D; i++) {
        for (int e = 0; e < E; e++) say(k->ogate, e, i, (double)k->w.gate.dw[e * D + i], fabs((double)k->w.gate.dw[e * D + i]));
        say(k->oshare, 0, i, (double)k->w.share.dw[i], fabs((double)k->w.share.dw[i]));
    }
    for (int t = 0; t < r->c.in.ntok; t++) {
        dlogit_of(k, t, d, terms);
        for (int i = 0; i < D; i++) {
            double x = (double)at(k->x, t, i), dx = (double)at(k->dx, t, i);
            say(k->odx, t, i, dx, fabs(dx));
            for (int e = 0; e <= E; e++) {
                double w = (double)row_of(k, e)[i];
                say_more(k->odx, t, i, d[e] * w, terms[e] * fabs(w));
                say_more(e < E ? k->ogate : k->oshare, e < E ? e : 0, i, d[e] * x, terms[e] * fabs(x));
            }
        }
    }
}

static void one_route_bwd(int s, int D, int E, int K, Dtype type, double coef)
{
    Gate k = {.coef = coef};
    gate_open(&k, shapes[s], D, E, K, type, s % 3, PLAIN, s % 4 == 1);
    int n = k.r.c.in.ntok;
    k.dx = rig_mat(&k.r, n, D, type, 1);
    k.odx = rig_out_mat(&k.r, "dx", k.dx, E + 4);
    k.ogate = rig_out(&k.r, "dWgate", 'f', k.w.gate.dw, E, D, D, n + E);
    k.oshare = rig_out(&k.r, "dWshare", 'f', k.w.share.dw, 1, D, D, n + 2);
    rig_check(&k.r, run_route_bwd, route_bwd_formula, &k);
    rig_close(&k.r);
}

/* The experts stay the chosen ones while the differences are taken. */
static double route_scalar(void *job)
{
    Gate *k = job, again = *k;
    const Route *r = &k->route, *now = &k->again;
    double s = 0;
    again.route = *now;
    run_route(&again, k->b, &k->r.c.in, 0);
    for (int t = 0; t < k->x.rows; t++) {
        for (int e = 0; e < r->E; e++) s += k->coef * (double)k->s.share[e] * (double)now->prob[t * r->E + e];
        for (int i = t * r->K; i < (t + 1) * r->K; i++) s += (double)r->routed.dscale[r->row[i]] * (double)now->prob[t * r->E + r->expert[i]];
        s += (double)r->shared.dscale[t] * (double)now->shared.scale[t];
    }
    return s;
}

static void route_slopes(void)
{
    static const int shape[] = {2, 3, 0, 1, 0, -1};
    Gate k = {.coef = 0.37};
    gate_open(&k, shape, 5, 4, 2, F32, 0, PLAIN, 0);
    k.again = rig_route(&k.r, 4, 2, 0);
    k.dx = rig_mat(&k.r, 6, 5, F32, 1);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    run_route(&k, k.b, &k.r.c.in, 0);
    route_sort(&k.route, &k.r.c.in);
    memset(k.dx.p, 0, 30 * sizeof(float));
    memset(k.w.gate.dw, 0, 20 * sizeof(float));
    memset(k.w.share.dw, 0, 5 * sizeof(float));
    run_route_bwd(&k, k.b, &k.r.c.in, 0);
    slopes_check("route gate", (float *)k.w.gate.w, k.w.gate.dw, 20, route_scalar, &k, 2e-5);
    slopes_check("route share", (float *)k.w.share.w, k.w.share.dw, 5, route_scalar, &k, 2e-5);
    slopes_check("route x", k.x.p, k.dx.p, 30, route_scalar, &k, 2e-5);
    tier_close(k.b);
    rig_close(&k.r);
}

TEST(op_route_bwd)
{
    int E, K;
    route_slopes();
    for (int i = 0; i < LONG; i++)
        for (int type = F32; type <= BF16; type++) one_route_bwd(i % 2 ? 8 : 4, wide[i], 4 * i + 2, 2, (Dtype)type, 0.37);
    for (int s = 0; s < nshapes; s++)
        for (int i = 0; shape_of(i, &E, &K); i++)
            for (int w = 0; K && w < (s < nsmall ? 2 : 1); w++) {
                one_route_bwd(s, width[(s + i + 3 * w) % NWIDTHS], E, K, F32, (s + i + w) % 3 ? 0.37 : 0);
                if (s < nsmall) one_route_bwd(s, width[(s + i + w) % NWIDTHS], E, K, BF16, 0.37);
            }
}

enum { ROUTERS = 3 };
typedef struct Even { Rig r; StepSum *s; Balance m[ROUTERS]; int routers, E, K, keep; Out *aux, *sums, *marks, *share, *count, *psum; } Even;

static void run_balance(void *job, Backend *b, const Input *in, int tok)
{
    Even *k = job;
    (void)in; (void)tok;
    b->ops.balance(b, k->s, k->m, k->routers, k->E, k->K, k->keep);
}

static int64_t pairs_of(const Even *k, int r)
{
    int64_t n = 0;
    for (int e = 0; e < k->E; e++) n += k->m[r].count[e];
    return n;
}

static void balance_formula(void *job, Rig *rig)
{
    Even *k = job;
    double aux = 0;
    (void)rig;
    for (int r = 0; r < k->routers; r++) {
        double n = (double)pairs_of(k, r);
        for (int e = 0; e < k->E; e++) {
            double f = n > 0 ? (double)k->m[r].count[e] / n : 0, old = (double)k->m[r].share[e];
            aux += n > 0 ? k->E * f * (k->m[r].psum[e] / (n / k->K)) / k->routers : 0;
            say(k->share, r, e, n > 0 && k->keep && k->s->applied ? f : old, n > 0 && k->keep && k->s->applied ? f : 0);
            say(k->count, r, e, 0, 0);
            say(k->psum, r, e, 0, 0);
        }
    }
    say(k->aux, 0, 0, aux, aux);
    for (int i = 0; i < k->sums->cols; i++) say(k->sums, 0, i, ((double *)k->s)[i], 0);
    say(k->marks, 0, 0, k->s->bad_seg, 0);
    say(k->marks, 0, 1, k->s->seg0, 0);
    say(k->marks, 0, 2, k->s->applied, 0);
}

/* What a router counted. The first expert got nothing, if there are others to take it. */
static void meet(Even *k, int r, int64_t tokens)
{
    for (int e = 0; e < k->E; e++) {
        k->m[r].count[e] = k->E == k->K ? tokens : e ? tokens * k->K * (2 * e) / (k->E * (k->E - 1)) : 0;
        k->m[r].psum[e] = (double)tokens * (1 + rng_uniform(8, RNG_TEST, (uint64_t)k->r.serial++)) / (1.5 * k->E);
    }
}

static void even_open(Even *k)
{
    int n = k->routers * k->E;
    rig_open(&k->r, shapes[0], 1, 1, F32, 0);
    k->s = rig_mem(&k->r, sizeof *k->s);
    *k->s = (StepSum){.huber = {1, 2, 3, 4, 5, 6, 7, 8}, .abs = 9, .sq = 10, .norm2 = 11, .aux = 12, .bad_seg = -1, .seg0 = 13};
    int64_t *count = rig_mem(&k->r, (size_t)n * sizeof *count);
    double *psum = rig_mem(&k->r, (size_t)n * sizeof *psum);
    float *share = rig_floats(&k->r, (size_t)n, 0.25, 0.125);
    for (int r = 0; !r || r < k->routers; r++) k->m[r] = (Balance){count + r * k->E, psum + r * k->E, share + r * k->E};
}

static void one_balance(int routers, int E, int K, int keep, int applied, int idle)
{
    Even k = {.routers = routers, .E = E, .K = K, .keep = keep};
    even_open(&k);
    k.s->applied = applied;
    for (int r = 0; r < routers; r++) meet(&k, r, r == idle ? 0 : 840 * (r + 1));
    k.aux = rig_out(&k.r, "aux", 'd', &k.s->aux, 1, 1, 1, 3 * E + 2);
    k.aux->u = 0x1p-53;
    k.sums = rig_out(&k.r, "sums", 'd', k.s, 1, MAX_HORIZONS + 3, MAX_HORIZONS + 3, 0);
    k.marks = rig_out(&k.r, "marks", 'i', &k.s->bad_seg, 1, 3, 3, 0);
    k.share = rig_out(&k.r, "share", 'f', k.m[0].share, routers, E, E, 1);
    k.count = rig_out(&k.r, "count", 'l', k.m[0].count, routers, E, E, 0);
    k.psum = rig_out(&k.r, "psum", 'd', k.m[0].psum, routers, E, E, 0);
    rig_check(&k.r, run_balance, balance_formula, &k);
    rig_close(&k.r);
}

/* What the loss is scaled by: 1 where all experts get the same, E / K where K of them get all. */
static void balance_scale(int E, int K)
{
    for (int crowd = 0; crowd < 2; crowd++) {
        Even k = {.routers = 1, .E = E, .K = K};
        even_open(&k);
        for (int e = 0; e < E; e++) {
            k.m[0].count[e] = crowd ? (e < K ? 1000 * E : 0) : 1000 * K;
            k.m[0].psum[e] = crowd ? (e < K ? 1000.0 * E / K : 0) : 1000;
        }
        Backend *b = tier_open("ref", F32, 1, &k.r.dims);
        run_balance(&k, b, &k.r.c.in, 0);
        if (!(fabs(k.s->aux - (crowd ? (double)E / K : 1)) < 1e-12)) test_fail(__FILE__, __LINE__, "E %d, K %d, crowd %d: aux %.17g", E, K, crowd, k.s->aux);
        tier_close(b);
        rig_close(&k.r);
    }
}

TEST(op_balance)
{
    int E, K;
    balance_scale(8, 1);
    balance_scale(8, 2);
    for (int i = 0; shape_of(i, &E, &K); i++)
        for (int how = 0; K && how < 4; how++)
            for (int idle = -1; idle < ROUTERS; idle++) {
                one_balance(ROUTERS, E, K, how & 1, how >> 1, idle);
                if (idle < 1) one_balance(1, E, K, how & 1, how >> 1, idle);
                if (idle < 0) one_balance(0, E, K, how & 1, how >> 1, idle);
            }
}
