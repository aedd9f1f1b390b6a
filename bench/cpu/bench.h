/* bench.h - the parts of the CPU benchmark: is the machine quiet, what can it do at most, what do single ops and whole runs do.
 * A Markdown report goes to stdout part by part; what is under way goes to stderr. */
#ifndef CPU_BENCH_H
#define CPU_BENCH_H

#include <stddef.h>

#include "kernels/cpu/bf16_mm.h"
#include "kernels/backend.h"
#include "model/config.h"

typedef enum { SMOKE, QUICK, FULL } Extent;

typedef struct Bench {
    Extent extent;
    int    anyway;                       /* measure on a busy machine too, and say so */
    int    threads;                      /* what the machine allows */
    const char *only;                    /* sizes whose name contains it; "": all */
    const char *program, *python;        /* paths; python NULL or "": nothing to compare with */
    const char *data, *ragged;           /* folders: long series; series most of which are short */
    char   work[256];                    /* a folder for files of this run */
} Bench;

typedef struct Sample { double median, low, high; int n; } Sample;
Sample sample_of(double *x, int n);                                    /* sorts x; n 0: all zero */
void   progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Threads that start together, each on a core of its own, and work for some time. */
typedef double Work(void *arg, int thread);                            /* a piece of work of up to some milliseconds; returns its operations or bytes */
double team_rate(int threads, Work *work, void *arg, double seconds);  /* per second, summed over the threads; the first piece of each is not counted */

/* What the cores can do, from registers: fp32 fused multiply and add for each instruction set, best last. */
typedef struct Isa { const char *name; int (*here)(void); Work *work; } Isa;
extern const Isa isas[];
extern const int nisas;
const Isa *isa_best(void);

enum { AMX_BYTES = 1 << 20 };                                          /* of tiles, for each thread: half of the L2 cache of all that have the unit */
Work   amx_registers, amx_l2;                                          /* arg: unused; AMX_BYTES for each thread */
Work   dot_registers;                                                  /* products of pairs of bf16 (AVX512-BF16) */

enum { LEVELS = 4, ONE = 0, ALL = 1 };                                 /* ONE, ALL: with one thread, with all */
typedef struct Ceilings {
    double fma[2];                       /* FLOP/s, fp32, best instruction set */
    double bf16[2];                      /* FLOP/s: by AMX with operands in the L2 cache, else by AVX512-BF16 from registers; 0: neither is there */
    double bytes[LEVELS][2];             /* per second; L1, L2, L3, memory: the best of reading, copying and the triad */
    size_t cache[LEVELS];                /* bytes; of the last: 0 */
} Ceilings;
void ceilings_measure(const Bench *b, Ceilings *c);
void memory_caches(Ceilings *c);           /* fills cache */
void memory_measure(const Bench *b, Ceilings *c);                      /* the rows of that table about memory */
void ceiling_row(const Bench *b, const char *name, const char *unit, Work *work, void *arg, double best[2]);   /* best: kept where it is better already */
double ceiling_flops(const Ceilings *c, Dtype type, int threads);
double ceiling_bytes(const Ceilings *c, double footprint, int threads);    /* of the smallest level that holds it */

/* 0: quiet, 1: not. why: what speaks against it, or what was seen. */
int  quiet_check(const Bench *b, char *why, size_t size);
double cpu_busy(void);                   /* seconds that the cores this process may use have been busy, with whatever */

/* A size to measure: a model, its windows, how much of it. */
typedef enum { OPS_NONE, OPS_ATTENTION, OPS_ALL } OpsOf;
typedef struct Size {
    const char *name, *options;          /* options of the program that give the model */
    int C, batch;                        /* points of a window, windows of a step */
    int steps, rounds[3];                /* of a run; runs of each program, by Extent: 0 for not at all */
    OpsOf ops;                           /* those that another size does not measure already */
    int ragged;                          /* on short series, which a batch with padding fills up */
    int    grows[3];                     /* by Extent: runs for each batch size, to see how the time of a step grows; 0 for not at all */
} Size;
extern const Size sizes[];
extern const int nsizes;
int  size_wanted(const Bench *b, const Size *s);
int  size_config(const Size *s, ModelConfig *c, Err *e);

int  ops_measure(const Bench *b, const Ceilings *c, Err *e);
int  train_measure(const Bench *b, const Ceilings *c, Err *e);
int  growth_measure(const Bench *b, Err *e);                           /* time of a step against its tokens */
int  use_bf16(void);                                                   /* bf16 runs are measured where the machine multiplies it */

/* A program that trains, watched from outside. */
enum { MAX_STEPS = 256, MAX_WORDS = 64 };
typedef struct Trained {
    double tokens[MAX_STEPS], points[MAX_STEPS], ms[MAX_STEPS];        /* per second; of a step */
    int    n;                            /* steps told, without those left out as warm-up */
    double peak;                         /* bytes: the largest anonymous resident size that was seen */
    double planned;                      /* bytes that a dry run says it would take */
    double others;                       /* share of the cores that other programs took in the worst run */
} Trained;
int  train_watch(const Bench *b, Trained *t, char *const *argv, int warm, Err *e);     /* adds to t; warm: steps to leave out */

#endif
