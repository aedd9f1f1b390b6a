/* machine.h - what this process may use: cores, memory, time. */
#ifndef UTIL_MACHINE_H
#define UTIL_MACHINE_H

#include <stdint.h>

#include "util/err.h"

int     machine_threads(void);             /* OMP_NUM_THREADS, else the affinity mask cut by the cgroup's CPU quota (v1, v2); at least 1 */
int64_t machine_memory(void);              /* bytes: the smaller of MemTotal and the cgroup's limit (v1, v2) */
int64_t machine_free_memory(void);         /* bytes that could be taken now with nothing swapped out or killed: of the machine, and of each cgroup above this process (v1, v2) */
int64_t machine_own_memory(void);          /* bytes: the anonymous resident size of this process now */
int64_t machine_peak_memory(void);         /* bytes: the largest anonymous resident size seen by calls of this function, which each read RssAnon */
double  machine_seconds(void);             /* a monotonic clock */

#endif
