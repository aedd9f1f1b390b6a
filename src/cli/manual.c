/* manual.c - see manual.h */
#include "cli/manual.h"

#include "cli/help.h"

/* Text as roff takes it: a dash that can be copied, a backslash that is one, no line that begins with a dot or a quote. */
static void put(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '-') fputs("\\-", to);
        else if (*text == '\\') fputs("\\e", to);
        else fputc(*text, to);
    }
}

static void put_option(FILE *to, const FtsOption *o)
{
    char left[96];
    const char *preset = help_preset(o);
    help_option(o, left, sizeof left);
    fputs(".TP\n.B ", to);
    put(to, left);
    fputc('\n', to);
    put(to, o->help);
    if (*preset) {
        fputs(" [", to);
        put(to, preset);
        fputc(']', to);
    }
    fputc('\n', to);
}

static int put_verb(FILE *to, const char *verb, const char *help, FtsError *e)
{
    FtsTask *t;
    FtsOption o;
    const char *operands = fts_verb_operands(verb);
    if (fts_task_open(&t, verb, e)) return -1;
    fputs(".SS foundationts ", to);
    put(to, verb);
    fprintf(to, "%s%s\n", *operands ? " " : "", operands);
    put(to, help);
    fputs(".\n", to);
    for (int i = 0; !fts_task_option(t, i, &o); i++) put_option(to, &o);
    fts_task_close(t);
    return 0;
}

int manual_write(FILE *to, FtsError *e)
{
    const char *verb, *help;
    fprintf(to, ".TH FOUNDATIONTS 1 \"\" \"foundationts %s\" \"User Commands\"\n"
                ".SH NAME\nfoundationts \\- train time\\-series foundation models and forecast with them\n"
                ".SH SYNOPSIS\n.B foundationts\n.I VERB\n[\\fB\\-\\-option\\fR \\fIvalue\\fR ...]\n.br\n.B foundationts\n.I VERB\n.B \\-\\-help\n.br\n.B foundationts \\-\\-version\n"
                ".SH DESCRIPTION\nAnswers go to standard output, everything else to standard error. A task is a verb; the default of an option stands in brackets.\n"
                ".SH VERBS\n", FTS_VERSION);
    for (int i = 0; (verb = fts_verb(i, &help)); i++)
        if (put_verb(to, verb, help, e)) return -1;
    fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 130 interrupted. A training run that saved on a signal ends with 0.\n"
          ".SH ENVIRONMENT\n.TP\n.B OMP_NUM_THREADS\nthreads, where \\-\\-threads does not say\n.TP\n.B HF_TOKEN, HF_ENDPOINT, HF_HOME\nof downloads from the Hugging Face Hub\n", to);
    return 0;
}
