/* main.c - foundationts VERB [--option value ...]: a client of foundationts.h like any other program. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/print.h"
#include "cli/signals.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, INTERRUPTED = 130 };

static int fail(const FtsError *e)
{
    fprintf(stderr, "foundationts: %s\n", e->message);
    if (e->code == FTS_STOPPED) return INTERRUPTED;
    return e->code == FTS_USAGE ? USAGE : FAILED;
}

/* The end of an answer that reached nobody is a failure too. */
static int flushed(void)
{
    if (!fflush(stdout) && !ferror(stdout)) return DONE;
    perror("foundationts: stdout");
    return FAILED;
}

static int status_of(const Print *p)
{
    if (p->broken) {
        fprintf(stderr, "foundationts: stdout: %s\n", strerror(p->broken));
        return FAILED;
    }
    return p->stopped && p->saved != p->step ? INTERRUPTED : DONE;
}

/* Verbs that write beside the final name and look often enough whether they shall stop. */
static int clears(const char *verb)
{
    static const char *const verbs[] = {"forecast", "data convert", "data synth"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verb, verbs[i])) return 1;
    return 0;
}

static int run_task(FtsTask *t, const char *verb)
{
    FtsError e;
    Print p;
    Signals s;
    print_init(&p, t);
    p.clears = clears(verb);
    if (signals_begin(&s, &p, &e)) return fail(&e);
    int bad = fts_task_run(t, print_event, &p, &e);
    signals_end(&s);
    bar_clear(&p.bar);
    return bad && !(p.broken && e.code == FTS_STOPPED) ? fail(&e) : status_of(&p);          /* a broken stdout is why it was stopped */
}

static int run_verb(const char *verb, Words w)
{
    FtsError e;
    FtsTask *t;
    if (args_help(w)) return help_verb(stdout, verb, &e) ? fail(&e) : flushed();
    if (fts_task_open(&t, verb, &e)) return fail(&e);
    int status = args_set(t, w, &e) ? fail(&e) : run_task(t, verb);
    fts_task_close(t);
    return status;
}

/* What is no verb: a group of verbs, or an error that lists what there is. */
static int no_verb(Words w)
{
    FtsError e;
    FtsTask *t;
    const char *word = w.word[0];
    if (is_group(word)) {
        int asked = args_help(w);
        if (w.n > 1 && !asked) fprintf(stderr, "foundationts: unknown verb '%.100s %.100s'\n\n", word, w.word[1]);
        help_group(asked ? stdout : stderr, word);
        return asked ? flushed() : USAGE;
    }
    if (word[0] == '-') {
        fprintf(stderr, "foundationts: %.100s stands where a verb is expected (see foundationts --help)\n", word);
        return USAGE;
    }
    fts_task_open(&t, word, &e);
    return fail(&e);
}

static int print_version(void)
{
    char text[512];
    fts_describe(text, sizeof text);
    puts(text);
    return flushed();
}

/* Pages and scripts that are made from the tables: for docs/flags.md and for make install. */
static const struct { const char *word; int (*write)(FILE *to, FtsError *e); } made[] = {
    {"--help-markdown", help_markdown}, {"--help-man", manual_write}, {"--help-bash", complete_bash}, {"--help-zsh", complete_zsh},
};

static int print_made(int i)
{
    FtsError e;
    return made[i].write(stdout, &e) ? fail(&e) : flushed();
}

int main(int argc, char **argv)
{
    Words w = {argv + 1, argc - 1};
    int used;
    signal(SIGPIPE, SIG_IGN);               /* a reader that goes away is an error of stdout, which ends a run in order */
    signal(SIGXFSZ, SIG_IGN);               /* so is a file larger than ulimit allows one of that file */
    if (w.n < 1) {
        help_program(stderr);
        return USAGE;
    }
    const char *verb = args_verb(w, &used);
    if (verb) return run_verb(verb, (Words){w.word + used, w.n - used});
    if (!strcmp(w.word[0], "--help") || !strcmp(w.word[0], "-h")) {
        help_program(stdout);
        return flushed();
    }
    if (!strcmp(w.word[0], "--version")) return print_version();
    for (int i = 0; i < (int)(sizeof made / sizeof *made); i++)
        if (!strcmp(w.word[0], made[i].word)) return print_made(i);
    return no_verb(w);
}
