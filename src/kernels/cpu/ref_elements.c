/* ref_elements.c - zero, the gated embedding, RMS norm, the sum over a token's rows. */
#include "kernels/cpu/ref.h"

#include <string.h>

typedef struct Zero { char *p; size_t n; } Zero;

static void zero_item(void *arg, int item, int worker)
{
    const Zero *a = arg;
    size_t at = (size_t)item * PIECE, left = a->n - at;
    (void)worker;
    memset(a->p + at, 0, left < PIECE ? left : PIECE);
}

void ref_zero(Backend *b, void *p, size_t bytes)
{
    Zero a = {p, bytes};
    par_for(b->par, (int)((bytes + PIECE - 1) / PIECE), zero_item, &a);
}

typedef struct Embed { Mat h; const Weight *g, *e; const Input *in; Work work; } Embed;

static void embed_item(void *arg, int item, int worker)
{
    const Embed *a = arg;
    int P = a->g->in, end = imin(a->in->ntok, (item + 1) * ROWS);
    (void)worker;
    for (int t = item * ROWS; t < end; t++) {
        const float *x = points_of(a->in, t);
        for (int d = 0; d < a->g->out; d++)
            mat_set(a->h, t, d, silu(dot(a->g->w + (size_t)d * (size_t)P, x, P)) * dot(a->e->w + (size_t)d * (size_t)P, x, P));
    }
}

void ref_embed(Backend *b, Mat h, const Weight *g, const Weight *e, const Input *in)
{
    Embed a = {.h = h, .g = g, .e = e, .in = in};
    par_for(b->par, pieces(in->ntok, ROWS), embed_item, &a);
}

static size_t embed_each(int P)
{
    Bump s = {0};
    take_doubles(&s, 2, P);
    return s.at;
}
size_t ref_embed_scratch(const Dims *d, int threads) { return (size_t)threads * embed_each(d->P); }

/* Row d of both dW for one chunk, added to `sum`: first P numbers for the gate, then P for the value. */
static void embed_bwd_chunk(const Embed *a, int d, int from, int to, double *sum)
{
    int P = a->g->in;
    const float *wg = a->g->w + (size_t)d * (size_t)P, *we = a->e->w + (size_t)d * (size_t)P;
    memset(sum, 0, 2 * (size_t)P * sizeof *sum);
    for (int t = from; t < to; t++) {
        const float *x = points_of(a->in, t);
        double g = dot(wg, x, P), e = dot(we, x, P), dh = mat_get(a->h, t, d);
        double dg = dh * e * silu_slope(g), de = dh * silu(g);
        for (int p = 0; p < P; p++) {
            sum[p] += dg * (double)x[p];
            sum[P + p] += de * (double)x[p];
        }
    }
}

static void embed_bwd_item(void *arg, int d, int worker)
{
    const Embed *a = arg;
    int P = a->g->in;
    Bump s = work_of(a->work, worker);
    double *sum = take_doubles(&s, 2, P);
    for (int c = 0; c < a->in->nchunk; c++) {
        embed_bwd_chunk(a, d, a->in->chunk[c], a->in->chunk[c + 1], sum);
        for (int p = 0; p < P; p++) {
            float *dg = a->g->dw + (size_t)d * (size_t)P + p, *de = a->e->dw + (size_t)d * (size_t)P + p;
            *dg = (float)((double)*dg + sum[p]);
            *de = (float)((double)*de + sum[P + p]);
        }
    }
}

void ref_embed_bwd(Backend *b, Mat dh, const Weight *g, const Weight *e, const Input *in)
{
    Embed a = {dh, g, e, in, work_open(b, 0, embed_each(g->in))};
    par_for(b->par, g->out, embed_bwd_item, &a);
}

typedef struct Norm { Mat y, keep, h; float *rstd; Vec w; float eps; } Norm;

static void norm_row(const Norm *a, int r)
{
    int D = a->w.n;
    Mat keep = a->keep.p ? a->keep : a->h;
    if (a->keep.p) {
        double sq = 0;
        for (int i = 0; i < D; i++) {
            mat_set(keep, r, i, mat_get(a->h, r, i));
            sq += (double)mat_get(keep, r, i) * (double)mat_get(keep, r, i);
        }
        a->rstd[r] = (float)(1 / sqrt(sq / D + (double)a->eps));
    }
    for (int i = 0; i < D; i++) mat_set(a->y, r, i, (double)mat_get(keep, r, i) * (double)a->rstd[r] * (double)a->w.w[i]);
}

static void norm_item(void *arg, int item, int worker)
{
    const Norm *a = arg;
    int end = imin(a->y.rows, (item + 1) * ROWS);
    (void)worker;
    for (int r = item * ROWS; r < end; r++) norm_row(a, r);
}

void ref_norm(Backend *b, Mat y, Mat keep, float *rstd, Mat h, Vec w, float eps)
{
    Norm a = {y, keep, h, rstd, w, eps};
    par_for(b->par, pieces(y.rows, ROWS), norm_item, &a);
}

