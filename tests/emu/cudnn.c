/* cudnn.c - in the place of cuDNN: descriptors keep what they are told, and a plan is executed by going through its graph, operation
 * by operation, with plain loops. What the library would not read, behind a segment's end, is NaN; it is never written. */
#include <cudnn.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libraries.h"
#include "util/num.h"

/* Descriptors are counted by those that were told of them, as the library keeps what it needs. */
typedef struct Attr { cudnnBackendAttributeName_t name; cudnnBackendAttributeType_t type; int64_t n; void *p; struct Attr *next; } Attr;
typedef struct Descriptor { cudnnBackendDescriptorType_t type; int refs, done; Attr *attr; } Descriptor;

int emu_dnn_executed;                    /* how often a plan was, for tests to look at */
int emu_dnn_missing;                     /* set by a test: the library is not there */
int emu_spoil(void);                     /* emu.cpp */

static size_t size_of(cudnnBackendAttributeType_t type)
{
    static const size_t size[EMU_TYPES] = {8, 4, 1, 8, 1, 8, 8, 4, 4, 4, 4, 8};
    return size[type];
}

static const Attr *attr(const Descriptor *d, cudnnBackendAttributeName_t name)
{
    const Attr *a = d->attr;
    while (a && a->name != name) a = a->next;
    return a;
}
static int64_t integer(const Descriptor *d, cudnnBackendAttributeName_t name, int i)
{
    const Attr *a = attr(d, name);
    int32_t small;
    int64_t x = 0;
    if (!a) return 0;
    if (size_of(a->type) == 8) memcpy(&x, (char *)a->p + 8 * i, 8);
    else if (size_of(a->type) == 1) x = *(char *)a->p;
    else { memcpy(&small, a->p, 4); x = small; }
    return x;
}
static Descriptor *child(const Descriptor *d, cudnnBackendAttributeName_t name, int i)
{
    const Attr *a = attr(d, name);
    Descriptor *c = NULL;
    if (a) memcpy(&c, (char *)a->p + 8 * i, 8);
    return c;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *d)
{
    Descriptor *x = calloc(1, sizeof *x);
    if (!x) return CUDNN_STATUS_NOT_SUPPORTED;
    *x = (Descriptor){.type = type, .refs = 1};
    *d = x;
    return CUDNN_STATUS_SUCCESS;
}

/* As deep as a pack of plans is: a plan, its graph, an operation, a tensor, its offsets. */
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t gone)
{
    Descriptor *d = gone;
    if (--d->refs) return CUDNN_STATUS_SUCCESS;
    for (Attr *a = d->attr, *next; a; a = next) {
        next = a->next;
        for (int64_t i = 0; a->type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < a->n; i++) cudnnBackendDestroyDescriptor(((Descriptor **)a->p)[i]);
        free(a->p);
        free(a);
    }
    free(d);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t tell(Descriptor *d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t n, const void *p)
{
    Attr *a = malloc(sizeof *a);
    if (!a || n < 1) abort();
    *a = (Attr){name, type, n, malloc((size_t)n * size_of(type)), d->attr};
    memcpy(a->p, p, (size_t)n * size_of(type));
    d->attr = a;
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < n; i++) ((Descriptor **)a->p)[i]->refs++;
    return CUDNN_STATUS_SUCCESS;
}

/* Nothing is told twice or too late, and only finished descriptors are told of. */
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t n, const void *p)
{
    Descriptor *d = to;
    if (d->done || attr(d, name)) return CUDNN_STATUS_BAD_PARAM;
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < n; i++)
        if (!((Descriptor *const *)p)[i]->done) return CUDNN_STATUS_BAD_PARAM;
    return tell(d, name, type, n, p);
}

