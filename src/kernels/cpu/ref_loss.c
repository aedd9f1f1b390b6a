/* ref_loss.c - all heads at once: predictions, Huber loss, and their gradients, chunk by chunk. */
#include "kernels/cpu/ref.h"

typedef struct TokenLoss { double huber[MAX_HORIZONS], abs, sq; } TokenLoss;
typedef struct Loss {
    Backend *b;
    Mat x, dx, dpred;                    /* dpred (n,O) of the chunk */
    const Heads *h;
    const Input *in;
    int at, n;                           /* the chunk: tokens [at, +n) */
    TokenLoss *token;                    /* (n) */
    Work work;
} Loss;
typedef struct LossWork { float *x, *buf; double *pred, *row; } LossWork;       /* (ROWS, D or O) (D) (ROWS,O) (ROWS,D) */

static LossWork loss_carve(Bump *s, int D, int O)
{
    return (LossWork){take_floats(s, ROWS, imax(D, O)), take_floats(s, 1, D), take_doubles(s, ROWS, O), take_doubles(s, ROWS, D)};
}
static size_t loss_each(int D, int O)
{
    Bump s = {0};
    loss_carve(&s, D, O);
    return s.at;
}
static void chunk_carve(Bump *s, Loss *a, int n, int O)
{
    a->dpred = mat_floats(take_floats(s, n, O), n, O);
    a->token = take(s, (size_t)n * sizeof *a->token);
}
size_t ref_loss_scratch(const Dims *d, int threads)
{
    Bump s = {0};
    chunk_carve(&s, &(Loss){0}, most_in_chunk(d), d->O);
    return s.at + (size_t)threads * loss_each(d->D, d->O);
}

static double huber(double e, double delta) { return fabs(e) <= delta ? e * e / 2 : delta * (fabs(e) - delta / 2); }
static double clip(double e, double delta) { return e > delta ? delta : e < -delta ? -delta : e; }

/* One token: what exists of the points after it is the target; where there is none, neither loss nor gradient. */
static TokenLoss token_loss(const Loss *a, int t, const double *pred)
{
    const Heads *h = a->h;
    const Seg *s = &a->in->seg[seg_of(a->in, t)];
    int first = (t - s->tok) * a->in->S + a->in->P, col = 0;
    TokenLoss l = {{0}, 0, 0};
    for (int i = 0; i < h->n; i++)
        for (int j = 0; j < h->h[i]; j++, col++) {
            int valid = first + j < s->npt;
            double e = valid ? (double)(float)pred[col] - (double)a->in->points[s->pt + first + j] : 0;
            l.huber[i] += huber(e, (double)h->delta);
            l.abs += fabs(e);
            l.sq += e * e;
            if (a->dx.p) mat_set(a->dpred, t - a->at, col, h->scale[i] * clip(e, (double)h->delta));
        }
    return l;
}

static void loss_item(void *arg, int item, int worker)
{
    const Loss *a = arg;
    const Weight *w = &a->h->w;
    int at = a->at + item * ROWS, n = imin(ROWS, a->n - item * ROWS), D = w->in, O = w->out, round = rounds(a->b, w);
    Bump s = work_of(a->work, worker);
    LossWork k = loss_carve(&s, D, O);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) k.x[i * D + c] = rounded(round, mat_get(a->x, at + i, c));
    product_wt(a->b, k.pred, k.x, n, w, 0, k.buf);
    for (int i = 0; i < n; i++) a->token[at + i - a->at] = token_loss(a, at + i, k.pred + i * O);
    if (!a->dx.p) return;
    for (int i = 0; i < n; i++)
        for (int o = 0; o < O; o++) k.x[i * O + o] = rounded(round, mat_get(a->dpred, at + i - a->at, o));
    product_w(a->b, k.row, k.x, n, w, 0, k.buf, SET);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) mat_set(a->dx, at + i, c, k.row[i * D + c]);
}

static void loss_dw_item(void *arg, int o, int worker)
{
    const Loss *a = arg;
    Bump s = work_of(a->work, worker);
    LossWork k = loss_carve(&s, a->h->w.in, a->h->w.out);
    product_dw(a->b, &a->h->w, 0, o, a->dpred, mat_from(a->x, a->at, 0), a->n, k.row, k.buf);
}

static void add_loss(StepSum *s, const Loss *a)
{
    TokenLoss sum = {{0}, 0, 0};
    for (int i = 0; i < a->n; i++) {
        double all = 0;
        for (int j = 0; j < a->h->n; j++) {
            sum.huber[j] += a->token[i].huber[j];
            all += a->token[i].huber[j];
        }
        sum.abs += a->token[i].abs;
        sum.sq += a->token[i].sq;
        if (!isfinite(all) && s->bad_seg < 0) s->bad_seg = s->seg0 + seg_of(a->in, a->at + i);
    }
    for (int j = 0; j < a->h->n; j++) s->huber[j] += sum.huber[j];
    s->abs += sum.abs;
    s->sq += sum.sq;
}

void ref_heads_loss(Backend *b, StepSum *s, Mat dx, Mat x, const Heads *h, const Input *in)
{
    Loss a = {.b = b, .x = x, .dx = dx, .h = h, .in = in};
    for (int c = 0; c < in->nchunk; c++) {
        Bump m = {b->scratch, 0};
        a.at = in->chunk[c];
        a.n = in->chunk[c + 1] - a.at;
        chunk_carve(&m, &a, a.n, h->w.out);
        a.work = work_open(b, m.at, loss_each(h->w.in, h->w.out));
        par_for(b->par, pieces(a.n, ROWS), loss_item, &a);
        add_loss(s, &a);
        if (dx.p) par_for(b->par, h->w.out, loss_dw_item, &a);
    }
}
