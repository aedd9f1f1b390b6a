/* npygz.c - an array of numpy in gzip. The header says how many bytes are needed, so no more are ever held; a header
 * that asks for more than deflate can make of the file is refused before anything is set aside. */
#include <stdlib.h>
#include <zlib.h>

#include "data/npy.h"

enum { HEAD = 12 + 10000, RATIO = 1032, STEP = 1 << 20 };      /* RATIO: deflate's limit */

typedef struct Unpack { z_stream z; unsigned char *out; size_t n, cap; int ended; } Unpack;       /* out: (n of cap) owned */

static int fault(const Unpack *u, Err *e) { return err_set(e, FTS_FORMAT, "gzip: %s", u->z.msg ? u->z.msg : "the file ends too early: is it complete?"); }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Until there are `want` bytes or no more come. */
static int unpack(Unpack *u, const unsigned char *end, size_t want, Err *e)
{
    while (u->n < want && !u->ended) {
        u->z.next_out = u->out + u->n;
        u->z.avail_out = (unsigned)least(want - u->n, STEP);
        u->z.avail_in = (unsigned)least((size_t)(end - u->z.next_in), STEP);
        int rc = inflate(&u->z, Z_NO_FLUSH);
        u->n = (size_t)(u->z.next_out - u->out);
        if (rc == Z_STREAM_END) u->ended = u->z.next_in == end || inflateReset(&u->z) != Z_OK;
        else if (rc != Z_OK) return rc == Z_MEM_ERROR ? err_nomem(e, u->cap, "unpacking") : fault(u, e);
    }
    return 0;
}

static int grow(Unpack *u, size_t cap, Err *e)
{
    unsigned char *p = realloc(u->out, cap);
    if (!p) return err_nomem(e, cap, "an unpacked array");
    u->out = p;
    u->cap = cap;
    return 0;
}

static int array(Unpack *u, const unsigned char *end, size_t packed, Err *e)
{
    Npy a;
    if (grow(u, HEAD, e) || unpack(u, end, HEAD, e) || npy_head(&a, u->out, u->n, e)) return -1;
    while (!a.type && !u->ended)                                              /* a pickle ends where it ends */
        if ((u->n == u->cap && grow(u, u->cap + u->cap / 2, e)) || unpack(u, end, u->cap, e)) return -1;
    if (a.bytes / RATIO > packed) return err_set(e, FTS_FORMAT, "the header promises %llu bytes, more than a gzip file of %zu bytes can hold", (unsigned long long)a.bytes, packed);
    if (u->n >= a.at + a.bytes) return 0;
    return grow(u, a.at + (size_t)a.bytes, e) || unpack(u, end, u->cap, e) ? -1 : 0;
}

int npygz_decode(Decoded *d, const void *bytes, size_t n, Err *e)
{
    Unpack u = {.z = {.next_in = (unsigned char *)bytes}};
    if (inflateInit2(&u.z, 15 + 16) != Z_OK) return err_nomem(e, sizeof u, "unpacking");
    int bad = array(&u, (const unsigned char *)bytes + n, n, e) || npy_decode(d, u.out, u.n, e);
    inflateEnd(&u.z);
    free(u.out);
    return bad ? -1 : 0;
}
