/* ref.h - what the reference bodies are written with. They define the ops: sums in double, one body for both dtypes.
 *
 * Elements are read and written through their Mat's type. In a bf16 run the operands of a product with a Weight that is
 * not `full` are rounded to bf16, and so is what lies between two products; everything else is fp32 or double. */
#ifndef KERNELS_CPU_REF_H
#define KERNELS_CPU_REF_H

#include "kernels/cpu/cpu.h"
#include "util/num.h"

enum { ROWS = 16, COLUMNS = 64, PIECE = 65536 };         /* of an item that works on rows, columns, a flat vector; no result depends on them */

static inline size_t mat_at(Mat m, int r, int c) { return (size_t)r * (size_t)m.ld + (size_t)c; }
static inline float mat_get(Mat m, int r, int c)
{
    return m.type == F32 ? ((const float *)m.p)[mat_at(m, r, c)] : bf16_to_f32(((const bf16 *)m.p)[mat_at(m, r, c)]);
}
static inline void mat_set(Mat m, int r, int c, double x)
{
    if (m.type == F32) ((float *)m.p)[mat_at(m, r, c)] = (float)x;
    else ((bf16 *)m.p)[mat_at(m, r, c)] = f32_to_bf16((float)x);
}
/* The part of m whose first element is (r,c). */
static inline Mat mat_from(Mat m, int r, int c) { m.p = (char *)m.p + mat_at(m, r, c) * dtype_size(m.type); return m; }
static inline Mat mat_floats(float *p, int rows, int cols) { return (Mat){p, rows, cols, cols, F32}; }

/* A value as it is stored between two products, or as an operand of one: rounded if `round`. */
static inline float rounded(int round, double x) { return round ? bf16_round((float)x) : (float)x; }
static inline int rounds(const Backend *b, const Weight *w) { return b->dtype == BF16 && !w->full; }

static inline double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static inline double silu(double x) { return x * sigmoid(x); }
static inline double silu_slope(double x) { double s = sigmoid(x); return s * (1 + x * (1 - s)); }

static inline double dot(const float *a, const float *b, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
    return s;
}

/* Where the points of a token begin. */
static inline const float *points_of(const Input *in, int tok)
{
    const Seg *s = &in->seg[seg_of(in, tok)];
    return in->points + s->pt + (size_t)(tok - s->tok) * (size_t)in->S;
}

static inline double *take_doubles(Bump *s, int rows, int cols) { return take(s, (size_t)rows * (size_t)cols * sizeof(double)); }

/* Behind `shared` bytes that all workers see, each worker has `each` bytes of its own. */
typedef struct Work { char *base; size_t each; } Work;
static inline Work work_open(const Backend *b, size_t shared, size_t each)
{
    assert(shared + (size_t)par_threads(b->par) * each <= b->scratch_size);
    return (Work){(char *)b->scratch + shared, each};
}
static inline Bump work_of(Work w, int worker) { return (Bump){w.base + (size_t)worker * w.each, 0}; }

/* Products of n rows with one group of a Weight; x as operands, `buf` for one row of it (w->in). */
void product_wt(const Backend *b, double *y, const float *x, int n, const Weight *w, int group, float *buf);            /* y (n,out) = x (n,in) W^T */
void product_w(const Backend *b, double *y, const float *x, int n, const Weight *w, int group, float *buf, Acc acc);    /* y (n,in) (=|+=) x (n,out) W */
/* Row o of a group's dW += sum over n rows of g[i,o] * x[i]; the sum in double, then one addition. `sum` and `buf` (w->in). */
void product_dw(const Backend *b, const Weight *w, int group, int o, Mat g, Mat x, int n, double *sum, float *buf);

/* Scratch bytes of the families that need any. */
size_t ref_embed_scratch(const Dims *d, int threads);
size_t ref_linear_scratch(const Dims *d, int threads);
size_t ref_attention_scratch(const Dims *d, int threads);
size_t ref_route_scratch(const Dims *d, int threads);
size_t ref_ffn_scratch(const Dims *d, int threads);
size_t ref_loss_scratch(const Dims *d, int threads);

#endif
