/* dnn_graph.c - see dnn_graph.h. The library knows attention by the form of its graph: products, masks and sums in this order.
 *
 * Segments are (segs, heads, longest, d) tensors with an offset for each segment; what lies behind a segment's length is masked. In
 * backward dq is the product itself and not a sum in memory: that form is the deterministic one, and keeps dP of every score. */
#include "kernels/cuda/dnn_graph.h"

#include <math.h>
#include <string.h>

static const char yes = 1;               /* as the interface wants it: of one byte */
static const float masked_value = -INFINITY, one_value = 1;

typedef struct Tensor { cudnnBackendDescriptor_t d; int64_t dim[4], stride[4]; } Tensor;

cudnnBackendDescriptor_t dnn_make(DnnGraph *g, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    if (g->bad || g->nmade == DNN_MADE || g->f->BackendCreateDescriptor(type, &d)) { g->bad = 1; return NULL; }
    return g->made[g->nmade++] = d;
}

void dnn_put(DnnGraph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t n, const void *p)
{
    if (!g->bad && g->f->BackendSetAttribute(d, name, type, n, p)) g->bad = 1;
}

void dnn_finish(DnnGraph *g, cudnnBackendDescriptor_t d)
{
    if (!g->bad && g->f->BackendFinalize(d)) g->bad = 1;
}

void dnn_graph_free(DnnGraph *g)
{
    while (g->nmade) g->f->BackendDestroyDescriptor(g->made[--g->nmade]);
}

static void put_type(DnnGraph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnDataType_t type) { dnn_put(g, d, name, CUDNN_TYPE_DATA_TYPE, 1, &type); }
static void put_tensor(DnnGraph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, const Tensor *t)
{
    if (t) dnn_put(g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &t->d);
}

