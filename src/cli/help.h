/* help.h - what --help says at each level, made from the rows that the parser reads. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "foundationts.h"

void help_program(FILE *to);
void help_group(FILE *to, const char *group);               /* "data": the verbs that begin with it */
int  help_verb(FILE *to, const char *verb, FtsError *e);
int  help_markdown(FILE *to, FtsError *e);                  /* docs/flags.md */
void help_option(const FtsOption *o, char *out, size_t size);   /* "--batch-size N", "--drop-last, --no-drop-last" */
const char *help_preset(const FtsOption *o);                /* default: as text, "on", "off" or "" */
int  is_group(const char *word);

#endif
