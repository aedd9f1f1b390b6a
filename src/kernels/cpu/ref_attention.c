/* ref_attention.c - causal attention inside segments, one query row at a time. An item is (segment, key/value head): its
 * owner takes the query heads and the rows in order, and alone writes their part of every result. */
#include "kernels/cpu/ref.h"

#include <string.h>

typedef struct Attention {
    const Backend *b;
    Mat qkv, o, d_o, dqkv;
    float *lse, *rope;                   /* rope (longest, d): cos of the d/2 angles of a position from `first` on, then sin */
    const Attn *a;
    const Input *in;
    Work work;
    const KvCache *kv; int layer, first; /* kv NULL: segments stand alone */
} Attention;

/* Of one item: rows of k (rotated) and v of its segment, and of the query row at hand. */
typedef struct Head {
    const Attention *a;
    Seg seg;
    int head, kv;
    float *k, *v, *q, *g;                /* (T,d) (T,d) (d) (d): g is the query row's gradient of o */
    double *p, *out, *dk, *dv;           /* (T) scores, then probabilities; (d); (T,d) (T,d) */
} Head;

static Head head_carve(Bump *s, int longest, int d, int backward)
{
    Head h = {.k = take_floats(s, longest, d), .v = take_floats(s, longest, d), .q = take_floats(s, 1, d), .g = take_floats(s, 1, d),
              .p = take_doubles(s, 1, longest), .out = take_doubles(s, 1, d)};
    if (!backward) return h;
    h.dk = take_doubles(s, longest, d);
    h.dv = take_doubles(s, longest, d);
    return h;
}

static size_t head_bytes(int longest, int d, int backward)
{
    Bump s = {0};
    head_carve(&s, longest, d, backward);
    return s.at;
}

static size_t rope_bytes(int longest, int d)
{
    Bump s = {0};
    take_floats(&s, longest, d);
    return s.at;
}

size_t ref_attention_scratch(const Dims *d, int threads) { return rope_bytes(d->longest, d->d) + (size_t)threads * head_bytes(d->longest, d->d, 1); }

static void rope_item(void *arg, int pos, int worker)
{
    const Attention *a = arg;
    (void)worker;
    rope_row(a->rope + (size_t)pos * (size_t)a->a->d, a->first + pos, a->a->d, a->a->theta);
}

/* The row of what stands at position `pos`; the segment begins behind its past. */
static int row_of(const Head *h, int pos) { return h->seg.tok + pos - h->seg.past; }
static const float *rope_of(const Head *h, int pos) { return h->a->rope + (size_t)(pos - h->a->first) * (size_t)h->a->a->d; }

/* What stands at `pos` from column c on, rotated: component i is paired with i + d/2. */
static void rotate(const Head *h, float *to, int pos, int c)
{
    const Attention *a = h->a;
    int half = a->a->d / 2, round = a->b->dtype == BF16;
    const float *cs = rope_of(h, pos);
    for (int i = 0; i < half; i++) {
        double x = mat_get(a->qkv, row_of(h, pos), c + i), y = mat_get(a->qkv, row_of(h, pos), c + half + i);
        to[i] = rounded(round, x * (double)cs[i] - y * (double)cs[half + i]);
        to[half + i] = rounded(round, y * (double)cs[i] + x * (double)cs[half + i]);
    }
}

/* The gradient of a rotated row, rotated back, into row `pos` of dqkv from column c on. */
static void rotate_back(const Head *h, const double *from, int pos, int c)
{
    const Attention *a = h->a;
    int half = a->a->d / 2;
    const float *cs = rope_of(h, pos);
    for (int i = 0; i < half; i++) {
        double x = from[i], y = from[half + i];
        mat_set(a->dqkv, h->seg.tok + pos, c + i, x * (double)cs[i] + y * (double)cs[half + i]);
        mat_set(a->dqkv, h->seg.tok + pos, c + half + i, y * (double)cs[i] - x * (double)cs[half + i]);
    }
}

static int k_column(const Head *h) { return (h->a->a->H + h->kv) * h->a->a->d; }
static int v_column(const Head *h) { return (h->a->a->H + h->a->a->Hk + h->kv) * h->a->a->d; }

static Head head_open(const Attention *a, int item, int worker, int backward)
{
    Bump s = work_of(a->work, worker);
    int d = a->a->d;
    Head h = head_carve(&s, a->in->longest, d, backward);
    h.a = a;
    h.seg = a->in->seg[item / a->a->Hk];
    h.kv = item % a->a->Hk;
    if (a->kv) {
        h.k = kv_keys(a->kv, a->layer, h.seg.slot, h.kv);
        h.v = kv_values(a->kv, a->layer, h.seg.slot, h.kv);
    }
    for (int t = h.seg.past; t < h.seg.past + h.seg.ntok; t++) {
        rotate(&h, h.k + (size_t)t * (size_t)d, t, k_column(&h));
        for (int i = 0; i < d; i++) h.v[(size_t)t * (size_t)d + (size_t)i] = mat_get(a->qkv, row_of(&h, t), v_column(&h) + i);
    }
    return h;
}

/* q at position i and its scores with positions 0 .. i. */
static void scores(Head *h, int i)
{
    int d = h->a->a->d;
    rotate(h, h->q, i, h->head * d);
    for (int j = 0; j <= i; j++) h->p[j] = dot(h->q, h->k + (size_t)j * (size_t)d, d) / sqrt(d);
}

