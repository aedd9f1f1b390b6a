/* convert.c - see convert.h */
#include "data/convert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/bin_write.h"
#include "util/file.h"
#include "util/json.h"

const Opt convert_opts[] = {
#define X(...) OPT_ROW(ConvertOpts, __VA_ARGS__),
#include "data/convert.def"
#undef X
};
const int nconvert_opts = sizeof convert_opts / sizeof *convert_opts;

enum { TO_BIN, TO_JSONL, TO_CSV, TO_NPY };               /* places in convert.def */
enum { AUTO, FLOAT32, FLOAT64 };
enum { BLOCK = 4096 };

typedef struct Convert {
    const Dataset *d;
    const ConvertOpts *o;
    int (*progress)(void *ud, int64_t done, int64_t total);
    void *ud;
    const Source *s;                     /* the source at hand */
    int64_t before;                      /* series of the sources before it */
    size_t  size;                        /* bytes of a number */
} Convert;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int tell(const Convert *c, int64_t done, Err *e)
{
    if (!c->progress || !c->progress(c->ud, done, dataset_series(c->d))) return 0;
    return err_set(e, FTS_STOPPED, "stopped after %lld series, nothing written", (long long)done);
}

static int read_block(const Source *s, int64_t i, int64_t at, int64_t n, double *x, Err *e)
{
    return s->format->read(s, i, at, n, x, e) ? err_wrap(e, "%s (%s)", s->path, s->format->name) : 0;
}

/* A NaN is one in any size. */
static int survives(double x) { return isnan(x) || (double)(float)x == x; }

static int fits_float(const Source *s, int *fits, Err *e)
{
    double x[BLOCK];
    *fits = !strcmp(s->dtype, "float32") || !strcmp(s->dtype, "float16") || !strcmp(s->dtype, "bfloat16");
    if (*fits) return 0;
    for (int64_t i = 0; i < s->count; i++)
        for (int64_t at = 0; at < s->length[i]; at += BLOCK) {
            int64_t n = least(BLOCK, s->length[i] - at);
            if (read_block(s, i, at, n, x, e)) return -1;
            for (int64_t k = 0; k < n; k++)
                if (!survives(x[k])) return 0;
        }
    *fits = 1;
    return 0;
}

static int choose_size(Convert *c, Err *e)
{
    int fits = c->o->dtype == FLOAT32;
    if (c->o->dtype == AUTO && fits_float(c->s, &fits, e)) return -1;
    c->size = fits ? sizeof(float) : sizeof(double);
    return 0;
}

static void store(void *out, int64_t at, const double *x, int64_t n, size_t size)
{
    float *f = out;
    if (size == sizeof *x) memcpy((double *)out + at, x, (size_t)n * size);
    else for (int64_t k = 0; k < n; k++) f[at + k] = (float)x[k];
}

static int64_t length_of(void *user, int64_t i) { return ((const Convert *)user)->s->length[i]; }

static int fill(void *user, int64_t first, int64_t n, void *out, Err *e)
{
    const Convert *c = user;
    double x[BLOCK];
    int64_t to = 0;
    for (int64_t i = first; i < first + n; i++)
        for (int64_t at = 0, k; at < c->s->length[i]; at += k, to += k) {
            k = least(BLOCK, c->s->length[i] - at);
            if (read_block(c->s, i, at, k, x, e)) return -1;
            store(out, to, x, k, c->size);
        }
    return tell(c, c->before + first + n, e);
}

static int write_source(Convert *c, const char *dir, Err *e)
{
    if (choose_size(c, e)) return -1;
    return bin_write(dir, &(BinSpec){c->size == sizeof(float) ? "float32" : "float64", c->size, c->s->count, length_of, fill, c, NULL, NULL}, e);
}

/* One source is the folder itself; several are folders in it, with their names and without the ends of those of files. */
static int below(const Convert *c, int i, const char *dir, char *path, size_t size, Err *e)
{
    char name[1024];
    const char *end = dataset_source(c->d, i)->format->looks;
    size_t n = (size_t)snprintf(name, sizeof name, "%s", dataset_name(c->d, i)), m = strlen(end);
    if (*end == '.' && n > m && n < sizeof name && !strcmp(name + n - m, end)) name[n - m] = 0;
    if (path_join(path, size, dir, name, e)) return -1;
    if (!path_exists(path)) return 0;
    return path_join(path, size, dir, dataset_name(c->d, i), e);
}

static int write_folders(void *user, const char *dir, Err *e)
{
    Convert *c = user;
    char path[4096];
    for (int i = 0; i < dataset_sources(c->d); i++) {
        c->s = dataset_source(c->d, i);
        c->before = dataset_first(c->d, i);
        if (dataset_sources(c->d) == 1) return write_source(c, dir, e);
        if (below(c, i, dir, path, sizeof path, e) || dir_make(path, e) || write_source(c, path, e)) return -1;
    }
    return 0;
}

/* Numbers as the shortest text that reads back the same; what is missing as the format has it. */
static void put_number(Str *s, double x, int to)
{
    if (isfinite(x)) json_put_number(s, x);
    else if (isnan(x)) str_addf(s, to == TO_CSV ? "NaN" : "null");
    else str_addf(s, "%sInfinity", x < 0 ? "-" : "");
}

