/* report_samples.h - forecasts of windows that a run held back for validation, by its latest checkpoint. */
#ifndef API_REPORT_SAMPLES_H
#define API_REPORT_SAMPLES_H

#include "api/task.h"
#include "report/page.h"

enum { SAMPLES_MOST = 24, SAMPLES_SAID = 1400 };

typedef struct Samples {
    PageSample sample[SAMPLES_MOST];   /* (n) their titles and values are owned */
    int        n;
    char       said[SAMPLES_SAID];     /* of which checkpoint, or why there are none */
} Samples;

typedef struct SamplesAsk {
    const char *dir;                   /* of the run */
    const Settings *settings;          /* what it was trained with */
    int64_t     want;                  /* samples, at most SAMPLES_MOST */
    int         threads;               /* 0: what the machine allows */
    const Events *to;
    const atomic_int *stop;
} SamplesAsk;

/* What is missing, a checkpoint or the data, is no failure: it is said. */
int  samples_make(Samples *s, const SamplesAsk *ask, Err *e);
void samples_free(Samples *s);         /* zeroed is fine */

#endif
