/* pickle.c - see pickle.h. What the machine made becomes series: two levels deep by design, so cycles end by themselves. */
#include "data/pickle.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/pickle_vm.h"

/* A value that stands in many places is read in each. That grows with the square of the file, so it is held to what an
 * honest file may come to: 16M points and 16 more for each byte. */
enum { POINTS_FREE = 1 << 24, POINTS_A_BYTE = 16, BLOCK = 512 };

typedef struct Flat {
    Decoded    *d;
    const Pool *pool;
    int64_t     left;                /* points, series and items of dicts that may still be looked at */
    int64_t     begun;               /* series; errors name the last */
} Flat;

__attribute__((format(printf, 4, 5)))
static int flat_error(const Flat *f, int64_t point, Err *e, const char *fmt, ...)
{
    char text[256], place[64] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (point >= 0) snprintf(place, sizeof place, ", point %lld", (long long)point);
    return err_set(e, FTS_FORMAT, "series %lld%s: %s", (long long)f->begun - 1, place, text);
}

static int spend(Flat *f, int64_t n, Err *e)
{
    if (n >= f->left) return flat_error(f, -1, e, "too many points or series for a file of this size: it repeats the same values");
    f->left -= n + 1;
    return 0;
}

/* A new series of n points. */
static int begin(Flat *f, int64_t n, Err *e) { return spend(f, n, e) ? -1 : decoded_series(f->d, e); }

static int numbers(Flat *f, const Value *item, int64_t n, Err *e)
{
    if (begin(f, n, e)) return -1;
    for (int64_t i = 0; i < n; i++) {
        if (item[i].kind != V_NUMBER && item[i].kind != V_NONE) return flat_error(f, i, e, "found %s, expected a number", value_name(item[i]));
        if (decoded_point(f->d, item[i].kind == V_NONE ? (double)NAN : item[i].number, e)) return -1;
    }
    return 0;
}

/* n elements of an array, each `step` behind the last. */
static int elements(Flat *f, const Array *a, int64_t at, int64_t step, int64_t n, Err *e)
{
    double x[BLOCK];
    if (!a->type) return numbers(f, a->count ? node_of(f->pool, a->list)->item + at : NULL, n, e);
    if (begin(f, n, e)) return -1;
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t m = n - done < BLOCK ? n - done : BLOCK;
        numtype_read(a->type, a->swapped, a->data + (at + done * step) * a->type->size, step, m, x);
        for (int64_t i = 0; i < m; i++)
            if (decoded_point(f->d, x[i], e)) return -1;
    }
    return 0;
}

/* 1: v holds values one after the other: a list, a tuple, an array of objects. */
static int has_items(const Flat *f, Value v, const Value **item, int64_t *n)
{
    const Array *a = pool_array(f->pool, v);
    if (a ? a->type || a->ndim != 1 : v.kind != V_LIST && v.kind != V_TUPLE) return 0;
    *n = a ? a->count : (int64_t)node_of(f->pool, v)->n;
    *item = *n ? node_of(f->pool, a ? a->list : v)->item : NULL;
    return 1;
}

static int plain(Flat *f, Value v, Err *e)
{
    const Array *a = pool_array(f->pool, v);
    const Value *item;
    int64_t n;
    if (has_items(f, v, &item, &n)) return numbers(f, item, n, e);
    if (!a) return flat_error(f, -1, e, "found %s, expected a list or an array of numbers", value_name(v));
    return a->ndim == 1 ? elements(f, a, 0, 1, a->count, e) : flat_error(f, -1, e, "found an array of %d dimensions, expected one, or two in an array that is all of the pickle", a->ndim);
}

/* The last value of a key, as in Python. */
static const Value *dict_value(const Pool *pool, Value dict, const char *key)
{
    const Node *node = node_of(pool, dict);
    for (size_t i = node->n; i > 1; i -= 2)
        if (value_is(pool, node->item[i - 2], key)) return &node->item[i - 1];
    return NULL;
}

static int series(Flat *f, Value v, Err *e)
{
    f->begun++;
    if (v.kind != V_DICT) return plain(f, v, e);
    if (spend(f, (int64_t)node_of(f->pool, v)->n, e)) return -1;
    const Value *sequence = dict_value(f->pool, v, "sequence"), *target = dict_value(f->pool, v, "target");
    if (sequence && target) return flat_error(f, -1, e, "a dict with both \"sequence\" and \"target\"");
    if (!sequence && !target) return flat_error(f, -1, e, "a dict without \"sequence\" or \"target\"");
    return plain(f, sequence ? *sequence : *target, e);
}

static int rows(Flat *f, const Array *a, Err *e)
{
    for (int64_t i = 0; i < a->dim[0]; i++) {
        f->begun++;
        if (elements(f, a, a->fortran ? i : i * a->dim[1], a->fortran ? a->dim[0] : 1, a->dim[1], e)) return -1;
    }
    return 0;
}

/* The first item decides for all whether they are points or series. */
static int all(Flat *f, Value v, Err *e)
{
    const Array *a = pool_array(f->pool, v);
    const Value *item;
    int64_t n;
    if (a && a->ndim == 2) return rows(f, a, e);
    if (!has_items(f, v, &item, &n) || (n && (item->kind == V_NUMBER || item->kind == V_NONE))) return series(f, v, e);
    for (int64_t i = 0; i < n; i++)
        if (series(f, item[i], e)) return -1;
    return 0;
}

/* What is packed is told by its first bytes, or the first opcode that they happen to be would be all that is said. */
static int refuse_packed(const unsigned char *p, size_t n, Err *e)
{
    if (n > 1 && p[0] == 0x1f && p[1] == 0x8b) return err_set(e, FTS_FORMAT, "packed by gzip: unpack it first");
    if (n > 3 && !memcmp(p, "PK\3\4", 4)) return err_set(e, FTS_FORMAT, "a zip archive, as torch.save writes: save a list of numpy arrays with pickle, or numpy.savez");
    return 0;
}

/* used: NULL, or only the first pickle is asked for. */
static int decode(Decoded *d, Vm *vm, size_t *used, Err *e)
{
    Flat f = {d, &vm->pool, 0, 0};
    Value top;
    f.left = POINTS_FREE + POINTS_A_BYTE * (int64_t)(vm->end - vm->p);
    if (vm_run(vm, &top, e)) return -1;
    if (used) *used = (size_t)(vm->p - vm->start);
    if (used || vm->p == vm->end) return all(&f, top, e);
    if (series(&f, top, e)) return -1;
    while (vm->p < vm->end)
        if (vm_run(vm, &top, e) || series(&f, top, e)) return -1;
    return 0;
}

int pickle_decode_one(Decoded *d, const void *bytes, size_t n, size_t *used, Err *e)
{
    const unsigned char *p = n ? bytes : (const void *)"";
    Vm vm = {.start = p, .p = p, .end = p + n};
    int bad = refuse_packed(p, n, e) || decode(d, &vm, used, e) ? -1 : 0;
    vm_free(&vm);
    return bad;
}

int pickle_decode(Decoded *d, const void *bytes, size_t n, Err *e) { return pickle_decode_one(d, bytes, n, NULL, e); }
