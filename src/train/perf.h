/* perf.h - how fast a run is: real tokens and points, without the time of validations and checkpoints. */
#ifndef TRAIN_PERF_H
#define TRAIN_PERF_H

#include "kernels/backend.h"
#include "util/event.h"

typedef struct Perf {
    double  since, paused, waited;       /* since the last line: its time; seconds in validations and checkpoints; seconds waiting for data */
    int64_t steps, tokens, points;       /* since the last line */
    double  flops;                       /* of those steps */
    double  peak;                        /* FLOP/s of the device, 0: not known */
    double  longest_step, longest_save;  /* seconds */
    double  all_steps;                   /* seconds of all steps of this process */
    int64_t nsteps;
} Perf;

void perf_begin(Perf *p, double peak_tflops);
void perf_step(Perf *p, double seconds, double waited, int64_t tokens, int64_t points, double flops);
void perf_fill(const Perf *p, Event *ev);                      /* rates since the last line, and the time left */
void perf_line(Perf *p);                                       /* a line was due: start anew */
double perf_next(const Perf *p);                               /* seconds that another step and a checkpoint may take */

/* Times one large product of such numbers on a backend of its own. FLOP/s in 1e12. side: of its three matrices. */
int perf_measure(double *tflops, int *side, const char *device, Dtype type, int threads, Err *e);
/* Times a copy of the device's memory, on a CPU by all threads: bytes per second, read and written. */
int perf_measure_copy(double *rate, Backend *b, Err *e);

#endif
