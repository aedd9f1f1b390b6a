/* zip.c - see zip.h; APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 */
#include "data/zip.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { END = 22, LOCATOR = 20, END64 = 56, ENTRY = 46, LOCAL = 30, MAX_COMMENT = 65535, RATIO = 1032, SLACK = 64 };   /* RATIO: deflate's limit */

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes; i--;) x = x << 8 | p[i];
    return x;
}

static int is(const unsigned char *p, unsigned kind) { return get(p, 4) == (0x4b50u | kind << 16); }

static int damaged(Err *e, const char *what) { return err_set(e, FTS_FORMAT, "zip: %s", what); }

/* The last thing in an archive that looks like its end record and whose comment reaches to the end. */
static const unsigned char *find_end(const unsigned char *p, size_t n)
{
    for (size_t back = END; back <= n && back <= END + MAX_COMMENT; back++)
        if (is(p + n - back, 0x0605) && get(p + n - back + 20, 2) == back - END) return p + n - back;
    return NULL;
}

/* Numbers that do not fit into the old record stand in one before it, and a locator between the two says where. */
static int read_end64(Zip *z, size_t before, uint64_t *count, uint64_t *size, uint64_t *at, Err *e)
{
    if (before < LOCATOR || !is(z->p + before - LOCATOR, 0x0706)) return 0;
    uint64_t place = get(z->p + before - LOCATOR + 8, 8);
    if (before < LOCATOR + END64 || place > before - LOCATOR - END64 || !is(z->p + place, 0x0606)) return damaged(e, "the zip64 end record is not where it should be");
    *count = get(z->p + place + 32, 8);
    *size = get(z->p + place + 40, 8);
    *at = get(z->p + place + 48, 8);
    return 0;
}

int zip_open(Zip *z, const void *bytes, size_t n, Err *e)
{
    *z = (Zip){.p = bytes, .n = n};
    const unsigned char *end = n ? find_end(z->p, n) : NULL;
    if (!end) return damaged(e, "no end record: this is no zip archive, or the file is not complete");
    if (get(end + 4, 2) || get(end + 6, 2)) return damaged(e, "an archive in several parts");
    uint64_t count = get(end + 10, 2), size = get(end + 12, 4), at = get(end + 16, 4);
    size_t before = (size_t)(end - z->p);
    if (read_end64(z, before, &count, &size, &at, e)) return -1;
    if (at > before || size > before - at || count > size / ENTRY) return damaged(e, "the central directory lies outside of the file");
    z->next = (size_t)at;
    z->end = (size_t)(at + size);
    z->left = count;
    return 0;
}

/* value[3]: size, packed size and place; those that are all ones stand in the zip64 extra field, in this order. */
static void read_extra64(const unsigned char *extra, size_t n, uint64_t value[3])
{
    for (size_t at = 0; n - at >= 4;) {
        size_t size = (size_t)get(extra + at + 2, 2), used = at + 4;
        if (size > n - at - 4) return;
        for (int i = 0; i < 3 && get(extra + at, 2) == 1; i++) {
            if (value[i] != UINT32_MAX || used + 8 > at + 4 + size) continue;
            value[i] = get(extra + used, 8);
            used += 8;
        }
        at += 4 + size;
    }
}

/* Behind the local header, whose name and extra field may differ in length from those of the directory. */
static int place(const Zip *z, ZipMember *m, uint64_t value[3], Err *e)
{
    if (value[2] > z->n || z->n - value[2] < LOCAL || !is(z->p + value[2], 0x0403)) return damaged(e, "a member lies outside of the file");
    uint64_t at = value[2] + LOCAL + get(z->p + value[2] + 26, 2) + get(z->p + value[2] + 28, 2);
    if (at > z->n || value[1] > z->n - at) return damaged(e, "a member lies outside of the file");
    if (m->deflated ? value[0] / RATIO > value[1] + SLACK : value[0] != value[1]) return damaged(e, "a member says it is larger than its bytes can be");
    m->size = (size_t)value[0];
    m->packed = (size_t)value[1];
    m->at = (size_t)at;
    return 0;
}

int zip_next(Zip *z, ZipMember *m, Err *e)
{
    if (!z->left) return 0;
    const unsigned char *p = z->p + z->next;
    if (z->end - z->next < ENTRY || !is(p, 0x0201)) return damaged(e, "the central directory is broken");
    size_t name = (size_t)get(p + 28, 2), extra = (size_t)get(p + 30, 2), whole = ENTRY + name + extra + (size_t)get(p + 32, 2);
    if (whole > z->end - z->next) return damaged(e, "the central directory is broken");
    uint64_t value[3] = {get(p + 24, 4), get(p + 20, 4), get(p + 42, 4)}, method = get(p + 10, 2);
    if (get(p + 8, 2) & 1) return damaged(e, "an encrypted member: save it without a password");
    if (method != 0 && method != 8) return damaged(e, "a member packed in another way than deflate: save it with numpy.savez or savez_compressed");
    *m = (ZipMember){.name = (const char *)p + ENTRY, .name_size = name, .deflated = method == 8, .crc = (uint32_t)get(p + 16, 4)};
    read_extra64(p + ENTRY + name, extra, value);
    if (place(z, m, value, e)) return -1;
    z->used += m->packed;
    if (z->used > z->n) return damaged(e, "members overlap");
    z->next += whole;
    z->left--;
    return 1;
}

static int inflate_all(const unsigned char *from, size_t packed, unsigned char *out, size_t size, Err *e)
{
    z_stream s = {.next_in = (unsigned char *)from, .next_out = out};
    unsigned char none;
    int rc;
    if (inflateInit2(&s, -15) != Z_OK) return err_nomem(e, sizeof s, "unpacking");
    if (!size) s.next_out = &none;
    do {
        size_t in = (size_t)(from + packed - s.next_in), room = size ? (size_t)(out + size - s.next_out) : 0;
        s.avail_in = in < INT_MAX ? (unsigned)in : INT_MAX;
        s.avail_out = room < INT_MAX ? (unsigned)room : INT_MAX;
        rc = inflate(&s, Z_NO_FLUSH);
    } while (rc == Z_OK);
    size_t made = size ? (size_t)(s.next_out - out) : 0;
    inflateEnd(&s);
    return rc == Z_STREAM_END && made == size ? 0 : damaged(e, "a member does not unpack to the size it says");
}

int zip_unpack(const Zip *z, const ZipMember *m, unsigned char *out, Err *e)
{
    if (!m->deflated && m->size) memcpy(out, z->p + m->at, m->size);
    if (m->deflated && inflate_all(z->p + m->at, m->packed, out, m->size, e)) return -1;
    return crc32_z(0, out, m->size) == m->crc ? 0 : damaged(e, "its checksum is wrong: copy or save the file again");
}
