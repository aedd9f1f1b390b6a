/* safetensors_write.c - writing a safetensors file with the bytes that the reference would write for the same tensors. */
#include "model/safetensors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"

enum { PIECE = 1 << 16 };                /* elements that are fetched at once */

/* Wider types first, which keeps all data aligned; then by name. */
static int by_dtype_and_name(const void *a, const void *b)
{
    const StOut *x = *(const StOut *const *)a, *y = *(const StOut *const *)b;
    int bits, rx = st_dtype(x->dtype, &bits), ry = st_dtype(y->dtype, &bits);
    return rx != ry ? ry - rx : strcmp(x->name, y->name);
}

static void put_tensor(Str *s, const StOut *t, size_t begin)
{
    int bits, rank = st_dtype(t->dtype, &bits);
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
    assert(rank >= 0 && n == t->elements && t->element_size * 8 == (size_t)bits && strcmp(t->name, "__metadata__"));
    (void)rank;
    if (s->n > 1) str_add(s, ",", 1);
    json_put_string(s, t->name);
    str_addf(s, ":{\"dtype\":\"%s\",\"shape\":[", t->dtype);
    for (int i = 0; i < t->rank; i++) str_addf(s, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    str_addf(s, "],\"data_offsets\":[%zu,%zu]}", begin, begin + n * t->element_size);
}

static void put_header(Str *s, const StOut *const *t, int n, const char *metadata)
{
    size_t at = 0;
    str_add(s, "{", 1);
    if (metadata) str_addf(s, "\"__metadata__\":%s", metadata);
    for (int i = 0; i < n; i++) {
        put_tensor(s, t[i], at);
        at += t[i]->elements * t[i]->element_size;
    }
    str_add(s, "}", 1);
    while (s->n % 8 && !s->failed) str_add(s, " ", 1);
}

typedef struct Source { StGet *get; void *user, *piece; } Source;       /* piece: room for PIECE of the widest elements */

static int write_tensor(Out *o, const StOut *t, const Source *src, Err *e)
{
    if (!src->get) return out_write(o, t->from, t->elements * t->element_size, e);
    for (size_t at = 0; at < t->elements; at += PIECE) {
        size_t n = t->elements - at < PIECE ? t->elements - at : PIECE;
        if (src->get(src->user, t, at, n, src->piece, e)) return err_wrap(e, "tensor \"%.200s\"", t->name);
        if (out_write(o, src->piece, n * t->element_size, e)) return -1;
    }
    return 0;
}

static int write_all(Out *o, const Str *header, const StOut *const *t, int n, const Source *src, Err *e)
{
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)header->n >> 8 * i);
    if (out_write(o, size, 8, e) || out_write(o, header->p, header->n, e)) return -1;
    for (int i = 0; i < n; i++)
        if (write_tensor(o, t[i], src, e)) return -1;
    return 0;
}

static int write_file(const char *path, const Str *header, const StOut *const *t, int n, const Source *src, Err *e)
{
    Out o;
    if (out_open(&o, path, e)) return -1;
    if (!write_all(&o, header, t, n, src, e)) return out_commit(&o, e);
    out_drop(&o);
    return -1;
}

int st_write(const char *path, const StOut *t, int n, const char *metadata, StGet *get, void *user, Err *e)
{
    Str header = {0};
    const StOut **order = malloc((size_t)(n ? n : 1) * sizeof *order);
    Source src = {get, user, get ? malloc(PIECE * sizeof(double)) : NULL};
    int bad = -1;
    if (!order || (get && !src.piece)) err_nomem(e, PIECE * sizeof(double), "writing tensors");
    else {
        for (int i = 0; i < n; i++) order[i] = &t[i];
        if (n) qsort(order, (size_t)n, sizeof *order, by_dtype_and_name);
        put_header(&header, order, n, metadata);
        bad = str_ok(&header, e) || write_file(path, &header, order, n, &src, e) ? -1 : 0;
    }
    str_free(&header);
    free(order);
    free(src.piece);
    return bad;
}
