/* known.c - see known.h */
#include "data/known.h"

#include <stdlib.h>
#include <string.h>

int known_make(Known *k, int64_t count, Err *e)
{
    *k = (Known){calloc(count ? (size_t)count : 1, sizeof *k->kept)};
    return k->kept ? 0 : err_nomem(e, (size_t)count * sizeof *k->kept, "the statistics of series");
}

void known_close(Known *k)
{
    free(k->kept);
    *k = (Known){0};
}

static uint64_t check_of(const Stat *s)
{
    uint64_t word[3], h = 0x9e3779b97f4a7c15ull;
    memcpy(word, s, sizeof word);
    for (int i = 0; i < 3; i++) {
        h = (h ^ word[i]) * 0xbf58476d1ce4e5b9ull;
        h ^= h >> 31;
    }
    return h | 1;
}

int known_get(const Known *k, int64_t i, Stat *s)
{
    Kept *r = &k->kept[i];
    uint64_t check = __atomic_load_n(&r->check, __ATOMIC_ACQUIRE);
    if (!check) return 0;
    __atomic_load(&r->stat.mean, &s->mean, __ATOMIC_RELAXED);
    __atomic_load(&r->stat.std, &s->std, __ATOMIC_RELAXED);
    __atomic_load(&r->stat.max_abs, &s->max_abs, __ATOMIC_RELAXED);
    return check == check_of(s);
}

void known_put(Known *k, int64_t i, const Stat *s)
{
    Kept *r = &k->kept[i];
    Stat now = *s;
    __atomic_store(&r->stat.mean, &now.mean, __ATOMIC_RELAXED);
    __atomic_store(&r->stat.std, &now.std, __ATOMIC_RELAXED);
    __atomic_store(&r->stat.max_abs, &now.max_abs, __ATOMIC_RELAXED);
    __atomic_store_n(&r->check, check_of(&now), __ATOMIC_RELEASE);
}
