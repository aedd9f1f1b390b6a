/* attention, attention_bwd. The formula keeps every sum in double; what a bf16 run rounds on the way is rounded here too.
 *
 * Sums of d, of i+1 and of T-j numbers meet in one result, so an Out has K = 1 and its terms carry the square roots: `terms` is
 * the error of the result over 4u. One token by one, with a(x) the sum of the absolute values of what makes x:
 *     a score is off by      sqrt(d + TURN) a(q) a(k) / sqrt d     a rotated number is rounded TURN/2 times
 *     exp(s - x) by a factor  e = that + |s - x| + 1               the difference, the product with log2 e, the polynomial
 *     a sum of n by           sqrt(n) times its terms, and by the errors of its terms */
#include "kernels/op_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

enum { TURN = 6, WIDE = 320 };
static const double some = 0.9;          /* usual scale: such numbers have 24 digits, so their products and sums are rounded */
static const double tiny = 0x1p-90;      /* probabilities below 2^-126 may be 0: some thousands of them over 4u */

typedef struct Att {
    Rig    r;
    Attn   a;
    Mat    qkv, o, d_o, dqkv;
    float *lse, *rope;                   /* rope (longest, d): cos, sin by turns */
    double *x, *ax;                      /* (N,(H+2Hk)d) q|k|v, q and k rotated, and what they are made of */
    double *g, *ag;                      /* their gradients before the rotation back, and the errors of those */
    double *p, *e;                       /* of a query: scores, then probabilities; their relative errors */
    double top;                          /* the largest |score| met */
    Out   *out, *olse;
    Backend *b;
} Att;

static const int heads[][3] = {{2, 2, 8}, {4, 2, 16}, {1, 1, 2}, {3, 1, 6}, {2, 1, 32}, {1, 1, 64}};
enum { NHEADS = sizeof heads / sizeof *heads };

static void open_case(Att *k, const int *shape, const int *hs, Dtype type, int pad, double scale)
{
    *k = (Att){.a = {hs[0], hs[1], hs[2], hs[2] == 16 ? 500 : 10000}};
    rig_open(&k->r, shape, 1, 1, type, pad);
    k->r.thin = getenv("FTS_CUDNN") ? 0 : 5;
    int n = k->r.c.in.ntok, H = hs[0], Hk = hs[1], d = hs[2];
    k->r.dims.H = H;
    k->r.dims.Hk = Hk;
    k->r.dims.d = d;
    k->r.dims.D = H * d;
    k->qkv = rig_mat(&k->r, n, (H + 2 * Hk) * d, type, scale);
    k->o = rig_mat(&k->r, n, H * d, type, 0);
    k->lse = rig_mem(&k->r, (size_t)n * (size_t)H * sizeof(float));
}

static void run_attention(void *job, Backend *b, const Input *in, int tok)
{
    const Att *k = job;
    Mat o = mat_at_row(k->o, tok), qkv = mat_at_row(k->qkv, tok);
    o.rows = qkv.rows = in->ntok;
    b->ops.attention(b, o, k->lse + tok * k->a.H, qkv, &k->a, in);
}

static void run_attention_bwd(void *job, Backend *b, const Input *in, int tok)
{
    const Att *k = job;
    Mat dqkv = mat_at_row(k->dqkv, tok), d_o = mat_at_row(k->d_o, tok), o = mat_at_row(k->o, tok), qkv = mat_at_row(k->qkv, tok);
    dqkv.rows = d_o.rows = o.rows = qkv.rows = in->ntok;
    b->ops.attention_bwd(b, dqkv, d_o, o, k->lse + tok * k->a.H, qkv, &k->a, in);
}

/* Heads are counted through q|k|v: the H of q, then Hk of k, then Hk of v. */
static size_t head_at(const Att *k, int t, int head) { return (size_t)(t * (k->a.H + 2 * k->a.Hk) + head) * (size_t)k->a.d; }
static int key_of(const Att *k, int head) { return k->a.H + head / (k->a.H / k->a.Hk); }

/* Frequency, angle, cos and sin are fp32 numbers by definition. They go through memory, since gcc 12 drops the rounding of
 * (double)(float)cos(x) where it makes a vector of that and the sin. v is turned by 0. */
