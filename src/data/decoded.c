/* decoded.c - see decoded.h */
#include "data/decoded.h"

#include <stdlib.h>
#include <string.h>

#include "util/array.h"

/* Half as much again each time, and not double: the block is the largest thing in memory. */
static int room(void *array, int64_t n, int64_t *cap, Err *e)
{
    int64_t more = *cap + *cap / 2 + 1024;
    if (n < *cap) return 0;
    if (array_resize(array, (size_t)more * 8, "decoded series", e)) return -1;
    *cap = more;
    return 0;
}

int decoded_series(Decoded *d, Err *e)
{
    if (room(&d->start, d->count, &d->start_cap, e)) return -1;
    d->start[d->count++] = d->n;
    return 0;
}

int decoded_point(Decoded *d, double x, Err *e)
{
    if (room(&d->point, d->n, &d->cap, e)) return -1;
    d->point[d->n++] = x;
    return 0;
}

void decoded_free(Decoded *d)
{
    free(d->point);
    free(d->start);
    *d = (Decoded){0};
}

static int decode_file(Source *s, Decoded *d, Decode *decode, Err *e)
{
    Map m;
    if (map_open(&m, s->path, e)) return -1;
    s->hash = source_hash(s->hash, "", &m);
    int bad = decode(d, m.p, m.n, e);
    map_close(&m);
    return bad;
}

/* Gives back what growing left over; a failure to do so is none. */
static void trim(Decoded *d)
{
    double *less = d->n < d->cap && d->n ? realloc(d->point, (size_t)d->n * sizeof *less) : NULL;
    if (!less) return;
    d->point = less;
    d->cap = d->n;
}

int decoded_open(Source *s, Decode *decode, Err *e)
{
    Decoded *d = calloc(1, sizeof *d);
    if (!d) return err_nomem(e, sizeof *d, "a dataset");
    s->state = d;
    if (decode_file(s, d, decode, e)) return -1;
    trim(d);
    size_t bytes = (size_t)d->count * sizeof *s->length;
    s->length = malloc(bytes + !bytes);
    if (!s->length) return err_nomem(e, bytes, "the index of a dataset");
    for (int64_t i = 0; i < d->count; i++) s->length[i] = (i + 1 < d->count ? d->start[i + 1] : d->n) - d->start[i];
    s->count = d->count;
    s->dtype = "float64";
    s->bytes = 8 * (d->cap + d->start_cap + d->count);
    return 0;
}

int decoded_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e)
{
    const Decoded *d = s->state;
    (void)e;
    if (n) memcpy(out, d->point + d->start[i] + at, (size_t)n * sizeof *out);
    return 0;
}

void decoded_close(Source *s)
{
    if (s->state) decoded_free(s->state);
    free(s->state);
}
