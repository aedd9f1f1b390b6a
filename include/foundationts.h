/* foundationts.h - the one public header.
 *
 * Everything the command line can do, a program can do: open a task by its verb, set the same
 * options, run it, and hear what happens through events.
 *
 *     FtsError e;
 *     FtsTask *t;
 *     if (fts_task_open(&t, "train", &e)) ...
 *     fts_task_set(t, "dataset-path", "time300b_selected", &e);
 *     fts_task_run(t, on_event, NULL, &e);
 *     fts_task_close(t);
 *
 * Functions that return int give 0 for success and -1 for failure with the story in *e.
 * The library never prints and never exits. */
#ifndef FOUNDATIONTS_H
#define FOUNDATIONTS_H

#include <stddef.h>
#include <stdint.h>

#define FTS_VERSION "0.1.0"
#define FTS_API __attribute__((visibility("default")))

typedef enum { FTS_OK, FTS_USAGE, FTS_IO, FTS_FORMAT, FTS_NET, FTS_NOMEM, FTS_DEVICE, FTS_STOPPED } FtsCode;

typedef struct FtsError {
    FtsCode code;
    char    message[1024];
} FtsError;

/* What a task tells while it runs. Only the fields named for a kind are meaningful. */
typedef enum {
    FTS_EVENT_ANSWER,       /* text: a line of the answer (stdout of the program), without line end */
    FTS_EVENT_NOTICE,       /* text: something a person should know (stderr) */
    FTS_EVENT_START,        /* text: settings as a JSON object; step: the last one done, steps; dir: where the run writes, or NULL */
    FTS_EVENT_STEP,         /* of a named task: name, step, steps, eta_s; with text: of that part of it, a file for example. Of training: step, steps, loss, pred, aux, lr, norm, rates; due: a log line is due at this step */
    FTS_EVENT_BASELINE,     /* name "val" or "val_ood", mae, mse of repeating the last value */
    FTS_EVENT_VALIDATION,   /* name, step, pred, aux, mae, mse */
    FTS_EVENT_EXPERTS,      /* step, share[routers][experts]: share of (token, slot) pairs per expert of the last step */
    FTS_EVENT_CHECKPOINT,   /* step, text: the folder that was written */
    FTS_EVENT_END,          /* step, text: why the run ended ("done", "stopped", "time") */
    FTS_EVENT_QUESTION      /* text: go on? fts_task_stop() during the call says no */
} FtsEventKind;

typedef struct FtsEvent {
    FtsEventKind kind;
    const char  *text, *name, *dir;                /* valid during the call */
    int64_t      step, steps;
    int          due;
    double       loss, pred, aux, mae, mse, lr, norm;
    double       tokens_per_s, points_per_s;       /* real tokens and points since the last due step */
    double       tflops, mfu;                      /* model FLOP/s in 1e12 (6 * active parameters + attention), share of the peak; 0: not measured */
    double       step_ms, data_ms, peak_mb;        /* mean step time and time spent waiting for data since the last due step; peak memory of the process, MB */
    double       eta_s;                            /* estimated seconds to the last step */
    const double *share;                           /* (routers, experts) */
    int          routers, experts;
} FtsEvent;

typedef void (*FtsListener)(void *user, const FtsEvent *event);

typedef struct FtsOption {          /* one row of an option table; strings live as long as the program */
    const char *name;               /* "batch-size" */
    const char *preset;             /* default as text, "" if none */
    const char *values;             /* what it takes: "N", "DIR", "zero|max|none"; "" for a switch */
    const char *help;
} FtsOption;

typedef struct FtsTask FtsTask;     /* one verb with its settings; not shared between threads, except fts_task_stop() */

/* Verbs in the order of the help: "train", "data info", ... Returns NULL past the last. *help gets one line. */
FTS_API const char *fts_verb(int i, const char **help);
/* What stands after a verb besides options ("PATH", "IN OUT", "RUN [RUN...]"), "" if nothing; NULL for an unknown verb. */
FTS_API const char *fts_verb_operands(const char *verb);

FTS_API int  fts_task_open(FtsTask **t, const char *verb, FtsError *e);
FTS_API int  fts_task_set(FtsTask *t, const char *option, const char *value, FtsError *e);   /* "--" or not, '-' or '_'; an option set twice keeps the last, a list grows */
FTS_API int  fts_task_operand(FtsTask *t, const char *value, FtsError *e);
FTS_API int  fts_task_config(FtsTask *t, const char *json_file, FtsError *e);                /* sets what the command line has not set */
FTS_API int  fts_task_option(const FtsTask *t, int i, FtsOption *o);                         /* 0, or -1 past the last */
FTS_API int  fts_task_run(FtsTask *t, FtsListener listener, void *user, FtsError *e);
FTS_API void fts_task_stop(FtsTask *t);                                                      /* from any thread: finish the step, save, return */
FTS_API void fts_task_close(FtsTask *t);                                                     /* NULL is fine */

/* Series and windows without a task: what `train` reads, read by your own program.
 *
 *     FtsReader *r;
 *     FtsReaderOptions o = {.seq_max_len = 512, .seq_stride = 512};
 *     if (fts_reader_open(&r, "sales.csv", &o, &e)) ...
 *     for (int64_t w = 0; w < fts_reader_windows(r); w++) { n = fts_reader_window(r, w, points, at, length, &e); ... }
 *     fts_reader_close(r);
 *
 * docs/reader.c is a whole program. All functions but open and close may be called from several threads at once. */
