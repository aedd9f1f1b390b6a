/* pickle_vm.c - see pickle_vm.h */
#include "data/pickle_vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/num.h"

int vm_error(const Vm *vm, Err *e, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(e, FTS_FORMAT, "byte %zu: %s", (size_t)(vm->at - vm->start), text);
}

const unsigned char *vm_take(Vm *vm, uint64_t n, Err *e)
{
    const unsigned char *bytes = vm->p;
    size_t left = (size_t)(vm->end - vm->p);
    if (n <= left) {
        vm->p += n;
        return bytes;
    }
    vm_error(vm, e, "%s wants %llu bytes, %zu are left: is the file complete?", vm->name, (unsigned long long)n, left);
    return NULL;
}

int vm_number(Vm *vm, int width, uint64_t *x, Err *e)
{
    const unsigned char *p = vm_take(vm, (uint64_t)width, e);
    *x = 0;
    if (!p) return -1;
    for (int i = 0; i < width; i++) *x |= (uint64_t)p[i] << 8 * i;
    return 0;
}

int vm_line(Vm *vm, const char **line, size_t *n, Err *e)
{
    size_t left = (size_t)(vm->end - vm->p);
    const unsigned char *stop = left ? memchr(vm->p, '\n', left) : NULL;
    if (!stop) return vm_error(vm, e, "the file ends in the line behind %s: is it complete?", vm->name);
    *line = (const char *)vm->p;
    *n = (size_t)(stop - vm->p);
    vm->p = stop + 1;
    return 0;
}

int line_whole(Vm *vm, const char *line, size_t n, double *x, Err *e)
{
    size_t i = n && *line == '-';
    int any = i < n;
    while (i < n && line[i] >= '0' && line[i] <= '9') i++;
    return any && i == n && num_read(line, n, x) == n ? 0 : vm_error(vm, e, "%s is followed by what is no whole number", vm->name);
}

int vm_push(Vm *vm, Value v, Err *e)
{
    if (values_room(&vm->stack, vm->n + 1, &vm->stack_cap, e)) return -1;
    vm->stack[vm->n++] = v;
    return 0;
}

/* The upper n values, NULL if there are fewer; a mark is none. */
static Value *upper(Vm *vm, size_t n, Err *e)
{
    size_t have = 0;
    while (have < n && have < vm->n && vm->stack[vm->n - 1 - have].kind != V_MARK) have++;
    if (have == n) return vm->stack + (vm->n - n);
    vm_error(vm, e, "%s wants %zu value%s, found %zu", vm->name, n, n == 1 ? "" : "s", have);
    return NULL;
}

/* The values above the last mark, which is dropped with them by vm->n = *mark. */
static int above_mark(Vm *vm, size_t *mark, Err *e)
{
    size_t i = vm->n;
    while (i && vm->stack[i - 1].kind != V_MARK) i--;
    if (!i) return vm_error(vm, e, "%s wants a mark, none is there", vm->name);
    *mark = i - 1;
    return 0;
}

static int op_version(Vm *vm, int most, Err *e)
{
    uint64_t version;
    if (vm_number(vm, 1, &version, e)) return -1;
    return version <= (uint64_t)most ? 0 : vm_error(vm, e, "the pickle is of protocol %d, known are 0 to %d", (int)version, most);
}

/* A frame says how much to read at once: nothing here, where all is in memory. */
static int op_frame(Vm *vm, int width, Err *e)
{
    uint64_t size;
    return vm_number(vm, width, &size, e);
}

static int op_mark(Vm *vm, int unused, Err *e) { (void)unused; return vm_push(vm, (Value){.kind = V_MARK}, e); }

static int op_pop(Vm *vm, int unused, Err *e)
{
    (void)unused;
    if (!vm->n) return vm_error(vm, e, "%s wants a value, none is there", vm->name);
    vm->n--;
    return 0;
}

static int op_pop_mark(Vm *vm, int unused, Err *e) { (void)unused; return above_mark(vm, &vm->n, e); }

static int op_dup(Vm *vm, int unused, Err *e)
{
    const Value *v = upper(vm, 1, e);
    (void)unused;
    return v ? vm_push(vm, *v, e) : -1;
}

