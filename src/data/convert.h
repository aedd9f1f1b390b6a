/* convert.h - any readable series into the binary layout, or into one file of a common kind. */
#ifndef DATA_CONVERT_H
#define DATA_CONVERT_H

#include "data/dataset.h"

typedef struct ConvertOpts {
#define X OPT_FIELD
#include "data/convert.def"
#undef X
} ConvertOpts;
extern const Opt convert_opts[];
extern const int nconvert_opts;

/* All series of d, unscaled, into `out`, which gets its name when all of it is written. progress: series; not 0: stop, with FTS_STOPPED; may be NULL. */
int convert_write(const char *out, const Dataset *d, const ConvertOpts *o, int (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e);

#endif
