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
static const Opt report_opts[] = {
#define X(...) OPT_ROW(ReportOpts, __VA_ARGS__),
#include "api/report.def"
#undef X
};
static const Opt common_opts[] = {
#define X(...) OPT_ROW(CommonOpts, __VA_ARGS__),
#include "api/common.def"
#undef X
};
static const int ninfo_opts = sizeof info_opts / sizeof *info_opts, nforecast_opts = sizeof forecast_opts / sizeof *forecast_opts,
    nexport_opts = sizeof export_opts / sizeof *export_opts, nreport_opts = sizeof report_opts / sizeof *report_opts, ncommon_opts = sizeof common_opts / sizeof *common_opts;

#define TABLE(room) {room##_opts, &n##room##_opts, offsetof(Settings, room), NULL}
#define TABLE_WITHOUT(room, field) {room##_opts, &n##room##_opts, offsetof(Settings, room), field}

const Verb verbs[] = {
    {"train", "", "train a model on series, with validation, checkpoints and logs",
     {TABLE(data), TABLE(model), TABLE(train), TABLE(device)}, verb_train},
    {"forecast", "", "continue the series of a file with a model",
     {TABLE(forecast)}, verb_forecast},
    {"evaluate", "", "forecast series whose continuation is known, and say how far off a model and naive rules are",
     {TABLE(eval)}, verb_evaluate},
    {"probe", "", "find the largest batch that fits, the speed, and what is learned from equally many points, of point-wise and patch tokens side by side",
     {TABLE(data), TABLE_WITHOUT(model, "preset,hidden_size,patch,patch_len,patch_stride"), TABLE_WITHOUT(train, "batch_size,warmup_steps"), TABLE(device), TABLE(probe)}, verb_probe},
    {"report", "RUN [RUN...]", "show training runs, alone or side by side, as one page of HTML",
     {TABLE(report)}, verb_report},
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

/* Is this field one of "a,b,c"? */
static int is_left_out(const char *list, const char *field)
{
    size_t n = strlen(field);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, field, n) && (!p[n] || p[n] == ',')) return 1;
    return 0;
}

/* A table without some of its rows is several sets: what stands between them. */
static int add_table(OptSet *set, const Table *t, Settings *s)
{
    void *to = (char *)s + t->at;
    int n = 0;
    for (int i = 0, from = 0; i <= *t->n; i++) {
        if (i < *t->n && !is_left_out(t->without, t->row[i].field)) continue;
        if (i > from) set[n++] = (OptSet){t->row + from, i - from, to};
        from = i + 1;
    }
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
    for (int i = 0; i < nflags; i++)
        if (flags[i].row == t->row) return;             /* another verb's table too */
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