typedef struct Turn { double cs, sn; } Turn;
static Turn turn_of(const Att *k, int t, int head, int i)
{
    int pos = head < k->a.H + k->a.Hk ? t - segment_of(&k->r.c.in, t)->tok : 0;
    const float *cs = k->rope + (size_t)pos * (size_t)k->a.d + 2 * i;
    return (Turn){(double)cs[0], (double)cs[1]};
}

static void fill_rope(Att *k)
{
    float *cs = k->rope;
    for (int pos = 0; pos < k->r.c.in.longest; pos++)
        for (int i = 0; i < k->a.d / 2; i++) {
            float angle = (float)pos * (float)pow((double)k->a.theta, -2.0 * i / k->a.d);
            *cs++ = (float)cos((double)angle);
            *cs++ = (float)sin((double)angle);
        }
}

static void load(Att *k, const Rig *r)
{
    int n = r->c.in.ntok, all = k->a.H + 2 * k->a.Hk, d = k->a.d, half = d / 2;
    fill_rope(k);
    for (int t = 0; t < n; t++)
        for (int head = 0; head < all; head++)
            for (int i = 0; i < half; i++) {
                Turn w = turn_of(k, t, head, i);
                double x = (double)at(k->qkv, t, head * d + i), y = (double)at(k->qkv, t, head * d + half + i);
                size_t to = head_at(k, t, head) + (size_t)i;
                k->x[to] = rounding(r, x * w.cs - y * w.sn);
                k->x[to + (size_t)half] = rounding(r, y * w.cs + x * w.sn);
                k->ax[to] = fabs(x * w.cs) + fabs(y * w.sn);
                k->ax[to + (size_t)half] = fabs(y * w.cs) + fabs(x * w.sn);
            }
}

static void open_formula(Att *k, int backward)
{
    size_t n = (size_t)k->r.c.in.ntok * (size_t)k->qkv.cols * sizeof(double), row = (size_t)k->r.c.in.longest * sizeof(double);
    k->rope = rig_mem(&k->r, (size_t)(k->r.c.in.longest * k->a.d) * sizeof(float));
    k->x = rig_mem(&k->r, n);
    k->ax = rig_mem(&k->r, n);
    k->p = rig_mem(&k->r, row);
    k->e = rig_mem(&k->r, row);
    if (!backward) return;
    k->g = memset(rig_mem(&k->r, n), 0, n);
    k->ag = memset(rig_mem(&k->r, n), 0, n);
}

/* p: scores of a query with the n tokens from `from` on; e: their errors. */
static void scores(Att *k, int t, int head, int from, int n)
{
    int d = k->a.d;
    size_t q = head_at(k, t, head);
    for (int j = 0; j < n; j++) {
        size_t y = head_at(k, from + j, key_of(k, head));
        double s = 0, terms = 0;
        for (int c = 0; c < d; c++) {
            s += k->x[q + (size_t)c] * k->x[y + (size_t)c];
            terms += k->ax[q + (size_t)c] * k->ax[y + (size_t)c];
        }
        k->p[j] = s / sqrt(d);
        k->e[j] = sqrt(d + TURN) * terms / sqrt(d);
        k->top = fmax(k->top, fabs(k->p[j]));
    }
}

/* Log sum exp of n scores, which become probabilities. */
static double softmax(Att *k, int n)
{
    double high = -INFINITY, sum = 0;
    for (int j = 0; j < n; j++) high = fmax(high, k->p[j]);
    for (int j = 0; j < n; j++) {
        k->e[j] += high - k->p[j] + 1;
        sum += k->p[j] = exp(k->p[j] - high);
    }
    for (int j = 0; j < n; j++) k->p[j] /= sum;
    return high + log(sum);
}

/* Factors 1 + e_j on unnormalised weights move the mean o of the v_j by sum p_j e_j (v_j - o), and log sum exp by sum p_j e_j. */
static void attend(Att *k, const Rig *r, int t, int head)
{
    int from = segment_of(&r->c.in, t)->tok, n = t - from + 1, d = k->a.d, v = key_of(k, head) + k->a.Hk;
    scores(k, t, head, from, n);
    double lse = softmax(k, n), off = fabs(lse) + sqrt(n);
    for (int j = 0; j < n; j++) off += k->p[j] * k->e[j];
    say(k->olse, t, head, lse, off);
    for (int c = 0; c < d; c++) {
        const double *x = k->x + head_at(k, from, v) + c;
        size_t next = (size_t)k->qkv.cols;
        double o = 0, terms = tiny;
        for (int j = 0; j < n; j++) o += rounding(r, k->p[j]) * x[(size_t)j * next];
        for (int j = 0; j < n; j++) terms += k->p[j] * (k->e[j] * fabs(x[(size_t)j * next] - o) + sqrt(n) * fabs(x[(size_t)j * next]));
        say(k->out, t, head * d + c, o, terms);
    }
}

