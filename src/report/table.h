/* table.h - writes forecasts, in the form of the file that they continue:
 *   long    id, time, predictions: a row a step; without times in the file, the number of the step, from 1
 *   wide    the same columns, a row a step
 *   rows    the id and its steps in a row: V1, V2, ...
 *   jsonl   {"item_id": "a", "predictions": [1, 2]}
 *   npy     float32, a series a row
 * Numbers are the shortest text that reads back as the same double; what is not finite is an empty cell, null in json. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <stdint.h>

#include "util/calendar.h"
#include "util/err.h"
#include "util/form.h"

typedef struct Forecasts Forecasts;

typedef struct ForecastsTo {
    Form        form;
    int64_t     steps;                                       /* of each series */
    int64_t     series;                                      /* how many will come; -1: unknown, which npy in a file cannot do with */
    const char *path;                                        /* NULL, "" or "-": lines go to `line`, npy as jsonl */
    void      (*line)(void *user, const char *text);         /* without its end */
    void       *user;
} ForecastsTo;

int  forecasts_open(Forecasts **f, const ForecastsTo *to, Err *e);                    /* the texts of form must outlive it */
/* time: (steps) or NULL. x: (steps). Wide: the times of the first series are those of all. */
int  forecasts_add(Forecasts *f, const char *id, const Stamp *time, const double *x, Err *e);
int  forecasts_close(Forecasts *f, Err *e);                                           /* all is there: the file gets its name */
void forecasts_drop(Forecasts *f);                                                    /* nothing is left of the file; NULL is fine */

#endif
