/* task.c - a verb with its settings: open, set, run, close. */
#include "api/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/str.h"

static int unknown_verb(const char *verb, Err *e)
{
    Str all = {0};
    for (int i = 0; i < nverbs; i++) str_addf(&all, "%s%s", i ? ", " : "", verbs[i].name);
    err_set(e, FTS_USAGE, "unknown verb '%.100s', there are: %s", verb, all.failed ? "" : all.p);
    str_free(&all);
    return -1;
}

/* Tables of several rooms meet in a verb; a name that two of them have would silently hide one. */
static int names_are_unique(const FtsTask *t)
{
    const Opt *o, *first;
    const OptSet *in;
    for (int s = 0; s < t->nset; s++)
        for (int i = 0; i < t->set[s].n; i++) {
            o = &t->set[s].row[i];
            if (task_index(t, o->field, &in, &first) < 0 || first != o) return 0;
        }
    return 1;
}

int fts_task_open(FtsTask **to, const char *verb, FtsError *e)
{
    const Verb *v = verb_find(verb);
    *to = NULL;
    if (!v) return unknown_verb(verb, e);
    FtsTask *t = calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t, "a task");
    t->verb = v;
    t->nset = verb_sets(v, &t->s, t->set);
    if (opt_defaults(t->set, t->nset, e)) {
        fts_task_close(t);
        return -1;
    }
    assert(names_are_unique(t));
    *to = t;
    return 0;
}

int task_index(const FtsTask *t, const char *name, const OptSet **in, const Opt **o)
{
    int negated, at = 0;
    *o = opt_find(t->set, t->nset, name, in, &negated);
    if (!*o) return -1;
    for (const OptSet *s = t->set; s != *in; s++) at += s->n;
    at += (int)(*o - (*in)->row);
    assert(at < MAX_OPTIONS);
    return at;
}

void task_clear_list(const OptSet *in, const Opt *o)
{
    OptSet one = {o, 1, in->to};
    opt_free(&one, 1);
}

int fts_task_set(FtsTask *t, const char *option, const char *value, FtsError *e)
{
    const OptSet *in;
    const Opt *o;
    int at = task_index(t, option, &in, &o);
    if (at >= 0 && t->from[at] == FROM_CONFIG && o->kind == OPT_LIST) task_clear_list(in, o);
    if (opt_set(t->set, t->nset, option, value, e)) return -1;
    t->from[at] = FROM_USER;
    return 0;
}

/* How many it needs. */
static int operands_least(const Verb *v)
{
    int n = *v->operand && *v->operand != '[';
    for (const char *p = v->operand; *p; p++) n += *p == ' ' && p[1] != '[';
    return n;
}

/* Bytes of the text before " [RUN...]". */
static int required_length(const Verb *v)
{
    const char *optional = strstr(v->operand, " [");
    return (int)(optional ? (size_t)(optional - v->operand) : strlen(v->operand));
}

static int operands_most(const Verb *v)
{
    int n = *v->operand != 0;
    for (const char *p = v->operand; *p; p++) n += *p == ' ';
    return strstr(v->operand, "...") ? MAX_OPERANDS : n;
}

int fts_task_operand(FtsTask *t, const char *value, FtsError *e)
{
    int most = operands_most(t->verb);
    if (!most) return err_set(e, FTS_USAGE, "%s takes options only, got '%.200s'", t->verb->name, value);
    if (t->noperand == MAX_OPERANDS) return err_set(e, FTS_USAGE, "%s takes %d at most, got '%.200s' after them", t->verb->name, most, value);
    if (t->noperand == most)
        return err_set(e, FTS_USAGE, "%s takes %s%s, got '%.200s' after '%.200s'", t->verb->name, most == 1 ? "one " : "", t->verb->operand, value, t->operand[most - 1]);
    char *copy = strdup(value);
    if (!copy) return err_nomem(e, strlen(value) + 1, "an operand");
    t->operand[t->noperand++] = copy;
    return 0;
}

int fts_task_option(const FtsTask *t, int i, FtsOption *o)
{
    for (int s = 0; s < t->nset && i >= 0; i -= t->set[s].n, s++) {
        if (i >= t->set[s].n) continue;
        const Opt *row = &t->set[s].row[i];
        *o = (FtsOption){verb_flag(row), row->preset, row->values, row->help};
        return 0;
    }
    return -1;
}

int fts_task_run(FtsTask *t, FtsListener listener, void *user, FtsError *e)
{
    if (t->s.common.config && fts_task_config(t, t->s.common.config, e)) return -1;
    int least = operands_least(t->verb);
    if (t->noperand < least) return err_set(e, FTS_USAGE, "%s needs %s%.*s", t->verb->name, least == 1 ? "a " : "", required_length(t->verb), t->verb->operand);
    t->events = (Events){listener, user};
    return t->verb->run(t, e);
}

void fts_task_stop(FtsTask *t) { atomic_store(&t->stop, 1); }

void fts_task_close(FtsTask *t)
{
    if (!t) return;
    opt_free(t->set, t->nset);
    for (int i = 0; i < t->noperand; i++) free(t->operand[i]);
    free(t);
}
