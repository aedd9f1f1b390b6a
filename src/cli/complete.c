/* complete.c - see complete.h */
#include "cli/complete.h"

#include <string.h>

static int is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

static int wants_path(const char *values) { return strstr(values, "DIR") || strstr(values, "FILE") || strstr(values, "PATH") || strstr(values, "MODEL"); }

/* The words of "zero|max|none"; of "DIR|latest" only the second, of "auto|cpu|cuda[:I]" the third is cuda. */
static void put_values(FILE *to, const char *values)
{
    for (const char *p = values; *p;) {
        size_t n = strcspn(p, "|"), word = 0;
        while (word < n && is_word(p[word])) word++;
        if (word && strchr(values, '|')) fprintf(to, " %.*s", (int)word, p);
        p += n + (p[n] == '|');
    }
}

static int put_verb(FILE *to, const char *verb, FtsError *e)
{
    FtsTask *t;
    FtsOption o;
    if (fts_task_open(&t, verb, e)) return -1;
    fprintf(to, "    '%s') options='--help", verb);
    for (int i = 0; !fts_task_option(t, i, &o); i++) {
        fprintf(to, " --%s", o.name);
        if (!*o.values && strcmp(o.preset, "0")) fprintf(to, " --no-%s", o.name);
    }
    fputs("' ;;\n", to);
    fts_task_close(t);
    return 0;
}

/* What may follow an option of a verb: words, files, or nothing that could be known. */
static int put_choices(FILE *to, const char *verb, FtsError *e)
{
    FtsTask *t;
    FtsOption o;
    if (fts_task_open(&t, verb, e)) return -1;
    for (int i = 0; !fts_task_option(t, i, &o); i++) {
        if (!*o.values) continue;
        fprintf(to, "    '%s --%s') takes=1 files=%d values='", verb, o.name, wants_path(o.values));
        put_values(to, o.values);
        fputs("' ;;\n", to);
    }
    fts_task_close(t);
    return 0;
}

static void put_top(FILE *to)
{
    const char *verb;
    fputs("--help --version", to);
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (!strchr(verb, ' ')) fprintf(to, " %s", verb);
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (!strncmp(verb, "data ", 5)) { fputs(" data", to); return; }
}

static int put_body(FILE *to, FtsError *e)
{
    const char *verb;
    fputs("_foundationts()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} options= values= takes=0 files=0\n"
          "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W '", to);
    put_top(to);
    fputs("' -- \"$cur\")); return; fi\n    if [ \"$verb\" = data ]; then\n        if [ \"$COMP_CWORD\" -eq 2 ]; then COMPREPLY=($(compgen -W '--help", to);
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (!strncmp(verb, "data ", 5)) fprintf(to, " %s", verb + 5);
    fputs("' -- \"$cur\")); return; fi\n        verb=\"data ${COMP_WORDS[2]}\"\n    fi\n    case \"$verb\" in\n", to);
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (put_verb(to, verb, e)) return -1;
    fputs("    esac\n    case \"$verb $prev\" in\n", to);
    for (int i = 0; (verb = fts_verb(i, NULL)); i++)
        if (put_choices(to, verb, e)) return -1;
    fputs("    esac\n    if [ $takes = 1 ]; then\n        [ -z \"$values\" ] || COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n"
          "        [ $files = 0 ] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
          "    elif [ \"${cur#-}\" != \"$cur\" ]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    else COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n", to);
    return 0;
}

int complete_bash(FILE *to, FtsError *e)
{
    fputs("# Completion of foundationts for bash, made by: foundationts --help-bash\n", to);
    if (put_body(to, e)) return -1;
    fputs("complete -o filenames -F _foundationts foundationts\n", to);
    return 0;
}

int complete_zsh(FILE *to, FtsError *e)
{
    fputs("#compdef foundationts\n# Completion of foundationts for zsh, made by: foundationts --help-zsh\nautoload -Uz bashcompinit && bashcompinit\n", to);
    if (put_body(to, e)) return -1;
    fputs("complete -o filenames -F _foundationts foundationts\n", to);
    return 0;
}
