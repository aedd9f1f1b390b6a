/* pickle_numpy.c - what a pickle may name, one row each, and the arrays and dtypes that come of it. Nothing is imported:
 * a row is found by both its names, and its function here does what numpy's would. */
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "data/pickle_vm.h"

typedef int Call(Vm *vm, const Value *arg, size_t n, Value *made, Err *e);

static int wrong(Vm *vm, const char *what, Err *e) { return vm_error(vm, e, "%s gets what numpy does not write", what); }

enum { NDARRAY = 0 };                             /* its row in the table below */

/* The class is told by the first argument; what else stands there is the same for all. */
static int make_array(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    if (n != 3 || arg->kind != V_GLOBAL || arg->node != NDARRAY) return wrong(vm, "_reconstruct", e);
    if (pool_add(&vm->pool, V_ARRAY, made, e)) return -1;
    pool_array(&vm->pool, *made)->ndim = 1;                                  /* empty until its state comes */
    return 0;
}

/* In a pickle the bytes of a name may be anything: only ASCII is shown. */
static const char *shown(Cell c, char out[32])
{
    cell_shown(c, out);
    for (char *p = out; *p; p++)
        if (*p & 0x80) *p = '?';
    return out;
}

static int make_dtype(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    char code[3] = "", text[32];
    if (n != 3 || (arg->kind != V_TEXT && arg->kind != V_BYTES)) return wrong(vm, "dtype", e);
    const Node *name = node_of(&vm->pool, *arg);
    if (name->n == 2) memcpy(code, name->bytes, 2);
    const NumType *type = numtype_find(code);
    if (!type && !value_is(&vm->pool, *arg, "O") && strcmp(code, "O4") && strcmp(code, "O8"))
        return vm_error(vm, e, "a dtype \"%s\": read are b1, i1 to i8, u1 to u8, f2 to f8 and O", shown((Cell){(const char *)name->bytes, name->n}, text));
    if (pool_add(&vm->pool, V_DTYPE, made, e)) return -1;
    node_of(&vm->pool, *made)->type = type;
    return 0;
}

enum { DIMENSIONS_MAX = 64 };                     /* numpy's own limit */

static int has_shape(const Vm *vm, Array *a, Value shape)
{
    if (shape.kind != V_TUPLE) return 0;
    const Node *tuple = node_of(&vm->pool, shape);
    if (tuple->n > DIMENSIONS_MAX) return 0;
    a->ndim = (int)tuple->n;
    a->count = 1;
    for (int i = 0; i < a->ndim; i++) {
        int64_t size;
        if (!value_whole(tuple->item[i], &size) || __builtin_mul_overflow(a->count, size, &a->count)) return 0;
        if (i < 2) a->dim[i] = size;
    }
    return 1;
}

static int has_type(const Vm *vm, Array *a, Value dtype)
{
    if (dtype.kind != V_DTYPE) return 0;
    a->type = node_of(&vm->pool, dtype)->type;
    a->swapped = node_of(&vm->pool, dtype)->swapped;
    return 1;
}

/* Checked by division, as the product may be more than there is. */
static int has_data(const Vm *vm, Array *a, Value data)
{
    if (data.kind != (a->type ? V_BYTES : V_LIST)) return 0;
    const Node *node = node_of(&vm->pool, data);
    size_t size = a->type ? (size_t)a->type->size : 1;
    if (a->type) a->data = node->bytes;
    else a->list = data;
    return node->n % size == 0 && node->n / size == (size_t)a->count;
}

/* To the order of the axes that is given; more than two dimensions are nobody's series. */
static int transpose(const Vm *vm, Array *a, Value axes)
{
    int64_t first, rows = a->dim[0];
    if (axes.kind != V_TUPLE || node_of(&vm->pool, axes)->n != 2 || !value_whole(*node_of(&vm->pool, axes)->item, &first)) return -1;
    if (first != 1) return 0;
    a->fortran = 1;
    a->dim[0] = a->dim[1];
    a->dim[1] = rows;
    return 0;
}

