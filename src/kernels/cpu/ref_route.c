/* ref_route.c - who computes what: the router, the sort of rows by expert, the router's gradient, the balance of experts. */
#include "kernels/cpu/ref.h"

#include <string.h>

typedef struct Routing { Backend *b; Mat x, dx, dlogit; const Router *w; const Route *r; const Balance *s; const Input *in; double coef; Work work; } Routing;
typedef struct RouteWork { float *x, *buf, *g; double *logit, *sum; } RouteWork;     /* (ROWS,D) (D) (ROWS,E) (ROWS,E) (ROWS,D) */

static RouteWork route_carve(Bump *s, int D, int E)
{
    return (RouteWork){take_floats(s, ROWS, D), take_floats(s, 1, D), take_floats(s, ROWS, E), take_doubles(s, ROWS, E), take_doubles(s, ROWS, D)};
}
static size_t route_each(int D, int E)
{
    Bump s = {0};
    route_carve(&s, D, E);
    return s.at;
}
/* Gradients of the E logits of each token, then of its shared gate. */
static size_t dlogit_bytes(int tokens, int E)
{
    Bump s = {0};
    take_floats(&s, tokens, E + 1);
    return s.at;
}
size_t ref_route_scratch(const Dims *d, int threads) { return dlogit_bytes(d->tokens, d->E) + (size_t)threads * route_each(d->D, imax(1, d->E)); }

static void softmax(float *prob, const double *logit, int n)
{
    double high = logit[0], sum = 0;
    for (int e = 1; e < n; e++)
        if (logit[e] > high) high = logit[e];
    for (int e = 0; e < n; e++) sum += exp(logit[e] - high);
    for (int e = 0; e < n; e++) prob[e] = (float)(exp(logit[e] - high) / sum);
}

static void route_item(void *arg, int item, int worker)
{
    const Routing *a = arg;
    const Route *r = a->r;
    Bump s = work_of(a->work, worker);
    int at = item * ROWS, n = imin(ROWS, a->in->ntok - at), E = r->E, D = a->w->share.in;
    RouteWork k = route_carve(&s, D, imax(1, E));
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) k.x[i * D + c] = mat_get(a->x, at + i, c);
    product_wt(a->b, k.logit, k.x, n, &a->w->gate, 0, k.buf);
    for (int i = 0; i < n; i++) {
        size_t t = (size_t)(at + i);
        softmax(r->prob + t * (size_t)E, k.logit + i * E, E);
        choose(r->expert + t * (size_t)r->K, r->prob + t * (size_t)E, E, r->K);
    }
    product_wt(a->b, k.logit, k.x, n, &a->w->share, 0, k.buf);
    for (int i = 0; i < n; i++) r->shared.scale[at + i] = (float)sigmoid(k.logit[i]);
}

static void psum_item(void *arg, int e, int worker)
{
    const Routing *a = arg;
    (void)worker;
    for (int c = 0; c < a->in->nchunk; c++) {
        double sum = 0;
        for (int t = a->in->chunk[c]; t < a->in->chunk[c + 1]; t++) sum += (double)a->r->prob[(size_t)t * (size_t)a->r->E + (size_t)e];
        a->s->psum[e] += sum;
    }
}

void ref_norm_route(Backend *b, Route *r, const Balance *s, Mat y, Mat keep, float *rstd, Mat h, const Router *w, const Input *in)
{
    ref_norm(b, y, keep, rstd, h, w->norm, w->eps);
    Routing a = {.b = b, .x = y, .w = w, .r = r, .s = s, .in = in, .work = work_open(b, 0, route_each(w->share.in, imax(1, r->E)))};
    par_for(b->par, pieces(in->ntok, ROWS), route_item, &a);
    par_for(b->par, r->E, psum_item, &a);
}

static void count_rows(const Route *r, const Input *in, int *count)
{
    memset(count, 0, (size_t)r->E * (size_t)in->nchunk * sizeof *count);
    for (int c = 0; c < in->nchunk; c++)
        for (int i = in->chunk[c] * r->K; i < in->chunk[c + 1] * r->K; i++) count[r->expert[i] * in->nchunk + c]++;
}

