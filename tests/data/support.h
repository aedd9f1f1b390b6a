/* support.h - small data folders for tests. */
#ifndef TESTS_DATA_SUPPORT_H
#define TESTS_DATA_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include "data/dataset.h"
#include "data/decoded.h"

const char *put_file(const char *dir, const char *name, const void *p, size_t n);   /* name may have folders; returns the path (valid for 8 calls) */
const char *put_text(const char *dir, const char *name, const char *text);
const char *path_to(const char *dir, const char *name);

/* dir/name as a Time-300B folder with one float32 shard; series one after the other. */
const char *put_bin(const char *dir, const char *name, const float *points, const int64_t *length, int nseries);
/* The same with series of x[t] = 1000 * series + t. */
const char *put_ramps(const char *dir, const char *name, const int64_t *length, int nseries);

DataOpts data_settings(int64_t C, int64_t stride);                                  /* zero, split */
OptList  one_path(const char *path);
const char *series_text(const Decoded *d, char *out, size_t size);                  /* "[1,nan] [2]" */
int      open_at(Dataset **d, const char *path, const DataOpts *o, int64_t min_points, Err *e);

#endif
