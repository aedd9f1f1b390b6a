/* verbs.c - the list of verbs and the option tables that each takes. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/task.h"
#include "kernels/backend.h"

static const Opt info_opts[] = {
#define X(...) OPT_ROW(InfoOpts, __VA_ARGS__),
#include "api/info.def"
#undef X
};
static const Opt forecast_opts[] = {
#define X(...) OPT_ROW(ForecastOpts, __VA_ARGS__),
#include "api/forecast.def"
#undef X
};
static const Opt export_opts[] = {
#define X(...) OPT_ROW(ExportOpts, __VA_ARGS__),
#include "api/export.def"
#undef X
};
static const Opt common_opts[] = {
#define X(...) OPT_ROW(CommonOpts, __VA_ARGS__),
#include "api/common.def"
#undef X
};
static const int ninfo_opts = sizeof info_opts / sizeof *info_opts, nforecast_opts = sizeof forecast_opts / sizeof *forecast_opts,
    nexport_opts = sizeof export_opts / sizeof *export_opts, ncommon_opts = sizeof common_opts / sizeof *common_opts;

#define TABLE(room) {room##_opts, &n##room##_opts, offsetof(Settings, room), NULL}
#define TABLE_WITHOUT(room, field) {room##_opts, &n##room##_opts, offsetof(Settings, room), field}

const Verb verbs[] = {
    {"train", "", "train a model on series, with validation, checkpoints and logs",
     {TABLE(data), TABLE(model), TABLE(train), TABLE(device)}, verb_train},
    {"forecast", "", "continue the series of a file with a model",
     {TABLE(forecast)}, verb_forecast},
    {"evaluate", "", "forecast series whose continuation is known, and say how far off a model and naive rules are",
     {TABLE(eval)}, verb_evaluate},
    {"export", "MODEL OUT", "write a model in the published layout into a new folder",
     {TABLE(export)}, verb_export},
    {"data download", "", "fetch folders of Time-300B from the Hugging Face Hub",
     {TABLE(hub)}, verb_data_download},
    {"data info", "PATH", "say what a file or folder of series holds",
     {TABLE(info), TABLE_WITHOUT(data, "dataset_path")}, verb_data_info},
    {"data check", "PATH", "read everything below a path and tell each defect",
     {{0}}, verb_data_check},
    {"data convert", "IN OUT", "write what a file or folder of series holds in the layout of Time-300B, or as one file",
     {TABLE(convert)}, verb_data_convert},
    {"data synth", "OUT", "write synthetic series into a new folder, in the layout of Time-300B",
     {TABLE(synth)}, verb_data_synth},
};
const int nverbs = sizeof verbs / sizeof *verbs;

static const Table common_table = TABLE(common);

const Verb *verb_find(const char *name)
{
    for (int i = 0; i < nverbs; i++)
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    return NULL;
}

/* A table without one of its rows is two sets: what stands before it and what stands after. */
static int add_table(OptSet *set, const Table *t, Settings *s)
{
    void *to = (char *)s + t->at;
    int n = 0, cut = *t->n;
    for (int i = 0; t->without && i < *t->n; i++)
        if (!strcmp(t->row[i].field, t->without)) cut = i;
    if (cut > 0) set[n++] = (OptSet){t->row, cut, to};
    if (cut + 1 < *t->n) set[n++] = (OptSet){t->row + cut + 1, *t->n - cut - 1, to};
    return n;
}

int verb_sets(const Verb *v, Settings *s, OptSet set[MAX_SETS])
{
    int n = 0;
    for (int i = 0; i < MAX_TABLES && v->table[i].row; i++) n += add_table(set + n, &v->table[i], s);
    return n + add_table(set + n, &common_table, s);
}

/* Written once, before anybody reads it: rows hold "batch_size", the world sees "batch-size". */
enum { MAX_FLAGS = 256 };
static struct { const Opt *row; char flag[48]; } flags[MAX_FLAGS];
static int nflags;
static pthread_once_t flags_once = PTHREAD_ONCE_INIT;

static void add_flags(const Table *t)
{
    for (int i = 0; i < *t->n && nflags < MAX_FLAGS; i++) {
        flags[nflags].row = &t->row[i];
        opt_flag(&t->row[i], flags[nflags].flag, sizeof flags->flag);
        nflags++;
    }
}

static void make_flags(void)
{
    for (int v = 0; v < nverbs; v++)
        for (int i = 0; i < MAX_TABLES && verbs[v].table[i].row; i++) add_flags(&verbs[v].table[i]);
    add_flags(&common_table);
}

const char *verb_flag(const Opt *o)
{
    pthread_once(&flags_once, make_flags);
    for (int i = 0; i < nflags; i++)
        if (flags[i].row == o) return flags[i].flag;
    return o->field;
}

const char *fts_verb(int i, const char **help)
{
    if (i < 0 || i >= nverbs) return NULL;
    if (help) *help = verbs[i].help;
    return verbs[i].name;
}

const char *fts_verb_operands(const char *verb)
{
    const Verb *v = verb_find(verb);
    return v ? v->operand : NULL;
}

int fts_describe(char *text, size_t size)
{
    char backends[256];
    backend_text(NULL, backends, sizeof backends);
    return snprintf(text, size, "foundationts %s, %s", FTS_VERSION, backends);
}
