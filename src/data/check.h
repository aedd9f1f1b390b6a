/* check.h - reads everything below some paths and tells each defect: the answer of data check. */
#ifndef DATA_CHECK_H
#define DATA_CHECK_H

#include "util/event.h"
#include "util/opt.h"

/* An ANSWER line for each defect (a source that cannot be read, a run of infinite points, a series without points), then one that
 * sums up. *defects: how many. Missing points (NaN) are counted, and are none. -1 only if nothing was found or memory ran out. */
int data_check(const OptList *paths, const Events *to, int64_t *defects, Err *e);

#endif
