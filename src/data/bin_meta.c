/* bin_meta.c - see bin_meta.h
 *
 * A meta.json can have ten million entries, so it is pulled value by value into growing arrays, without a
 * tree. "scales" may stand before "files": what depends on both is checked at the end. */
#include "data/bin_meta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/json.h"

enum { MAX_TOTAL_SHIFT = 3,              /* bytes of all elements must fit, 8 each at most */
       TELL_EVERY = 1 << 16 };           /* entries */

static int grow(void *array, size_t bytes, Err *e) { return array_resize(array, bytes, "the index of a dataset", e); }

static int count_field(Json *j, const char *key, int64_t *x, Err *e)
{
    if (json_int(j, x, e)) return err_wrap(e, "\"%s\"", key);
    return *x < 0 ? err_set(e, FTS_FORMAT, "\"%s\" is %lld, but cannot be negative", key, (long long)*x) : 0;
}

static int number_field(Json *j, const char *key, double *x, Err *e)
{
    if (json_number(j, x, e)) return err_wrap(e, "\"%s\"", key);
    return isfinite(*x) ? 0 : err_set(e, FTS_FORMAT, "\"%s\" is not a finite number", key);
}

static int read_num_sequences(Json *j, Meta *m, Err *e) { return count_field(j, "num_sequences", &m->count, e); }

static int read_dtype(Json *j, Meta *m, Err *e)
{
    char text[64], all[160];
    if (json_string(j, text, sizeof text, e)) return err_wrap(e, "\"dtype\"");
    if (*text == '>') return err_set(e, FTS_FORMAT, "\"dtype\" is \"%s\": big-endian numbers cannot be read", text);
    m->type = numtype_find(text);
    numtype_list(all, sizeof all);
    return m->type ? 0 : err_set(e, FTS_FORMAT, "\"dtype\" is \"%s\", not a number type that can be read (%s)", text, all);
}

/* As the published loaders order shards; by name "data-10-of-12" would come before "data-2-of-12". */
static int64_t shard_number(const char *name)
{
    const char *p = strchr(name, '-');
    int64_t number = 0;
    if (!p || p[1] < '0' || p[1] > '9') return -1;
    for (p++; *p >= '0' && *p <= '9' && number < (int64_t)1 << 50; p++) number = 10 * number + (*p - '0');
    return number;
}

