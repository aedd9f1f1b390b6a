/* source_npz.c - see npz.h */
#include "data/npz.h"

#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/zip.h"

static int is_array(const ZipMember *m) { return m->name_size > 4 && !memcmp(m->name + m->name_size - 4, ".npy", 4); }

static int member(Decoded *d, const Zip *z, const ZipMember *m, Err *e)
{
    if (!is_array(m)) return err_set(e, FTS_FORMAT, "no array of numpy: its name does not end in .npy");
    unsigned char *array = malloc(m->size + !m->size);
    if (!array) return err_nomem(e, m->size, "an unpacked array");
    int bad = zip_unpack(z, m, array, e) || npy_decode(d, array, m->size, e);
    free(array);
    return bad ? -1 : 0;
}

/* Names come from outside: for messages only, cut, and without what a terminal would obey. */
static const char *shown(const ZipMember *m, char out[64])
{
    size_t n = m->name_size < 63 ? m->name_size : 63;
    for (size_t i = 0; i < n; i++) out[i] = m->name[i] < 32 || m->name[i] > 126 ? '?' : m->name[i];
    out[n] = 0;
    return out;
}

int npz_decode(Decoded *d, const void *bytes, size_t n, Err *e)
{
    Zip z;
    ZipMember m;
    char name[64];
    int more;
    if (zip_open(&z, bytes, n, e)) return -1;
    while ((more = zip_next(&z, &m, e)) > 0)
        if (member(d, &z, &m, e)) return err_wrap(e, "%s", shown(&m, name));
    return more;
}

static int npz_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".npz"); }
static int npz_open(Source *s, Err *e) { return decoded_open(s, npz_decode, e); }

const Format format_npz = {"npz", ".npz", npz_sniff, npz_open, decoded_read, decoded_close};
