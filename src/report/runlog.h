/* runlog.h - log.jsonl read back: what a run did, as rows by step.
 *
 * Steps that were done twice, because the run was killed and resumed, are those of the last time; what an earlier run left in the same
 * folder does not count. A line that cannot be read, such as the last one of a machine that lost power, is counted and left out. */
#ifndef REPORT_RUNLOG_H
#define REPORT_RUNLOG_H

#include <stdint.h>

#include "util/err.h"
#include "util/file.h"

enum { STEP_LOSS, STEP_PRED, STEP_AUX, STEP_LR, STEP_NORM, STEP_TOKENS, STEP_POINTS, STEP_MS, STEP_DATA_MS, STEP_PEAK, STEP_TFLOPS, STEP_MFU, STEP_FIELDS };
enum { VAL_PRED, VAL_AUX, VAL_MAE, VAL_MSE, VAL_FIELDS };
enum { LOG_VAL, LOG_OOD, LOG_VALIDATIONS };
enum { LOG_NOTICES = 100, LOG_RESUMES = 64 };

typedef struct LogRows {
    int      width;
    int64_t  n, cap;
    int64_t *step;                     /* (n) owned, ascending, no step twice */
    double  *value;                    /* (n, width) owned; NaN: not said */
} LogRows;

typedef struct RunLog {
    LogRows steps;                     /* STEP_FIELDS wide */
    LogRows validation[LOG_VALIDATIONS];                     /* VAL_FIELDS wide */
    LogRows experts;                   /* routers * nexperts wide */
    int     routers, nexperts;         /* 0, 0: no line about experts */
    double  naive[LOG_VALIDATIONS][VAL_FIELDS];              /* of repeating the last value: mae and mse; NaN: not said */
    int64_t planned;                   /* steps of the whole run, 0: not said */
    int64_t last;                      /* the last step that was told */
    double  from, to;                  /* seconds since 1970 of the first and last line, NaN: none */
    double  worked;                    /* seconds between first and last line, without the time between a line and a "resume" after it */
    char   *settings;                  /* of the last start, a JSON object; owned, NULL: none */
    int64_t resume[LOG_RESUMES];       /* steps after which it was resumed, the first LOG_RESUMES of `resumes` */
    int     resumes;
    char    why[64];                   /* how it ended, "": not said */
    Names   notices;                   /* the last LOG_NOTICES of `said` */
    int64_t said;
    int64_t lines, bad, earlier;       /* all; those not read; those of an earlier run in the same folder */
    int64_t bad_line;                  /* the first one not read, from 1 */
    char    bad_why[256];
} RunLog;

/* An error: nothing in it is of a log, or memory ran out. */
int  runlog_decode(RunLog *l, const void *text, size_t n, Err *e);
int  runlog_open(RunLog *l, const char *path, Err *e);       /* a log.jsonl, or the folder of a run */
void runlog_close(RunLog *l);                                /* zeroed or half-open is fine */

/* One column of rows on its own. value: (rows->n), of the caller. */
void rows_column(const LogRows *r, int column, double *value);

#endif
