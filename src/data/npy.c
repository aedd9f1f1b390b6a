/* npy.c - see npy.h */
#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#include "data/pickle.h"

enum { MAX_HEAD = 10000, MAX_DIMS = 32, BLOCK = 512 };         /* MAX_HEAD: characters, numpy's own limit */

typedef struct Text { const char *p, *end; } Text;

static int wrong(Err *e, const Text *t, const char *want)
{
    char found[16];
    snprintf(found, sizeof found, "%.*s", (int)(t->end - t->p < 12 ? t->end - t->p : 12), t->p);
    for (char *c = found; *c; c++)
        if (*c < 32 || *c > 126) *c = '?';
    return err_set(e, FTS_FORMAT, "header: found \"%s\", expected %s", found, want);
}

static int take(Text *t, char c)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t')) t->p++;
    if (t->p == t->end || *t->p != c) return 0;
    t->p++;
    return 1;
}

static int quoted(Text *t, char *out, size_t size, Err *e)
{
    char quote = take(t, '\'') ? '\'' : take(t, '"') ? '"' : 0;
    const char *end = quote ? memchr(t->p, quote, (size_t)(t->end - t->p)) : NULL;
    if (!end || (size_t)(end - t->p) >= size) return wrong(e, t, "a short text in quotes");
    memcpy(out, t->p, (size_t)(end - t->p));
    out[end - t->p] = 0;
    t->p = end + 1;
    return 0;
}

static const struct Refused { char kind; const char *why; } refused[] = {
    {'c', "complex numbers: save the real part, or the parts as two arrays"},
    {'S', "text: save numbers"}, {'U', "text: save numbers"}, {'M', "dates: save the values as numbers"}, {'m', "time spans: save them as numbers"},
    {'V', "raw bytes, which is also how bfloat16 of ml_dtypes is written: save as float32"},
};

/* A descr is byte order, kind, size: names of numpy.dtype and our own short ones are none. */
static int read_type(Npy *a, Text *t, Err *e)
{
    char descr[64];
    if (take(t, '[')) return err_set(e, FTS_FORMAT, "a structured array: save one array for each field");
    if (quoted(t, descr, sizeof descr, e)) return -1;
    if (!strcmp(descr, "|O")) return 0;
    if (!strchr("<>|=", descr[0]) || !descr[0]) return err_set(e, FTS_FORMAT, "header: \"descr\" is \"%s\", which has no byte order", descr);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (descr[1] == refused[i].kind) return err_set(e, FTS_FORMAT, "an array of %s", refused[i].why);
    a->swapped = descr[0] == '>';
    a->type = strlen(descr) == 3 ? numtype_find(descr + 1) : NULL;
    return a->type ? 0 : err_set(e, FTS_FORMAT, "header: \"descr\" is \"%s\", not a type that can be read: save as float32 or float64", descr);
}

static int read_order(Npy *a, Text *t, Err *e)
{
    take(t, ' ');
    a->fortran = t->end - t->p >= 4 && !memcmp(t->p, "True", 4);
    if (!a->fortran && (t->end - t->p < 5 || memcmp(t->p, "False", 5))) return wrong(e, t, "True or False");
    t->p += a->fortran ? 4 : 5;
    return 0;
}

/* A size may end in L: Python 2 wrote its long numbers so. */
static int read_size(Text *t, int64_t *x, Err *e)
{
    *x = 0;
    take(t, ' ');
    if (t->p == t->end || *t->p < '0' || *t->p > '9') return wrong(e, t, "a size");
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++)
        if (__builtin_mul_overflow(*x, 10, x) || __builtin_add_overflow(*x, *t->p - '0', x)) return err_set(e, FTS_FORMAT, "header: a size in \"shape\" is too large");
    take(t, 'L');
    return 0;
}

static int read_shape(Npy *a, Text *t, Err *e)
{
    int64_t dim[MAX_DIMS];
    int n = 0;
    if (!take(t, '(')) return wrong(e, t, "the shape in ( )");
    while (!take(t, ')')) {
        if (n == MAX_DIMS) return err_set(e, FTS_FORMAT, "header: more than %d dimensions", MAX_DIMS);
        if (read_size(t, &dim[n++], e)) return -1;
        if (take(t, ',')) continue;
        if (n == 1 || !take(t, ')')) return wrong(e, t, "',' or ')'");
        break;
    }
    if (n > 2) return err_set(e, FTS_FORMAT, "an array of %d dimensions: reshape it to 2, a row for each series", n);
    a->rows = n == 2 ? dim[0] : 1;
    a->points = n ? dim[n - 1] : 1;
    return 0;
}

