/* support.c - see support.h */
#include "support.h"

#include <string.h>

EvalOpts eval_settings(const char *data, const char *test_data, const char *horizons)
{
    return (EvalOpts){.data = (char *)data, .test_data = (char *)test_data, .prediction_length = (char *)horizons, .context_length = OPT_UNSET, .season = OPT_UNSET, .max_windows = OPT_UNSET, .threads = 1};
}

int eval_rules(Evaluation *v, const EvalOpts *o, Err *e) { return evaluate(v, &(EvalSpec){.opts = o}, e); }

const EvalRow *eval_row(const Evaluation *v, const char *model, int64_t horizon)
{
    for (int i = 0; i < v->n; i++)
        if (v->row[i].stage.horizon == horizon && !strcmp(v->row[i].model, model)) return &v->row[i];
    return NULL;
}
