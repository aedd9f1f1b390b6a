/* safetensors.c - reading a safetensors file, with every check that the reference reader makes, and a few more: names are
 * unique and of bounded length, at most 8 dimensions. Files come from strangers: nothing in them is believed. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/num.h"

enum { HEADER_MAX = 100000000, NAME_SIZE = 4096, RANK_MAX = sizeof ((StTensor *)0)->shape / sizeof (int64_t) };

/* In the order of the reference, which a writer sorts by, last one first. */
static const struct { const char *name; int bits; } dtypes[] = {
    {"BOOL", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8}, {"I8", 8}, {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16}, {"F16", 16}, {"BF16", 16}, {"I32", 32}, {"U32", 32},
    {"F32", 32}, {"C64", 64}, {"F64", 64}, {"I64", 64}, {"U64", 64},
};

int st_dtype(const char *dtype, int *bits)
{
    for (int i = 0; i < (int)(sizeof dtypes / sizeof *dtypes); i++)
        if (!strcmp(dtypes[i].name, dtype)) {
            *bits = dtypes[i].bits;
            return i;
        }
    return -1;
}

typedef struct Reader {
    Json   j;
    St    *s;
    int    cap, metadata_seen;
    const unsigned char *data;           /* after the header */
    size_t size;                         /* bytes there */
} Reader;

static int read_shape(Json *j, StTensor *t, Err *e)
{
    int more;
    if (json_open(j, '[', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (t->rank == RANK_MAX) return json_error(j, e, "more than %d dimensions", RANK_MAX);
        if (json_int(j, &t->shape[t->rank], e)) return -1;
        if (t->shape[t->rank++] < 0) return json_error(j, e, "a negative dimension");
    }
    return more;
}

static int read_dtype(Json *j, StTensor *t, Err *e)
{
    char name[64];
    int bits;
    if (json_string(j, name, sizeof name, e)) return -1;
    if (st_dtype(name, &bits) < 0) return json_error(j, e, "'%s' is no dtype of the format", name);
    memcpy(t->dtype, name, strlen(name) + 1);
    return 0;
}

/* The offsets become a pointer and a length, once they are known to lie inside the file. */
static int read_offsets(Reader *r, StTensor *t, Err *e)
{
    int64_t at[2] = {0};
    int n = 0, more;
    if (json_open(&r->j, '[', e)) return -1;
    while ((more = json_more(&r->j, e)) > 0) {
        if (n == 2) return json_error(&r->j, e, "data_offsets has more than two numbers");
        if (json_int(&r->j, &at[n++], e)) return -1;
    }
    if (more < 0) return -1;
    if (n < 2) return json_error(&r->j, e, "data_offsets has less than two numbers");
    if (at[0] < 0 || at[1] < at[0]) return json_error(&r->j, e, "data_offsets are not in order");
    if ((uint64_t)at[1] > r->size) return json_error(&r->j, e, "data ends at byte %lld, but only %zu follow the header: the file is cut short, or was changed", (long long)at[1], r->size);
    t->data = r->data + at[0];
    t->bytes = (size_t)(at[1] - at[0]);
    return 0;
}

static int check_size(const StTensor *t, Err *e)
{
    int bits = 0;
    uint64_t n = 1;
    st_dtype(t->dtype, &bits);
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, (uint64_t)t->shape[i], &n)) return err_set(e, FTS_FORMAT, "the product of the dimensions is too large");
    if (__builtin_mul_overflow(n, (uint64_t)bits, &n)) return err_set(e, FTS_FORMAT, "the size in bits is too large");
    if (n % 8) return err_set(e, FTS_FORMAT, "%s elements do not fill whole bytes", t->dtype);
    if (n / 8 != t->bytes)
        return err_set(e, FTS_FORMAT, "shape and dtype %s make %llu bytes, data_offsets %zu", t->dtype, (unsigned long long)(n / 8), t->bytes);
    return 0;
}

