/* wait.h - when to ask again: longer each time, and all threads together when the server says that it has enough. */
#ifndef HUB_WAIT_H
#define HUB_WAIT_H

#include <pthread.h>

#include "hub/http.h"

enum { ATTEMPTS = 8 };                   /* of a request that makes no headway */

typedef struct Wait {
    pthread_mutex_t lock;
    double until;                                               /* on machine_seconds(), for all */
    const atomic_int *stop;
    void (*tell)(void *user, const char *why, double seconds);  /* before every wait, from any thread: nobody should sit before a silent program */
    void  *user;
} Wait;

int  wait_transient(const Reply *r);                            /* 408, 429, 5xx, a transfer that broke, a refusal by somebody who is not the Hub */
double wait_asked(const Reply *r);                              /* seconds that the server asks for, 0: none, at most 600 */
/* Before attempt number `attempt` (1: the first repetition); e: why, if no status says it. -1 if the run is to stop. */
int  wait_again(Wait *w, const Reply *r, int attempt, double pause_s, Err *e);
int  wait_turn(Wait *w, Err *e);                                /* until nobody was told to wait any more */

#endif