/* One that is not finished: dim and stride are there. */
static void begin(DnnGraph *g, Tensor *t, cudnnDataType_t type, int64_t id)
{
    int64_t aligned = 16;
    t->d = dnn_make(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    put_type(g, t->d, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
    dnn_put(g, t->d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->dim);
    dnn_put(g, t->d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->stride);
    dnn_put(g, t->d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    dnn_put(g, t->d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &aligned);
}

/* n numbers behind each other, made once. */
static Tensor line(DnnGraph *g, int64_t n, cudnnDataType_t type, int64_t id)
{
    Tensor t = {.d = g->line[id], .dim = {n, 1, 1, 1}, .stride = {1, 1, 1, 1}};
    if (t.d) return t;
    begin(g, &t, type, id);
    if (id >= DNN_SCALE_ID && id < DNN_VALUE_END) dnn_put(g, t.d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &yes);
    dnn_finish(g, t.d);
    g->line[id] = t.d;
    return t;
}
static Tensor value(DnnGraph *g, int64_t id) { return line(g, 1, CUDNN_DATA_FLOAT, id); }

static void swap(int64_t *a, int64_t *b)
{
    int64_t x = *a;
    *a = *b;
    *b = x;
}

/* A part, (segs, H, longest, d) or one number a head; across: its last two dimensions the other way round. */
static Tensor part(DnnGraph *g, int which, int across)
{
    const DnnAttention *a = g->a;
    int single = which == DNN_LSE || which == DNN_DELTA;
    int64_t row = a->part[which].row, S = a->longest, d = single ? 1 : a->d;
    Tensor at = line(g, a->segs + 1, CUDNN_DATA_INT64, DNN_AT_ID + which), t = {.dim = {a->segs, a->H, S, d}, .stride = {S * row, d, row, 1}};
    if (across) {
        swap(&t.dim[2], &t.dim[3]);
        swap(&t.stride[2], &t.stride[3]);
    }
    begin(g, &t, single ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16, DNN_ID + which);
    put_tensor(g, t.d, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, &at);
    dnn_finish(g, t.d);
    return t;
}

/* What is only between operations: (segs, H, rows, cols), in memory as if it were there. */
static Tensor between(DnnGraph *g, int64_t rows, int64_t cols, cudnnDataType_t type)
{
    int64_t H = g->a->H;
    Tensor t = {.dim = {g->a->segs, H, rows, cols}, .stride = {H * rows * cols, rows * cols, cols, 1}};
    begin(g, &t, type, g->next++);
    dnn_put(g, t.d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    dnn_finish(g, t.d);
    return t;
}
static Tensor scores(DnnGraph *g, cudnnDataType_t type) { return between(g, g->a->longest, g->a->longest, type); }
static Tensor rows(DnnGraph *g) { return between(g, g->a->longest, 1, CUDNN_DATA_FLOAT); }

/* The same numbers in memory, as another tensor with its last two dimensions the other way round. */
static Tensor turned(DnnGraph *g, const Tensor *x, cudnnDataType_t type, int which)
{
    Tensor t = *x;
    swap(&t.dim[2], &t.dim[3]);
    swap(&t.stride[2], &t.stride[3]);
    Tensor at = which < 0 ? t : line(g, g->a->segs + 1, CUDNN_DATA_INT64, DNN_AT_ID + which);
    begin(g, &t, type, g->next++);
    dnn_put(g, t.d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    if (which >= 0) put_tensor(g, t.d, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, &at);
    dnn_finish(g, t.d);
    cudnnBackendDescriptor_t op = dnn_make(g, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, &t);
    dnn_finish(g, op);
    if (!g->bad) g->op[g->nop++] = op;
    return t;
}

/* y = x, or x with b, or by t one of x and b. axis: of an index, else -1. */
static void pointwise(DnnGraph *g, cudnnPointwiseMode_t mode, cudnnDataType_t type, const Tensor *x, const Tensor *b, const Tensor *t, const Tensor *y, int64_t axis)
{
    cudnnBackendDescriptor_t what = dnn_make(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR), op = dnn_make(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    dnn_put(g, what, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    put_type(g, what, CUDNN_ATTR_POINTWISE_MATH_PREC, type);
    if (axis >= 0) dnn_put(g, what, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1, &axis);
    dnn_finish(g, what);
    dnn_put(g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &what);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, t);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    dnn_finish(g, op);
    if (!g->bad) g->op[g->nop++] = op;
}

/* In fp32, to scores that are only between operations. */
static Tensor scores_by(DnnGraph *g, cudnnPointwiseMode_t mode, const Tensor *x, const Tensor *b, cudnnDataType_t type)
{
    Tensor y = scores(g, type);
    pointwise(g, mode, CUDNN_DATA_FLOAT, x, b, NULL, &y, -1);
    return y;
}

static void reduce(DnnGraph *g, cudnnReduceTensorOp_t mode, const Tensor *x, const Tensor *y)
{
    cudnnBackendDescriptor_t what = dnn_make(g, CUDNN_BACKEND_REDUCTION_DESCRIPTOR), op = dnn_make(g, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    dnn_put(g, what, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &mode);
    put_type(g, what, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    dnn_finish(g, what);
    dnn_put(g, op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &what);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    dnn_finish(g, op);
    if (!g->bad) g->op[g->nop++] = op;
}

/* c = a b. Of each segment only so many rows, columns and terms are there as it has tokens: where `along` has the letter m, n or k. With a 0
 * the rest is that number, and not just anything. */
static void multiply(DnnGraph *g, const Tensor *a, const Tensor *b, const Tensor *c, const char *along)
{
    cudnnBackendDescriptor_t what = dnn_make(g, CUDNN_BACKEND_MATMUL_DESCRIPTOR), op = dnn_make(g, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    static const struct { char letter; cudnnBackendAttributeName_t name; } limits[] = {
        {'m', CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC}, {'n', CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC}, {'k', CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC}};
    const double zero = 0;
    put_type(g, what, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
    if (strchr(along, '0')) dnn_put(g, what, CUDNN_ATTR_MATMUL_PADDING_VALUE, CUDNN_TYPE_DOUBLE, 1, &zero);
    dnn_finish(g, what);
    dnn_put(g, op, CUDNN_ATTR_OPERATION_MATMUL_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &what);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    put_tensor(g, op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
    for (int i = 0; i < 3; i++) {
        if (!strchr(along, limits[i].letter)) continue;
        Tensor length = line(g, g->a->segs, CUDNN_DATA_INT32, DNN_LENGTH_ID);
        put_tensor(g, op, limits[i].name, &length);
    }
    dnn_finish(g, op);
    if (!g->bad) g->op[g->nop++] = op;
}

static Tensor index_of(DnnGraph *g, const Tensor *s, int64_t axis)
{
    Tensor y = scores(g, CUDNN_DATA_INT32);
    pointwise(g, CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, s, NULL, NULL, &y, axis);
    return y;
}

static Tensor compare(DnnGraph *g, cudnnPointwiseMode_t mode, const Tensor *x, const Tensor *b)
{
    Tensor y = scores(g, CUDNN_DATA_BOOLEAN);
    pointwise(g, mode, CUDNN_DATA_BOOLEAN, x, b, NULL, &y, -1);
    return y;
}

/* s where the mask says so, else minus infinity. */
static Tensor select_by(DnnGraph *g, const Tensor *s, const Tensor *mask)
{
    Tensor y = scores(g, CUDNN_DATA_FLOAT), masked = value(g, DNN_MASKED_ID);
    pointwise(g, CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT, s, &masked, mask, &y, -1);
    return y;
}

/* Tokens of the segment alone. */
static Tensor inside(DnnGraph *g, const Tensor *s)
{
    Tensor length = line(g, g->a->segs, CUDNN_DATA_INT32, DNN_LENGTH_ID), row = index_of(g, s, 2), col = index_of(g, s, 3);
    Tensor row_in = compare(g, CUDNN_POINTWISE_CMP_LT, &row, &length), col_in = compare(g, CUDNN_POINTWISE_CMP_LT, &col, &length);
    Tensor both = compare(g, CUDNN_POINTWISE_LOGICAL_AND, &row_in, &col_in);
    return select_by(g, s, &both);
}

static Tensor causal(DnnGraph *g, const Tensor *s)
{
    Tensor row = index_of(g, s, 2), col = index_of(g, s, 3), seen = compare(g, CUDNN_POINTWISE_CMP_GE, &row, &col);
    return select_by(g, s, &seen);
}

/* Scaled scores, those behind a segment's end masked. */
static Tensor scaled(DnnGraph *g, const Tensor *q, const Tensor *k, const char *along)
{
    Tensor scale = value(g, DNN_SCALE_ID), s = scores(g, CUDNN_DATA_FLOAT);
    multiply(g, q, k, &s, along);
    s = scores_by(g, CUDNN_POINTWISE_MUL, &s, &scale, CUDNN_DATA_FLOAT);
    return inside(g, &s);
}

static void forward(DnnGraph *g)
{
    Tensor q = part(g, DNN_Q, 0), k = part(g, DNN_K, 1), v = part(g, DNN_V, 0), o = part(g, DNN_O, 0), lse = part(g, DNN_LSE, 0);
    Tensor s = scaled(g, &q, &k, "mn0"), high = rows(g), sum = rows(g), log_sum = rows(g);
    s = causal(g, &s);
    reduce(g, CUDNN_REDUCE_TENSOR_MAX, &s, &high);
    s = scores_by(g, CUDNN_POINTWISE_SUB, &s, &high, CUDNN_DATA_FLOAT);
    s = scores_by(g, CUDNN_POINTWISE_EXP, &s, NULL, CUDNN_DATA_FLOAT);
    reduce(g, CUDNN_REDUCE_TENSOR_ADD, &s, &sum);
    pointwise(g, CUDNN_POINTWISE_LOG, CUDNN_DATA_FLOAT, &sum, NULL, NULL, &log_sum, -1);
    pointwise(g, CUDNN_POINTWISE_ADD, CUDNN_DATA_FLOAT, &high, &log_sum, NULL, &lse, -1);
    s = scores_by(g, CUDNN_POINTWISE_DIV, &s, &sum, CUDNN_DATA_BFLOAT16);
    multiply(g, &s, &v, &o, "mk");
}

/* <do, o> of each row */
static Tensor delta_of(DnnGraph *g, const Tensor *d_o, const Tensor *o)
{
    Tensor both = between(g, g->a->longest, g->a->d, CUDNN_DATA_FLOAT), sum = rows(g), one = value(g, DNN_ONE_ID), delta = part(g, DNN_DELTA, 0);
    pointwise(g, CUDNN_POINTWISE_MUL, CUDNN_DATA_FLOAT, d_o, o, NULL, &both, -1);
    reduce(g, CUDNN_REDUCE_TENSOR_ADD, &both, &sum);
    pointwise(g, CUDNN_POINTWISE_MUL, CUDNN_DATA_FLOAT, &sum, &one, NULL, &delta, -1);
    return delta;
}

static void backward(DnnGraph *g)
{
    Tensor q = part(g, DNN_Q, 0), k = part(g, DNN_K, 1), v = part(g, DNN_V, 1), o = part(g, DNN_O, 0), d_o = part(g, DNN_DO, 0), lse = part(g, DNN_LSE, 0);
    Tensor dq = part(g, DNN_DQ, 0), dk = part(g, DNN_DK, 0), dv = part(g, DNN_DV, 0), delta = delta_of(g, &d_o, &o), scale = value(g, DNN_SCALE_ID);
    Tensor p = scaled(g, &q, &k, "mn");
    p = scores_by(g, CUDNN_POINTWISE_SUB, &p, &lse, CUDNN_DATA_FLOAT);
    p = causal(g, &p);
    p = scores_by(g, CUDNN_POINTWISE_EXP, &p, NULL, CUDNN_DATA_FLOAT);
    Tensor across = turned(g, &p, CUDNN_DATA_BFLOAT16, -1), dp = scores(g, CUDNN_DATA_FLOAT);
    multiply(g, &across, &d_o, &dv, "mk");
    multiply(g, &d_o, &v, &dp, "mn");
    dp = scores_by(g, CUDNN_POINTWISE_SUB, &dp, &delta, CUDNN_DATA_FLOAT);
    dp = scores_by(g, CUDNN_POINTWISE_MUL, &dp, &p, CUDNN_DATA_FLOAT);
    dp = scores_by(g, CUDNN_POINTWISE_MUL, &dp, &scale, CUDNN_DATA_BFLOAT16);
    across = turned(g, &dp, CUDNN_DATA_BFLOAT16, -1);
    multiply(g, &across, &q, &dk, "mk");
    Tensor keys = turned(g, &k, CUDNN_DATA_BFLOAT16, DNN_K);
    multiply(g, &dp, &keys, &dq, "mk");
}

cudnnBackendDescriptor_t dnn_graph(DnnGraph *g, const DnnFunctions *f, cudnnHandle_t handle, const DnnAttention *a)
{
    *g = (DnnGraph){.f = f, .a = a, .next = DNN_BETWEEN_ID};
    (a->backward ? backward : forward)(g);
    cudnnBackendDescriptor_t all = dnn_make(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    dnn_put(g, all, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->nop, g->op);
    if (handle) dnn_put(g, all, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    dnn_finish(g, all);
    return all;
}

/* The library's interface takes pointers to what it may write, and finds constants the same way. */
static void *plain(const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);
    return q;
}

int dnn_pointers(const DnnAttention *a, int64_t id[DNN_IDS], void *p[DNN_IDS])
{
    const struct { int64_t id; const void *p; int backward; } more[] = {
        {DNN_LENGTH_ID, a->length, 0}, {DNN_SCALE_ID, &a->scale, 0}, {DNN_MASKED_ID, &masked_value, 0}, {DNN_ONE_ID, &one_value, 1}};
    int n = 0, parts = a->backward ? DNN_PARTS : DNN_LSE + 1;
    for (int i = 0; i < parts; i++) {
        id[n] = DNN_ID + i;
        p[n++] = a->part[i].p;
        id[n] = DNN_AT_ID + i;
        p[n++] = plain(a->part[i].at);
    }
    for (int i = 0; i < 4; i++) {
        if (more[i].backward && !a->backward) continue;
        id[n] = more[i].id;
        p[n++] = plain(more[i].p);
    }
    return n;
}
