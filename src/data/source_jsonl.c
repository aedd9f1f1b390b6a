/* source_jsonl.c - see jsonl.h. Decoded once at open: text has no places to jump to. */
#include "data/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/jsonl.h"
#include "util/json.h"

/* Half as much again each time, and not double: the block is the largest thing in memory. */
static int room(void *array, int64_t n, int64_t *cap, Err *e)
{
    void *p;
    int64_t more = *cap + *cap / 2 + 1024;
    if (n < *cap) return 0;
    memcpy(&p, array, sizeof p);
    p = realloc(p, (size_t)more * 8);
    if (!p) return err_nomem(e, (size_t)more * 8, "decoded series");
    memcpy(array, &p, sizeof p);
    *cap = more;
    return 0;
}

/* Writers of GluonTS put these in quotes, and not always in the same spelling. */
static int quoted_number(Json *j, double *x, Err *e)
{
    char word[16];
    if (json_string(j, word, sizeof word, e)) return -1;
    const char *bare = word + (*word == '-');
    if (!strcasecmp(word, "nan")) *x = (double)NAN;
    else if (!strcasecmp(bare, "infinity") || !strcasecmp(bare, "inf")) *x = bare == word ? (double)INFINITY : -(double)INFINITY;
    else return json_error(j, e, "found \"%s\", expected a number", word);
    return 0;
}

static int number(Json *j, double *x, Err *e)
{
    switch (json_peek(j)) {
    case 'n': *x = (double)NAN; return json_skip(j, e);            /* how orjson writes NaN */
    case '"': return quoted_number(j, x, e);
    case '[': return json_error(j, e, "a list inside a series: each line is one series of one dimension");
    default:  return json_number(j, x, e);
    }
}

static int numbers(Decoded *d, Json *j, Err *e)
{
    double x;
    int more;
    if (room(&d->start, d->count, &d->start_cap, e) || json_open(j, '[', e)) return -1;
    d->start[d->count++] = d->n;
    while ((more = json_more(j, e)) > 0) {
        if (number(j, &x, e) || room(&d->point, d->n, &d->cap, e)) return -1;
        d->point[d->n++] = x;
    }
    return more;
}

static int object(Decoded *d, Json *j, Err *e)
{
    char key[16];
    int more, found = 0;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        int series = !strcmp(key, "sequence") || !strcmp(key, "target");
        if (series && found++) return json_error(j, e, "a second series in one object");
        if (series ? numbers(d, j, e) : json_skip(j, e)) return -1;
    }
    if (!more && !found) return json_error(j, e, "an object without \"sequence\" or \"target\"");
    return more;
}

static int line(Decoded *d, Json *j, Err *e)
{
    char kind = json_peek(j);
    if (!kind) return 0;                                            /* blank */
    if (kind != '[' && kind != '{') return json_error(j, e, "expected a list of numbers or an object with \"sequence\"");
    if (kind == '[' ? numbers(d, j, e) : object(d, j, e)) return -1;
    return json_end(j, e);
}

/* Each line gets a parser of its own that ends with it, but starts with the text, so that errors count lines. */
int jsonl_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    Json all, one;
    *d = (Decoded){0};
    json_init(&all, text, n);
    while (all.p < all.end) {
        const char *stop = memchr(all.p, '\n', (size_t)(all.end - all.p));
        if (!stop) stop = all.end;
        one = all;
        one.end = stop;
        if (line(d, &one, e)) {
            decoded_free(d);
            return -1;
        }
        all.p = stop + (stop < all.end);
    }
    return 0;
}

void decoded_free(Decoded *d)
{
    free(d->point);
    free(d->start);
    *d = (Decoded){0};
}

static int jsonl_sniff(const char *path, int is_dir)
{
    size_t n = strlen(path);
    return !is_dir && n > 6 && !strcmp(path + n - 6, ".jsonl") && path_exists(path);
}

static int decode_file(Source *s, Decoded *d, Err *e)
{
    Map m;
    if (map_open(&m, s->path, e)) return -1;
    s->hash = source_hash(s->hash, "", &m);
    int bad = jsonl_decode(d, m.p, m.n, e);
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

static int jsonl_open(Source *s, Err *e)
{
    Decoded *d = calloc(1, sizeof *d);
    if (!d) return err_nomem(e, sizeof *d, "a dataset");
    s->state = d;
    if (decode_file(s, d, e)) return -1;
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

static int jsonl_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e)
{
    const Decoded *d = s->state;
    (void)e;
    if (n) memcpy(out, d->point + d->start[i] + at, (size_t)n * sizeof *out);
    return 0;
}

static void jsonl_close(Source *s)
{
    if (s->state) decoded_free(s->state);
    free(s->state);
}

const Format format_jsonl = {"jsonl", jsonl_sniff, jsonl_open, jsonl_read, jsonl_close};
