/* source_npy.c - files of numpy: .npy, read in place, and .npy.gz, unpacked when it is opened. */
#include <stdlib.h>

#include "data/npy.h"

typedef struct NpyFile { Map map; Npy array; Source objects; } NpyFile;       /* objects: holds the series of an array of objects */

static int plain_open(Source *s, NpyFile *f, Err *e)
{
    size_t bytes = (size_t)f->array.rows * sizeof *s->length;
    s->hash = source_hash(s->hash, "", &f->map);
    if (npy_whole(&f->array, f->map.n, e)) return -1;
    s->length = malloc(bytes + !bytes);
    if (!s->length) return err_nomem(e, bytes, "the index of a dataset");
    for (int64_t i = 0; i < f->array.rows; i++) s->length[i] = f->array.points;
    s->count = f->array.rows;
    s->dtype = f->array.type->name;
    s->bytes = (int64_t)(bytes + sizeof *f);
    return 0;
}

static int objects_open(Source *s, NpyFile *f, Err *e)
{
    f->objects = (Source){.path = s->path, .hash = s->hash};
    int bad = decoded_open(&f->objects, npy_decode, e);
    s->length = f->objects.length;                  /* handed over */
    if (bad) return -1;
    s->count = f->objects.count;
    s->dtype = f->objects.dtype;
    s->hash = f->objects.hash;
    s->bytes = f->objects.bytes;
    return 0;
}

static int npy_open(Source *s, Err *e)
{
    NpyFile *f = calloc(1, sizeof *f);
    if (!f) return err_nomem(e, sizeof *f, "a dataset");
    s->state = f;
    if (map_open(&f->map, s->path, e) || npy_head(&f->array, f->map.p, f->map.n, e)) return -1;
    return f->array.type ? plain_open(s, f, e) : objects_open(s, f, e);
}

static int npy_source_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e)
{
    const NpyFile *f = s->state;
    if (!f->array.type) return decoded_read(&f->objects, i, at, n, out, e);
    if (n) npy_read(&f->array, f->map.p + f->array.at, i, at, n, out);
    return 0;
}

static void npy_close(Source *s)
{
    NpyFile *f = s->state;
    if (!f) return;
    decoded_close(&f->objects);
    map_close(&f->map);
    free(f);
}

static int npy_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".npy"); }
static int npygz_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".npy.gz"); }
static int npygz_open(Source *s, Err *e) { return decoded_open(s, npygz_decode, e); }

const Format format_npy = {"npy", ".npy", npy_sniff, npy_open, npy_source_read, npy_close};
const Format format_npygz = {"npy.gz", ".npy.gz", npygz_sniff, npygz_open, decoded_read, decoded_close};