void ref_dispatch(Backend *b, Route *r, const Balance *s, const Input *in)
{
    int *start = r->routed.start, *count = r->routed.count, row = 0;
    (void)b;
    count_rows(r, in, count);
    for (int p = 0; p < r->E * in->nchunk; p++) {
        start[p] = row;
        row += count[p];
        s->count[p / in->nchunk] += count[p];
    }
    for (int c = 0; c < in->nchunk; c++) {
        for (int i = in->chunk[c] * r->K; i < in->chunk[c + 1] * r->K; i++) {
            int e = r->expert[i], to = start[e * in->nchunk + c]++;          /* counts up: where the next row goes */
            r->row[i] = to;
            r->routed.token[to] = i / r->K;
            r->routed.scale[to] = r->prob[(size_t)(i / r->K) * (size_t)r->E + (size_t)e];
        }
    }
    for (int p = 0; p < r->E * in->nchunk; p++) start[p] -= count[p];
}

/* dlogit of one token; dp = coef share + dscale of the rows it was given. */
static void dlogit_row(const Routing *a, int t, double *dp)
{
    const Route *r = a->r;
    const float *p = r->prob + (size_t)t * (size_t)r->E;
    double mean = 0, s = r->shared.scale[t];
    for (int e = 0; e < r->E; e++) dp[e] = a->coef * (double)a->s->share[e];
    for (int i = t * r->K; i < (t + 1) * r->K; i++) dp[r->expert[i]] += (double)r->routed.dscale[r->row[i]];
    for (int e = 0; e < r->E; e++) mean += (double)p[e] * dp[e];
    for (int e = 0; e < r->E; e++) mat_set(a->dlogit, t, e, (double)p[e] * (dp[e] - mean));
    mat_set(a->dlogit, t, r->E, (double)r->shared.dscale[t] * s * (1 - s));
}

static void route_dx_item(void *arg, int item, int worker)
{
    const Routing *a = arg;
    Bump s = work_of(a->work, worker);
    int at = item * ROWS, n = imin(ROWS, a->in->ntok - at), E = a->r->E, D = a->w->share.in;
    RouteWork k = route_carve(&s, D, imax(1, E));
    for (int i = 0; i < n; i++) {
        dlogit_row(a, at + i, k.logit);
        for (int e = 0; e < E; e++) k.g[i * E + e] = mat_get(a->dlogit, at + i, e);
    }
    product_w(a->b, k.sum, k.g, n, &a->w->gate, 0, k.buf, SET);
    for (int i = 0; i < n; i++) k.g[i] = mat_get(a->dlogit, at + i, E);
    product_w(a->b, k.sum, k.g, n, &a->w->share, 0, k.buf, ADD);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) mat_set(a->dx, at + i, c, (double)mat_get(a->dx, at + i, c) + k.sum[i * D + c]);
}

/* Rows 0 .. E-1 of dW_gate, then dW_share. */
static void route_dw_item(void *arg, int e, int worker)
{
    const Routing *a = arg;
    Bump s = work_of(a->work, worker);
    int E = a->r->E;
    RouteWork k = route_carve(&s, a->w->share.in, imax(1, E));
    const Weight *w = e < E ? &a->w->gate : &a->w->share;
    for (int c = 0; c < a->in->nchunk; c++) {
        int at = a->in->chunk[c], n = a->in->chunk[c + 1] - at;
        product_dw(a->b, w, 0, e < E ? e : 0, mat_from(a->dlogit, at, e < E ? 0 : E), mat_from(a->x, at, 0), n, k.sum, k.buf);
    }
}

void ref_route_bwd(Backend *b, Mat dx, Mat x, const Router *w, const Route *r, const Balance *s, double coef, const Input *in)
{
    Routing a = {b, x, dx, mat_floats(b->scratch, in->ntok, r->E + 1), w, r, s, in, coef,
                 work_open(b, dlogit_bytes(in->ntok, r->E), route_each(w->share.in, imax(1, r->E)))};
    par_for(b->par, pieces(in->ntok, ROWS), route_dx_item, &a);
    par_for(b->par, r->E + 1, route_dw_item, &a);
}

/* E * sum f P of one router, which starts again at zero. No token, no loss, and the old shares stay. */
static double balance_one(Balance *m, int E, int K, int keep)
{
    int64_t pairs = 0;
    double sum = 0;
    for (int e = 0; e < E; e++) pairs += m->count[e];
    for (int e = 0; e < E; e++) {
        double f = pairs ? (double)m->count[e] / (double)pairs : 0, p = pairs ? m->psum[e] * K / (double)pairs : 0;
        sum += E * f * p;
        if (keep && pairs) m->share[e] = (float)f;
        m->count[e] = 0;
        m->psum[e] = 0;
    }
    return sum;
}

void ref_balance(Backend *b, StepSum *s, Balance *m, int routers, int E, int K, int keep)
{
    double sum = 0;
    (void)b;
    for (int r = 0; r < routers; r++) sum += balance_one(&m[r], E, K, keep && s->applied);
    s->aux = routers ? sum / routers : 0;
}