/* (bytes, dtype, shape, order): "K" comes with the order of the axes that the bytes have. */
static int make_frombuffer(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    Array a = {0};
    if ((n != 4 && n != 5) || !has_shape(vm, &a, arg[2]) || !has_type(vm, &a, arg[1]) || !a.type) return wrong(vm, "_frombuffer", e);
    if (!has_data(vm, &a, arg[0])) return vm_error(vm, e, "an array whose bytes do not fit its shape");
    a.fortran = value_is(&vm->pool, arg[3], "F");
    if (!a.fortran && !value_is(&vm->pool, arg[3], "C") && !value_is(&vm->pool, arg[3], "K")) return wrong(vm, "_frombuffer", e);
    if (n == 5 && a.ndim == 2 && transpose(vm, &a, arg[4])) return wrong(vm, "_frombuffer", e);
    if (pool_add(&vm->pool, V_ARRAY, made, e)) return -1;
    *pool_array(&vm->pool, *made) = a;
    return 0;
}

static int make_scalar(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    Array a = {.ndim = 0, .count = 1};
    if (n != 2 || !has_type(vm, &a, arg[0]) || !a.type || !has_data(vm, &a, arg[1])) return wrong(vm, "scalar", e);
    *made = value_number(0);
    numtype_read(a.type, a.swapped, a.data, 1, 1, &made->number);
    return 0;
}

/* (text, "latin1"): how protocols before 3 hold bytes. */
static int make_encoded(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    unsigned char *out, *begin;
    if (n != 2 || arg->kind != V_TEXT || !(value_is(&vm->pool, arg[1], "latin1") || value_is(&vm->pool, arg[1], "latin-1"))) return wrong(vm, "encode", e);
    Node text = *node_of(&vm->pool, *arg);
    const unsigned char *p = text.bytes, *end = p + text.n;
    if (pool_buffer(&vm->pool, V_BYTES, text.n, &begin, made, e)) return -1;
    for (out = begin; p < end; p++)
        if (*p < 0x80) *out++ = *p;
        else if ((*p == 0xC2 || *p == 0xC3) && end - p > 1 && (p[1] & 0xC0) == 0x80) *out++ = (unsigned char)(p[0] << 6 | (p[1] & 0x3F)), p++;
        else return vm_error(vm, e, "a character beyond 255 where bytes are encoded");
    node_of(&vm->pool, *made)->n = (size_t)(out - begin);
    return 0;
}

static int make_bytes(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    if (!n) return pool_bytes(&vm->pool, V_BYTES, vm->p, 0, made, e);
    if (n != 1 || arg->kind != V_BYTES) return wrong(vm, "bytes", e);
    *made = *arg;                                                            /* nothing changes bytes here, so they may be shared */
    return 0;
}

static int make_dict(Vm *vm, const Value *arg, size_t n, Value *made, Err *e)
{
    (void)arg;
    return n ? vm_error(vm, e, "OrderedDict gets arguments") : pool_add(&vm->pool, V_DICT, made, e);
}

static const struct { const char *module, *name; Call *call; } globals[] = {
    [NDARRAY] = {"numpy", "ndarray", NULL},                                  /* an argument of _reconstruct */
    {"numpy", "dtype", make_dtype},
    {"numpy.core.multiarray", "_reconstruct", make_array}, {"numpy._core.multiarray", "_reconstruct", make_array},
    {"numpy.core.multiarray", "scalar", make_scalar}, {"numpy._core.multiarray", "scalar", make_scalar},
    {"numpy.core.numeric", "_frombuffer", make_frombuffer}, {"numpy._core.numeric", "_frombuffer", make_frombuffer},
    {"_codecs", "encode", make_encoded},
    {"__builtin__", "bytes", make_bytes}, {"builtins", "bytes", make_bytes},
    {"__builtin__", "bytearray", make_bytes}, {"builtins", "bytearray", make_bytes},
    {"collections", "OrderedDict", make_dict},
};
enum { NGLOBALS = sizeof globals / sizeof *globals };

/* What people save most, and what they could save instead. */
static const struct { const char *package, *advice; } known[] = {
    {"torch", "a tensor of torch: save a list of tensor.numpy(), or one array with numpy.save"},
    {"pandas", "an object of pandas: save its columns as a list of numpy arrays, or write a .csv"},
    {"numpy", "of numpy only plain arrays of numbers, lists of them and scalars are read"},
};

