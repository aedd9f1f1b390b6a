/* task.h - inside of FtsTask: a verb is one row, its settings are the option tables of the rooms it uses. */
#ifndef API_TASK_H
#define API_TASK_H

#include <stdatomic.h>

#include "data/convert.h"
#include "data/synth.h"
#include "eval/options.h"
#include "hub/hub.h"
#include "probe/options.h"
#include "train/train.h"
#include "util/event.h"
#include "util/opt.h"

typedef struct InfoOpts {
#define X OPT_FIELD
#include "api/info.def"
#undef X
} InfoOpts;
typedef struct ForecastOpts {
#define X OPT_FIELD
#include "api/forecast.def"
#undef X
} ForecastOpts;
typedef struct ExportOpts {
#define X OPT_FIELD
#include "api/export.def"
#undef X
} ExportOpts;
typedef struct ReportOpts {
#define X OPT_FIELD
#include "api/report.def"
#undef X
} ReportOpts;
typedef struct CommonOpts {
#define X OPT_FIELD
#include "api/common.def"
#undef X
} CommonOpts;

/* The settings of all rooms; a task fills those of its verb's tables and leaves the others zero. */
typedef struct Settings {
    DataOpts   data;
    ModelOpts  model;
    TrainOpts  train;
    DeviceOpts device;
    SynthOpts  synth;
    ConvertOpts convert;
    HubOpts    hub;
    InfoOpts   info;
    ForecastOpts forecast;
    ExportOpts export;
    EvalOpts   eval;
    ProbeOpts  probe;
    ReportOpts report;
    CommonOpts common;
} Settings;

typedef struct Table { const Opt *row; const int *n; size_t at; const char *without; } Table;   /* at: place in Settings; without: fields this verb does not take, "a,b", or NULL */

enum { MAX_TABLES = 5, MAX_SETS = 4 * MAX_TABLES, MAX_OPTIONS = 160, MAX_OPERANDS = 32 };

typedef struct Verb {
    const char *name, *operand, *help;         /* operand: "" or what they are called in the help, "IN OUT"; in brackets: or none, "[RUN...]": or several */
    Table table[MAX_TABLES];                   /* up to the first without rows */
    int (*run)(FtsTask *t, Err *e);
} Verb;

extern const Verb verbs[];
extern const int nverbs;
const Verb *verb_find(const char *name);       /* NULL: no such verb */
int verb_sets(const Verb *v, Settings *s, OptSet set[MAX_SETS]);             /* how many; the last one is the common table */
const char *verb_flag(const Opt *o);           /* "batch-size", lives as long as the program */

typedef enum { FROM_DEFAULT, FROM_CONFIG, FROM_USER } From;

struct FtsTask {
    const Verb *verb;
    Settings s;
    OptSet  set[MAX_SETS];                     /* (nset) the last one is the common table */
    int     nset;
    From    from[MAX_OPTIONS];                 /* who gave the value, in the order of set */
    char   *operand[MAX_OPERANDS];             /* (noperand) owned */
    int     noperand;
    Events  events;
    atomic_int stop;
};

/* The place of an option in set and from; -1: unknown, which opt_set() answers with the nearest name. */
int task_index(const FtsTask *t, const char *name, const OptSet **in, const Opt **o);
void task_clear_list(const OptSet *in, const Opt *o);

int verb_train(FtsTask *t, Err *e);
int verb_forecast(FtsTask *t, Err *e);
int verb_export(FtsTask *t, Err *e);
int verb_data_info(FtsTask *t, Err *e);
int verb_data_download(FtsTask *t, Err *e);
int verb_data_check(FtsTask *t, Err *e);
int verb_data_convert(FtsTask *t, Err *e);
int verb_data_synth(FtsTask *t, Err *e);
int verb_evaluate(FtsTask *t, Err *e);
int verb_probe(FtsTask *t, Err *e);
int verb_report(FtsTask *t, Err *e);

int task_config(FtsTask *t, const void *json, size_t n, Err *e);                /* fts_task_config of a text */

void answer_lines(const Events *to, char *text);       /* one ANSWER per line; text is cut in place, NULL is none */

#endif