static int read_field(Reader *r, StTensor *t, unsigned *seen, Err *e)
{
    static const char *const field[] = {"dtype", "shape", "data_offsets"};
    char key[32];
    int k = 0;
    if (json_key(&r->j, key, sizeof key, e)) return -1;
    while (k < 3 && strcmp(key, field[k])) k++;
    if (k == 3) return json_skip(&r->j, e);
    if (*seen >> k & 1) return json_error(&r->j, e, "\"%s\" stands twice", key);
    *seen |= 1u << k;
    return k == 0 ? read_dtype(&r->j, t, e) : k == 1 ? read_shape(&r->j, t, e) : read_offsets(r, t, e);
}

static int read_tensor(Reader *r, StTensor *t, Err *e)
{
    unsigned seen = 0;
    int more;
    if (json_open(&r->j, '{', e)) return -1;
    while ((more = json_more(&r->j, e)) > 0)
        if (read_field(r, t, &seen, e)) return -1;
    if (more < 0) return -1;
    if (seen != 7) return json_error(&r->j, e, "\"%s\" is missing", !(seen & 1) ? "dtype" : !(seen & 2) ? "shape" : "data_offsets");
    return check_size(t, e);
}

static StTensor *tensor_add(Reader *r, const char *name)
{
    St *s = r->s;
    if (s->n == r->cap) {
        size_t cap = r->cap ? 2 * (size_t)r->cap : 64;
        StTensor *grown = realloc(s->tensor, cap * sizeof *grown);
        if (!grown) return NULL;
        s->tensor = grown;
        r->cap = (int)cap;
    }
    s->tensor[s->n] = (StTensor){.name = strdup(name)};
    return s->tensor[s->n].name ? &s->tensor[s->n++] : NULL;
}

/* Strings only; kept as the text it is. null counts as absent, as for the reference. */
static int read_metadata(Reader *r, Err *e)
{
    int more;
    if (r->metadata_seen++) return json_error(&r->j, e, "stands twice");
    if (json_peek(&r->j) == 'n') return json_skip(&r->j, e);
    const char *from = r->j.p;
    if (json_open(&r->j, '{', e)) return -1;
    while ((more = json_more(&r->j, e)) > 0) {
        if (json_key(&r->j, NULL, 0, e)) return -1;
        if (json_peek(&r->j) != '"') return json_error(&r->j, e, "a value that is not a string");
        if (json_skip(&r->j, e)) return -1;
    }
    if (more < 0) return -1;
    r->s->metadata = strndup(from, (size_t)(r->j.p - from));
    return r->s->metadata ? 0 : err_nomem(e, (size_t)(r->j.p - from), "metadata");
}

static int read_item(Reader *r, char *name, Err *e)
{
    if (json_key(&r->j, name, NAME_SIZE, e)) return -1;
    if (strlen(name) >= NAME_SIZE - 8) return json_error(&r->j, e, "a tensor's name of more than %d bytes", NAME_SIZE - 8);
    if (!strcmp(name, "__metadata__")) return read_metadata(r, e) ? err_wrap(e, "__metadata__") : 0;
    StTensor *t = tensor_add(r, name);
    if (!t) return err_nomem(e, (size_t)r->s->n * sizeof *t, "the list of tensors");
    return read_tensor(r, t, e) ? err_wrap(e, "tensor \"%.200s\"", name) : 0;
}

static int read_items(Reader *r, Err *e)
{
    char name[NAME_SIZE];
    int more;
    if (json_open(&r->j, '{', e)) return -1;
    while ((more = json_more(&r->j, e)) > 0)
        if (read_item(r, name, e)) return -1;
    return more < 0 ? -1 : json_end(&r->j, e);
}

