/* facts.c - see facts.h */
#include "train/facts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Rows of train.def that change a result; those of data.def all do. Not here: what only changes speed, memory, place or logs. */
static const char *const decisive[] = {"seed", "batch_size", "grad_accum_steps", "learning_rate", "min_learning_rate", "weight_decay", "beta1", "beta2",
                                       "aux_loss_weight", "max_grad_norm", "warmup_steps", "drop_last", "val_split"};

int64_t facts_steps(const TrainOpts *t)
{
    int64_t steps, most = (int64_t)1 << 53;
    return __builtin_mul_overflow(t->epochs, t->steps_per_epoch, &steps) || steps > most ? most : steps;
}

static Fact *add(Facts *f, const char *name)
{
    assert(f->n < FACTS_MAX);
    f->fact[f->n] = (Fact){.name = name};
    return &f->fact[f->n++];
}

static void add_number(Facts *f, const char *name, double x)
{
    Str s = {0};
    json_put_number(&s, x);
    snprintf(add(f, name)->text, sizeof f->fact->text, "%s", s.failed ? "" : s.p);
    str_free(&s);
}

static void add_int(Facts *f, const char *name, int64_t x) { snprintf(add(f, name)->text, sizeof f->fact->text, "%" PRId64, x); }

static void add_choice(Facts *f, const char *name, const char *values, int place)
{
    for (; place > 0; place--) values = strchr(values, '|') + 1;
    snprintf(add(f, name)->text, sizeof f->fact->text, "\"%.*s\"", (int)strcspn(values, "|"), values);
}

static void add_option(Facts *f, const Opt *o, const void *opts)
{
    const void *at = (const char *)opts + o->offset;
    switch (o->kind) {
    case OPT_INT:
    case OPT_SIZE:   add_int(f, o->field, *(const int64_t *)at); break;
    case OPT_REAL:   add_number(f, o->field, *(const double *)at); break;
    case OPT_FLAG:   add_int(f, o->field, *(const int *)at); break;
    case OPT_CHOICE: add_choice(f, o->field, o->values, *(const int *)at); break;
    case OPT_TEXT:
    case OPT_LIST:   break;              /* paths: the fingerprint knows the data better */
    }
}

static const Opt *option(const char *field)
{
    int i = 0;
    while (i < ntrain_opts && strcmp(train_opts[i].field, field)) i++;
    assert(i < ntrain_opts);
    return &train_opts[i];
}

void facts_make(Facts *f, const TrainOpts *t, const DataOpts *o, const Dataset *d)
{
    f->n = 0;
    add_int(f, "steps", facts_steps(t));
    for (size_t i = 0; i < sizeof decisive / sizeof *decisive; i++) add_option(f, option(decisive[i]), t);
    for (int i = 0; i < ndata_opts; i++) add_option(f, &data_opts[i], o);
    add_int(f, "sources", dataset_sources(d));
    add_int(f, "series", dataset_series(d));
    add_int(f, "points", dataset_points(d));
    add_int(f, "windows", dataset_windows(d));
    snprintf(add(f, "fingerprint")->text, sizeof f->fact->text, "\"%016" PRIx64 "\"", dataset_fingerprint(d));
}

void facts_write(const Facts *f, Str *json)
{
    for (int i = 0; i < f->n; i++) str_addf(json, "%s\"%s\": %s", i ? ", " : "{", f->fact[i].name, f->fact[i].text);
    str_add(json, "}", 1);
}

static void differs(Str *d, const Fact *here, const char *there, int n)
{
    str_addf(d, "%s%s is %.*s there, %s here", d->n ? "; " : "", here->name, n, there, here->text);
}

int facts_compare(const Facts *f, Json *j, Str *difference, Err *e)
{
    char key[64];
    int more, seen[FACTS_MAX] = {0};
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        int i = 0;
        if (json_key(j, key, sizeof key, e)) return -1;
        json_peek(j);
        const char *from = j->p;
        if (json_skip(j, e)) return -1;
        size_t n = (size_t)(j->p - from);
        while (i < f->n && strcmp(f->fact[i].name, key)) i++;
        if (i == f->n) continue;
        seen[i] = 1;
        if (strlen(f->fact[i].text) != n || memcmp(f->fact[i].text, from, n)) differs(difference, &f->fact[i], from, n < 48 ? (int)n : 48);
    }
    for (int i = 0; i < f->n && !more; i++)
        if (!seen[i]) return err_set(e, FTS_FORMAT, "\"%s\" is missing", f->fact[i].name);
    return more;
}
