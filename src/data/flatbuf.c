/* flatbuf.c - see flatbuf.h */
#include "data/flatbuf.h"

#include <string.h>

static int64_t number(const unsigned char *p, int size)
{
    uint64_t x = 0;
    for (int i = size; i-- > 0;) x = x << 8 | p[i];
    return (int64_t)(x << (64 - 8 * size)) >> (64 - 8 * size);
}

static size_t unsigned_at(const FlatBuf *b, size_t at, int size) { return (size_t)number(b->p + at, size) & (size == 2 ? 0xffff : 0xffffffff); }

/* Are there `size` bytes at `at`? */
static int inside(FlatBuf *b, size_t at, size_t size)
{
    if (at <= b->n && size <= b->n - at) return 1;
    b->bad = 1;
    return 0;
}

/* A table begins with how far before it its vtable lies: bytes of that, bytes of the table, where each field is. */
static FlatTable table_at(FlatBuf *b, size_t at)
{
    if (!inside(b, at, 4)) return (FlatTable){.in = b};
    int64_t vtable = (int64_t)at - number(b->p + at, 4);
    if (vtable < 0 || !inside(b, (size_t)vtable, 4)) {
        b->bad = 1;
        return (FlatTable){.in = b};
    }
    size_t size = unsigned_at(b, (size_t)vtable, 2);
    if (size < 4 || !inside(b, (size_t)vtable, size)) {
        b->bad = 1;
        return (FlatTable){.in = b};
    }
    return (FlatTable){b, at, (size_t)vtable + 4, (size - 4) / 2};
}

FlatTable flat_root(FlatBuf *b) { return inside(b, 0, 4) ? table_at(b, unsigned_at(b, 0, 4)) : (FlatTable){.in = b}; }

/* Where a field of a table lies; 0: it is absent. */
static size_t place(FlatTable t, int slot, size_t size)
{
    size_t at = t.at && (size_t)slot < t.nfields ? unsigned_at(t.in, t.fields + 2 * (size_t)slot, 2) : 0;
    return at && inside(t.in, t.at + at, size) ? t.at + at : 0;
}

/* Fields that do not lie in the table itself say how far behind their place they begin. */
static size_t follow(FlatTable t, int slot)
{
    size_t at = place(t, slot, 4);
    return at ? at + unsigned_at(t.in, at, 4) : 0;
}

FlatTable flat_table(FlatTable t, int slot)
{
    size_t at = follow(t, slot);
    return at ? table_at(t.in, at) : (FlatTable){.in = t.in};
}

FlatVector flat_vector(FlatTable t, int slot, size_t item)
{
    size_t at = follow(t, slot);
    if (!at || !inside(t.in, at, 4)) return (FlatVector){.in = t.in};
    size_t n = unsigned_at(t.in, at, 4);
    return inside(t.in, at + 4, n * item) ? (FlatVector){t.in, at + 4, (int64_t)n} : (FlatVector){.in = t.in};
}

FlatTable flat_item(FlatVector v, int64_t i)
{
    size_t at = v.at + 4 * (size_t)i;
    return table_at(v.in, at + unsigned_at(v.in, at, 4));
}

int64_t flat_int(FlatTable t, int slot, int size, int64_t absent)
{
    size_t at = place(t, slot, (size_t)size);
    return at ? number(t.in->p + at, size) : absent;
}

int64_t flat_item_int(FlatVector v, int64_t i, size_t item, size_t field, int size) { return number(v.in->p + v.at + item * (size_t)i + field, size); }

void flat_text(FlatTable t, int slot, char *out, size_t size)
{
    FlatVector v = flat_vector(t, slot, 1);
    size_t n = (size_t)v.n < size - 1 ? (size_t)v.n : size - 1;
    if (n) memcpy(out, v.in->p + v.at, n);
    out[n] = 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < 32 || out[i] == 127) out[i] = '?';
}

int flatbuf_ok(const FlatBuf *b, Err *e) { return b->bad ? err_set(e, FTS_FORMAT, "the metadata points outside itself: is the file damaged?") : 0; }
