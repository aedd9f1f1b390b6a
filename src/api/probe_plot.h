/* probe_plot.h - a probe as a picture: speed and memory by size of batch, loss by points and by seconds. */
#ifndef API_PROBE_PLOT_H
#define API_PROBE_PLOT_H

#include "probe/probe.h"

int probe_plot(const char *path, const Probe *p, Err *e);

#endif