/* A name is taken from the file, so it must not lead out of the folder. */
int meta_add_shard(Meta *m, const char *name, int64_t count, Err *e)
{
    size_t n = strlen(name) + 1;
    if (n == 1 || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return err_set(e, FTS_FORMAT, "\"%s\" is not the name of a file in this folder", name);
    if (m->nshard == m->shard_cap) {
        int cap = 2 * m->shard_cap + 16;
        if (grow(&m->shard, (size_t)cap * sizeof *m->shard, e)) return -1;
        m->shard_cap = cap;
    }
    Shard *s = &m->shard[m->nshard];
    *s = (Shard){.name = malloc(n), .number = shard_number(name), .count = count};
    if (!s->name) return err_nomem(e, n, "the name of a file");
    memcpy(s->name, name, n);
    m->nshard++;
    return 0;
}

static int read_files(Json *j, Meta *m, Err *e)
{
    char name[256];
    int64_t count;
    int more = json_open(j, '{', e);
    if (more) return err_wrap(e, "\"files\"");
    while ((more = json_more(j, e)) > 0)
        if (json_key(j, name, sizeof name, e) || count_field(j, name, &count, e) || meta_add_shard(m, name, count, e)) return err_wrap(e, "\"files\"");
    return more ? err_wrap(e, "\"files\"") : 0;
}

typedef struct Entry { int64_t offset, length; double mean, std; unsigned seen; } Entry;
enum { OFFSET = 1, LENGTH = 2, MEAN = 4, STD = 8 };

static int entry_field(Json *j, Entry *x, Err *e)
{
    char key[16];
    if (json_key(j, key, sizeof key, e)) return -1;
    if (!strcmp(key, "offset")) { x->seen |= OFFSET; return count_field(j, key, &x->offset, e); }
    if (!strcmp(key, "length")) { x->seen |= LENGTH; return count_field(j, key, &x->length, e); }
    if (!strcmp(key, "mean")) { x->seen |= MEAN; return number_field(j, key, &x->mean, e); }
    if (!strcmp(key, "std")) { x->seen |= STD; return number_field(j, key, &x->std, e); }
    return json_skip(j, e);
}

static int read_entry(Json *j, Entry *x, Err *e)
{
    int more;
    *x = (Entry){.std = 1};
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (entry_field(j, x, e)) return -1;
    if (more) return -1;
    if (!(x->seen & OFFSET)) return err_set(e, FTS_FORMAT, "\"offset\" is missing");
    if (!(x->seen & LENGTH)) return err_set(e, FTS_FORMAT, "\"length\" is missing");
    if (!(x->seen & MEAN) != !(x->seen & STD))
        return err_set(e, FTS_FORMAT, "\"%s\" is missing: \"mean\" and \"std\" go together", x->seen & MEAN ? "std" : "mean");
    return 0;
}

/* The entries read before the first one with mean and std are worth what they say. */
static int add_scaling(Meta *m, Err *e)
{
    if (grow(&m->mean, (size_t)m->cap * sizeof *m->mean, e) || grow(&m->std, (size_t)m->cap * sizeof *m->std, e)) return -1;
    for (int64_t i = 0; i < m->entries; i++) m->mean[i] = 0, m->std[i] = 1;
    return 0;
}

static int entry_room(Meta *m, Err *e)
{
    if (m->entries < m->cap) return 0;
    int64_t cap = 2 * m->cap + 256;
    size_t bytes = (size_t)cap * sizeof *m->offset;
    if (grow(&m->offset, bytes, e) || grow(&m->length, bytes, e)) return -1;
    if (m->mean && (grow(&m->mean, bytes, e) || grow(&m->std, bytes, e))) return -1;
    m->cap = cap;
    return 0;
}

static int add_entry(Meta *m, const Entry *x, Err *e)
{
    if (entry_room(m, e) || (!m->std && x->seen & MEAN && add_scaling(m, e))) return -1;
    m->offset[m->entries] = x->offset;
    m->length[m->entries] = x->length;
    if (m->std) m->mean[m->entries] = x->mean, m->std[m->entries] = x->std;
    m->entries++;
    return 0;
}

static int read_scales(Json *j, Meta *m, Err *e)
{
    Entry x;
    const char *told = j->p;
    int more = json_open(j, '[', e);
    if (more) return err_wrap(e, "\"scales\"");
    while ((more = json_more(j, e)) > 0) {
        if (read_entry(j, &x, e) || add_entry(m, &x, e)) return err_wrap(e, "\"scales\": entry %lld", (long long)m->entries);
        if (m->entries % TELL_EVERY) continue;
        tell_more(m->tell, j->p - told);
        told = j->p;
    }
    return more ? err_wrap(e, "\"scales\"") : 0;
}

static const struct Field { const char *name; int (*read)(Json *j, Meta *m, Err *e); } fields[] = {
    {"num_sequences", read_num_sequences}, {"dtype", read_dtype}, {"files", read_files}, {"scales", read_scales},
};
enum { NFIELDS = sizeof fields / sizeof *fields };

static int read_field(Json *j, Meta *m, Err *e)
{
    char key[32];
    if (json_key(j, key, sizeof key, e)) return -1;
    for (int i = 0; i < NFIELDS; i++) {
        if (strcmp(key, fields[i].name)) continue;
        if (m->seen & 1u << i) return json_error(j, e, "\"%s\" stands there twice", key);
        m->seen |= 1u << i;
        return fields[i].read(j, m, e);
    }
    return json_skip(j, e);
}

static int by_number(const void *a, const void *b)
{
    const Shard *x = a, *y = b;
    return x->number == y->number ? strcmp(x->name, y->name) : x->number < y->number ? -1 : 1;
}

static int order_shards(Meta *m, int64_t *total, Err *e)
{
    *total = 0;
    if (m->nshard > 1) qsort(m->shard, (size_t)m->nshard, sizeof *m->shard, by_number);
    for (int i = 0; i < m->nshard; i++) {
        Shard *s = &m->shard[i];
        if (m->nshard > 1 && s->number < 0)
            return err_set(e, FTS_FORMAT, "\"files\": \"%s\" has no number after its first '-', so its place is unknown", s->name);
        if (i && s->number == s[-1].number)
            return err_set(e, FTS_FORMAT, "\"files\": \"%s\" and \"%s\" have the same number", s[-1].name, s->name);
        if (s->count > (INT64_MAX >> MAX_TOTAL_SHIFT) - *total)
            return err_set(e, FTS_FORMAT, "\"files\": \"%s\" with %lld numbers is larger than any file", s->name, (long long)s->count);
        s->first = *total;
        *total += s->count;
    }
    return 0;
}

static int all_there(const Meta *m, Err *e)
{
    for (int i = 0; i < NFIELDS; i++)
        if (!(m->seen & 1u << i)) return err_set(e, FTS_FORMAT, "\"%s\" is missing", fields[i].name);
    return 0;
}

int meta_check(Meta *m, Err *e)
{
    int64_t total;
    if (m->count > m->entries)
        return err_set(e, FTS_FORMAT, "\"num_sequences\" is %lld, but \"scales\" has %lld entries", (long long)m->count, (long long)m->entries);
    if (order_shards(m, &total, e)) return -1;
    for (int64_t i = 0; i < m->count; i++)
        if (m->offset[i] < 0 || m->length[i] < 0 || m->offset[i] > total || m->length[i] > total - m->offset[i])
            return err_set(e, FTS_FORMAT, "\"scales\": entry %lld: %lld numbers from offset %lld end past the %lld of all files",
                           (long long)i, (long long)m->length[i], (long long)m->offset[i], (long long)total);
    return 0;
}

/* Growing left up to half of the room unused; a failure to give it back is none. */
static void trim(Meta *m)
{
    Err ignored;
    size_t bytes = (size_t)m->entries * sizeof *m->offset;
    if (!bytes || m->entries == m->cap) return;
    grow(&m->offset, bytes, &ignored);
    grow(&m->length, bytes, &ignored);
    if (!m->mean) return;
    grow(&m->mean, bytes, &ignored);
    grow(&m->std, bytes, &ignored);
}

int meta_read(Meta *m, const void *text, size_t n, const Tell *tell, Err *e)
{
    Json j;
    int more;
    *m = (Meta){.tell = tell};
    json_init(&j, text, n);
    int bad = json_open(&j, '{', e);
    while (!bad && (more = json_more(&j, e))) bad = more < 0 || read_field(&j, m, e);
    bad = bad || json_end(&j, e) || all_there(m, e) || meta_check(m, e);
    if (bad) meta_free(m);
    else trim(m);
    m->tell = NULL;
    return bad ? -1 : 0;
}

void meta_free(Meta *m)
{
    for (int i = 0; i < m->nshard; i++) free(m->shard[i].name);
    free(m->shard);
    if (!m->borrowed) {
        free(m->offset);
        free(m->length);
        free(m->mean);
        free(m->std);
    }
    *m = (Meta){0};
}
