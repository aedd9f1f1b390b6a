/* help.c - see help.h */
#include "cli/help.h"

#include <string.h>

enum { LEFT = 34, LINE = 110 };                             /* where the explanations begin, where lines end */

static int in_group(const char *verb, const char *group)
{
    size_t n = strlen(group);
    return !strncmp(verb, group, n) && verb[n] == ' ';
}

int is_group(const char *word)
{
    const char *verb;
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (in_group(verb, word)) return 1;
    return 0;
}

static void put_verbs(FILE *to, const char *group)
{
    const char *verb, *help;
    char name[80];
    for (int i = 0; (verb = fts_verb(i, &help)); i++) {
        if (group && !in_group(verb, group)) continue;
        snprintf(name, sizeof name, "%s %s", verb, fts_verb_operands(verb));
        fprintf(to, "  %-20s %s\n", name, help);
    }
}

void help_program(FILE *to)
{
    fprintf(to, "usage: foundationts VERB [--option value ...]\n\nVerbs:\n");
    put_verbs(to, NULL);
    fprintf(to, "\nfoundationts VERB --help lists the options of a verb, foundationts --version says what this build can do.\n"
                "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

void help_group(FILE *to, const char *group)
{
    fprintf(to, "usage: foundationts %s VERB [--option value ...]\n\nVerbs:\n", group);
    put_verbs(to, group);
}

static int is_switch(const FtsOption *o) { return !*o->values; }

/* "--batch-size N", "--patch", "--drop-last, --no-drop-last": a switch that is on or undecided has use for both. */
void help_option(const FtsOption *o, char *out, size_t size)
{
    if (!is_switch(o)) snprintf(out, size, "--%s %s", o->name, o->values);
    else if (!strcmp(o->preset, "0")) snprintf(out, size, "--%s", o->name);
    else snprintf(out, size, "--%s, --no-%s", o->name, o->name);
}

const char *help_preset(const FtsOption *o)
{
    if (!is_switch(o) || !*o->preset) return o->preset;
    return strcmp(o->preset, "0") ? "on" : "off";
}

/* Words of text from column `at` on, broken before LINE and indented to LEFT. */
static void put_wrapped(FILE *to, const char *text, int at)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (at > LEFT && at + 1 + n > LINE) {
            fprintf(to, "\n%*s", LEFT, "");
            at = LEFT;
        }
        at += fprintf(to, "%s%.*s", at > LEFT ? " " : "", n, text);
        text += n;
        while (*text == ' ') text++;
    }
    fputc('\n', to);
}

static void put_option(FILE *to, const FtsOption *o)
{
    char left[96], right[512];
    const char *preset = help_preset(o);
    help_option(o, left, sizeof left);
    int shown = *preset && !(is_switch(o) && !strcmp(preset, "off"));
    snprintf(right, sizeof right, "%s%s%s%s", o->help, shown ? " [" : "", shown ? preset : "", shown ? "]" : "");
    int n = fprintf(to, "  %s", left);
    if (n > LEFT - 2) n = fprintf(to, "\n") - 1;
    fprintf(to, "%*s", LEFT - n, "");
    put_wrapped(to, right, LEFT);
}

int help_verb(FILE *to, const char *verb, FtsError *e)
{
    FtsTask *t;
    FtsOption o;
    const char *operand = fts_verb_operands(verb), *name, *help = "";
    if (fts_task_open(&t, verb, e)) return -1;
    for (int i = 0; (name = fts_verb(i, &help)) && strcmp(name, verb); i++) { }
    fprintf(to, "usage: foundationts %s%s%s [--option value ...]\n\n%s\n\nOptions, with their default in brackets:\n", verb, *operand ? " " : "", operand, help);
    for (int i = 0; !fts_task_option(t, i, &o); i++) put_option(to, &o);
    fts_task_close(t);
    return 0;
}

/* '|' would end a cell of the table. */
static void put_cell(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') fputc('\\', to);
        fputc(*text, to);
    }
}

static void put_row(FILE *to, const FtsOption *o)
{
    char left[96];
    help_option(o, left, sizeof left);
    fputs("| `", to);
    put_cell(to, left);
    fprintf(to, "` | %s | ", help_preset(o));
    put_cell(to, o->help);
    fputs(" |\n", to);
}

int help_markdown(FILE *to, FtsError *e)
{
    const char *verb, *help;
    FtsTask *t;
    FtsOption o;
    fprintf(to, "# Options\n\nMade by `foundationts --help-markdown > docs/flags.md` from the tables that the program reads; a test compares them.\n");
    for (int i = 0; (verb = fts_verb(i, &help)); i++) {
        const char *operand = fts_verb_operands(verb);
        if (fts_task_open(&t, verb, e)) return -1;
        fprintf(to, "\n## foundationts %s%s%s\n\n%s\n\n| option | default | |\n|---|---|---|\n", verb, *operand ? " " : "", operand, help);
        for (int k = 0; !fts_task_option(t, k, &o); k++) put_row(to, &o);
        fts_task_close(t);
    }
    return 0;
}
