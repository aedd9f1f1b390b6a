/* ref_optimizer.c - the norm of the gradient and AdamW, over flat vectors in pieces. */
#include "kernels/cpu/ref.h"

enum { AT_ONCE = 256 };                  /* pieces summed before their sums are added up */
typedef struct SumSq { const float *g; size_t n, first; double part[AT_ONCE]; } SumSq;

static int pieces_of(size_t n) { return (int)((n + PIECE - 1) / PIECE); }

static void sumsq_item(void *arg, int item, int worker)
{
    SumSq *a = arg;
    size_t at = (a->first + (size_t)item) * PIECE, end = a->n - at < PIECE ? a->n : at + PIECE;
    double sum = 0;
    (void)worker;
    for (size_t i = at; i < end; i++) sum += (double)a->g[i] * (double)a->g[i];
    a->part[item] = sum;
}

void ref_sumsq(Backend *b, StepSum *s, const float *g, size_t n)
{
    SumSq a = {.g = g, .n = n};
    int all = pieces_of(n);
    s->norm2 = 0;
    for (int first = 0; first < all; first += AT_ONCE) {
        int k = imin(AT_ONCE, all - first);
        a.first = (size_t)first;
        par_for(b->par, k, sumsq_item, &a);
        for (int i = 0; i < k; i++) s->norm2 += a.part[i];
    }
}

typedef struct Update { const Flat *f; const Range *decay; int nrange; const AdamW *h; double clip, correct1, correct2; } Update;

static void update_one(const Update *a, size_t i, double keep)
{
    const AdamW *h = a->h;
    const Flat *f = a->f;
    double g = a->clip * (double)f->g[i], b1 = h->beta1, b2 = h->beta2;
    f->m[i] = (float)(b1 * (double)f->m[i] + (1 - b1) * g);
    f->v[i] = (float)(b2 * (double)f->v[i] + (1 - b2) * g * g);
    double mhat = (double)f->m[i] / a->correct1, vhat = (double)f->v[i] / a->correct2;
    f->p[i] = (float)(keep * (double)f->p[i] - (double)h->lr * (mhat / (sqrt(vhat) + (double)h->eps)));
}

static void update_item(void *arg, int item, int worker)
{
    const Update *a = arg;
    size_t at = (size_t)item * PIECE, end = a->f->n - at < PIECE ? a->f->n : at + PIECE;
    int r = 0;
    (void)worker;
    for (size_t i = at; i < end; i++) {
        while (r < a->nrange && a->decay[r].at + a->decay[r].n <= i) r++;
        int decays = r < a->nrange && i >= a->decay[r].at;
        update_one(a, i, decays ? 1 - (double)a->h->lr * (double)a->h->decay : 1);
    }
}

void ref_adamw(Backend *b, StepSum *s, const Flat *f, const Range *decay, int nrange, const AdamW *h)
{
    double norm = sqrt(s->norm2);
    Update a = {f, decay, nrange, h, 1, 1 - pow((double)h->beta1, (double)h->step), 1 - pow((double)h->beta2, (double)h->step)};
    s->applied = isfinite(norm) != 0;
    for (int j = 0; j < MAX_HORIZONS; j++)
        if (!isfinite(s->huber[j])) s->applied = 0;
    if (!s->applied) return;
    if (h->max_norm > 0) a.clip = fmin(1, (double)h->max_norm / (norm + 1e-6));
    par_for(b->par, pieces_of(f->n), update_item, &a);
}
