/* dataset.h - all sources of a run as one numbered list of windows.
 *
 * A series of n points has 1 + max(0, (n-C-1) div stride) windows of up to C+1 points; a series with
 * fewer than min_points has none and is counted. Window numbers run over sources and series in sorted
 * order, so the same data has the same numbers everywhere. Nothing is held per window. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdint.h>

#include "data/source.h"
#include "util/event.h"
#include "util/opt.h"

typedef enum { SCALE_ZERO, SCALE_MAX, SCALE_NONE } Scaling;                       /* places in data.def */
typedef enum { MISSING_SPLIT, MISSING_INTERPOLATE, MISSING_ZERO, MISSING_ERROR } Missing;

typedef struct DataOpts {
#define X OPT_FIELD
#include "data/data.def"
#undef X
} DataOpts;
extern const Opt data_opts[];
extern const int ndata_opts;

typedef struct Origin { int source; int64_t series, at; } Origin;    /* where a segment's first point lies */

typedef struct Dataset Dataset;

/* Opens every source at or below the paths (sorted walk, dot-entries skipped, a path once), except those at or below
 * `exclude` (NULL: none). min_points: points a window needs, patch length + 1. An error names what was looked for.
 * Large Time-300B folders get an index (index.h) that makes the next opening quick. to (NULL: nobody): STEP named "open", in MiB,
 * when it takes long; NOTICE when an index cannot be kept. */
int  dataset_open(Dataset **d, const OptList *paths, const char *exclude, const DataOpts *o, int64_t min_points, const Events *to, Err *e);
void dataset_close(Dataset *d);

int     dataset_sources(const Dataset *d);
const Source *dataset_source(const Dataset *d, int i);
const char *dataset_name(const Dataset *d, int i);                   /* path of a source below the path asked for: "energy/load" */
int     dataset_excluded(const Dataset *d);                          /* sources left out because of `exclude` */
int64_t dataset_ignored(const Dataset *d);                           /* files below the paths that are no data */
int64_t dataset_first(const Dataset *d, int i);                      /* number over all sources of the first series of a source */
int64_t dataset_series(const Dataset *d);
int     dataset_find(const Dataset *d, int64_t series, int64_t *own);  /* of a series numbered over all sources: its source, and its number there */
int64_t dataset_points(const Dataset *d);
int64_t dataset_windows(const Dataset *d);
int64_t dataset_short(const Dataset *d);                             /* series with fewer than min_points */
int64_t dataset_series_windows(const Dataset *d, int64_t series, int64_t *first);   /* of the series numbered over all sources: count, and its first window number */
int64_t dataset_window_points(const Dataset *d);                     /* C + 1 */
int64_t dataset_stride(const Dataset *d);
int64_t dataset_bytes(const Dataset *d);                             /* anonymous memory held: index, statistics, decoded sources */
uint64_t dataset_fingerprint(const Dataset *d);                      /* content and every setting that changes windows or values */
void    dataset_where(const Dataset *d, Origin o, char *text, size_t size);         /* "energy/load: series 3, point 512" */

/* Window w, scaled and cut at its gaps. points: room for C+1; pt, npt, origin: room for dataset_max_segments().
 * Segment i is points[pt[i] .. +npt[i]), each at least min_points long, all finite, one right after the other from pt[0] = 0;
 * *cut is set to the number of pieces too short and dropped (1 for a window without any finite point).
 * Returns the number of segments (0 is possible) or -1. Thread-safe. */
int  dataset_window(const Dataset *d, int64_t w, float *points, int *pt, int *npt, Origin *origin, int64_t *cut, Err *e);
/* The same, and adds where the time went. t NULL: nobody wants to know. */
typedef struct WindowTime { double read, normalise; } WindowTime;    /* seconds; normalise: statistics of a series on first touch, and scaling */
int  dataset_window_timed(const Dataset *d, int64_t w, float *points, int *pt, int *npt, Origin *origin, int64_t *cut, WindowTime *t, Err *e);
int  dataset_max_segments(const Dataset *d);

#endif
