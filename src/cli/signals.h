/* signals.h - SIGINT, SIGTERM and SIGHUP: the first asks the run to finish its step and save, the second ends the program. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <signal.h>

#include "cli/print.h"

typedef struct Signals { Print *print; sigset_t set; pthread_t thread; int on; } Signals;

int  signals_begin(Signals *s, Print *p, FtsError *e);     /* before the task starts threads of its own, which inherit the mask */
void signals_end(Signals *s);                              /* before the task is closed */

#endif
