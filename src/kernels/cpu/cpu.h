/* cpu.h - what the reference bodies and the vector tiers share: none of it computes in floating point but where both must agree. */
#ifndef KERNELS_CPU_CPU_H
#define KERNELS_CPU_CPU_H

#include <assert.h>
#include <math.h>

#include "kernels/backend.h"
#include "kernels/choose.h"

static inline int imin(int a, int b) { return a < b ? a : b; }
static inline int imax(int a, int b) { return a > b ? a : b; }
static inline int pieces(int n, int size) { return (n + size - 1) / size; }

/* Scratch memory is carved front to back. base NULL: only counted, so that a size is written down once. */
typedef struct Bump { char *base; size_t at; } Bump;
static inline void *take(Bump *s, size_t bytes)
{
    void *p = s->base ? s->base + s->at : NULL;
    s->at += (bytes + 63) / 64 * 64;
    return p;
}
static inline float *take_floats(Bump *s, int rows, int cols) { return take(s, (size_t)rows * (size_t)cols * sizeof(float)); }

enum { MAX_PAD = 32 };                                   /* the largest PAD of a tier: memory that all tiers use in their own order is padded to this */
static inline int most_padded(int n) { return pieces(n, MAX_PAD) * MAX_PAD; }

/* Of one head of a cache: keys in panels of whole rows of tokens, values in rows of whole vectors. */
static inline size_t kv_floats(int cap, int d) { return (size_t)most_padded(cap) * (size_t)(d + most_padded(d)); }
static inline float *kv_keys(const KvCache *kv, int layer, int slot, int head)
{
    return (float *)kv->p + (((size_t)layer * (size_t)kv->slots + (size_t)slot) * (size_t)kv->Hk + (size_t)head) * kv_floats(kv->cap, kv->d);
}
static inline float *kv_values(const KvCache *kv, int layer, int slot, int head) { return kv_keys(kv, layer, slot, head) + (size_t)most_padded(kv->cap) * (size_t)kv->d; }

/* The matrix of a group, wherever it lies. */
static inline Stored weight_group(const Weight *w, int g)
{
    if (w->stored && w->stored[g].p) return w->stored[g];
    return (Stored){w->w + (size_t)g * (size_t)w->out * (size_t)w->in, F32};
}

/* The first position of any segment: what lies before it is in the cache, rotated already. */
static inline int first_position(const Input *in)
{
    int first = in->longest;
    for (int i = 0; i < in->nseg; i++) first = imin(first, in->seg[i].past);
    return first;
}

/* Tokens of the largest chunk: one segment completes it. */
static inline int most_in_chunk(const Dims *d) { return imin(d->tokens, CHUNK - 1 + d->longest); }

/* The segment of a token: they lie in order, one behind the other. */
static inline int seg_of(const Input *in, int tok)
{
    int lo = 0, hi = in->nseg - 1;
    while (lo < hi) {
        int mid = (lo + hi + 1) / 2;
        if (in->seg[mid].tok <= tok) lo = mid; else hi = mid - 1;
    }
    return lo;
}

/* cos of the d/2 angles of a position, then sin. As the published code has it: frequency and angle are fp32 numbers; their
 * cos and sin are then exact to the last bit or so. */
static inline void rope_row(float *cs, int pos, int d, float theta)
{
    for (int i = 0; i < d / 2; i++) {
        float freq = (float)(1 / pow((double)theta, 2.0 * i / d)), angle = (float)pos * freq;
        cs[i] = (float)cos((double)angle);
        cs[d / 2 + i] = (float)sin((double)angle);
    }
}

/* The ops of a tier that one above it may fall back on. */
#define LINEAR_OF(tier) LINEAR_OF_(tier)
#define LINEAR_OF_(tier) \
    void tier##_linear(Backend *b, Mat y, Mat x, const Weight *w, Vec bias, Acc acc, const Input *in); \
    void tier##_linear_dx(Backend *b, Mat dx, Mat dy, const Weight *w, const Input *in); \
    void tier##_linear_dw(Backend *b, const Weight *w, Vec bias, Mat dy, Mat x, const Input *in);

#endif