typedef struct NormBwd { Mat dh, dy, keep; const float *rstd; Vec w; const Input *in; } NormBwd;

static void norm_dh_item(void *arg, int item, int worker)
{
    const NormBwd *a = arg;
    int D = a->w.n, end = imin(a->in->ntok, (item + 1) * ROWS);
    (void)worker;
    for (int t = item * ROWS; t < end; t++) {
        double r = a->rstd[t], pull = 0;
        for (int i = 0; i < D; i++) pull += (double)mat_get(a->dy, t, i) * (double)a->w.w[i] * (double)mat_get(a->keep, t, i);
        pull *= r * r / D;
        for (int i = 0; i < D; i++) {
            double g = (double)mat_get(a->dy, t, i) * (double)a->w.w[i] - (double)mat_get(a->keep, t, i) * pull;
            mat_set(a->dh, t, i, (double)mat_get(a->dh, t, i) + r * g);
        }
    }
}

static void norm_dw_item(void *arg, int item, int worker)
{
    const NormBwd *a = arg;
    int end = imin(a->w.n, (item + 1) * COLUMNS);
    (void)worker;
    for (int i = item * COLUMNS; i < end; i++)
        for (int c = 0; c < a->in->nchunk; c++) {
            double sum = 0;
            for (int t = a->in->chunk[c]; t < a->in->chunk[c + 1]; t++)
                sum += (double)mat_get(a->dy, t, i) * (double)mat_get(a->keep, t, i) * (double)a->rstd[t];
            a->w.dw[i] = (float)((double)a->w.dw[i] + sum);
        }
}

void ref_norm_bwd(Backend *b, Mat dh, Mat dy, Mat keep, const float *rstd, Vec w, const Input *in)
{
    NormBwd a = {dh, dy, keep, rstd, w, in};
    par_for(b->par, pieces(in->ntok, ROWS), norm_dh_item, &a);
    par_for(b->par, pieces(w.n, COLUMNS), norm_dw_item, &a);
}

typedef struct Combine { Mat h, y, ys; const Route *r; const Input *in; } Combine;

static void combine_item(void *arg, int item, int worker)
{
    const Combine *a = arg;
    const Route *r = a->r;
    int end = imin(a->in->ntok, (item + 1) * ROWS);
    (void)worker;
    for (int t = item * ROWS; t < end; t++)
        for (int i = 0; i < a->h.cols; i++) {
            double sum = mat_get(a->h, t, i);
            for (int k = 0; k < r->K; k++) {
                int row = r->row[t * r->K + k];
                sum += (double)r->routed.scale[row] * (double)mat_get(a->y, row, i);
            }
            if (a->ys.p) sum += (r->shared.scale ? (double)r->shared.scale[t] : 1) * (double)mat_get(a->ys, t, i);
            mat_set(a->h, t, i, sum);
        }
}

void ref_combine(Backend *b, Mat h, Mat y, Mat ys, const Route *r, const Input *in)
{
    Combine a = {h, y, ys, r, in};
    par_for(b->par, pieces(in->ntok, ROWS), combine_item, &a);
}

static void combine_bwd_item(void *arg, int item, int worker)
{
    const Combine *a = arg;
    const Route *r = a->r;
    int end = imin(a->in->ntok, (item + 1) * ROWS);
    (void)worker;
    for (int t = item * ROWS; t < end; t++)
        for (int i = 0; i < a->h.cols; i++) {
            double sum = 0;
            for (int k = 0; k < r->K; k++) sum += (double)mat_get(a->y, r->row[t * r->K + k], i);
            if (a->ys.p) sum += (double)mat_get(a->ys, t, i);
            mat_set(a->h, t, i, sum);
        }
}

void ref_combine_bwd(Backend *b, Mat dx, Mat dy, Mat dys, const Route *r, const Input *in)
{
    Combine a = {dx, dy, dys, r, in};
    par_for(b->par, pieces(in->ntok, ROWS), combine_bwd_item, &a);
}

/* One after the other, because y may be x. */
void ref_rows(Backend *b, Mat y, Mat x, const int *row)
{
    (void)b;
    for (int i = 0; i < y.rows; i++) memmove(mat_from(y, i, 0).p, mat_from(x, row[i], 0).p, (size_t)y.cols * dtype_size(y.type));
}

/* Products of weights that are `full` may always come here. */
size_t ref_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o)
{
    const struct { size_t (*bytes)(const Dims *, int); int used; } family[] = {
        {ref_embed_scratch, o->embed == ref_embed}, {ref_linear_scratch, 1},
        {ref_attention_scratch, d->forecast ? o->attend_cache == ref_attend_cache : o->attention == ref_attention},
        {ref_route_scratch, o->norm_route == ref_norm_route}, {ref_ffn_scratch, o->ffn == ref_ffn}, {ref_loss_scratch, o->heads_loss == ref_heads_loss}};
    size_t largest = 0;
    (void)type;
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        size_t bytes = family[i].used ? family[i].bytes(d, threads) : 0;
        if (bytes > largest) largest = bytes;
    }
    return largest;
}