static void attention_formula(void *job, Rig *r)
{
    Att *k = job;
    load(k, r);
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int head = 0; head < k->a.H; head++) attend(k, r, t, head);
}

static double one_forward(const int *shape, const int *hs, Dtype type, int pad, double scale)
{
    Att k;
    open_case(&k, shape, hs, type, pad, scale);
    open_formula(&k, 0);
    k.out = rig_out_mat(&k.r, "o", k.o, 1);
    k.olse = rig_out(&k.r, "lse", 'f', k.lse, k.o.rows, hs[0], hs[0], 1);
    for (int i = 0; k.r.type == BF16 && i < k.r.nout; i++) k.r.out[i].steps = 0x1p-9;
    rig_check(&k.r, run_attention, attention_formula, &k);
    rig_close(&k.r);
    return k.top;
}

static void all_cases(double (*one)(const int *shape, const int *hs, Dtype type, int pad, double scale))
{
    static const int few[] = {1, 1, 8}, wide[] = {1, 1, WIDE};       /* wider than a block of keys is long */
    for (int s = 0; s < nsmall; s++)
        for (int i = 0; i < NHEADS; i++) {
            one(shapes[s], heads[i], F32, (s + i) % 3, some);
            if ((s + i) % 3 == 0) one(shapes[s], heads[i], BF16, i % 2, some);
        }
    for (int s = nsmall; s < nshapes; s++) one(shapes[s], few, F32, 1, some);
    for (int type = F32; type <= BF16; type++) one((const int[]){40, 0, -1}, wide, (Dtype)type, 1, some);
}

TEST(op_attention) { all_cases(one_forward); }

static void open_bwd(Att *k, const int *shape, const int *hs, Dtype type, int pad, double scale)
{
    open_case(k, shape, hs, type, pad, scale);
    k->d_o = rig_mat(&k->r, k->o.rows, k->o.cols, type, some);
    k->dqkv = rig_mat(&k->r, k->qkv.rows, k->qkv.cols, type, 0);
}

/* o and lse as the op's own forward pass gives them. */
static void go_forward(Att *k, const char *tier)
{
    Backend *b = tier_open(tier, k->r.type, 1, &k->r.dims);
    run_attention(k, b, &k->r.c.in, 0);
    tier_close(b);
}

typedef struct Row { int t, head, n, after; double p, e, delta, adelta, g[WIDE]; } Row;    /* a query, and how many numbers dq, dk and dv sum */

/* One pair, j the token seen: ds = p (dp - delta) is off by e |dp - delta| and the errors of both sums of d. */
static void pair_bwd(Att *k, const Rig *r, const Row *w, int j)
{
    int d = k->a.d;
    size_t q = head_at(k, w->t, w->head), y = head_at(k, j, key_of(k, w->head)), v = y + (size_t)(k->a.Hk * d);
    double dp = 0, adp = 0;
    for (int c = 0; c < d; c++) {
        dp += w->g[c] * k->x[v + (size_t)c];
        adp += fabs(w->g[c]) * k->ax[v + (size_t)c];
    }
    double ds = w->p * (dp - w->delta), off = w->p * (w->e * fabs(dp - w->delta) + sqrt(d) * (adp + w->adelta));
    double offq = (off + sqrt(w->n + TURN) * fabs(ds)) / sqrt(d), offk = (off + sqrt(w->after + TURN) * fabs(ds)) / sqrt(d);
    double p = rounding(r, w->p), offv = w->p * (w->e + sqrt(w->after));
    ds = rounding(r, ds) / sqrt(d);
    for (size_t c = 0; c < (size_t)d; c++) {
        k->g[q + c] += ds * k->x[y + c];
        k->g[y + c] += ds * k->x[q + c];
        k->g[v + c] += p * w->g[c];
        k->ag[q + c] += offq * k->ax[y + c];
        k->ag[y + c] += offk * k->ax[q + c];
        k->ag[v + c] += offv * fabs(w->g[c]);
    }
}

