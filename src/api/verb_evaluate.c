/* verb_evaluate.c - how well a model forecasts series whose continuation is known, beside rules that need no model. */
#include "api/task.h"
#include "eval/evaluate.h"
#include "eval/naive.h"
#include "util/str.h"

static int wrong_options(const EvalOpts *o, Err *e)
{
    if (!o->model) return err_set(e, FTS_USAGE, "evaluate needs --model: repeat-last, or seasonal-naive:PERIOD");
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

int verb_evaluate(FtsTask *t, Err *e)
{
    const EvalOpts *o = &t->s.eval;
    Naive rule;
    Evaluation v;
    if (wrong_options(o, e)) return -1;
    int named = naive_named(&rule, o->model, e);
    if (named < 0) return err_wrap(e, "--model");
    if (!named) return err_set(e, FTS_USAGE, "--model: '%.200s' is none of repeat-last, seasonal-naive:PERIOD", o->model);
    Contender asked = {&rule.predictor, rule.period};
    return evaluate(&v, &(EvalSpec){.opts = o, .asked = &asked, .nasked = 1, .events = t->events, .stop = &t->stop}, e) || answer(t, &v, e) ? -1 : 0;
}
