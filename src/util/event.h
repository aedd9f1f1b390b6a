/* event.h - what a room tells without knowing who listens. */
#ifndef UTIL_EVENT_H
#define UTIL_EVENT_H

#include "util/err.h"

typedef FtsEvent Event;

typedef struct Events { FtsListener fn; void *user; } Events;          /* fn NULL: nobody listens */

static inline void event_send(const Events *to, const Event *e) { if (to->fn) to->fn(to->user, e); }
void event_say(const Events *to, FtsEventKind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   /* ANSWER or NOTICE, up to 4 KiB */

#endif