/* p from the lse that is given, delta from the o that is given. */
static void attend_bwd(Att *k, const Rig *r, int t, int head)
{
    const Seg *s = segment_of(&r->c.in, t);
    int d = k->a.d, n = t - s->tok + 1;
    double lse = (double)k->lse[t * k->a.H + head];
    Row w = {.t = t, .head = head, .n = n};
    for (int c = 0; c < d; c++) {
        w.g[c] = (double)at(k->d_o, t, head * d + c);
        double x = w.g[c] * (double)at(k->o, t, head * d + c);
        w.delta += x;
        w.adelta += fabs(x);
    }
    scores(k, t, head, s->tok, n);
    for (int j = 0; j < n; j++) {
        w.p = exp(k->p[j] - lse);
        w.e = k->e[j] + fabs(k->p[j] - lse) + 1;
        w.after = (s->ntok - j) * (k->a.H / k->a.Hk);
        pair_bwd(k, r, &w, s->tok + j);
    }
}

static void turn_back(Att *k, int t, int head)
{
    int d = k->a.d, half = d / 2;
    const double *g = k->g + head_at(k, t, head), *ag = k->ag + head_at(k, t, head);
    for (int i = 0; i < half; i++) {
        Turn w = turn_of(k, t, head, i);
        double cs = fabs(w.cs), sn = fabs(w.sn);
        say(k->out, t, head * d + i, g[i] * w.cs + g[half + i] * w.sn, ag[i] * cs + ag[half + i] * sn + tiny);
        say(k->out, t, head * d + half + i, g[half + i] * w.cs - g[i] * w.sn, ag[half + i] * cs + ag[i] * sn + tiny);
    }
}

static void bwd_formula(void *job, Rig *r)
{
    Att *k = job;
    int all = k->a.H + 2 * k->a.Hk;
    load(k, r);
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int head = 0; head < k->a.H; head++) attend_bwd(k, r, t, head);
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int head = 0; head < all; head++) turn_back(k, t, head);
}

static double one_bwd(const int *shape, const int *hs, Dtype type, int pad, double scale)
{
    Att k;
    open_bwd(&k, shape, hs, type, pad, scale);
    open_formula(&k, 1);
    go_forward(&k, "ref");
    k.out = rig_out_mat(&k.r, "dqkv", k.dqkv, 1);
    for (int i = 0; k.r.type == BF16 && i < k.r.nout; i++) k.r.out[i].steps = 0x1p-9;
    rig_check(&k.r, run_attention_bwd, bwd_formula, &k);
    rig_close(&k.r);
    return k.top;
}

static double attention_scalar(void *job)
{
    Att *k = job;
    double s = 0;
    run_attention(k, k->b, &k->r.c.in, 0);
    for (int t = 0; t < k->o.rows; t++)
        for (int c = 0; c < k->o.cols; c++) s += (double)at(k->o, t, c) * (double)at(k->d_o, t, c);
    return s;
}

static void attention_slopes(void)
{
    static const int shape[] = {4, 1, 0, 3, 0, -1}, hs[] = {2, 1, 4};
    Att k;
    open_bwd(&k, shape, hs, F32, 0, some);
    k.b = tier_open("ref", F32, 1, &k.r.dims);
    run_attention(&k, k.b, &k.r.c.in, 0);
    run_attention_bwd(&k, k.b, &k.r.c.in, 0);
    slopes_check("attention", k.qkv.p, k.dqkv.p, (size_t)(k.qkv.rows * k.qkv.cols), attention_scalar, &k, 2e-5);
    tier_close(k.b);
    rig_close(&k.r);
}

TEST(op_attention_bwd)
{
    attention_slopes();
    all_cases(one_bwd);
}

/* exp(1000) is no number in either float format. */
TEST(op_attention_large_scores)
{
    for (int type = F32; type <= BF16; type++) {
        CHECK(one_forward(shapes[nsmall - 1], heads[1], (Dtype)type, 1, 16 * some) > 1000);
        CHECK(one_bwd(shapes[nsmall - 1], heads[1], (Dtype)type, 1, 16 * some) > 1000);
    }
}

