/* synth_simple.h - a series of level + trend + one to three seasonal patterns + level steps + AR(1) noise, at a scale of its own. */
#ifndef DATA_SYNTH_SIMPLE_H
#define DATA_SYNTH_SIMPLE_H

#include <stdint.h>

void simple_series(uint64_t key, int64_t length, float *out);       /* key: a random number for each series; out: (length) */

#endif
