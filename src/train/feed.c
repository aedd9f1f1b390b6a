/* feed.c - see feed.h */
#include "train/feed.h"

#include <stdlib.h>

void feed_init(Feed *f, const ModelConfig *c, int cap_tokens, int64_t windows)
{
    *f = (Feed){.c = c, .cap_tokens = cap_tokens, .windows = windows};
}

void feed_free(Feed *f)
{
    free(f->seg);
    free(f->first);
    free(f->at);
    free(f->start);
    *f = (Feed){0};
}

/* The first steps find the size; segments outnumber windows only where data have gaps. */
static int room(Feed *f, int nseg, Err *e)
{
    size_t n = (size_t)nseg + (size_t)nseg / 4 + 1;
    if (nseg < f->cap) return 0;
    Feed empty = {.c = f->c, .cap_tokens = f->cap_tokens, .windows = f->windows};
    feed_free(f);
    *f = empty;
    f->seg = malloc(n * sizeof *f->seg);
    f->first = malloc(n * sizeof *f->first);
    f->at = malloc(n * sizeof *f->at);
    f->start = malloc(n * sizeof *f->start);
    if (!f->seg || !f->first || !f->at || !f->start) return err_nomem(e, n * (sizeof *f->seg + sizeof *f->at + 8), "the segments of a step");
    f->cap = (int)n;
    return 0;
}

static void count(Feed *f, int npt, int ntok)
{
    f->tokens += ntok;
    f->pairs += 0.5 * (double)ntok * ((double)ntok + 1);
    loss_valid(f->c, npt, f->valid);
}

int feed_batch(Feed *f, const Batch *b, Err *e)
{
    f->batch = NULL;
    f->nchunk = f->next = 0;
    if (room(f, b->nseg, e)) return -1;
    f->batch = b;
    f->tokens = f->targets = 0;
    f->pairs = 0;
    for (int j = 0; j < MAX_HORIZONS; j++) f->valid[j] = 0;
    for (int i = 0; i < b->nseg; i++) {
        f->seg[i] = (Seg){.ntok = (int)config_tokens(f->c, b->npt[i]), .pt = b->pt[i], .npt = b->npt[i]};
        if (!i || f->tokens - f->at[f->nchunk - 1] >= CHUNK) {
            f->first[f->nchunk] = i;
            f->at[f->nchunk++] = f->tokens;
        }
        count(f, b->npt[i], f->seg[i].ntok);
    }
    f->first[f->nchunk] = b->nseg;
    f->at[f->nchunk] = f->tokens;
    for (int j = 0; j < f->c->nh; j++) f->targets += f->valid[j];
    return 0;
}

/* One past the last chunk of the micro-batch that begins at f->next. */
static int micro_end(const Feed *f)
{
    int from = f->next, to = from + 1;
    while (to < f->nchunk && f->at[to + 1] - f->at[from] <= f->cap_tokens && !(f->windows && f->first[to] - f->first[from] >= f->windows)) to++;
    return to;
}

int feed_next(Feed *f, Input *in, int *first_segment)
{
    int from = f->next, to, tok = 0, longest = 0;
    if (from == f->nchunk) return 0;
    f->next = to = micro_end(f);
    for (int i = f->first[from]; i < f->first[to]; i++) {
        f->seg[i].tok = tok;
        tok += f->seg[i].ntok;
        if (f->seg[i].ntok > longest) longest = f->seg[i].ntok;
    }
    for (int k = from; k <= to; k++) f->start[k - from] = (int)(f->at[k] - f->at[from]);
    *first_segment = f->first[from];
    *in = (Input){.points = f->batch->points, .seg = f->seg + f->first[from], .chunk = f->start, .nseg = f->first[to] - f->first[from],
                  .nchunk = to - from, .ntok = tok, .longest = longest, .P = f->c->P, .S = f->c->S};
    return 1;
}

/* With a stride above the patch length a gap can make tokens: each piece of P+1 points and the gap after it cost P+2. */
int64_t feed_window_tokens(const ModelConfig *c, int64_t points)
{
    int64_t whole = config_tokens(c, points), cut = (points + 1) / (c->P + 2);
    return whole > cut ? whole : cut;
}
