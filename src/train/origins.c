/* origins.c - see origins.h */
#include "train/origins.h"

#include "util/array.h"

/* What two rows share; -1: nothing up to `most`. */
static int both(Origins *a, const Origins *b, int64_t most)
{
    int64_t x = a->first, every = b->every;
    while (x <= most && (x < b->first || (x - b->first) % b->every)) x += a->every;
    if (x > most) return -1;
    while (every % a->every) every += b->every;               /* the least common multiple */
    *a = (Origins){(int)x, (int)(every < most ? every : most)};
    return 0;
}

int origins_common(Origins *o, const ModelConfig *c, int n, int64_t points, Err *e)
{
    *o = (Origins){c->P - 1, c->S};
    for (int i = 1; i < n; i++)
        if (both(o, &(Origins){c[i].P - 1, c[i].S}, points - 2))
            return err_set(e, FTS_USAGE, "patches of %d points every %d and those of the models before it never end at the same point of a window: nothing could be compared",
                           c[i].P, c[i].S);
    return 0;
}

ModelConfig origins_config(const Origins *o, const ModelConfig *c)
{
    ModelConfig at = *c;
    at.P = o->first + 1;
    at.S = o->every;
    return at;
}

static int room(Picked *p, const Input *in, Err *e)
{
    if (in->ntok > p->cap_tokens) {
        if (array_resize(&p->row, (size_t)in->ntok * sizeof *p->row, "the tokens to compare", e)) return -1;
        p->cap_tokens = in->ntok;
    }
    if (in->nseg > p->cap_seg) {
        if (array_resize(&p->seg, (size_t)in->nseg * sizeof *p->seg, "the segments to compare", e)) return -1;
        p->cap_seg = in->nseg;
    }
    if (in->nchunk + 1 > p->cap_chunks) {
        if (array_resize(&p->chunk, ((size_t)in->nchunk + 1) * sizeof *p->chunk, "the chunks to compare", e)) return -1;
        p->cap_chunks = in->nchunk + 1;
    }
    return 0;
}

static void take_segment(Picked *p, const ModelConfig *c, const ModelConfig *at, const Seg *s)
{
    Input *to = &p->in;
    int n = (int)config_tokens(at, s->npt), first = (at->P - c->P) / c->S, every = at->S / c->S;
    if (!n) return;
    p->seg[to->nseg++] = (Seg){.tok = to->ntok, .ntok = n, .pt = s->pt, .npt = s->npt};
    for (int i = 0; i < n; i++) p->row[to->ntok++] = s->tok + first + i * every;
    if (n > to->longest) to->longest = n;
}

/* Chunks keep their segments, so that sums are made in an order that follows from the batch alone. */
int picked_take(Picked *p, const Origins *o, const ModelConfig *c, const Input *in, Err *e)
{
    ModelConfig at = origins_config(o, c);
    if (room(p, in, e)) return -1;
    p->in = (Input){.points = in->points, .seg = p->seg, .chunk = p->chunk, .P = at.P, .S = at.S};
    p->chunk[0] = 0;
    for (int k = 0, i = 0; k < in->nchunk; k++) {
        for (; i < in->nseg && in->seg[i].tok < in->chunk[k + 1]; i++) take_segment(p, c, &at, &in->seg[i]);
        if (p->in.ntok > p->chunk[p->in.nchunk]) p->chunk[++p->in.nchunk] = p->in.ntok;
    }
    return 0;
}

void picked_free(Picked *p)
{
    free(p->row);
    free(p->seg);
    free(p->chunk);
    *p = (Picked){.row = NULL};
}
