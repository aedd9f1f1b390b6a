/* par.h - one thread pool, one function.
 *
 * Items are fixed by data and constants, never by the number of threads, and are claimed one by one, so a
 * result that is a function of its item alone is the same for any number of threads. */
#ifndef UTIL_PAR_H
#define UTIL_PAR_H

#include "util/err.h"

typedef struct Par Par;
typedef void ParItem(void *arg, int item, int worker);      /* worker: 0 .. par_threads()-1, for scratch memory of a thread */

int  par_open(Par **p, int threads, Err *e);                /* the caller is one of them */
void par_close(Par *p);                                     /* NULL is fine */
int  par_threads(const Par *p);
void par_for(Par *p, int n, ParItem *item, void *arg);      /* returns when all n are done; one loop at a time, callers queue. Inside an item of p: all in that thread, as that worker */

#endif
