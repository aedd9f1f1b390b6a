/* args.h - the command line: which verb, and its words handed to a task. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "foundationts.h"

typedef struct Words { char **word; int n; } Words;

/* "train", or "data info" from two words; *used says how many. NULL: no such verb. */
const char *args_verb(Words w, int *used);
int args_help(Words w);                                     /* 1: --help or -h stands among them */
int args_set(FtsTask *t, Words w, FtsError *e);             /* options and operands */

#endif