static int by_place(const void *a, const void *b)
{
    const StTensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int by_name(const void *a, const void *b) { return strcmp(((const StTensor *)a)->name, ((const StTensor *)b)->name); }

/* No holes, no overlap, nothing behind the last: every byte belongs to exactly one tensor. */
static int check_places(const Reader *r, Err *e)
{
    const unsigned char *end = r->data;
    if (r->s->n) qsort(r->s->tensor, (size_t)r->s->n, sizeof *r->s->tensor, by_place);
    for (int i = 0; i < r->s->n; i++) {
        const StTensor *t = &r->s->tensor[i];
        if (t->data != end)
            return err_set(e, FTS_FORMAT, "tensor \"%.200s\" begins at byte %zu of the data, the one before it ends at %zu", t->name, (size_t)(t->data - r->data), (size_t)(end - r->data));
        end += t->bytes;
    }
    if (end != r->data + r->size) return err_set(e, FTS_FORMAT, "%zu bytes behind the last tensor", (size_t)(r->data + r->size - end));
    return 0;
}

static int check_names(const St *s, Err *e)
{
    if (s->n) qsort(s->tensor, (size_t)s->n, sizeof *s->tensor, by_name);
    for (int i = 1; i < s->n; i++)
        if (!strcmp(s->tensor[i - 1].name, s->tensor[i].name)) return err_set(e, FTS_FORMAT, "tensor \"%.200s\" stands twice", s->tensor[i].name);
    return 0;
}

static int read_file(St *s, Err *e)
{
    const unsigned char *p = s->map.p;
    uint64_t n = 0;
    Reader r = {.s = s};
    if (s->map.n < 8) return err_set(e, FTS_FORMAT, "%zu bytes are too few for a safetensors file", s->map.n);
    for (int i = 8; i-- > 0;) n = n << 8 | p[i];
    if (n > HEADER_MAX) return err_set(e, FTS_FORMAT, "a header of %llu bytes: not a safetensors file, or damaged", (unsigned long long)n);
    if (n > s->map.n - 8) return err_set(e, FTS_FORMAT, "a header of %llu bytes, but the file ends after %zu", (unsigned long long)n, s->map.n - 8);
    if (n >= 3 && !memcmp(p + 8, "\xEF\xBB\xBF", 3)) return err_set(e, FTS_FORMAT, "the header begins with a byte order mark");
    r.data = p + 8 + n;
    r.size = s->map.n - 8 - (size_t)n;
    json_init(&r.j, p + 8, (size_t)n);
    if (read_items(&r, e)) return err_wrap(e, "header");
    return check_places(&r, e) || check_names(s, e) ? -1 : 0;
}

int st_open(St *s, const char *path, Err *e)
{
    *s = (St){0};
    if (map_open(&s->map, path, e)) return -1;
    if (!read_file(s, e)) return 0;
    st_close(s);
    return err_wrap(e, "%s", path);
}

void st_close(St *s)
{
    for (int i = 0; i < s->n; i++) free(s->tensor[i].name);
    free(s->tensor);
    free(s->metadata);
    map_close(&s->map);
    *s = (St){0};
}

const StTensor *st_find(const St *s, const char *name)
{
    StTensor key = {.name = (char *)name};
    return s->n ? bsearch(&key, s->tensor, (size_t)s->n, sizeof key, by_name) : NULL;
}

/* Written for little-endian machines, as is the format. */
int st_floats(const StTensor *t, float *out, Err *e)
{
    const unsigned char *p = t->data;
    uint16_t h;
    double d;
    if (!strcmp(t->dtype, "F32")) {
        if (t->bytes) memcpy(out, p, t->bytes);
    } else if (!strcmp(t->dtype, "BF16")) {
        for (size_t i = 0; i < t->bytes / 2; i++) { memcpy(&h, p + 2 * i, 2); out[i] = bf16_to_f32(h); }
    } else if (!strcmp(t->dtype, "F16")) {
        for (size_t i = 0; i < t->bytes / 2; i++) { memcpy(&h, p + 2 * i, 2); out[i] = f16_to_f32(h); }
    } else if (!strcmp(t->dtype, "F64")) {
        for (size_t i = 0; i < t->bytes / 8; i++) { memcpy(&d, p + 8 * i, 8); out[i] = (float)d; }
    } else return err_set(e, FTS_FORMAT, "tensor \"%.200s\" is %s: only F32, F16, BF16 and F64 are read as weights", t->name, t->dtype);
    return 0;
}