/* A place beyond the number of opcodes read is one that no writer has come to: the memo stays as small as the pickle. */
static int put(Vm *vm, uint64_t place, Err *e)
{
    const Value *v = upper(vm, 1, e);
    if (!v) return -1;
    if (place > vm->opcodes) return vm_error(vm, e, "%s puts a value into place %llu, after %zu opcodes", vm->name, (unsigned long long)place, vm->opcodes);
    if (values_room(&vm->memo, (size_t)place + 1, &vm->memo_cap, e)) return -1;
    while (vm->nmemo <= place) vm->memo[vm->nmemo++] = (Value){.kind = V_UNSET};
    vm->put += vm->memo[place].kind == V_UNSET;
    vm->memo[place] = *v;
    return 0;
}

static int get(Vm *vm, uint64_t place, Err *e)
{
    if (place < vm->nmemo && vm->memo[place].kind != V_UNSET) return vm_push(vm, vm->memo[place], e);
    return vm_error(vm, e, "%s asks for place %llu, where nothing was put", vm->name, (unsigned long long)place);
}

static int op_memoize(Vm *vm, int unused, Err *e) { (void)unused; return put(vm, vm->put, e); }

/* width 0: the place stands in a line. */
static int memo_place(Vm *vm, int width, uint64_t *place, Err *e)
{
    const char *p;
    size_t n;
    double x;
    if (width) return vm_number(vm, width, place, e);
    if (vm_line(vm, &p, &n, e) || line_whole(vm, p, n, &x, e)) return -1;
    if (!(x >= 0 && x < 0x1p53)) return vm_error(vm, e, "%s is followed by %g, which is no place", vm->name, x);
    *place = (uint64_t)x;
    return 0;
}

static int op_put(Vm *vm, int width, Err *e)
{
    uint64_t place;
    return memo_place(vm, width, &place, e) ? -1 : put(vm, place, e);
}

static int op_get(Vm *vm, int width, Err *e)
{
    uint64_t place;
    return memo_place(vm, width, &place, e) ? -1 : get(vm, place, e);
}

static int op_empty(Vm *vm, int kind, Err *e)
{
    Value v;
    return pool_add(&vm->pool, (ValueKind)kind, &v, e) ? -1 : vm_push(vm, v, e);
}

/* Items from place `from` of the stack into a container; place `to` is what remains of the stack. */
static int collect(Vm *vm, Value v, size_t from, size_t to, Err *e)
{
    size_t n = vm->n - from;
    if (v.kind == V_DICT && n % 2) return vm_error(vm, e, "%s finds a key without a value", vm->name);
    if (pool_extend(&vm->pool, v, vm->stack + from, n, e)) return -1;
    vm->n = to;
    return 0;
}

/* LIST, TUPLE, DICT */
static int op_collect(Vm *vm, int kind, Err *e)
{
    size_t mark;
    Value v;
    if (above_mark(vm, &mark, e) || pool_add(&vm->pool, (ValueKind)kind, &v, e)) return -1;
    return collect(vm, v, mark + 1, mark, e) ? -1 : vm_push(vm, v, e);
}

static int op_tuple(Vm *vm, int n, Err *e)
{
    Value v;
    if (!upper(vm, (size_t)n, e) || pool_add(&vm->pool, V_TUPLE, &v, e)) return -1;
    return collect(vm, v, vm->n - (size_t)n, vm->n - (size_t)n, e) ? -1 : vm_push(vm, v, e);
}

/* The container below place `from` of the stack takes what is above. */
static int extend(Vm *vm, int kind, size_t from, size_t to, Err *e)
{
    Value v = to ? vm->stack[to - 1] : (Value){.kind = V_UNSET};
    if (v.kind == (ValueKind)kind) return collect(vm, v, from, to, e);
    return vm_error(vm, e, "%s adds to %s, expected %s", vm->name, value_name(v), value_name((Value){.kind = (ValueKind)kind}));
}

