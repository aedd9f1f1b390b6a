/* ref_ffn.c - the gated MLP over rows sorted by group. A piece is the rows of one group that come from one chunk: pieces
 * go one after the other, so that dW is added to chunk by chunk, and the rows or weights of a piece are the items. */
#include "kernels/cpu/ref.h"

typedef struct Mlp {
    Backend *b;
    Mat y, dout, keep, x;                /* y: the output rows, or dx */
    const Ffn *w;
    const Rows *r;
    const Input *in;
    int group, at, n;                    /* the piece: rows [at, +n) */
    float *u, *g, *hidden, *dgate, *dup; /* backward, rows of the piece as operands: (n,D) (n,D) (n,F) (n,F) (n,F) */
    Work work;
} Mlp;

typedef struct MlpWork { float *u, *hidden, *buf; double *gate, *up, *wide, *row; } MlpWork;     /* (ROWS,D) (ROWS,F) (D or F) (ROWS,F) x 3, (ROWS,D) */

static MlpWork mlp_carve(Bump *s, int D, int F)
{
    return (MlpWork){take_floats(s, ROWS, D), take_floats(s, ROWS, F), take_floats(s, 1, imax(D, F)),
                     take_doubles(s, ROWS, F), take_doubles(s, ROWS, F), take_doubles(s, ROWS, F), take_doubles(s, ROWS, D)};
}
static size_t mlp_each(int D, int F)
{
    Bump s = {0};
    mlp_carve(&s, D, F);
    return s.at;
}
static void piece_carve(Bump *s, Mlp *a, int n, int D, int F)
{
    a->u = take_floats(s, n, D);
    a->g = take_floats(s, n, D);
    a->hidden = take_floats(s, n, F);
    a->dgate = take_floats(s, n, F);
    a->dup = take_floats(s, n, F);
}
static size_t piece_bytes(int n, int D, int F)
{
    Bump s = {0};
    piece_carve(&s, &(Mlp){0}, n, D, F);
    return s.at;
}
/* A token is at most once in a group, so a piece is at most a chunk. */
size_t ref_ffn_scratch(const Dims *d, int threads)
{
    int F = imax(d->F, d->Fe);
    return piece_bytes(most_in_chunk(d), d->D, F) + (size_t)threads * mlp_each(d->D, F);
}

static int token_of(const Mlp *a, int row) { return a->r->token ? a->r->token[row] : row; }

static int set_piece(Mlp *a, int group, int chunk)
{
    int p = group * a->in->nchunk + chunk;
    a->group = group;
    a->at = a->r->start ? a->r->start[p] : a->in->chunk[chunk];
    a->n = a->r->start ? a->r->count[p] : a->in->chunk[chunk + 1] - a->in->chunk[chunk];
    return a->n;
}

static void load_u(const Mlp *a, float *u, int row, int n)
{
    int D = a->w->gate.in, round = rounds(a->b, &a->w->gate);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) *u++ = rounded(round, mat_get(a->x, token_of(a, row + i), c));
}

/* Both products before the activation, rounded as they are kept. */
static void gate_up(const Mlp *a, const float *u, int n, MlpWork *k)
{
    int F = a->w->gate.out, round = a->b->dtype == BF16;
    product_wt(a->b, k->gate, u, n, &a->w->gate, a->group, k->buf);
    product_wt(a->b, k->up, u, n, &a->w->up, a->group, k->buf);
    for (int i = 0; i < n * F; i++) {
        k->gate[i] = rounded(round, k->gate[i]);
        k->up[i] = rounded(round, k->up[i]);
    }
}

static void hidden_of(const Mlp *a, float *hidden, int n, const MlpWork *k)
{
    for (int i = 0; i < n * a->w->gate.out; i++) hidden[i] = rounded(a->b->dtype == BF16, silu(k->gate[i]) * k->up[i]);
}

static void ffn_item(void *arg, int item, int worker)
{
    const Mlp *a = arg;
    int D = a->w->gate.in, F = a->w->gate.out, row = a->at + item * ROWS, n = imin(ROWS, a->n - item * ROWS);
    Bump s = work_of(a->work, worker);
    MlpWork k = mlp_carve(&s, D, F);
    load_u(a, k.u, row, n);
    gate_up(a, k.u, n, &k);
    for (int i = 0; a->keep.p && i < n; i++)
        for (int f = 0; f < F; f++) {
            mat_set(a->keep, row + i, f, k.gate[i * F + f]);
            mat_set(a->keep, row + i, F + f, k.up[i * F + f]);
        }
    hidden_of(a, k.hidden, n, &k);
    product_wt(a->b, k.row, k.hidden, n, &a->w->down, a->group, k.buf);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) mat_set(a->y, row + i, c, k.row[i * D + c]);
}

