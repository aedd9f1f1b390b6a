/* test_made.c - what the program makes of its tables: the page of man, and completion as a shell does it; and where they are installed. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "foundationts.h"

/* What the shell would offer behind the words, in one line. */
static const Said *offered(const char *words)
{
    static const char *dir;
    if (!dir) dir = test_folder();
    return cli("$P --help-bash >%s/c.bash; bash -c '. %s/c.bash; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _foundationts; echo \"${COMPREPLY[*]}\"'",
               dir, dir, words);
}

TEST(cli_bash_completes)
{
    static const struct { const char *words, *offers; } row[] = {
        {"foundationts tr", "train"},
        {"foundationts da", "data"},
        {"foundationts data s", "synth"},
        {"foundationts train --batch", "--batch-size"},
        {"foundationts train --no-drop", "--no-drop-last"},
        {"foundationts train --normalization-func m", "max"},
        {"foundationts train --device c", "cpu cuda"},
        {"foundationts data synth --kind k", "kernelsynth"},
        {"foundationts data synth --ki", "--kind"},
        {"foundationts train --seed 1", ""},
        {"foundationts train --dataset-path /usr/includ", "/usr/include"},
        {"foundationts data info /usr/includ", "/usr/include"},
    };
    char want[256];
    if (!cli_program()) return;
    if (cli("command -v bash")->status) { test_skip("bash is not installed"); return; }
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const Said *s = offered(row[i].words);
        snprintf(want, sizeof want, "%s\n", row[i].offers);
        if (s->status || *s->err || strcmp(s->out, want)) test_fail(__FILE__, __LINE__, "%s: offers '%s', want '%s'; %s", row[i].words, s->out, want, s->err);
    }
}

TEST(cli_zsh_reads_its_completion)
{
    if (!cli_program()) return;
    if (cli("command -v zsh")->status) { test_skip("zsh is not installed"); return; }
    const char *dir = test_folder();
    const Said *s = cli("$P --help-zsh >%s/_f; zsh -fc 'autoload -Uz compinit; compinit -u -D; . %s/_f; whence -w _foundationts'", dir, dir);
    CHECK(s->status == 0 && strstr(s->out, "function"));
}

TEST(cli_man_page_is_clean_and_whole)
{
    if (!cli_program()) return;
    const char *verb;
    char want[128];
    const Said *s = cli("$P --help-man");
    CHECK(s->status == 0 && !*s->err && !strncmp(s->out, ".TH FOUNDATIONTS 1 ", 19));
    for (int i = 0; (verb = fts_verb(i, NULL)); i++) {
        snprintf(want, sizeof want, "\n.SS foundationts %s", verb);
        if (!strstr(s->out, want)) test_fail(__FILE__, __LINE__, "no section for %s", verb);
    }
    if (cli("command -v groff")->status) { test_skip("groff is not installed"); return; }
    s = cli("$P --help-man | groff -man -Tutf8 -ww -z");
    CHECK(s->status == 0 && !*s->err && !*s->out);
}