/* The first row of a segment sees itself alone: dp and delta are the same sum. dv is p do: p = exp(score - lse) is 1 where a tier's
 * score is lse, and in the reference, whose score has more digits, near enough to 1 while |score| < 1/2. */
static void first_token(const char *tier, const int *hs, Dtype type, double scale, int pad)
{
    static const int shape[] = {1, 4, 1, 0, 1, 60, 0, -1};
    Att k;
    open_bwd(&k, shape, hs, type, pad, scale);
    Backend *b = tier_open(tier, type, 1, &k.r.dims);
    if (b) {
        go_forward(&k, tier);
        run_attention_bwd(&k, b, &k.r.c.in, 0);
        tier_close(b);
    }
    int d = hs[2], nq = hs[0] * d, nk = hs[1] * d, bad = 0;
    for (int i = 0; b && i < k.r.c.in.nseg; i++) {
        const Seg *s = &k.r.c.in.seg[i];
        for (int c = 0; c < (s->ntok > 1 ? nq : nq + nk); c++) bad += !(at(k.dqkv, s->tok, c) == 0);
        for (int c = 0; s->ntok == 1 && nq == nk && (scale < 1 || strcmp(tier, "ref")) && c < nk; c++)
            bad += !(at(k.dqkv, s->tok, nq + nk + c) == at(k.d_o, s->tok, c));
    }
    if (bad) test_fail(__FILE__, __LINE__, "%s, (%d,%d,%d), scale %g: %d numbers", tier, hs[0], hs[1], d, scale, bad);
    rig_close(&k.r);
}

TEST(op_attention_first_token_has_no_query_gradient)
{
    for (int i = 0; i < NHEADS; i++) {
        for (int tier = 0; tier < TIERS; tier++) {
            first_token(tier_names[tier], heads[i], F32, 0.3, 1);
            first_token(tier_names[tier], heads[i], F32, 7, 1);
        }
        first_token("ref", heads[i], BF16, 0.3, 1);
        first_token("cuda", heads[i], BF16, 0.3, 1);
    }
}

static int same_rows(const Att *a, const Att *b, int from, int n)
{
    int same = !memcmp(a->lse + from * a->a.H, b->lse + from * a->a.H, (size_t)(n * a->a.H) * sizeof(float));
    for (int t = from; t < from + n; t++)
        same &= !memcmp(mat_at_row(a->o, t).p, mat_at_row(b->o, t).p, (size_t)a->o.cols * dtype_size(a->o.type));
    return same;
}

/* Rows behind row t of the second segment become others, then there are none: what is left of it is a micro-batch of its own. */
static void future(const char *tier, Dtype type, const int *hs, int t, double factor)
{
    static const int shape[] = {3, 300, 5, 0, -1};
    Att k, now;
    open_case(&k, shape, hs, type, 1, some);
    now = k;
    now.o = rig_mat(&k.r, k.o.rows, k.o.cols, type, 0);
    now.lse = rig_mem(&k.r, (size_t)(k.o.rows * hs[0]) * sizeof(float));
    Backend *b = tier_open(tier, type, 1, &k.r.dims);
    if (b) {
        Seg left = {.ntok = t + 1};
        int chunk[] = {0, t + 1};
        Input in = k.r.c.in, cut = in;
        cut.seg = &left; cut.chunk = chunk; cut.nseg = cut.nchunk = 1; cut.ntok = cut.longest = t + 1;
        run_attention(&k, b, &in, 0);
        for (int i = 3 + t + 1; i < 303; i++)
            for (int c = 0; c < k.qkv.cols; c++) put(k.qkv, i, c, factor * (double)at(k.qkv, i, c));
        tier_soil(b, 0x42);
        run_attention(&now, b, &in, 0);
        if (!same_rows(&k, &now, 0, 3 + t + 1)) test_fail(__FILE__, __LINE__, "%s, row %d times %g: seen before", tier, t + 1, factor);
        if (!same_rows(&k, &now, 303, 5)) test_fail(__FILE__, __LINE__, "%s, row %d times %g: seen in the next segment", tier, t + 1, factor);
        if (same_rows(&k, &now, 3 + t + 1, 1)) test_fail(__FILE__, __LINE__, "%s, row %d times %g: not seen by itself", tier, t + 1, factor);
        tier_soil(b, 0x3c);
        memset(now.lse, 0, (size_t)(k.o.rows * hs[0]) * sizeof(float));
        run_attention(&now, b, &cut, 3);
        if (!same_rows(&k, &now, 3, t + 1)) test_fail(__FILE__, __LINE__, "%s, %d rows of %d: not the same alone", tier, t + 1, 300);
        tier_close(b);
    }
    rig_close(&k.r);
}