typedef struct FtsReader FtsReader;
typedef struct FtsReaderOptions {
    int64_t     seq_max_len;            /* C, points of a window, one more is read as its last target; 0: 4096 */
    int64_t     seq_stride;             /* points between the starts of two windows of a series; 0: C */
    int64_t     min_points;             /* a shorter series, or piece between gaps, is left out; 0: 2 */
    const char *normalization;          /* "zero", "max" or "none"; NULL: zero */
    const char *missing;                /* "split", "interpolate", "zero" or "error"; NULL: split */
} FtsReaderOptions;

/* path: a file of series, a folder that is a dataset, or a folder that mixes them. o NULL: every default. *r: owned, for fts_reader_close(). */
FTS_API int     fts_reader_open(FtsReader **r, const char *path, const FtsReaderOptions *o, FtsError *e);
FTS_API void    fts_reader_close(FtsReader *r);                                              /* NULL is fine */
FTS_API int64_t fts_reader_series(const FtsReader *r);                                       /* how many */
FTS_API int64_t fts_reader_length(const FtsReader *r, int64_t series);                       /* points; -1: no such series */
/* Points [at, at+n) of a series as stored, missing ones as NaN, into out (n). */
FTS_API int     fts_reader_read(const FtsReader *r, int64_t series, int64_t at, int64_t n, double *out, FtsError *e);
FTS_API int64_t fts_reader_windows(const FtsReader *r);                                      /* how many */
FTS_API int     fts_reader_max_segments(const FtsReader *r);                                 /* a window never has more */
/* Window w, scaled, into points (C + 1). A window is cut where points are missing: segment i is points[at[i] .. +length[i]), all finite;
 * at and length have room for fts_reader_max_segments(). Returns the number of segments, 0 is possible, or -1. */
FTS_API int     fts_reader_window(const FtsReader *r, int64_t w, float *points, int *at, int *length, FtsError *e);

/* Forecasts without a task: a model that stays in memory and continues series of your own program.
 *
 *     FtsForecaster *f;
 *     const double *x[] = {sales, returns};
 *     const int64_t n[] = {120, 96};
 *     double out[2 * 24];
 *     if (fts_forecaster_open(&f, "checkpoints/my_run", 0, &e)) ...
 *     if (fts_forecast(f, x, n, 2, 0, 24, out, &e)) ...
 *     fts_forecaster_close(f);
 *
 * docs/forecast.c is a whole program. All functions but open and close may be called from several threads at once: forecasts wait for each other,
 * and each uses all threads of the forecaster. Neither threads nor the company of other series changes a bit of a forecast.
 * The matrices of a checkpoint stay in its files, which are mapped while the forecaster is open: replace such a file by renaming, never write into it.
 * The library has threads of its own, which a fork() leaves behind. */
typedef struct FtsForecaster FtsForecaster;

enum { FTS_MAX_HORIZONS = 16 };
typedef struct FtsForecasterInfo {      /* later versions add fields at the end */
    int64_t parameters, active;         /* of the model; used by one token */
    int64_t patch_length, patch_stride; /* points of a token, points between the starts of two; 1, 1: every point is a token */
    int64_t most_points;                /* of context that the model was made for: of a longer series the last ones are used */
    int64_t horizons, horizon[FTS_MAX_HORIZONS];   /* how many, and each in points, ascending: a forecast hops along them, it may be of any length */
} FtsForecasterInfo;

/* model_dir: a run (its latest checkpoint), a checkpoint of one, or a published checkpoint. threads: 1 to 1024, 0: what the machine allows. *f: owned, for fts_forecaster_close(). */
FTS_API int  fts_forecaster_open(FtsForecaster **f, const char *model_dir, int threads, FtsError *e);
FTS_API void fts_forecaster_close(FtsForecaster *f);                                          /* NULL is fine; no call on f may be under way */
/* size: sizeof *info as your program knows it; no more is written, and fields that this library does not know are 0. */
FTS_API void fts_forecaster_info(const FtsForecaster *f, FtsForecasterInfo *info, size_t size);
/* Continues each of `count` series by `horizon` points, 1 to 1,000,000. They need no scaling: values come back in the unit of the series.
 * x (count) has series i at x[i] (n[i] points, oldest first), yours, read only during the call; a series of 0 points may be NULL.
 * NaN and infinities are missing points: at the beginning they are cut, inside they lie on a line between their neighbours, and those at the end are
 * forecast too, so that out begins right behind the last point of x[i], missing or not. A series without any observed point gets NaN.
 * context_length: points at most that a forecast looks back on, 0: all that the model was made for.
 * out (count, horizon), row after row, yours; after a failure its contents mean nothing. */
FTS_API int  fts_forecast(FtsForecaster *f, const double *const *x, const int64_t *n, int64_t count, int64_t context_length, int64_t horizon, double *out, FtsError *e);

/* One line about this build and machine: version, backends, CPU tier. Returns the length, as snprintf does. */
FTS_API int  fts_describe(char *text, size_t size);

#endif
