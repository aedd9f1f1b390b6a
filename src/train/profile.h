/* profile.h - --profile: a few steps of a run recorded, then told as a trace and as a table of time by op.
 *
 * Before and after those steps nothing is timed: the backend's own ops are called. A zeroed Profile records nothing. */
#ifndef TRAIN_PROFILE_H
#define TRAIN_PROFILE_H

#include "data/loader.h"
#include "kernels/watch.h"
#include "model/config.h"
#include "train/train.h"

typedef struct ProfileAsk {
    const ModelConfig *c;
    Backend *b;
    Loader  *loader;
    int      micro_batches;              /* of a step, about */
    int64_t  done, steps;                /* the step the run is at, and its last */
    double   peak;                       /* FLOP/s that the device reaches, 0: not known */
} ProfileAsk;

typedef struct Profile {
    Backend *b;                          /* not owned, as is the loader; NULL: nothing is recorded */
    Loader  *loader;
    int64_t  first, last, now, steps;    /* to be recorded; under way; recorded */
    double   began, seconds, waited;     /* when the step began; of the steps so far; in them, waiting for data */
    double   ended, peak, copy;          /* when the last one ended; FLOP/s and bytes/s that the device reaches */
    char     dir[4096];
    Watch    watch;
    Spans    spans;                      /* lane 0: the steps, then one for each loader thread */
    LoaderTime data;
} Profile;

int  profile_open(Profile *p, const TrainOpts *o, const ProfileAsk *a, Err *e);
void profile_close(Profile *p);                                  /* zeroed or half-open is fine */
void profile_begin(Profile *p, int64_t step);
void profile_waited(Profile *p, double from);                    /* for data, until now */
void profile_end(Profile *p);                                    /* the step is computed */
int  profile_complete(const Profile *p);                         /* all steps are recorded and not yet written */
void profile_write(Profile *p, const Events *to);                /* trace.json, ops.txt, and the table as a notice; then nothing is recorded any more. Nothing if nothing was recorded */
void profile_table(const Profile *p, Str *out);

#endif