TEST(op_attention_future_changes_nothing)
{
    static const int last[] = {0, 15, 46, 47, 48, 254, 255, 256, 257, 298};
    for (int i = 0; i < 10; i++) {
        for (int tier = 0; tier < (i % 4 == 3 ? TIERS : TIERS - 1); tier++) {
            future(tier_names[tier], F32, heads[1], last[i], -2);
            future(tier_names[tier], F32, heads[3], last[i], 1e4);
        }
        future("ref", BF16, heads[1], last[i], 1e4);
        if (i % 4 == 3) future("cuda", BF16, heads[1], last[i], 1e4);
    }
}

__attribute__((weak)) extern int emu_dnn_executed;      /* tests/emu/cudnn.c */

/* |a - b| over |b|, of all numbers together. */
static double apart(Mat a, Mat b)
{
    double diff = 0, all = tiny;
    for (int t = 0; t < a.rows; t++)
        for (int c = 0; c < a.cols; c++) {
            diff += pow((double)at(a, t, c) - (double)at(b, t, c), 2);
            all += pow((double)at(b, t, c), 2);
        }
    return sqrt(diff / all);
}

/* Both passes by cuDNN and by our own kernels: what they round differs. How often cuDNN was there. */
static int beside_our_own(const int *shape, const int *hs, int pad)
{
    Att own, k;
    int before = &emu_dnn_executed ? emu_dnn_executed : 0;
    open_bwd(&own, shape, hs, BF16, pad, some);
    open_bwd(&k, shape, hs, BF16, pad, some);
    setenv("FTS_CUDNN", "no", 1);
    Backend *b = tier_open("cuda", BF16, 1, &own.r.dims);
    run_attention(&own, b, &own.r.c.in, 0);
    run_attention_bwd(&own, b, &own.r.c.in, 0);
    tier_close(b);
    setenv("FTS_CUDNN", "yes", 1);
    b = tier_open("cuda", BF16, 1, &k.r.dims);
    run_attention(&k, b, &k.r.c.in, 0);
    run_attention_bwd(&k, b, &k.r.c.in, 0);
    int intact = tier_close(b) && rig_intact(&k.r);
    double lse = 0;
    for (int i = 0; i < k.o.rows * hs[0]; i++) lse = fmax(lse, fabs((double)k.lse[i] - (double)own.lse[i]));
    if (!(apart(k.o, own.o) < 0.004 && apart(k.dqkv, own.dqkv) < 0.008 && lse < 1e-4 && intact))
        test_fail(__FILE__, __LINE__, "(%d,%d,%d), %d tokens, pad %d: o %g apart, dqkv %g, lse %g", hs[0], hs[1], hs[2], k.o.rows, pad, apart(k.o, own.o), apart(k.dqkv, own.dqkv), lse);
    rig_close(&own.r);
    rig_close(&k.r);
    return &emu_dnn_executed ? emu_dnn_executed - before : 2;
}

/* What does not fit into the scratch memory is left to our own kernels, in the memory that is there. */
static void without_room(void)
{
    static const int shape[] = {40, 17, 0, -1}, hs[] = {2, 2, 32};
    Att k;
    int before = emu_dnn_executed;
    open_bwd(&k, shape, hs, BF16, 0, some);
    Backend *b = tier_open("cuda", BF16, 1, &k.r.dims);
    size_t all = b->scratch_size;
    run_attention(&k, b, &k.r.c.in, 0);
    b->scratch_size -= 8 << 20;
    run_attention_bwd(&k, b, &k.r.c.in, 0);
    b->scratch_size = all;
    CHECK(emu_dnn_executed == before + 1);
    run_attention_bwd(&k, b, &k.r.c.in, 0);
    CHECK(emu_dnn_executed == before + 2 && tier_close(b) && rig_intact(&k.r));
    rig_close(&k.r);
}

