/* tell.h - how far a long piece of work is, for whoever draws the bar. */
#ifndef DATA_TELL_H
#define DATA_TELL_H

#include <stdint.h>

typedef struct Tell { void (*fn)(void *user, int64_t more); void *user; } Tell;      /* more: done since the last call, of whatever the work is counted in */

static inline void tell_more(const Tell *t, int64_t more) { if (t) t->fn(t->user, more); }

#endif
