/* runlog.c - see runlog.h. Lines are read one by one, each on its own, so that a damaged one costs no other. */
#include "report/runlog.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/json.h"

/* A step beyond is no step: charts count them in doubles, and labels have room for so many digits. */
static const double STEP_MOST = 1e15;
enum { EXPERTS_MOST = 1 << 16 };       /* shares of a line */

typedef struct Field { const char *key; int column; } Field;
static const Field step_fields[] = {
    {"loss", STEP_LOSS}, {"pred", STEP_PRED}, {"aux", STEP_AUX}, {"lr", STEP_LR}, {"grad_norm", STEP_NORM}, {"tokens_per_s", STEP_TOKENS}, {"points_per_s", STEP_POINTS},
    {"step_ms", STEP_MS}, {"data_ms", STEP_DATA_MS}, {"peak_mb", STEP_PEAK}, {"tflops", STEP_TFLOPS}, {"mfu", STEP_MFU},
};
static const Field val_fields[] = {{"pred", VAL_PRED}, {"aux", VAL_AUX}, {"mae", VAL_MAE}, {"mse", VAL_MSE}};
enum { NSTEP = sizeof step_fields / sizeof *step_fields, NVAL = sizeof val_fields / sizeof *val_fields };

/* What a line may say; which of it counts depends on "event". */
typedef struct Line {
    char    event[16], name[16], text[4096];
    double  time, step, steps, of_step[STEP_FIELDS], of_val[VAL_FIELDS];
    double *share;                     /* (routers * experts) owned; grows over all lines */
    int     room, routers, experts, uneven;
    const char *settings;              /* (nsettings) in the line */
    size_t  nsettings;
    int     failed;                    /* memory ran out: not the line's fault */
} Line;

static void line_begin(Line *l)
{
    l->event[0] = l->name[0] = l->text[0] = 0;
    l->time = l->step = l->steps = NAN;
    for (int i = 0; i < STEP_FIELDS; i++) l->of_step[i] = NAN;
    for (int i = 0; i < VAL_FIELDS; i++) l->of_val[i] = NAN;
    l->routers = l->experts = l->uneven = 0;
    l->settings = NULL;
}

/* A number, or null for one that was not finite. */
static int read_number(Json *j, double *x, Err *e)
{
    *x = NAN;
    return json_peek(j) == 'n' ? json_skip(j, e) : json_number(j, x, e);
}

static int add_share(Json *j, Line *l, int at, Err *e)
{
    if (at == EXPERTS_MOST) return json_error(j, e, "more than %d shares of experts", EXPERTS_MOST);
    if (at >= l->room) {
        int room = 2 * l->room + 64;
        if (array_resize(&l->share, (size_t)room * sizeof *l->share, "shares of experts", e)) return l->failed = 1, -1;
        l->room = room;
    }
    return read_number(j, &l->share[at], e);
}

/* [[0.5, 0.5], [0.25, 0.75]]: a row a router */
static int read_shares(Json *j, Line *l, Err *e)
{
    int n = 0, outer, inner;
    if (json_open(j, '[', e)) return -1;
    while ((outer = json_more(j, e)) > 0) {
        int from = n;
        if (json_open(j, '[', e)) return -1;
        while ((inner = json_more(j, e)) > 0)
            if (add_share(j, l, n++, e)) return -1;
        if (inner < 0) return -1;
        if (!l->routers++) l->experts = n;
        l->uneven |= n - from != l->experts;
    }
    return outer;
}

/* Notices may be long: what does not fit is cut, because it is a sentence for people. */
static int read_text(Json *j, char *out, size_t size, Err *e)
{
    if (json_peek(j) != '"') return json_skip(j, e);
    const char *from = j->p;
    Err cut;
    if (!json_string(j, out, size, &cut)) return 0;
    Json again = *j;
    again.p = from;
    int bad = json_skip(&again, e);
    *j = again;
    return bad;
}

