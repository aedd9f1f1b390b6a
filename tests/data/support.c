/* support.c - see support.h */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"

const char *path_to(const char *dir, const char *name)
{
    static char ring[8][512];
    static int at;
    char *p = ring[at++ % 8];
    snprintf(p, sizeof ring[0], "%s/%s", dir, name);
    return p;
}

const char *put_file(const char *dir, const char *name, const void *p, size_t n)
{
    const char *path = path_to(dir, name);
    char folder[512];
    Err e;
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    if (dir_make(folder, &e) || file_write(path, p, n, &e)) abort();
    return path;
}

const char *put_text(const char *dir, const char *name, const char *text) { return put_file(dir, name, text, strlen(text)); }

const char *put_bin(const char *dir, const char *name, const float *points, const int64_t *length, int nseries)
{
    Str s = {0};
    char file[256];
    int64_t n = 0;
    for (int i = 0; i < nseries; i++) n += length[i];
    str_addf(&s, "{\"num_sequences\": %d, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": %lld}, \"scales\": [", nseries, (long long)n);
    for (int64_t i = 0, at = 0; i < nseries; at += length[i++])
        str_addf(&s, "%s{\"offset\": %lld, \"length\": %lld}", i ? ", " : "", (long long)at, (long long)length[i]);
    str_addf(&s, "]}");
    snprintf(file, sizeof file, "%s/meta.json", name);
    put_file(dir, file, s.p, s.n);
    str_free(&s);
    snprintf(file, sizeof file, "%s/data-1-of-1.bin", name);
    put_file(dir, file, points, (size_t)n * sizeof *points);
    return path_to(dir, name);
}

const char *put_ramps(const char *dir, const char *name, const int64_t *length, int nseries)
{
    int64_t n = 0, k = 0;
    for (int i = 0; i < nseries; i++) n += length[i];
    float *x = malloc(((size_t)n + 1) * sizeof *x);
    if (!x) abort();
    for (int i = 0; i < nseries; i++)
        for (int64_t t = 0; t < length[i]; t++) x[k++] = (float)(1000 * i + t);
    const char *path = put_bin(dir, name, x, length, nseries);
    free(x);
    return path;
}

DataOpts data_settings(int64_t C, int64_t stride)
{
    return (DataOpts){.seq_max_len = C, .seq_stride = stride, .normalization_func = SCALE_ZERO, .missing = MISSING_SPLIT};
}

OptList one_path(const char *path) { return (OptList){.item = {(char *)path}, .n = 1}; }

const char *series_text(const Decoded *d, char *out, size_t size)
{
    size_t n = 0;
    *out = 0;
    for (int64_t i = 0; i < d->count; i++) {
        int64_t from = d->start[i], to = i + 1 < d->count ? d->start[i + 1] : d->n;
        n += (size_t)snprintf(out + n, n < size ? size - n : 0, "%s[", i ? " " : "");
        for (int64_t t = from; t < to; t++) n += (size_t)snprintf(out + n, n < size ? size - n : 0, "%s%.17g", t > from ? "," : "", d->point[t]);
        n += (size_t)snprintf(out + n, n < size ? size - n : 0, "]");
    }
    return out;
}

int open_at(Dataset **d, const char *path, const DataOpts *o, int64_t min_points, Err *e)
{
    OptList paths = one_path(path);
    return dataset_open(d, &paths, NULL, o, min_points, NULL, e);
}