/* The room that the library's deterministic backward takes, as its plans for an H200 say. */
static int64_t room_of(const Descriptor *graph)
{
    const Attr *ops = attr(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    const Descriptor *product = NULL;
    int products = 0;
    for (int i = 0; i < ops->n; i++) {
        Descriptor *op = child(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, i);
        if (op->type != CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) continue;
        if (!products++) product = op;
    }
    const Descriptor *c = child(product, CUDNN_ATTR_OPERATION_MATMUL_CDESC, 0);
    int64_t segs = integer(c, CUDNN_ATTR_TENSOR_DIMENSIONS, 0), H = integer(c, CUDNN_ATTR_TENSOR_DIMENSIONS, 1), S = integer(c, CUDNN_ATTR_TENSOR_DIMENSIONS, 2);
    return 384 * segs + (16 << 10) + (products > 2 ? segs * H * ((S + 63) / 64 * 64) * ((S + 127) / 128 * 128) * 2 : 0);
}

static cudnnStatus_t give(int64_t *n, void *to, const void *p, size_t bytes)
{
    *n = 1;
    memcpy(to, p, bytes);
    return CUDNN_STATUS_SUCCESS;
}

/* Two offers, the first of an engine that is said to be nondeterministic. */
cudnnStatus_t cudnnBackendGetAttribute(const cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most, int64_t *n, void *p)
{
    const Descriptor *d = of;
    Descriptor **offer = p;
    int64_t first = name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE ? integer(d, EMU_GRAPH, 0) : 0, room;
    cudnnBackendNumericalNote_t note = first ? CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC : CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    if (most < 1) return CUDNN_STATUS_BAD_PARAM;
    if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) return give(n, p, &note, sizeof note);
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
        first = integer(d, CUDNN_ATTR_ENGINEHEUR_MODE, 0);
        *n = 1;
        return tell(offer[0], EMU_GRAPH, CUDNN_TYPE_INT64, 1, &first);
    }
    if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
        room = room_of(child(child(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0), EMU_GRAPH, 0));
        return give(n, p, &room, sizeof room);
    }
    if (name != CUDNN_ATTR_ENGINEHEUR_RESULTS || type != CUDNN_TYPE_BACKEND_DESCRIPTOR || most < 2) return CUDNN_STATUS_NOT_SUPPORTED;
    const Descriptor *graph = child(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 0);
    *n = 2;
    for (int64_t i = 0; i < 2; i++) {
        first = !i;
        tell(offer[i], EMU_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
        tell(offer[i], CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_INT64, 1, &first);
        offer[i]->done = 1;
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t d) { ((Descriptor *)d)->done = 1; return CUDNN_STATUS_SUCCESS; }

/* A tensor of an execution: memory of its own if it is only between operations (fp32, as if strided), else the caller's. */
typedef struct Value { int64_t id, dim[4], stride[4]; int type, own; float *mem; void *p; const int64_t *at; } Value;
enum { VALUES = 96 };
typedef struct Run { Value value[VALUES]; int n; const Descriptor *pack; } Run;

static void *pointer(const Run *r, int64_t id)
{
    const Attr *ids = attr(r->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    void *p = NULL;
    for (int i = 0; i < ids->n; i++)
        if (integer(r->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, i) == id) memcpy(&p, (char *)attr(r->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)->p + 8 * i, 8);
    if (!p) abort();
    return p;
}

static Value *value_of(Run *r, const Descriptor *d)
{
    int64_t id = integer(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
    const Descriptor *at = child(d, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, 0);
    for (int i = 0; i < r->n; i++)
        if (r->value[i].id == id) return &r->value[i];
    if (r->n == VALUES) abort();
    Value *v = &r->value[r->n++];
    *v = (Value){.id = id, .type = (int)integer(d, CUDNN_ATTR_TENSOR_DATA_TYPE, 0), .own = (int)integer(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0)};
    for (int i = 0; i < 4; i++) {
        v->dim[i] = integer(d, CUDNN_ATTR_TENSOR_DIMENSIONS, i);
        v->stride[i] = integer(d, CUDNN_ATTR_TENSOR_STRIDES, i);
    }
    size_t n = (size_t)(v->dim[0] * v->dim[1] * v->dim[2] * v->dim[3]);
    if (v->own && !at) {
        v->mem = malloc(n * sizeof *v->mem);
        for (size_t i = 0; i < n; i++) v->mem[i] = NAN;
    } else if (!v->own) v->p = pointer(r, id);
    if (at) v->at = pointer(r, integer(at, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0));
    return v;
}

/* Where (s, h, i, j) lies; -1: behind the segment's end. A dimension of 1 goes with any index. */
static int64_t place(const Value *v, const int64_t x[4])
{
    int64_t at = 0, row = 0;
    for (int k = 1; k < 4; k++) at += v->dim[k] > 1 ? x[k] * v->stride[k] : 0;
    if (!v->at) return at + (v->dim[0] > 1 ? x[0] * v->stride[0] : 0);
    for (int k = 2; k < 4; k++) row += v->dim[k] > 1 ? x[k] * v->stride[k] : 0;
    return v->at[x[0]] + row < v->at[x[0] + 1] ? v->at[x[0]] + at : -1;
}

static float number(const Value *v, const int64_t x[4])
{
    int64_t at = place(v, x);
    if (at < 0) return NAN;
    if (v->mem) return v->mem[at];
    if (v->type == CUDNN_DATA_INT32) return (float)((const int32_t *)v->p)[at];
    return v->type == CUDNN_DATA_BFLOAT16 ? bf16_to_f32(((const bf16 *)v->p)[at]) : ((const float *)v->p)[at];
}

static void store(Value *v, const int64_t x[4], float y)
{
    int64_t at = place(v, x);
    if (at < 0) return;
    if (v->mem) v->mem[at] = v->type == CUDNN_DATA_BFLOAT16 ? bf16_round(y) : y;
    else if (v->type == CUDNN_DATA_BFLOAT16) ((bf16 *)v->p)[at] = f32_to_bf16(y);
    else ((float *)v->p)[at] = y;
}

/* All indices of a tensor, one after the other. */
static int next(const Value *v, int64_t x[4])
{
    for (int k = 3; k >= 0; k--) {
        if (++x[k] < v->dim[k]) return 1;
        x[k] = 0;
    }
    return 0;
}

static float one_pointwise(int64_t mode, float x, float b, float t, int64_t index)
{
    switch (mode) {
    case CUDNN_POINTWISE_ADD: return x + b;
    case CUDNN_POINTWISE_SUB: return x - b;
    case CUDNN_POINTWISE_MUL: return x * b;
    case CUDNN_POINTWISE_DIV: return x / b;
    case CUDNN_POINTWISE_EXP: return expf(x);
    case CUDNN_POINTWISE_LOG: return logf(x);
    case CUDNN_POINTWISE_GEN_INDEX: return (float)index;
    case CUDNN_POINTWISE_CMP_LT: return x < b;
    case CUDNN_POINTWISE_CMP_GE: return x >= b;
    case CUDNN_POINTWISE_LOGICAL_AND: return x != 0 && b != 0;
    default: return t != 0 ? x : b;
    }
}

static void pointwise(Run *r, const Descriptor *op)
{
    const Descriptor *what = child(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, 0), *second = child(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 0),
                     *third = child(op, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, 0);
    Value *x = value_of(r, child(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 0)), *y = value_of(r, child(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, 0));
    Value *b = second ? value_of(r, second) : NULL, *t = third ? value_of(r, third) : NULL;
    int64_t at[4] = {0}, mode = integer(what, CUDNN_ATTR_POINTWISE_MODE, 0), axis = integer(what, CUDNN_ATTR_POINTWISE_AXIS, 0);
    do store(y, at, one_pointwise(mode, number(x, at), b ? number(b, at) : 0, t ? number(t, at) : 0, at[axis]));
    while (next(y, at));
}

static void reduce(Run *r, const Descriptor *op)
{
    int64_t at[4] = {0}, adds = integer(child(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, 0), CUDNN_ATTR_REDUCTION_OPERATOR, 0) == CUDNN_REDUCE_TENSOR_ADD;
    Value *x = value_of(r, child(op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, 0)), *y = value_of(r, child(op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, 0));
    do {
        float sum = adds ? 0 : -INFINITY;
        for (int64_t j = 0; j < x->dim[3]; j++) {
            float z = number(x, (int64_t[]){at[0], at[1], at[2], j});
            sum = adds ? sum + z : z > sum ? z : sum;
        }
        store(y, at, sum);
    } while (next(y, at));
}

static int64_t limit(Run *r, const Descriptor *op, cudnnBackendAttributeName_t name, int64_t seg, int64_t all)
{
    const Descriptor *d = child(op, name, 0);
    return d ? (int64_t)number(value_of(r, d), (int64_t[]){seg, 0, 0, 0}) : all;
}

static void multiply(Run *r, const Descriptor *op)
{
    const Value *a = value_of(r, child(op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, 0)), *b = value_of(r, child(op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, 0));
    Value *c = value_of(r, child(op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, 0));
    int64_t x[4] = {0};
    if (a->dim[3] != b->dim[2] || a->dim[2] != c->dim[2] || b->dim[3] != c->dim[3]) abort();
    do {
        int64_t n = limit(r, op, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, x[0], a->dim[3]);
        if (x[2] >= limit(r, op, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, x[0], c->dim[2]) ||
            x[3] >= limit(r, op, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, x[0], c->dim[3])) continue;
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += (double)number(a, (int64_t[]){x[0], x[1], x[2], k}) * (double)number(b, (int64_t[]){x[0], x[1], k, x[3]});
        store(c, x, (float)sum);
    } while (next(c, x));
}

/* The same memory with other strides; where it is only between operations, in the type of the result. */
static void reshape(Run *r, const Descriptor *op)
{
    Value *x = value_of(r, child(op, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, 0)), *y = value_of(r, child(op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, 0));
    size_t n = (size_t)(x->dim[0] * x->dim[1] * x->dim[2] * x->dim[3]);
    if (!x->mem) { y->p = x->p; return; }
    for (size_t i = 0; i < n; i++) y->mem[i] = y->type == CUDNN_DATA_BFLOAT16 ? bf16_round(x->mem[i]) : x->mem[i];
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
    const Descriptor *graph = child(child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0), EMU_GRAPH, 0);
    int64_t nops = attr(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS)->n;
    if (emu_spoil()) return CUDNN_STATUS_NOT_SUPPORTED;      /* it could be captured, but nothing that is asks for it */
    Run *r = calloc(1, sizeof *r);
    if (!r || !h || !((Descriptor *)pack)->done) abort();
    r->pack = pack;
    for (int64_t i = 0; i < nops; i++) {
        const Descriptor *op = child(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, (int)i);
        if (op->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) pointwise(r, op);
        else if (op->type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR) reduce(r, op);
        else if (op->type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) multiply(r, op);
        else reshape(r, op);
    }
    for (int i = 0; i < r->n; i++) free(r->value[i].mem);
    free(r);
    emu_dnn_executed++;
    return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void) { return 91900; }
cudnnStatus_t cudnnCreate(cudnnHandle_t *h) { return (*h = malloc(1)) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED; }
cudnnStatus_t cudnnDestroy(cudnnHandle_t h) { free(h); return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t s) { (void)s; return h ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM; }

static const Function all[] = {
#define X(f) {"cudnn" #f, (void (*)(void))cudnn##f},
    X(Create) X(Destroy) X(SetStream) X(GetVersion) X(BackendCreateDescriptor) X(BackendDestroyDescriptor) X(BackendSetAttribute) X(BackendGetAttribute)
    X(BackendFinalize) X(BackendExecute)
#undef X
    {0}};
const Library emu_cudnn = {"libcudnn.so.9", all, &emu_dnn_missing};
