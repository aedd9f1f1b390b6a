/* synth.c - see synth.h. Every number is a function of (seed, series, index), so any thread may make any series. */
#include "data/synth.h"

#include "data/bin_write.h"
#include "data/synth_kernel.h"
#include "data/synth_simple.h"
#include "util/machine.h"
#include "util/par.h"
#include "util/rng.h"

const Opt synth_opts[] = {
#define X(...) OPT_ROW(SynthOpts, __VA_ARGS__),
#include "data/synth.def"
#undef X
};
const int nsynth_opts = sizeof synth_opts / sizeof *synth_opts;

typedef struct Job { const SynthOpts *o; const KernelSynth *kernels; int64_t first; float *out; } Job;    /* out: (series of the block, length) */

static uint64_t key_of(const Job *job, int item) { return rng_hash((uint64_t)job->o->seed, RNG_SYNTH, (uint64_t)(job->first + item)); }

static void make_simple(void *arg, int item, int worker)
{
    const Job *job = arg;
    (void)worker;
    simple_series(key_of(job, item), job->o->length, job->out + item * job->o->length);
}

static void make_kernel(void *arg, int item, int worker)
{
    const Job *job = arg;
    kernel_series(job->kernels, key_of(job, item), worker, job->out + item * job->o->length);
}

typedef struct Maker { const SynthOpts *o; Par *par; KernelSynth kernels; void (*progress)(void *ud, int64_t done, int64_t total); void *ud; } Maker;

static int open_nothing(Maker *m, Err *e)
{
    (void)m; (void)e;
    return 0;
}

static int open_kernels(Maker *m, Err *e) { return kernel_open(&m->kernels, m->o->length, par_threads(m->par), e); }

/* In the order of --kind's values in synth.def. */
static const struct { int (*open)(Maker *m, Err *e); ParItem *make; } kinds[] = {
    {/* simple */      open_nothing, make_simple},
    {/* kernelsynth */ open_kernels, make_kernel},
};

static int64_t length_of(void *user, int64_t i)
{
    const Maker *m = user;
    (void)i;
    return m->o->length;
}

static int make_block(void *user, int64_t first, int64_t n, void *out, Err *e)
{
    const Maker *m = user;
    Job job = {m->o, &m->kernels, first, out};
    (void)e;
    par_for(m->par, (int)n, kinds[m->o->kind].make, &job);
    return 0;
}

static int write_all(void *user, const char *dir, Err *e)
{
    const Maker *m = user;
    return bin_write(dir, &(BinSpec){"float32", sizeof(float), m->o->series, length_of, make_block, user, m->progress, m->ud}, e);
}

int synth_write(const char *out, const SynthOpts *o, void (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e)
{
    Maker m = {.o = o, .progress = progress, .ud = ud};
    if (o->series > INT64_MAX / 8 / o->length) return err_set(e, FTS_USAGE, "%lld series of %lld points are too many", (long long)o->series, (long long)o->length);
    int bad = par_open(&m.par, o->threads == OPT_UNSET ? machine_threads() : (int)o->threads, e) || kinds[o->kind].open(&m, e) || folder_write(out, write_all, &m, e);
    kernel_close(&m.kernels);
    par_close(m.par);
    return bad ? -1 : 0;
}