static int read_settings(Json *j, Line *l, Err *e)
{
    int object = json_peek(j) == '{';
    const char *from = j->p;
    if (json_skip(j, e)) return -1;
    if (object) l->settings = from, l->nsettings = (size_t)(j->p - from);
    return 0;
}

static double *number_of(Line *l, const char *key, double **also)
{
    *also = NULL;
    for (int i = 0; i < NVAL; i++)
        if (!strcmp(key, val_fields[i].key)) *also = &l->of_val[val_fields[i].column];
    for (int i = 0; i < NSTEP; i++)
        if (!strcmp(key, step_fields[i].key)) return &l->of_step[step_fields[i].column];
    if (*also) return *also;
    return !strcmp(key, "time") ? &l->time : !strcmp(key, "step") ? &l->step : !strcmp(key, "steps") ? &l->steps : NULL;
}

static int read_value(Json *j, Line *l, const char *key, Err *e)
{
    double *also, *x = number_of(l, key, &also);
    if (x) {
        if (read_number(j, x, e)) return -1;
        if (also) *also = *x;
        return 0;
    }
    if (!strcmp(key, "event")) return read_text(j, l->event, sizeof l->event, e);
    if (!strcmp(key, "name")) return read_text(j, l->name, sizeof l->name, e);
    if (!strcmp(key, "text") || !strcmp(key, "why")) return read_text(j, l->text, sizeof l->text, e);
    if (!strcmp(key, "share")) return read_shares(j, l, e);
    return !strcmp(key, "settings") ? read_settings(j, l, e) : json_skip(j, e);
}

static int read_line(Line *l, const char *p, size_t n, Err *e)
{
    Json j;
    char key[32];
    int more;
    line_begin(l);
    json_init(&j, p, n);
    if (json_open(&j, '{', e)) return -1;
    while ((more = json_more(&j, e)) > 0)
        if (json_key(&j, key, sizeof key, e) || read_value(&j, l, key, e)) return -1;
    if (more < 0 || json_end(&j, e)) return -1;
    return *l->event ? 0 : json_error(&j, e, "\"event\" is missing");
}

/* Rows of this step and of later ones do not count any more. */
static void rows_cut(LogRows *r, double step)
{
    while (r->n && (double)r->step[r->n - 1] >= step) r->n--;
}

static int rows_add(LogRows *r, int64_t step, const double *value, Err *e)
{
    rows_cut(r, (double)step);
    if (r->n == r->cap) {
        int64_t cap = 2 * r->cap + 32;
        if (array_resize(&r->step, (size_t)cap * sizeof *r->step, "a log", e)) return -1;
        if (array_resize(&r->value, (size_t)cap * (size_t)r->width * sizeof *r->value, "a log", e)) return -1;
        r->cap = cap;
    }
    r->step[r->n] = step;
    memcpy(r->value + r->n++ * r->width, value, (size_t)r->width * sizeof *value);
    return 0;
}

static void rows_free(LogRows *r)
{
    free(r->step);
    free(r->value);
    *r = (LogRows){.width = r->width};
}

void rows_column(const LogRows *r, int column, double *value)
{
    for (int64_t i = 0; i < r->n; i++) value[i] = r->value[i * r->width + column];
}

static void cut_all(RunLog *l, double step)
{
    rows_cut(&l->steps, step);
    rows_cut(&l->experts, step);
    for (int i = 0; i < LOG_VALIDATIONS; i++) rows_cut(&l->validation[i], step);
}

/* A run that begins: whatever stood in this file before is another run's. */
static void forget(RunLog *l, int64_t line)
{
    cut_all(l, -1);
    for (int i = 0; i < LOG_VALIDATIONS * VAL_FIELDS; i++) l->naive[i / VAL_FIELDS][i % VAL_FIELDS] = NAN;
    names_free(&l->notices);
    l->said = l->resumes = 0;
    l->worked = 0;
    l->from = NAN;
    l->earlier = line;
}

