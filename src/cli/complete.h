/* complete.h - completion for shells, from the rows that the parser reads: verbs, options, the values of those that list them, files. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <stdio.h>

#include "foundationts.h"

int complete_bash(FILE *to, FtsError *e);
int complete_zsh(FILE *to, FtsError *e);                    /* the same, through zsh's own bashcompinit */

#endif
