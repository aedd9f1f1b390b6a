/* known.h - the statistics of series as they become known: computed on first touch by whoever comes first, and kept.
 *
 * A record carries a checksum of its numbers, so that a thread that reads while another writes cannot take half a
 * record for a whole one: what does not check is computed again. */
#ifndef DATA_KNOWN_H
#define DATA_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct Stat { double mean, std, max_abs; } Stat;      /* over the finite points of a series; std: population; all 0 if there are none */
typedef struct Kept { Stat stat; uint64_t check; } Kept;      /* check 0: not known yet */
typedef struct Known { Kept *kept; } Known;                   /* (series) owned; NULL: nobody asked for statistics */

int  known_make(Known *k, int64_t count, Err *e);             /* pages that are never touched cost nothing */
void known_close(Known *k);                                   /* zeroed is fine */

/* Both from any thread. Two threads that put the same series put the same bits. */
int  known_get(const Known *k, int64_t i, Stat *s);           /* 1: known */
void known_put(Known *k, int64_t i, const Stat *s);

#endif
