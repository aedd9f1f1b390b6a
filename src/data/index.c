/* index.c - see index.h
 *
 * A head, then sections in a row, each at a multiple of 64 bytes. The sections that come from meta.json have one sum. The scalings
 * have one each: they are written while other processes may read them, or be cut off by a full disk. */
#include "data/index.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/hash.h"

typedef struct Head {
    char     magic[8];
    uint64_t order;                      /* ORDER as the writer's machine has it: version and byte order */
    uint64_t key, sum;                   /* sum: of all sections but the scalings */
    int64_t  count, nshard, names;       /* series, shards, bytes of the shards' names */
    int64_t  scaled;                     /* 1: series have their own mean and std */
    char     dtype[16];
    uint64_t check;                      /* of what stands above */
} Head;

typedef struct Known { double shift, unit; uint64_t check; } Known;

static const char MAGIC[8] = "FTSINDEX";
#define ORDER 0x0102030405060001u

enum { SHARDS, NAMES, LENGTH, OFFSET, MEAN, STD, FROM_META, KNOWN = FROM_META, NSECTIONS = KNOWN + INDEX_SCALINGS };
typedef struct Section { const void *p; size_t at, bytes; } Section;       /* p: what is written */

/* Four sums side by side, because each step waits for the product of the one before. n is a multiple of 8. */
static uint64_t sum_add(uint64_t h, const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t lane[4] = {h, h ^ 1, h ^ 2, h ^ 3}, word;
    for (size_t i = 0; i < n / 8; i++) {
        memcpy(&word, b + 8 * i, 8);
        lane[i % 4] = (lane[i % 4] ^ word) * 0x9e3779b97f4a7c15ull;
        lane[i % 4] ^= lane[i % 4] >> 29;
    }
    return hash_add(HASH_START, lane, sizeof lane);
}

/* Sums keep a fuzzer from what lies behind them. */
static int same(uint64_t a, uint64_t b)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)a; (void)b;
    return 1;
#else
    return a == b;
#endif
}

static uint64_t head_check(const Head *h) { return hash_add(HASH_START, h, offsetof(Head, check)); }

static uint64_t known_check(const Index *x, int scaling, int64_t i, const Affine *a)
{
    int64_t place[] = {scaling, i};
    return hash_add(hash_add(x->key, place, sizeof place), a, sizeof *a) | 1;        /* never 0: what was never written reads as zeros */
}

/* Where sections lie; returns the size of the file. The numbers of h are small enough for it. */
static size_t layout(Section *s, const Head *h)
{
    size_t of_series = 8 * (size_t)h->count, scaled = h->scaled ? of_series : 0, at = sizeof *h;
    size_t bytes[NSECTIONS] = {[SHARDS] = 8 * (size_t)h->nshard, [NAMES] = (size_t)h->names, [LENGTH] = of_series, [OFFSET] = of_series, [MEAN] = scaled, [STD] = scaled};
    for (int k = 0; k < NSECTIONS; k++) {
        if (k >= KNOWN) bytes[k] = (size_t)h->count * sizeof(Known);
        at = (at + 63) / 64 * 64;
        s[k] = (Section){.at = at, .bytes = bytes[k]};
        at += bytes[k];
    }
    return at;
}

static int head_right(const Head *h, size_t n)
{
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) || h->order != ORDER || !same(h->check, head_check(h))) return 0;
    if (h->count < 0 || h->nshard < 0 || h->names < 0 || h->names % 8 || h->scaled < 0 || h->scaled > 1) return 0;
    return (size_t)h->count <= n / 8 && (size_t)h->nshard <= n / 8 && (size_t)h->names <= n;
}

/* Names stand behind one another, each with its zero. */
static int take_shards(Meta *m, const unsigned char *p, const Section *s, int64_t n)
{
    const char *name = (const char *)p + s[NAMES].at, *end = name + s[NAMES].bytes;
    Err ignored;
    for (int64_t i = 0; i < n; i++) {
        const char *zero = memchr(name, 0, (size_t)(end - name));
        int64_t count;
        memcpy(&count, p + s[SHARDS].at + 8 * i, 8);
        if (!zero || count < 0 || meta_add_shard(m, name, count, &ignored)) return -1;
        name = zero + 1;
    }
    return 0;
}

static void *inside(const unsigned char *p, const Section *s) { return s->bytes ? (void *)(uintptr_t)(p + s->at) : NULL; }

/* The arrays lie in the file: not to be freed, and never written. */
static void take_arrays(Meta *m, const unsigned char *p, const Section *s)
{
    m->borrowed = 1;
    m->length = inside(p, &s[LENGTH]);
    m->offset = inside(p, &s[OFFSET]);
    m->mean = inside(p, &s[MEAN]);
    m->std = inside(p, &s[STD]);
}

