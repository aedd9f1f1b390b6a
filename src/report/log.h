/* log.h - log.jsonl: what a run did, one JSON object per line, appended and written through at once.
 *
 * Every line has "event" and "time" (seconds since 1970). A run that was killed and resumed may tell a
 * step twice: after a "resume" line, lines of later steps from before it no longer count. */
#ifndef REPORT_LOG_H
#define REPORT_LOG_H

#include "util/err.h"
#include "util/event.h"
#include "util/str.h"

typedef struct Log { int fd; char path[4096]; } Log;

int  log_open(Log *l, const char *dir, Err *e);                /* dir/log.jsonl; a last line that was cut off is ended */
int  log_event(Log *l, const Event *ev, Err *e);
void log_close(Log *l);                                        /* zeroed or half-open is fine */

int  log_line(Str *out, double time, const Event *ev);         /* 0: this event has no line */

#endif
