/* synth.h - synthetic series in the Time-300B layout, the same bytes for a seed whatever the threads. */
#ifndef DATA_SYNTH_H
#define DATA_SYNTH_H

#include <stdint.h>

#include "util/event.h"
#include "util/opt.h"

typedef struct SynthOpts {
#define X OPT_FIELD
#include "data/synth.def"
#undef X
} SynthOpts;
extern const Opt synth_opts[];
extern const int nsynth_opts;

/* Writes OUT/{meta.json, data-i-of-n.bin}. Refuses a folder that holds anything. to: for what dataset_open tells of series to mix;
 * progress: not 0: stop, with FTS_STOPPED; both may be NULL. */
int synth_write(const char *out, const SynthOpts *o, const Events *to, int (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e);

#endif
