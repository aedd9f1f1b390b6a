/* answer.c - an evaluation for people, for spreadsheets, for programs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/evaluate.h"
#include "util/json.h"

static const char *number_text(double x, int digits, char room[32])
{
    if (!isfinite(x)) return isnan(x) ? "-" : "inf";
    snprintf(room, 32, fabs(x) < 1e9 ? "%.*f" : "%.*g", digits, x);
    return room;
}

static int widest_name(const Evaluation *v)
{
    size_t most = strlen("model");
    for (int i = 0; i < v->n; i++)
        if (strlen(v->row[i].model) > most) most = strlen(v->row[i].model);
    return (int)most;
}

static void put_row(Str *out, const EvalRow *r, int width)
{
    char mse[32], mae[32], mase[32], smape[32];
    const Stage *s = &r->stage;
    const Metrics *m = &r->metrics;
    str_addf(out, "%7lld  %7lld  %7lld  %-*s  %10s  %10s  %8s  %8s\n", (long long)s->horizon, (long long)s->context, (long long)s->windows, width, r->model,
             number_text(m->mse, 5, mse), number_text(m->mae, 5, mae), number_text(m->mase, 3, mase), number_text(m->smape, 3, smape));
}

static void put_text(Str *out, const Evaluation *v, const EvalOpts *o)
{
    const Stages *s = &v->stages;
    int width = widest_name(v);
    int64_t with_mase = v->n ? v->row[0].metrics.mase_series : 0;
    str_addf(out, "%s: %lld series", o->data, (long long)v->series);
    if (s->end) str_addf(out, ", scaled by rows 1 to %lld, forecast from row %lld to %lld\n\n", (long long)s->train, (long long)s->first + 1, (long long)s->end);
    else str_addf(out, ", continued in %s\n\n", o->test_data);
    str_addf(out, "horizon  context  windows  %-*s         MSE         MAE      MASE     sMAPE\n", width, "model");
    for (int i = 0; i < v->n; i++) put_row(out, &v->row[i], width);
    str_addf(out, "\nwindows: of each series. MSE, MAE: of scaled values. sMAPE: in percent. MASE: season %lld (%s)", (long long)s->season, s->season_from);
    if (with_mase < v->series) str_addf(out, ",\nover %lld series: the others have no season to learn from, or do not change in one", (long long)with_mase);
    str_addf(out, "\n");
}

static void put_cell(Str *out, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) { str_add(out, text, strlen(text)); return; }
    str_add(out, "\"", 1);
    for (; *text; text++) str_add(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    str_add(out, "\"", 1);
}

static void put_csv_number(Str *out, double x)
{
    str_add(out, ",", 1);
    if (isfinite(x)) json_put_number(out, x);
}

static void put_csv(Str *out, const Evaluation *v, const EvalOpts *o)
{
    str_addf(out, "data,model,prediction_length,context_length,season,series,windows,mse,mae,mase,smape\n");
    for (int i = 0; i < v->n; i++) {
        const EvalRow *r = &v->row[i];
        put_cell(out, o->data);
        str_add(out, ",", 1);
        put_cell(out, r->model);
        str_addf(out, ",%lld,%lld,%lld,%lld,%lld", (long long)r->stage.horizon, (long long)r->stage.context, (long long)v->stages.season, (long long)v->series,
                 (long long)r->stage.windows);
        put_csv_number(out, r->metrics.mse);
        put_csv_number(out, r->metrics.mae);
        put_csv_number(out, r->metrics.mase);
        put_csv_number(out, r->metrics.smape);
        str_add(out, "\n", 1);
    }
}

static void put_json_text(Str *out, const char *key, const char *text)
{
    str_addf(out, "\"%s\": ", key);
    json_put_string(out, text);
    str_add(out, ", ", 2);
}

static void put_json_number(Str *out, const char *key, double x)
{
    str_addf(out, ", \"%s\": ", key);
    json_put_number(out, x);
}

static void put_json(Str *out, const Evaluation *v, const EvalOpts *o)
{
    for (int i = 0; i < v->n; i++) {
        const EvalRow *r = &v->row[i];
        str_addf(out, i ? ",\n {" : "[{");
        put_json_text(out, "data", o->data);
        if (o->test_data) put_json_text(out, "test_data", o->test_data);
        put_json_text(out, "model", r->model);
        str_addf(out, "\"prediction_length\": %lld, \"context_length\": %lld, \"season\": %lld, \"series\": %lld, \"windows\": %lld", (long long)r->stage.horizon,
                 (long long)r->stage.context, (long long)v->stages.season, (long long)v->series, (long long)r->stage.windows);
        put_json_number(out, "mse", r->metrics.mse);
        put_json_number(out, "mae", r->metrics.mae);
        put_json_number(out, "mase", r->metrics.mase);
        put_json_number(out, "smape", r->metrics.smape);
        str_addf(out, ", \"mase_series\": %lld}", (long long)r->metrics.mase_series);
    }
    str_addf(out, "]\n");
}

void evaluation_write(Str *out, const Evaluation *v, const EvalOpts *o, AnswerForm form)
{
    static void (*const put[])(Str *, const Evaluation *, const EvalOpts *) = {put_text, put_csv, put_json};
    put[form](out, v, o);
}
