/* verb_export.c - a model in the published layout, without what only training needs. */
#include <stdio.h>

#include "api/task.h"
#include "data/bin_write.h"
#include "model/weights.h"

typedef struct Export { const Model *m; Dtype type; } Export;

static int write_files(void *user, const char *dir, Err *e)
{
    const Export *x = user;
    char config[4096], weights[4096];
    return path_join(config, sizeof config, dir, "config.json", e) || path_join(weights, sizeof weights, dir, "model.safetensors", e)
        || config_write(&x->m->c, config, x->m->c.aux_weight, x->type, e) || weights_save(weights, x->m, x->type, e) ? -1 : 0;
}

/* What the published class cannot be told. */
static const char *ours_alone(const ModelConfig *c)
{
    if (c->P != 1 || c->S != 1) return "patch tokens";
    if (c->B != 1) return "several expert layers in one decoder layer";
    return !c->dense && c->Fe != c->F / c->K ? "experts of another width than d_ff / k" : NULL;
}

static int export_model(FtsTask *t, Model *m, const char *folder, Err *e)
{
    Export x = {m, t->s.export.dtype == 1 ? BF16 : F32};
    const char *only = ours_alone(&m->c);
    if (weights_load(m, folder, e) || folder_write(t->operand[1], write_files, &x, e)) return -1;
    event_say(&t->events, FTS_EVENT_ANSWER, "%s: %lld parameters of %s as %s", t->operand[1], (long long)config_params(&m->c), folder, x.type == BF16 ? "bfloat16" : "float32");
    if (only) event_say(&t->events, FTS_EVENT_NOTICE, "this model has %s: only this program can read it", only);
    return 0;
}

int verb_export(FtsTask *t, Err *e)
{
    ModelConfig c;
    Backend *b = NULL;
    Model *m = NULL;
    char folder[4096];
    int bad = weights_folder(folder, sizeof folder, &c, t->operand[0], e) || backend_open(&b, "cpu", F32, 0, e) || model_open(&m, &c, b, 0, e)
           || export_model(t, m, folder, e);
    model_close(m);
    backend_close(b);
    return bad ? -1 : 0;
}