/* APPENDS, SETITEMS */
static int op_extend(Vm *vm, int kind, Err *e)
{
    size_t mark;
    return above_mark(vm, &mark, e) ? -1 : extend(vm, kind, mark + 1, mark, e);
}

/* APPEND, SETITEM */
static int op_add(Vm *vm, int kind, Err *e)
{
    size_t n = kind == V_DICT ? 2 : 1;
    return upper(vm, n, e) ? extend(vm, kind, vm->n - n, vm->n - n, e) : -1;
}

static int op_global(Vm *vm, int unused, Err *e)
{
    const char *module, *name;
    size_t nmodule, nname;
    Value v;
    (void)unused;
    if (vm_line(vm, &module, &nmodule, e) || vm_line(vm, &name, &nname, e) || global_find(vm, module, nmodule, name, nname, &v, e)) return -1;
    return vm_push(vm, v, e);
}

static int op_stack_global(Vm *vm, int unused, Err *e)
{
    Value *name = upper(vm, 2, e);
    (void)unused;
    if (!name) return -1;
    if (name[0].kind != V_TEXT || name[1].kind != V_TEXT)
        return vm_error(vm, e, "%s wants two texts, found %s and %s", vm->name, value_name(name[0]), value_name(name[1]));
    const Node *a = node_of(&vm->pool, name[0]), *b = node_of(&vm->pool, name[1]);
    vm->n -= 2;
    return global_find(vm, (const char *)a->bytes, a->n, (const char *)b->bytes, b->n, &name[0], e) ? -1 : vm_push(vm, name[0], e);
}

static int op_reduce(Vm *vm, int unused, Err *e)
{
    Value made;
    const Value *v = upper(vm, 2, e);
    (void)unused;
    if (!v || global_call(vm, v[0], v[1], &made, e)) return -1;
    vm->n -= 2;
    return vm_push(vm, made, e);
}

static int op_build(Vm *vm, int unused, Err *e)
{
    const Value *v = upper(vm, 2, e);
    (void)unused;
    if (!v) return -1;
    vm->n--;
    return object_build(vm, v[0], v[1], e);
}

static int refused(Vm *vm, int unused, Err *e)
{
    (void)unused;
    return vm_error(vm, e, "%s makes an object of a class, which is refused: save lists, dicts and numpy arrays", vm->name);
}

static int outside(Vm *vm, int unused, Err *e)
{
    (void)unused;
    return vm_error(vm, e, "%s asks for data outside the pickle, as torch writes them, which is refused: save lists and numpy arrays", vm->name);
}

static int op_set(Vm *vm, int unused, Err *e) { (void)unused; return vm_error(vm, e, "%s makes a set, which has no order: save a list", vm->name); }
static int op_stop(Vm *vm, int unused, Err *e) { (void)vm, (void)unused, (void)e; return 1; }

