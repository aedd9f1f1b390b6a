/* cli.h - runs the program that FTS_PROGRAM names, through a shell, and looks at what it said. */
#ifndef TESTS_CLI_H
#define TESTS_CLI_H

#include "test.h"

/* The whole path of the program; NULL after a test_skip() if there is none. */
const char *cli_program(void);

typedef struct Said { int status; char out[65536], err[65536]; } Said;   /* status: exit status, 128 + number after a signal */

/* Runs `command` with $P set to the program. The answer is static: it holds until the next call. */
const Said *cli(const char *command, ...) __attribute__((format(printf, 1, 2)));

/* Ends the test unless the program said exactly this: status, the last line of stderr, and nothing on stdout. */
int cli_fails(const Said *s, int status, const char *last_line);

int cli_match(const char *text, const char *pattern);                       /* POSIX extended, against the whole text */
int cli_lines(const char *text, const char *const *pattern, int n);         /* n lines, each matching its own; the first that does not is printed */
int cli_line(const char *text, const char *pattern);                        /* some line matches */

const char *cli_data(void);                                                 /* a small dataset, made once */
int cli_same_file(const char *a, const char *b);                            /* byte for byte */

/* A model of some thousand parameters on that data. */
#define CLI_SMALL "--hidden-size 16 --n-decoder-layers 1 --num-experts 2 --k 1 --n-head 2 --seq-max-len 64 --seq-stride 64 --batch-size 8 --warmup-steps 2 --threads 2"

#endif