static int take_start(RunLog *l, const Line *line, double step, Err *e)
{
    int again = !strcmp(line->event, "resume");
    if (!again) forget(l, l->lines - 1);
    if (again) cut_all(l, step + 1);
    if (again && l->resumes++ < LOG_RESUMES) l->resume[l->resumes - 1] = (int64_t)step;
    l->last = (int64_t)step;
    l->to = NAN;                       /* the time since then was not worked */
    l->why[0] = 0;
    if (!line->settings) return 0;
    char *copy = strndup(line->settings, line->nsettings);
    if (!copy) return err_nomem(e, line->nsettings, "settings");
    free(l->settings);
    l->settings = copy;
    return 0;
}

static int take_experts(RunLog *l, const Line *line, double step, Err *e)
{
    int width = line->routers * line->experts;
    if (!width || line->uneven) return 0;
    if (l->routers != line->routers || l->nexperts != line->experts) {
        rows_free(&l->experts);
        l->experts.width = width;
        l->routers = line->routers;
        l->nexperts = line->experts;
    }
    return rows_add(&l->experts, (int64_t)step, line->share, e);
}

static int validation_of(const char *name) { return !strcmp(name, "val") ? LOG_VAL : !strcmp(name, "val_ood") ? LOG_OOD : -1; }

static int take_validation(RunLog *l, const Line *line, double step, Err *e)
{
    int which = validation_of(line->name);
    return which < 0 ? 0 : rows_add(&l->validation[which], (int64_t)step, line->of_val, e);
}

static int take_baseline(RunLog *l, const Line *line, double step, Err *e)
{
    int which = validation_of(line->name);
    (void)step, (void)e;
    if (which >= 0) memcpy(l->naive[which], line->of_val, sizeof line->of_val);
    return 0;
}

static int take_notice(RunLog *l, const Line *line, double step, Err *e)
{
    Names *n = &l->notices;
    (void)step;
    l->said++;
    if (n->n == LOG_NOTICES) {
        free(n->name[0]);
        memmove(n->name, n->name + 1, (size_t)--n->n * sizeof *n->name);
    }
    return names_add(n, line->text, e);
}

static int take_end(RunLog *l, const Line *line, double step, Err *e)
{
    (void)step, (void)e;
    snprintf(l->why, sizeof l->why, "%.63s", line->text);
    return 0;
}

static int take_step(RunLog *l, const Line *line, double step, Err *e) { return rows_add(&l->steps, (int64_t)step, line->of_step, e); }

static int take_nothing(RunLog *l, const Line *line, double step, Err *e)
{
    (void)l, (void)line, (void)step, (void)e;
    return 0;
}

static const struct Take { const char *event; int has_step; int (*take)(RunLog *l, const Line *line, double step, Err *e); } takes[] = {
    {"start", 1, take_start},          {"resume", 1, take_start},     {"step", 1, take_step}, {"validation", 1, take_validation}, {"experts", 1, take_experts},
    {"baseline", 0, take_baseline},    {"notice", 0, take_notice},    {"end", 1, take_end},   {"checkpoint", 1, take_nothing},
};

static void take_time(RunLog *l, double time)
{
    if (!isfinite(time)) return;
    if (!isfinite(l->from)) l->from = time;
    if (isfinite(l->to) && time > l->to) l->worked += time - l->to;
    if (!isfinite(l->to) || time > l->to) l->to = time;
}

/* 1: it counts. 0: it is of a kind that a later version may write. */
static int take_line(RunLog *l, const Line *line, Err *e)
{
    size_t k = 0;
    while (k < sizeof takes / sizeof *takes && strcmp(takes[k].event, line->event)) k++;
    if (k == sizeof takes / sizeof *takes) return 0;
    if (takes[k].has_step && !(line->step >= 0 && line->step <= STEP_MOST)) return err_set(e, FTS_FORMAT, "the step of a line \"%s\" is no step", line->event);
    if (takes[k].take(l, line, line->step, e)) return -1;
    take_time(l, line->time);
    if (takes[k].has_step && line->step > (double)l->last) l->last = (int64_t)line->step;
    if (line->steps > 0 && line->steps <= STEP_MOST) l->planned = (int64_t)line->steps;
    return 1;
}

