/* print.h - events become the lines that people and scripts read: answers on stdout, everything else on stderr. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <pthread.h>

#include "cli/progress.h"

typedef struct Print {
    pthread_mutex_t lock;              /* of all below: the thread that waits for signals prints too */
    FtsTask *task;
    Bar      bar;
    int      perf;                     /* --log-perf-metrics, as the run's settings say */
    int      running;                  /* a run has begun */
    int      clears;                   /* what it has half written when it is asked to stop, it removes */
    int      stopped, broken;          /* the run ended because it was asked to; errno of stdout */
    double   told;                     /* when progress was last told in words */
    int64_t  step, steps, saved;       /* where the run is; the step of the newest checkpoint, -1: none */
    char     run[4096], folder[4096];  /* of the run and of its newest checkpoint */
} Print;

void print_init(Print *p, FtsTask *task);
void print_event(void *print, const FtsEvent *ev);                                    /* an FtsListener */
void print_notice(Print *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* "foundationts: ..." on stderr */
int  print_running(Print *p);                                                          /* so that asking it to stop makes sense */
int  print_saves(Print *p);                                                            /* it writes into a folder */

#endif