int index_parse(Index *x, Meta *m, const unsigned char *p, size_t n)
{
    Head h;
    Section s[NSECTIONS];
    Err ignored;
    uint64_t sum = HASH_START;
    *m = (Meta){0};
    *x = (Index){.fd = -1};
    if (n < sizeof h) return -1;
    memcpy(&h, p, sizeof h);
    if (!head_right(&h, n) || layout(s, &h) != n) return -1;
    for (int k = 0; k < FROM_META; k++) sum = sum_add(sum, p + s[k].at, s[k].bytes);
    h.dtype[sizeof h.dtype - 1] = 0;
    m->type = numtype_find(h.dtype);
    m->count = m->entries = h.count;
    take_arrays(m, p, s);
    if (same(sum, h.sum) && m->type && !take_shards(m, p, s, h.nshard) && !meta_check(m, &ignored)) {
        x->key = h.key;
        x->count = h.count;
        for (int k = 0; k < INDEX_SCALINGS; k++) x->known[k] = s[KNOWN + k].at;
        return 0;
    }
    meta_free(m);
    return -1;
}

int index_open(Index **out, Meta *m, const char *path)
{
    Err ignored;
    Map map;
    *out = NULL;
    if (map_open(&map, path, &ignored)) return -1;
    Index *x = malloc(sizeof *x);
    if (!x || index_parse(x, m, map.p, map.n)) {
        free(x);
        map_close(&map);
        return -1;
    }
    x->map = map;
    x->fd = open(path, O_WRONLY | O_CLOEXEC);
    *out = x;
    return 0;
}

void index_close(Index *x)
{
    if (!x) return;
    if (x->fd >= 0) close(x->fd);
    map_close(&x->map);
    free(x);
}

static int64_t names_bytes(const Meta *m)
{
    size_t n = 0;
    for (int i = 0; i < m->nshard; i++) n += strlen(m->shard[i].name) + 1;
    return (int64_t)((n + 7) / 8 * 8);
}

static void put_shards(int64_t *count, char *name, const Meta *m)
{
    for (int i = 0; i < m->nshard; i++) {
        size_t n = strlen(m->shard[i].name) + 1;
        count[i] = m->shard[i].count;
        memcpy(name, m->shard[i].name, n);
        name += n;
    }
}

static int write_sections(Out *o, const Head *h, const Section *s, Err *e)
{
    static const char zeros[64];
    size_t at = sizeof *h;
    int bad = out_write(o, h, sizeof *h, e);
    for (int k = 0; k < FROM_META && !bad; k++) {
        bad = out_write(o, zeros, s[k].at - at, e) || out_write(o, s[k].p, s[k].bytes, e);
        at = s[k].at + s[k].bytes;
    }
    return bad ? -1 : 0;
}

/* The scalings stay a hole until they become known. */
static int write_file(const char *path, const Head *h, const Section *s, size_t size, Err *e)
{
    Out o;
    if (out_open(&o, path, e)) return -1;
    int bad = ftruncate(o.fd, (off_t)size) ? err_errno(e, errno, path) : write_sections(&o, h, s, e);
    if (!bad) return out_commit(&o, e);
    out_drop(&o);
    return -1;
}

int index_write(const char *path, const Meta *m, uint64_t key, Err *e)
{
    Head h = {.order = ORDER, .key = key, .count = m->count, .nshard = m->nshard, .names = names_bytes(m), .scaled = m->mean != NULL};
    Section s[NSECTIONS];
    size_t size = layout(s, &h), room = s[SHARDS].bytes + s[NAMES].bytes;
    int64_t *shards = calloc(1, room + !room);
    if (!shards) return err_nomem(e, room, "an index");
    char *names = (char *)(shards + m->nshard);
    put_shards(shards, names, m);
    const void *from[FROM_META] = {[SHARDS] = shards, [NAMES] = names, [LENGTH] = m->length, [OFFSET] = m->offset, [MEAN] = m->mean, [STD] = m->std};
    h.sum = HASH_START;
    for (int k = 0; k < FROM_META; k++) {
        s[k].p = from[k];
        h.sum = sum_add(h.sum, s[k].p, s[k].bytes);
    }
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    strncpy(h.dtype, m->type->name, sizeof h.dtype - 1);
    h.check = head_check(&h);
    int bad = write_file(path, &h, s, size, e);
    free(shards);
    return bad;
}

int index_known(const Index *x, int scaling, int64_t i, Affine *a)
{
    Known k;
    if (!x) return 0;
    memcpy(&k, x->map.p + x->known[scaling] + (size_t)i * sizeof k, sizeof k);
    *a = (Affine){k.shift, k.unit};
    return same(k.check, known_check(x, scaling, i, a)) && isfinite(k.shift) && k.unit > 0 && isfinite(k.unit);
}

void index_keep(Index *x, int scaling, int64_t first, int n, const Affine *a, const unsigned char *ready)
{
    Known k[INDEX_BLOCK];
    size_t at = x->known[scaling] + (size_t)first * sizeof *k, bytes = (size_t)n * sizeof *k;
    if (x->fd < 0) return;
    memcpy(k, x->map.p + at, bytes);
    for (int i = 0; i < n; i++)
        if (ready[i]) k[i] = (Known){a[i].shift, a[i].unit, known_check(x, scaling, first + i, &a[i])};
    if (pwrite(x->fd, k, bytes, (off_t)at) == (ssize_t)bytes) return;
    close(x->fd);
    x->fd = -1;
}