static const struct Key { const char *name; int (*read)(Npy *a, Text *t, Err *e); } keys[] = {
    {"descr", read_type}, {"fortran_order", read_order}, {"shape", read_shape},
};
enum { NKEYS = sizeof keys / sizeof *keys };

static int read_key(Npy *a, Text *t, unsigned *seen, Err *e)
{
    char key[32];
    if (quoted(t, key, sizeof key, e)) return -1;
    if (!take(t, ':')) return wrong(e, t, "':'");
    for (unsigned i = 0; i < NKEYS; i++) {
        if (strcmp(key, keys[i].name)) continue;
        if (*seen & 1u << i) return err_set(e, FTS_FORMAT, "header: \"%s\" stands there twice", key);
        *seen |= 1u << i;
        return keys[i].read(a, t, e);
    }
    return err_set(e, FTS_FORMAT, "header: \"%s\" is not one of descr, fortran_order, shape", key);
}

static int read_dict(Npy *a, Text t, Err *e)
{
    unsigned seen = 0;
    if (!take(&t, '{')) return wrong(e, &t, "'{'");
    while (!take(&t, '}')) {
        if (read_key(a, &t, &seen, e)) return -1;
        if (!take(&t, ',') && (t.p == t.end || (*t.p != '}'))) return wrong(e, &t, "',' or '}'");
    }
    for (unsigned i = 0; i < NKEYS; i++)
        if (!(seen & 1u << i)) return err_set(e, FTS_FORMAT, "header: \"%s\" is missing", keys[i].name);
    take(&t, ' ');
    return t.p == t.end ? 0 : wrong(e, &t, "the end of the header");
}

int npy_head(Npy *a, const void *bytes, size_t n, Err *e)
{
    const unsigned char *p = bytes;
    *a = (Npy){0};
    if (n < 12 || memcmp(p, "\x93NUMPY", 6)) return err_set(e, FTS_FORMAT, "not an array of numpy, or an empty file: it does not begin with \\x93NUMPY");
    if (p[6] < 1 || p[6] > 3 || p[7]) return err_set(e, FTS_FORMAT, "version %d.%d of the format, 1.0 to 3.0 can be read", p[6], p[7]);
    size_t from = p[6] == 1 ? 10 : 12, size = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) size |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (size > MAX_HEAD) return err_set(e, FTS_FORMAT, "a header of %zu bytes, at most %d", size, MAX_HEAD);
    if (size > n - from) return err_set(e, FTS_FORMAT, "the file ends inside the header: is it complete?");
    a->at = from + size;
    if (read_dict(a, (Text){(const char *)p + from, (const char *)p + a->at}, e)) return -1;
    uint64_t count;
    if (__builtin_mul_overflow((uint64_t)a->rows, (uint64_t)a->points, &count) || count > INT64_MAX / 8) return err_set(e, FTS_FORMAT, "header: \"shape\" is larger than any file");
    a->bytes = a->type ? count * (uint64_t)a->type->size : 0;
    return 0;
}

int npy_whole(const Npy *a, size_t n, Err *e)
{
    if (a->rows > (int64_t)n && !a->points) return err_set(e, FTS_FORMAT, "%lld series without a point", (long long)a->rows);
    if (n >= a->at && a->bytes <= n - a->at) return 0;
    return err_set(e, FTS_FORMAT, "%lld rows of %lld numbers of %d bytes do not fit into %zu bytes: is the file complete?", (long long)a->rows, (long long)a->points, a->type->size, n);
}

void npy_read(const Npy *a, const unsigned char *data, int64_t row, int64_t at, int64_t n, double *out)
{
    int64_t first = a->fortran ? at * a->rows + row : row * a->points + at;
    numtype_read(a->type, a->swapped, data + first * a->type->size, a->fortran ? a->rows : 1, n, out);
}

int npy_decode(Decoded *d, const void *bytes, size_t n, Err *e)
{
    Npy a;
    double x[BLOCK];
    size_t used;
    if (npy_head(&a, bytes, n, e) || npy_whole(&a, n, e)) return -1;
    const unsigned char *data = (const unsigned char *)bytes + a.at;
    if (!a.type) return pickle_decode_one(d, data, n - a.at, &used, e) ? err_wrap(e, "the pickle behind the header") : 0;
    for (int64_t row = 0; row < a.rows; row++) {
        if (decoded_series(d, e)) return -1;
        for (int64_t at = 0; at < a.points; at += BLOCK) {
            int64_t m = a.points - at < BLOCK ? a.points - at : BLOCK;
            npy_read(&a, data, row, at, m, x);
            for (int64_t i = 0; i < m; i++)
                if (decoded_point(d, x[i], e)) return -1;
        }
    }
    return 0;
}