static int is_text(const char *p, size_t n, const char *text) { return n == strlen(text) && !memcmp(p, text, n); }

static int unknown(Vm *vm, Cell module, Cell name, Err *e)
{
    const char *advice = "a pickle may name only what makes numpy arrays: save lists, dicts and numpy arrays";
    char a[32], b[32];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].package);
        if (module.n >= n && !memcmp(module.p, known[i].package, n) && (module.n == n || module.p[n] == '.')) advice = known[i].advice;
    }
    return vm_error(vm, e, "%s.%s is refused: %s", shown(module, a), shown(name, b), advice);
}

int global_find(Vm *vm, const char *module, size_t nmodule, const char *name, size_t nname, Value *v, Err *e)
{
    for (size_t i = 0; i < NGLOBALS; i++) {
        if (!is_text(module, nmodule, globals[i].module) || !is_text(name, nname, globals[i].name)) continue;
        *v = (Value){.kind = V_GLOBAL, .node = i};
        return 0;
    }
    return unknown(vm, (Cell){module, nmodule}, (Cell){name, nname}, e);
}

int global_call(Vm *vm, Value global, Value args, Value *made, Err *e)
{
    if (global.kind != V_GLOBAL || args.kind != V_TUPLE)
        return vm_error(vm, e, "REDUCE calls %s with %s, expected a function and a tuple", value_name(global), value_name(args));
    if (!globals[global.node].call) return vm_error(vm, e, "REDUCE calls %s.%s, which is refused", globals[global.node].module, globals[global.node].name);
    Node tuple = *node_of(&vm->pool, args);                                  /* a call may move the nodes, but not the items */
    return globals[global.node].call(vm, tuple.item, tuple.n, made, e);
}

/* (3 or 4, byte order, no parts, no names, no fields, ...) */
static int build_dtype(Vm *vm, Node *dtype, const Value *item, size_t n, Err *e)
{
    int64_t version;
    if (n < 8 || n > 9 || !value_whole(item[0], &version) || version < 3 || version > 4) return wrong(vm, "the state of a dtype", e);
    for (int i = 2; i < 5; i++)
        if (item[i].kind != V_NONE) return vm_error(vm, e, "a dtype of several fields: save arrays of numbers");
    int big = value_is(&vm->pool, item[1], ">");
    if (!big && !value_is(&vm->pool, item[1], "<") && !value_is(&vm->pool, item[1], "|") && !value_is(&vm->pool, item[1], "="))
        return wrong(vm, "the state of a dtype", e);
    dtype->swapped = (uint8_t)big;
    return 0;
}

/* (1, shape, dtype, Fortran order, data), in old files without the 1 */
static int build_array(Vm *vm, Array *array, const Value *item, size_t n, Err *e)
{
    Array a = {0};
    int64_t version, fortran;
    if (n == 5 && value_whole(*item, &version) && version == 1) item++, n--;
    if (n != 4 || !has_shape(vm, &a, item[0]) || !has_type(vm, &a, item[1]) || !value_whole(item[2], &fortran)) return wrong(vm, "the state of an array", e);
    a.fortran = fortran && a.type;                                           /* objects stand in C order always */
    if (!has_data(vm, &a, item[3])) return vm_error(vm, e, "an array whose %s not fit its shape", a.type ? "bytes do" : "list does");
    *array = a;
    return 0;
}

int object_build(Vm *vm, Value object, Value state, Err *e)
{
    if ((object.kind != V_ARRAY && object.kind != V_DTYPE) || state.kind != V_TUPLE)
        return vm_error(vm, e, "BUILD gives %s to %s, expected a tuple for an array or a dtype", value_name(state), value_name(object));
    const Node *tuple = node_of(&vm->pool, state);
    Node *node = node_of(&vm->pool, object);
    return object.kind == V_ARRAY ? build_array(vm, node->array, tuple->item, tuple->n, e) : build_dtype(vm, node, tuple->item, tuple->n, e);
}
