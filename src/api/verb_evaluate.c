/* verb_evaluate.c - how well a model forecasts series whose continuation is known, beside rules that need no model. */
#include <stdio.h>
#include <string.h>

#include "api/task.h"
#include "eval/evaluate.h"
#include "eval/naive.h"
#include "forecast/forecaster.h"
#include "util/file.h"
#include "util/str.h"

static int wrong_options(const EvalOpts *o, Err *e)
{
    if (!o->model) return err_set(e, FTS_USAGE, "evaluate needs --model: a folder of a model, repeat-last, or seasonal-naive:PERIOD");
    if (!o->data) return err_set(e, FTS_USAGE, "evaluate needs --data: the file of series to forecast");
    if (o->json > 0 && o->csv > 0) return err_set(e, FTS_USAGE, "--json and --csv are two forms of one answer: give one of them");
    return 0;
}

static int answer(FtsTask *t, const Evaluation *v, Err *e)
{
    const EvalOpts *o = &t->s.eval;
    Str text = {0};
    evaluation_write(&text, v, o, o->json > 0 ? ANSWER_JSON : o->csv > 0 ? ANSWER_CSV : ANSWER_TEXT);
    int bad = str_ok(&text, e);
    if (!bad) answer_lines(&t->events, text.p);
    str_free(&text);
    return bad;
}

/* Of "runs/a/" its last part, for the tables. */
static const char *name_of(const char *path, char *name, size_t size)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t from = n;
    while (from && path[from - 1] != '/') from--;
    snprintf(name, size, "%.*s", (int)(n - from), path + from);
    return name;
}

static int run(FtsTask *t, Contender asked, Err *e)
{
    Evaluation v;
    return evaluate(&v, &(EvalSpec){.opts = &t->s.eval, .asked = &asked, .nasked = 1, .events = t->events, .stop = &t->stop}, e) || answer(t, &v, e) ? -1 : 0;
}

static int run_model(FtsTask *t, Err *e)
{
    const EvalOpts *o = &t->s.eval;
    Forecaster *f;
    char name[64];
    if (forecaster_open(&f, o->model, o->device, o->bf16 ? BF16 : F32, o->threads == OPT_UNSET ? 0 : (int)o->threads, e)) return err_wrap(e, "--model");
    Predictor p = forecaster_predictor(f, name_of(o->model, name, sizeof name));
    int bad = run(t, (Contender){&p, 0}, e);
    forecaster_close(f);
    return bad;
}

int verb_evaluate(FtsTask *t, Err *e)
{
    const EvalOpts *o = &t->s.eval;
    Naive rule;
    if (wrong_options(o, e)) return -1;
    int named = naive_named(&rule, o->model, e);
    if (named < 0) return err_wrap(e, "--model");
    if (named) return run(t, (Contender){&rule.predictor, rule.period}, e);
    if (path_exists(o->model)) return run_model(t, e);
    return err_set(e, FTS_USAGE, "--model: '%.200s' is no folder of a model, and none of repeat-last, seasonal-naive:PERIOD", o->model);
}