static void count_bad(RunLog *l, const Err *why)
{
    if (l->bad++) return;
    l->bad_line = l->lines;
    snprintf(l->bad_why, sizeof l->bad_why, "%.255s", strncmp(why->message, "line 1, ", 8) ? why->message : why->message + 8);
}

static int read_all(RunLog *l, const char *p, const char *end, int64_t *good, Err *e)
{
    Line line = {.share = NULL};
    int bad = 0;
    for (const char *next; p < end && !bad; p = next) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        l->lines++;
        if (p == stop) continue;
        int took = read_line(&line, p, (size_t)(stop - p), e) ? -1 : take_line(l, &line, e);
        bad = line.failed || (took < 0 && e->code == FTS_NOMEM);
        if (took < 0) count_bad(l, e);
        *good += took > 0;
    }
    free(line.share);
    return bad ? -1 : 0;
}

int runlog_decode(RunLog *l, const void *text, size_t n, Err *e)
{
    int64_t good = 0;
    *l = (RunLog){.steps.width = STEP_FIELDS, .from = NAN, .to = NAN};
    for (int i = 0; i < LOG_VALIDATIONS; i++) l->validation[i].width = VAL_FIELDS;
    forget(l, 0);
    int bad = read_all(l, text, (const char *)text + n, &good, e);
    if (!bad && !good) bad = l->bad ? err_set(e, FTS_FORMAT, "this is no log of a training run: line %" PRId64 ": %s", l->bad_line, l->bad_why)
                                    : err_set(e, FTS_FORMAT, "nothing was logged yet: there is not one line about a step");
    if (bad) runlog_close(l);
    return bad ? -1 : 0;
}

/* A folder above runs is often meant for them: the first one is named. */
static int no_log(const char *path, Err *e)
{
    char below[4096], file[4096], hint[512] = "";
    Names names;
    Err ignored;
    err_set(e, FTS_IO, "%.300s: there is no log.jsonl in it: a run is the --checkpoint-dir of a training", path);
    if (dir_list(&names, path, &ignored)) return -1;
    for (int i = 0; i < names.n && !*hint; i++)
        if (!path_join(below, sizeof below, path, names.name[i], &ignored) && !path_join(file, sizeof file, below, "log.jsonl", &ignored) && path_exists(file))
            snprintf(hint, sizeof hint, ", such as %.300s", below);
    names_free(&names);
    size_t n = strlen(e->message);
    snprintf(e->message + n, sizeof e->message - n, "%s", hint);
    return -1;
}

int runlog_open(RunLog *l, const char *path, Err *e)
{
    char file[4096];
    Map m;
    *l = (RunLog){0};
    if (!path_exists(path)) return err_set(e, FTS_IO, "%s: there is no such folder: a run is the --checkpoint-dir of a training", path);
    if (path_join(file, sizeof file, path_is_dir(path) ? path : "", path_is_dir(path) ? "log.jsonl" : path, e)) return -1;
    if (!path_exists(file)) return no_log(path, e);
    if (map_open(&m, file, e)) return -1;
    int bad = runlog_decode(l, m.p, m.n, e);
    map_close(&m);
    return bad ? err_wrap(e, "%s", file) : 0;
}

void runlog_close(RunLog *l)
{
    rows_free(&l->steps);
    rows_free(&l->experts);
    for (int i = 0; i < LOG_VALIDATIONS; i++) rows_free(&l->validation[i]);
    names_free(&l->notices);
    free(l->settings);
    *l = (RunLog){0};
}
