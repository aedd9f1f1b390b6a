/* csv_ids.c - see csv_table.h: the ids of a table in long form. */
#include <stdlib.h>
#include <string.h>

#include "data/csv_table.h"
#include "util/hash.h"

void ids_free(Ids *s)
{
    free(s->id);
    free(s->points);
    free(s->slot);
}

static int64_t *ids_slot(const Ids *s, Cell id)
{
    uint64_t mask = (uint64_t)s->slots - 1, at = hash_add(HASH_START, id.p, id.n);
    for (at = (at ^ at >> 32) & mask; s->slot[at]; at = (at + 1) & mask) {
        Cell c = s->id[s->slot[at] - 1];
        if (c.n == id.n && !memcmp(c.p, id.p, id.n)) break;
    }
    return &s->slot[at];
}

static int ids_grow(Ids *s, Err *e)
{
    int64_t slots = s->slots ? 2 * s->slots : 64;
    Cell *id = realloc(s->id, (size_t)slots / 2 * sizeof *id);
    if (id) s->id = id;
    int64_t *points = realloc(s->points, (size_t)slots / 2 * sizeof *points);
    if (points) s->points = points;
    int64_t *slot = calloc((size_t)slots, sizeof *slot);
    if (!id || !points || !slot) {
        free(slot);
        return err_nomem(e, (size_t)slots * sizeof *slot, "the ids of series");
    }
    free(s->slot);
    s->slot = slot;
    s->slots = slots;
    for (int64_t i = 0; i < s->n; i++) *ids_slot(s, s->id[i]) = i + 1;
    return 0;
}

int ids_count(Ids *s, Cell id, Err *e)
{
    if (2 * s->n == s->slots && ids_grow(s, e)) return -1;
    int64_t *slot = ids_slot(s, id);
    if (!*slot) {
        s->id[s->n] = id;
        s->points[s->n++] = 0;
        *slot = s->n;
    }
    s->points[*slot - 1]++;
    return 0;
}

int64_t ids_find(const Ids *s, Cell id) { return s->slots ? *ids_slot(s, id) - 1 : -1; }