void ref_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    Mlp a = {.b = b, .y = y, .keep = keep, .x = x, .w = w, .r = r, .in = in, .work = work_open(b, 0, mlp_each(w->gate.in, w->gate.out))};
    for (int g = 0; g < w->gate.groups; g++)
        for (int c = 0; c < in->nchunk; c++)
            if (set_piece(&a, g, c)) par_for(b->par, pieces(a.n, ROWS), ffn_item, &a);
}

static void load_gate_up(const Mlp *a, int row, int n, const float *u, MlpWork *k)
{
    int F = a->w->gate.out;
    if (!a->keep.p) { gate_up(a, u, n, k); return; }
    for (int i = 0; i < n; i++)
        for (int f = 0; f < F; f++) {
            k->gate[i * F + f] = mat_get(a->keep, row + i, f);
            k->up[i * F + f] = mat_get(a->keep, row + i, F + f);
        }
}

/* dscale = <W_down^T dout, hidden> = <dout, W_down hidden>; and g = scale * dout as an operand. */
static void scale_rows(const Mlp *a, float *g, int row, int n, const float *hidden, MlpWork *k)
{
    int D = a->w->gate.in, round = rounds(a->b, &a->w->down);
    if (a->r->scale) product_wt(a->b, k->row, hidden, n, &a->w->down, a->group, k->buf);
    for (int i = 0; i < n; i++) {
        double scale = a->r->scale ? a->r->scale[row + i] : 1, sum = 0;
        for (int c = 0; c < D; c++) {
            double dout = mat_get(a->dout, token_of(a, row + i), c);
            g[i * D + c] = rounded(round, scale * dout);
            if (a->r->scale) sum += dout * k->row[i * D + c];
        }
        if (a->r->scale) a->r->dscale[row + i] = (float)sum;
    }
}

static void ffn_rows_item(void *arg, int item, int worker)
{
    const Mlp *a = arg;
    int D = a->w->gate.in, F = a->w->gate.out, first = item * ROWS, row = a->at + first, n = imin(ROWS, a->n - first);
    size_t atD = (size_t)first * (size_t)D, atF = (size_t)first * (size_t)F;
    float *dgate = a->dgate + atF, *dup = a->dup + atF;
    Bump s = work_of(a->work, worker);
    MlpWork k = mlp_carve(&s, D, F);
    load_u(a, a->u + atD, row, n);
    load_gate_up(a, row, n, a->u + atD, &k);
    hidden_of(a, a->hidden + atF, n, &k);
    scale_rows(a, a->g + atD, row, n, a->hidden + atF, &k);
    product_w(a->b, k.wide, a->g + atD, n, &a->w->down, a->group, k.buf, SET);
    for (int i = 0; i < n * F; i++) {
        dgate[i] = rounded(rounds(a->b, &a->w->gate), k.wide[i] * k.up[i] * silu_slope(k.gate[i]));
        dup[i] = rounded(rounds(a->b, &a->w->up), k.wide[i] * silu(k.gate[i]));
    }
    product_w(a->b, k.row, dgate, n, &a->w->gate, a->group, k.buf, SET);
    product_w(a->b, k.row, dup, n, &a->w->up, a->group, k.buf, ADD);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < D; c++) mat_set(a->y, row + i, c, k.row[i * D + c]);
}

/* Rows 0 .. F-1 of dW_gate and dW_up, then rows 0 .. D-1 of dW_down. */
static void ffn_dw_item(void *arg, int item, int worker)
{
    const Mlp *a = arg;
    int D = a->w->gate.in, F = a->w->gate.out, n = a->n;
    Bump s = work_of(a->work, worker);
    MlpWork k = mlp_carve(&s, D, F);
    if (item < F) {
        product_dw(a->b, &a->w->gate, a->group, item, mat_floats(a->dgate, n, F), mat_floats(a->u, n, D), n, k.row, k.buf);
        product_dw(a->b, &a->w->up, a->group, item, mat_floats(a->dup, n, F), mat_floats(a->u, n, D), n, k.row, k.buf);
    } else product_dw(a->b, &a->w->down, a->group, item - F, mat_floats(a->g, n, D), mat_floats(a->hidden, n, F), n, k.wide, k.buf);
}

void ref_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    int D = w->gate.in, F = w->gate.out;
    Mlp a = {.b = b, .y = dx, .dout = dout, .keep = keep, .x = x, .w = w, .r = r, .in = in};
    for (int g = 0; g < w->gate.groups; g++)
        for (int c = 0; c < in->nchunk; c++) {
            if (!set_piece(&a, g, c)) continue;
            Bump s = {b->scratch, 0};
            piece_carve(&s, &a, a.n, D, F);
            a.work = work_open(b, s.at, mlp_each(D, F));
            par_for(b->par, pieces(a.n, ROWS), ffn_rows_item, &a);
            par_for(b->par, F + D, ffn_dw_item, &a);
        }
}