/* Rows that are 16 bytes apart go to cuDNN, here a plain loop over the same graph, others to our own kernels. */
TEST(op_attention_by_cudnn)
{
    static const int wide[][3] = {{2, 2, 32}, {1, 1, 64}, {3, 1, 32}}, few[] = {0, 2, 3, 4, 8};
    int real = test_device_is_real();
    if (!&emu_dnn_executed && !real) { test_skip("the emulator of CUDA is not built in"); return; }
    setenv("FTS_CUDNN", "yes", 1);
    for (int i = 0; i < (real ? nshapes : 5); i++) {
        const int *hs = wide[i % 2], *shape = shapes[real ? i : few[i]];
        one_forward(shape, hs, BF16, 8 * (i % 2), some);
        one_bwd(shape, hs, BF16, 8 * (i % 2), some);
        if (!i) continue;                        /* no token at all */
        CHECK(beside_our_own(shape, hs, 8 * (i % 2)) == 2 && (real || (!beside_our_own(shape, hs, 1) && !beside_our_own(shape, wide[2], 0))));
    }
    if (!real) without_room();
    first_token("cuda", wide[0], BF16, 0.3, 0);
    unsetenv("FTS_CUDNN");
}

__attribute__((weak)) int emu_matrices_read(void);

/* Halves in heads of 32 or 64 have kernels of their own on a device, wherever rows begin; more than two tiles of keys, and all of two. */
TEST(cuda_attention_of_halves)
{
    static const int hs[][3] = {{2, 1, 32}, {1, 1, 64}, {4, 2, 32}, {2, 2, 64}}, shape[][6] = {{130, 1, 0, 20, 0, -1}, {128, 0, 3, 0, -1}, {64, 65, 0, -1}, {7, 0, -1}};
    const char *set = getenv("FTS_TEST_EMULATOR");
    char before[16] = "";
    if (!test_device_is_there()) return;
    if (set) snprintf(before, sizeof before, "%s", set);
    setenv("FTS_TEST_EMULATOR", "all", 1);
    int before_all = emu_matrices_read ? emu_matrices_read() : 0;
    for (int i = 0; i < 4; i++) {
        one_forward(shape[i], hs[i], BF16, i % 2, some);
        one_bwd(shape[i], hs[i], BF16, 8 * (i % 2), some);
        one_bwd(shape[i], hs[(i + 1) % 4], BF16, 1, 4 * some);
    }
    if (set) setenv("FTS_TEST_EMULATOR", before, 1); else unsetenv("FTS_TEST_EMULATOR");
    CHECK(!emu_matrices_read || test_device_is_real() || emu_matrices_read() > before_all);
}

/* A device that was told the sizes keeps a table of angles, of the first theta that it met: other ones, and longer segments, have their own. */
TEST(cuda_angles_are_those_of_who_asks)
{
    static const int shape[] = {40, 7, 0, -1}, hs[] = {2, 2, 8};
    static const float theta[] = {10000, 500, 10000, 500};
    static const int longest[] = {47, 20, 60, 20};
    if (!test_device_is_there()) return;
    for (int i = 0; i < 4; i++) {
        Att k;
        Err e;
        open_case(&k, shape, hs, i % 2 ? BF16 : F32, 0, some);
        size_t bytes = (size_t)(k.o.rows * k.o.cols) * dtype_size(k.o.type);
        unsigned char *want = rig_mem(&k.r, bytes);
        Backend *table = tier_open("cuda", k.r.type, 1, &k.r.dims), *none = tier_open("cuda", k.r.type, 1, &k.r.dims);
        Dims d = k.r.dims;
        for (int round = 0; round < 4; round++) {
            d.longest = longest[(i + round) % 4];
            OK(table->device->reserve(table, &d, &e));
            k.a.theta = theta[(i + round) % 4];
            run_attention(&k, none, &k.r.c.in, 0);
            OK(backend_sync(none, &e));
            memcpy(want, k.o.p, bytes);
            memset(k.o.p, 0, bytes);
            run_attention(&k, table, &k.r.c.in, 0);
            OK(backend_sync(table, &e));
            CHECK(!memcmp(want, k.o.p, bytes));
        }
        CHECK(tier_close(table) && tier_close(none) && rig_intact(&k.r));
        rig_close(&k.r);
    }
}