static int text_series(const Convert *c, int64_t i, Str *s, Err *e)
{
    double x[BLOCK];
    int csv = c->o->to == TO_CSV;
    if (csv) str_addf(s, "%lld", (long long)(c->before + i));
    else str_addf(s, "[");
    for (int64_t at = 0; at < c->s->length[i]; at += BLOCK) {
        int64_t n = least(BLOCK, c->s->length[i] - at);
        if (read_block(c->s, i, at, n, x, e)) return -1;
        for (int64_t k = 0; k < n; k++) {
            if (csv || at + k) str_addf(s, csv ? "," : ", ");
            put_number(s, x[k], c->o->to);
        }
    }
    str_addf(s, csv ? "\n" : "]\n");
    return str_ok(s, e);
}

static int binary_series(const Convert *c, int64_t i, Str *s, Err *e)
{
    double x[BLOCK];
    char raw[BLOCK * sizeof(double)];
    for (int64_t at = 0; at < c->s->length[i]; at += BLOCK) {
        int64_t n = least(BLOCK, c->s->length[i] - at);
        if (read_block(c->s, i, at, n, x, e)) return -1;
        store(raw, 0, x, n, c->size);
        str_add(s, raw, (size_t)n * c->size);
    }
    return str_ok(s, e);
}

static int put_series(Convert *c, Out *out, Err *e)
{
    for (int k = 0; k < dataset_sources(c->d); k++) {
        c->s = dataset_source(c->d, k);
        c->before = dataset_first(c->d, k);
        for (int64_t i = 0; i < c->s->count; i++) {
            Str s = {0};
            int bad = (c->o->to == TO_NPY ? binary_series(c, i, &s, e) : text_series(c, i, &s, e)) || out_write(out, s.p, s.n, e);
            str_free(&s);
            if (bad || tell(c, c->before + i + 1, e)) return -1;
        }
    }
    return 0;
}

/* The header of a table with a row a series is as wide as the longest of them. */
static int csv_head(const Convert *c, Out *out, Err *e)
{
    int64_t most = 0;
    Str s = {0};
    for (int k = 0; k < dataset_sources(c->d); k++)
        for (int64_t i = 0; i < dataset_source(c->d, k)->count; i++)
            if (dataset_source(c->d, k)->length[i] > most) most = dataset_source(c->d, k)->length[i];
    for (int64_t i = 0; i <= most; i++) str_addf(&s, "%sV%lld", i ? "," : "", (long long)i + 1);
    str_addf(&s, "\n");
    int bad = str_ok(&s, e) || out_write(out, s.p, s.n, e) ? -1 : 0;
    str_free(&s);
    return bad;
}

/* All of one length, or there is no array; float64 as soon as one source needs it. */
static int npy_shape(Convert *c, int64_t *length, Err *e)
{
    size_t size = sizeof(float);
    *length = 0;
    for (int k = 0; k < dataset_sources(c->d); k++) {
        c->s = dataset_source(c->d, k);
        for (int64_t i = 0; i < c->s->count; i++) {
            if (!k && !i) *length = c->s->length[0];
            if (c->s->length[i] != *length)
                return err_set(e, FTS_FORMAT, "--to npy needs series of one length: %s has one of %lld points and the first has %lld; --to jsonl or bin take any",
                               dataset_name(c->d, k), (long long)c->s->length[i], (long long)*length);
        }
        if (choose_size(c, e)) return -1;
        if (c->size > size) size = c->size;
    }
    c->size = size;
    return 0;
}

/* Version 1.0; keys sorted, padded with spaces to a multiple of 64, as numpy does. */
static int npy_head(Convert *c, Out *out, Err *e)
{
    char text[256], head[320] = "\x93NUMPY\x01";
    int64_t length;
    if (npy_shape(c, &length, e)) return -1;
    int n = snprintf(text, sizeof text, "{'descr': '<f%d', 'fortran_order': False, 'shape': (%lld, %lld), }", (int)c->size, (long long)dataset_series(c->d), (long long)length);
    int total = (10 + n + 1 + 63) / 64 * 64;
    memset(head + 10, ' ', (size_t)(total - 10));
    memcpy(head + 10, text, (size_t)n);
    head[total - 1] = '\n';
    head[8] = (char)((total - 10) & 255);
    head[9] = (char)((total - 10) >> 8);
    return out_write(out, head, (size_t)total, e);
}

static int write_file(const char *path, Convert *c, Err *e)
{
    Out out;
    if (path_exists(path)) return err_set(e, FTS_IO, "%s: is there already, and is not replaced", path);
    if (out_open(&out, path, e)) return -1;
    int bad = (c->o->to == TO_CSV && csv_head(c, &out, e)) || (c->o->to == TO_NPY && npy_head(c, &out, e)) || put_series(c, &out, e);
    if (!bad) return out_commit(&out, e);
    out_drop(&out);
    return -1;
}

int convert_write(const char *out, const Dataset *d, const ConvertOpts *o, int (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e)
{
    Convert c = {.d = d, .o = o, .progress = progress, .ud = ud};
    return o->to == TO_BIN ? folder_write(out, write_folders, &c, e) : write_file(out, &c, e);
}