/* log sum exp of the scores, which become probabilities. */
static double softmax(double *p, int n)
{
    double high = p[0], sum = 0;
    for (int j = 1; j < n; j++)
        if (p[j] > high) high = p[j];
    for (int j = 0; j < n; j++) sum += p[j] = exp(p[j] - high);
    for (int j = 0; j < n; j++) p[j] /= sum;
    return high + log(sum);
}

static void attend(Head *h, int i)
{
    const Attention *a = h->a;
    int d = a->a->d, round = a->b->dtype == BF16;
    size_t t = (size_t)row_of(h, i);
    scores(h, i);
    double lse = softmax(h->p, i + 1);
    if (a->lse) a->lse[t * (size_t)a->a->H + (size_t)h->head] = (float)lse;
    memset(h->out, 0, (size_t)d * sizeof *h->out);
    for (int j = 0; j <= i; j++) {
        double p = round ? (double)rounded(1, h->p[j]) : h->p[j];
        for (int c = 0; c < d; c++) h->out[c] += p * (double)h->v[(size_t)j * (size_t)d + (size_t)c];
    }
    for (int c = 0; c < d; c++) mat_set(a->o, (int)t, h->head * d + c, h->out[c]);
}

static void attention_item(void *arg, int item, int worker)
{
    const Attention *a = arg;
    Head h = head_open(a, item, worker, 0);
    int group = a->a->H / a->a->Hk;
    for (h.head = h.kv * group; h.head < (h.kv + 1) * group; h.head++)
        for (int i = h.seg.past; i < h.seg.past + h.seg.ntok; i++) attend(&h, i);
}

static void attention_run(Backend *b, Attention *a, ParItem *item, int backward)
{
    int longest = a->in->longest, d = a->a->d;
    a->b = b;
    a->rope = b->scratch;
    a->work = work_open(b, rope_bytes(longest, d), head_bytes(longest, d, backward));
    par_for(b->par, longest - a->first, rope_item, a);
    par_for(b->par, a->in->nseg * a->a->Hk, item, a);
}

void ref_attention(Backend *b, Mat o, float *lse, Mat qkv, const Attn *a, const Input *in)
{
    attention_run(b, &(Attention){.o = o, .lse = lse, .qkv = qkv, .a = a, .in = in}, attention_item, 0);
}

void ref_attend_cache(Backend *b, Mat o, KvCache *kv, int layer, Mat qkv, const Attn *a, const Input *in)
{
    attention_run(b, &(Attention){.o = o, .qkv = qkv, .a = a, .in = in, .kv = kv, .layer = layer, .first = first_position(in)}, attention_item, 0);
}

/* <do, o> of a row: what the softmax subtracts from each dP. */
static double row_delta(const Head *h, int i)
{
    double s = 0;
    for (int c = 0; c < h->a->a->d; c++) s += (double)h->g[c] * (double)mat_get(h->a->o, h->seg.tok + i, h->head * h->a->a->d + c);
    return s;
}

/* One query row: p = exp(s - lse), dv += p do, ds = p (do v - delta), dq = sum ds k / sqrt(d), dk += ds q / sqrt(d). */
static void attend_bwd(Head *h, int i)
{
    const Attention *a = h->a;
    int d = a->a->d, round = a->b->dtype == BF16, t = h->seg.tok + i;
    double lse = a->lse[(size_t)t * (size_t)a->a->H + (size_t)h->head];
    for (int c = 0; c < d; c++) h->g[c] = mat_get(a->d_o, t, h->head * d + c);
    double delta = row_delta(h, i);
    scores(h, i);
    memset(h->out, 0, (size_t)d * sizeof *h->out);
    for (int j = 0; j <= i; j++) {
        const float *k = h->k + (size_t)j * (size_t)d, *v = h->v + (size_t)j * (size_t)d;
        double *dk = h->dk + (size_t)j * (size_t)d, *dv = h->dv + (size_t)j * (size_t)d;
        double p = exp(h->p[j] - lse), ds = p * (dot(h->g, v, d) - delta);
        if (round) { p = rounded(1, p); ds = rounded(1, ds); }
        for (int c = 0; c < d; c++) {
            dv[c] += p * (double)h->g[c];
            h->out[c] += ds / sqrt(d) * (double)k[c];
            dk[c] += ds / sqrt(d) * (double)h->q[c];
        }
    }
    rotate_back(h, h->out, i, h->head * d);
}

static void attention_bwd_item(void *arg, int item, int worker)
{
    const Attention *a = arg;
    Head h = head_open(a, item, worker, 1);
    int group = a->a->H / a->a->Hk, d = a->a->d;
    size_t n = (size_t)h.seg.ntok * (size_t)d;
    memset(h.dk, 0, n * sizeof *h.dk);
    memset(h.dv, 0, n * sizeof *h.dv);
    for (h.head = h.kv * group; h.head < (h.kv + 1) * group; h.head++)
        for (int i = 0; i < h.seg.ntok; i++) attend_bwd(&h, i);
    for (int j = 0; j < h.seg.ntok; j++) {
        rotate_back(&h, h.dk + (size_t)j * (size_t)d, j, k_column(&h));
        for (int c = 0; c < d; c++) mat_set(a->dqkv, h.seg.tok + j, v_column(&h) + c, h.dv[(size_t)j * (size_t)d + (size_t)c]);
    }
}

void ref_attention_bwd(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *a, const Input *in)
{
    attention_run(b, &(Attention){.dqkv = dqkv, .d_o = d_o, .o = o, .lse = (float *)lse, .qkv = qkv, .a = a, .in = in}, attention_bwd_item, 1);
}
