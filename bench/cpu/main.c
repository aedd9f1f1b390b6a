/* main.c - the CPU benchmark; bench/cpu.sh builds it, makes its data and begins the report that this one goes on with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "util/file.h"
#include "util/machine.h"

static const char usage[] =
    "usage: cpu smoke|quick|full [anyway] SIZES PROGRAM PYTHON DATA RAGGED WORK\n"
    "  anyway: measure on a busy machine too.  SIZES: part of the names of those to measure, or \"\".  PROGRAM: foundationts.\n"
    "  PYTHON: one that has PyTorch, or \"\".  DATA, RAGGED: folders of long and of mostly short series.  WORK: a folder for temporary files.\n";

static int parse(Bench *b, int argc, char **argv)
{
    static const char *const extent[] = {"smoke", "quick", "full"};
    int i = 1;
    *b = (Bench){.threads = machine_threads()};
    while (argc > 1 && (int)b->extent < 3 && strcmp(argv[1], extent[b->extent])) b->extent++;
    b->anyway = argc > 2 && !strcmp(argv[2], "anyway");
    i += 1 + b->anyway;
    if (argc != i + 6 || (int)b->extent == 3 || strlen(argv[i + 5]) >= sizeof b->work) return -1;
    b->only = argv[i];
    b->program = argv[i + 1];
    b->python = argv[i + 2];
    b->data = argv[i + 3];
    b->ragged = argv[i + 4];
    memcpy(b->work, argv[i + 5], strlen(argv[i + 5]) + 1);
    return 0;
}

static int measure(const Bench *b, Err *e)
{
    Ceilings c;
    ceilings_measure(b, &c);
    return ops_measure(b, &c, e) || train_measure(b, &c, e) || growth_measure(b, e) ? -1 : 0;
}

int main(int argc, char **argv)
{
    Bench b;
    Err e;
    char why[512];
    if (parse(&b, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    int busy = quiet_check(&b, why, sizeof why);
    if (busy && !b.anyway && b.extent != SMOKE) {
        fprintf(stderr, "cpu: this machine is not quiet, its numbers would mislead: wait, or say --anyway\n");
        return 3;
    }
    printf("\nBefore: %s.\n", why);
    if (measure(&b, &e)) {
        fprintf(stderr, "cpu: %s\n", e.message);
        return 1;
    }
    b.anyway = 1;                        /* one look tells enough */
    (void)quiet_check(&b, why, sizeof why);
    printf("\nAfter: %s.\n", why);
    return 0;
}
