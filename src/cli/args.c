/* args.c - see args.h */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "util/err.h"

const char *args_verb(Words w, int *used)
{
    char two[128];
    const char *verb;
    snprintf(two, sizeof two, "%s %s", w.n > 0 ? w.word[0] : "", w.n > 1 ? w.word[1] : "");
    for (int i = 0; (verb = fts_verb(i, NULL)); i++) {
        *used = strchr(verb, ' ') ? 2 : 1;
        if (w.n >= *used && !strcmp(verb, *used == 2 ? two : w.word[0])) return verb;
    }
    return NULL;
}

int args_help(Words w)
{
    for (int i = 0; i < w.n && strcmp(w.word[i], "--"); i++)
        if (!strcmp(w.word[i], "--help") || !strcmp(w.word[i], "-h")) return 1;
    return 0;
}

static int same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) return 0;
    return *a == *b;
}

static int is_option(const FtsTask *t, const char *name, FtsOption *o)
{
    for (int i = 0; !fts_task_option(t, i, o); i++)
        if (same_name(o->name, name)) return 1;
    return 0;
}

static int takes_value(const FtsTask *t, const char *name)
{
    FtsOption o;
    return is_option(t, name, &o) && *o.values;
}

/* The next word is the value unless it is an option itself: "--checkpoint-dir --patch" has lost a word. */
static const char *value_of(Words w, int i)
{
    return i + 1 < w.n && strncmp(w.word[i + 1], "--", 2) ? w.word[i + 1] : NULL;
}

/* Sets the option at place i; *used: words it took. */
static int set_option(FtsTask *t, Words w, int i, int *used, FtsError *e)
{
    const char *name = w.word[i] + 2, *equals = strchr(name, '=');
    char bare[256];
    *used = 1;
    if (equals) {
        snprintf(bare, sizeof bare, "%.*s", (int)(equals - name), name);
        return fts_task_set(t, bare, equals + 1, e);
    }
    if (!takes_value(t, name)) return fts_task_set(t, name, NULL, e);
    const char *value = value_of(w, i);
    *used = value ? 2 : 1;
    return fts_task_set(t, name, value, e);
}

int args_set(FtsTask *t, Words w, FtsError *e)
{
    int used, options = 1;
    for (int i = 0; i < w.n; i += used) {
        const char *word = w.word[i];
        used = 1;
        if (options && !strcmp(word, "--")) options = 0;
        else if (options && !strncmp(word, "--", 2)) {
            if (set_option(t, w, i, &used, e)) return -1;
        }
        else if (options && word[0] == '-' && word[1]) return err_set(e, FTS_USAGE, "unknown option %s: options begin with two dashes", word);
        else if (fts_task_operand(t, word, e)) return -1;
    }
    return 0;
}
