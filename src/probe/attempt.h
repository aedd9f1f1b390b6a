/* attempt.h - inside of probe: one training run of a candidate, and what the stages of a probe share. */
#ifndef PROBE_ATTEMPT_H
#define PROBE_ATTEMPT_H

#include "probe/probe.h"
#include "train/run.h"

typedef struct Attempt {
    Probe      *p;                       /* not owned, nor are the candidate and texts of the options */
    Candidate  *c;
    TrainOpts   train;
    DeviceOpts  device;
    TrainSpec   spec;                    /* points at those, and r at it: an Attempt stays where it is */
    Run         r;
    int         quiet;                   /* what a run says before its first step is not passed on */
} Attempt;

int  attempt_plan(Attempt *t, Probe *p, Candidate *c, Err *e);       /* data, device and a plan within all of the limit */
int  attempt_open(Attempt *t, Probe *p, Candidate *c, Err *e);       /* the same within what is free now, ready for the first step */
void attempt_limit(Attempt *t);                                  /* what is planned from now on fits what is free now; others may have taken more */
int64_t attempt_memory(const Attempt *t);                        /* bytes that an open one holds, of the memory that its device computes in */
void attempt_close(Attempt *t);
int  attempt_step(Attempt *t, const Batch *b, double *seconds, Err *e);

const Candidate *probe_strictest(const Probe *p);                /* whose windows all candidates are given */
void probe_notice(const Probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int  probe_stop(Probe *p);                                       /* 1: somebody or --max-wall-time-s asks to end; from then on always */
void probe_did(Probe *p, double flops);                          /* tells how far the probe is */

/* options.c: from the lists of probe.def */
int  candidates_make(Probe *p, Err *e);
int  sizes_make(const Probe *p, Candidate *c, Err *e);
/* The stages, each for one candidate. */
int  largest_find(Attempt *t, Err *e);                             /* of a planned attempt */
int  largest_run(Attempt *t, Err *e);                              /* of an open one, which goes on with other batches */
double largest_flops(const Probe *p, const Candidate *c);
int  speed_measure(Attempt *t, Err *e);                            /* likewise */
double speed_flops(const Probe *p, const Candidate *c, int64_t windows);     /* that it makes of one size, about */
int  learn(Probe *p, Candidate *c, Err *e);

/* Of steps already timed: s gets medians. */
void speed_from(Speed *s, double *seconds, double *tokens, double *points, int n);
enum { MEASURE_MAX = 64 };
extern const double STEP_SECONDS;                                /* a step that takes longer is not made only to measure it */

#endif
