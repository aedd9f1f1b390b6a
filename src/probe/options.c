/* options.c - see options.h: the table of probe.def, and the models that its lists ask for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/attempt.h"

const Opt probe_opts[] = {
#define X(...) OPT_ROW(ProbeOpts, __VA_ARGS__),
#include "probe/probe.def"
#undef X
};
const int nprobe_opts = sizeof probe_opts / sizeof *probe_opts;

/* The next word of "a,b,c"; 0: there is none. An empty word is one, and no option takes it. */
static int next_word(const char **list, char *word, size_t size)
{
    if (!*list) return 0;
    size_t n = strcspn(*list, ",");
    snprintf(word, size, "%.*s", (int)n, *list);
    *list = (*list)[n] ? *list + n + 1 : NULL;
    return 1;
}

/* Options of a model have no texts, so a copy is a whole one, and their table checks each word of a list. */
static int set(ModelOpts *o, const char *option, const char *value, Err *e)
{
    return opt_set(&(OptSet){model_opts, nmodel_opts, o}, 1, option, value, e);
}

static void name_it(Candidate *c)
{
    const ModelConfig *m = &c->c;
    static const char *const preset[] = {"", " base", " large", " ultra"};
    char tokens[40] = "point", width[16] = "";
    if (c->opts.patch && m->P == m->S) snprintf(tokens, sizeof tokens, "patch %d", m->P);
    else if (c->opts.patch) snprintf(tokens, sizeof tokens, "patch %d/%d", m->P, m->S);
    if (!c->preset || c->opts.hidden_size != OPT_UNSET) snprintf(width, sizeof width, " %d", m->D);
    snprintf(c->name, sizeof c->name, "%s%s%s", tokens, preset[c->preset], width);
}

static int same_model(const ModelConfig *a, const ModelConfig *b)
{
    Str difference = {0};
    int same = config_same(a, b, &difference);
    str_free(&difference);
    return same;
}

static int add(Probe *p, const ModelOpts *o, Err *e)
{
    if (p->n == CANDIDATES_MAX) return err_set(e, FTS_USAGE, "more than %d models: shorten --hidden-size, --patch-len or --preset", CANDIDATES_MAX);
    Candidate *c = &p->candidate[p->n];
    *c = (Candidate){.opts = *o, .preset = o->preset};
    if (config_from_opts(&c->c, o, e)) return -1;
    name_it(c);
    for (int i = 0; i < p->n; i++)
        if (same_model(&p->candidate[i].c, &c->c)) return err_set(e, FTS_USAGE, "%s and %s are one model: leave one of them out", p->candidate[i].name, c->name);
    if (c->c.P + 1 > p->min_points) p->min_points = c->c.P + 1;
    p->n++;
    return 0;
}

static int add_kinds(Probe *p, ModelOpts *o, Err *e)
{
    const ProbeOpts *b = p->spec->probe;
    const char *list = b->patch_len;
    char word[32];
    o->patch = 0;
    if (b->patch != 1 && add(p, o, e)) return -1;
    o->patch = 1;
    while (b->patch && next_word(&list, word, sizeof word)) {
        if (set(o, "patch-len", word, e)) return -1;
        o->patch_stride = b->patch_stride == OPT_UNSET ? o->patch_len : b->patch_stride;
        if (add(p, o, e)) return -1;
    }
    return 0;
}

static int add_widths(Probe *p, ModelOpts *o, Err *e)
{
    const char *list = p->spec->probe->hidden_size;
    char word[32];
    o->hidden_size = OPT_UNSET;
    if (!list) return add_kinds(p, o, e);
    while (next_word(&list, word, sizeof word))
        if (set(o, "hidden-size", word, e) || add_kinds(p, o, e)) return -1;
    return 0;
}

int candidates_make(Probe *p, Err *e)
{
    const char *list = p->spec->probe->preset;
    ModelOpts o = *p->spec->model;
    char word[32];
    o.preset = 0;
    if (!list) return add_widths(p, &o, e);
    while (next_word(&list, word, sizeof word))
        if (set(&o, "preset", word, e) || add_widths(p, &o, e)) return -1;
    return 0;
}

static int add_size(Candidate *c, int64_t windows)
{
    if (c->nsize == SIZES_MAX || (c->nsize && c->size[c->nsize - 1] >= windows)) return -1;
    c->size[c->nsize++] = windows;
    return 0;
}

static int sizes_asked(Candidate *c, const char *list, Err *e)
{
    TrainOpts t;
    char word[32];
    const Opt *row = train_opts;
    while (strcmp(row->field, "batch_size")) row++;
    while (next_word(&list, word, sizeof word)) {
        if (opt_set(&(OptSet){row, 1, &t}, 1, "batch-size", word, e)) return err_set(e, FTS_USAGE, "--batch-sizes: '%s' is no number of windows", word);
        if (add_size(c, t.batch_size)) return err_set(e, FTS_USAGE, "--batch-sizes: up to %d of them, ascending", SIZES_MAX);
    }
    return 0;
}

/* More windows than a pass over the data has are one step of all of them. */
int sizes_make(const Probe *p, Candidate *c, Err *e)
{
    int64_t most = c->runnable < p->windows ? c->runnable : p->windows;
    c->nsize = 0;
    if (p->spec->probe->batch_sizes) return sizes_asked(c, p->spec->probe->batch_sizes, e);
    for (int64_t n = 1; n < most && c->nsize < SIZES_MAX - 1; n *= 4) add_size(c, n);
    if (most) add_size(c, most);
    return 0;
}