/* By opcode. What is missing here is no opcode of any protocol. */
static const struct { const char *name; int (*run)(Vm *vm, int how, Err *e); int how; } ops[256] = {
    [0x80] = {"PROTO", op_version, 5}, [0x95] = {"FRAME", op_frame, 8}, [0x2e] = {"STOP", op_stop, 0},
    [0x28] = {"MARK", op_mark, 0}, [0x30] = {"POP", op_pop, 0}, [0x31] = {"POP_MARK", op_pop_mark, 0}, [0x32] = {"DUP", op_dup, 0},
    [0x70] = {"PUT", op_put, 0}, [0x71] = {"BINPUT", op_put, 1}, [0x72] = {"LONG_BINPUT", op_put, 4}, [0x94] = {"MEMOIZE", op_memoize, 0},
    [0x67] = {"GET", op_get, 0}, [0x68] = {"BINGET", op_get, 1}, [0x6a] = {"LONG_BINGET", op_get, 4},
    [0x4e] = {"NONE", op_constant, -1}, [0x88] = {"NEWTRUE", op_constant, 1}, [0x89] = {"NEWFALSE", op_constant, 0},
    [0x4a] = {"BININT", op_int4, 0}, [0x4b] = {"BININT1", op_uint, 1}, [0x4d] = {"BININT2", op_uint, 2},
    [0x49] = {"INT", op_int_line, 0}, [0x4c] = {"LONG", op_int_line, 0}, [0x8a] = {"LONG1", op_long, 1}, [0x8b] = {"LONG4", op_long, 4},
    [0x46] = {"FLOAT", op_float_line, 0}, [0x47] = {"BINFLOAT", op_double, 0},
    [0x53] = {"STRING", op_string_line, 0}, [0x54] = {"BINSTRING", op_bytes, 4}, [0x55] = {"SHORT_BINSTRING", op_bytes, 1},
    [0x42] = {"BINBYTES", op_bytes, 4}, [0x43] = {"SHORT_BINBYTES", op_bytes, 1}, [0x8e] = {"BINBYTES8", op_bytes, 8}, [0x96] = {"BYTEARRAY8", op_bytes, 8},
    [0x56] = {"UNICODE", op_text_line, 0}, [0x58] = {"BINUNICODE", op_text, 4}, [0x8c] = {"SHORT_BINUNICODE", op_text, 1}, [0x8d] = {"BINUNICODE8", op_text, 8},
    [0x5d] = {"EMPTY_LIST", op_empty, V_LIST}, [0x29] = {"EMPTY_TUPLE", op_empty, V_TUPLE}, [0x7d] = {"EMPTY_DICT", op_empty, V_DICT},
    [0x6c] = {"LIST", op_collect, V_LIST}, [0x74] = {"TUPLE", op_collect, V_TUPLE}, [0x64] = {"DICT", op_collect, V_DICT},
    [0x85] = {"TUPLE1", op_tuple, 1}, [0x86] = {"TUPLE2", op_tuple, 2}, [0x87] = {"TUPLE3", op_tuple, 3},
    [0x61] = {"APPEND", op_add, V_LIST}, [0x73] = {"SETITEM", op_add, V_DICT}, [0x65] = {"APPENDS", op_extend, V_LIST}, [0x75] = {"SETITEMS", op_extend, V_DICT},
    [0x63] = {"GLOBAL", op_global, 0}, [0x93] = {"STACK_GLOBAL", op_stack_global, 0}, [0x52] = {"REDUCE", op_reduce, 0}, [0x62] = {"BUILD", op_build, 0},
    [0x69] = {"INST", refused, 0}, [0x6f] = {"OBJ", refused, 0}, [0x81] = {"NEWOBJ", refused, 0}, [0x92] = {"NEWOBJ_EX", refused, 0},
    [0x82] = {"EXT1", refused, 0}, [0x83] = {"EXT2", refused, 0}, [0x84] = {"EXT4", refused, 0},
    [0x50] = {"PERSID", outside, 0}, [0x51] = {"BINPERSID", outside, 0}, [0x97] = {"NEXT_BUFFER", outside, 0}, [0x98] = {"READONLY_BUFFER", outside, 0},
    [0x8f] = {"EMPTY_SET", op_set, 0}, [0x90] = {"ADDITEMS", op_set, 0}, [0x91] = {"FROZENSET", op_set, 0},
};

/* 1: it was STOP */
static int step(Vm *vm, Err *e)
{
    vm->at = vm->p;
    if (vm->p == vm->end) return vm_error(vm, e, "the pickle ends before STOP: is the file complete?");
    unsigned char code = *vm->p++;
    vm->name = ops[code].name;
    vm->opcodes++;
    return vm->name ? ops[code].run(vm, ops[code].how, e) : vm_error(vm, e, "0x%02x is no opcode of a pickle", code);
}

int vm_run(Vm *vm, Value *top, Err *e)
{
    int done;
    pool_clear(&vm->pool);
    vm->n = vm->nmemo = vm->put = vm->opcodes = 0;
    while (!(done = step(vm, e))) continue;
    if (done < 0) return -1;
    if (vm->n != 1 || vm->stack->kind == V_MARK) return vm_error(vm, e, "STOP finds %zu values on the stack, expected one", vm->n);
    *top = *vm->stack;
    return 0;
}

void vm_free(Vm *vm)
{
    free(vm->stack);
    free(vm->memo);
    pool_free(&vm->pool);
}
