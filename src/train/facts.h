/* facts.h - the settings and data that decide what a run computes: a run may continue a checkpoint only if they are equal. */
#ifndef TRAIN_FACTS_H
#define TRAIN_FACTS_H

#include "train/train.h"
#include "util/json.h"

enum { FACTS_MAX = 40 };
typedef struct Fact { const char *name; char text[48]; } Fact;            /* text: the value as JSON, so equal texts are equal values */
typedef struct Facts { Fact fact[FACTS_MAX]; int n; } Facts;

void facts_make(Facts *f, const TrainOpts *t, const DataOpts *o, const Dataset *d);
int64_t facts_steps(const TrainOpts *t);                                  /* epochs * steps per epoch, at most 2^53 */

void facts_write(const Facts *f, Str *json);
/* Reads such an object and says what is not as it is here: "batch_size 64 there, 32 here"; `difference` stays empty if nothing is. */
int  facts_compare(const Facts *f, Json *j, Str *difference, Err *e);

#endif
