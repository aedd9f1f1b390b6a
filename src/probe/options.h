/* options.h - the settings of probe. */
#ifndef PROBE_OPTIONS_H
#define PROBE_OPTIONS_H

#include "util/opt.h"

typedef struct ProbeOpts {
#define X OPT_FIELD
#include "probe/probe.def"
#undef X
} ProbeOpts;
extern const Opt probe_opts[];
extern const int nprobe_opts;

#endif
