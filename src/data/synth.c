/* synth.c - see synth.h. Every number is a function of (seed, series, index), so any thread may make any series. */
#include "data/synth.h"

#include <stdlib.h>

#include "data/bin_write.h"
#include "data/synth_kernel.h"
#include "data/synth_mix.h"
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

enum { AT_ONCE = 256 };                  /* series between two words about how far it is */

typedef struct Maker {
    const SynthOpts *o;
    Par *par;
    KernelSynth kernels;
    Mix mix;
    Err *err;                            /* (threads) of the worker's last failure; code 0: none */
    const Events *to;
    int (*progress)(void *ud, int64_t done, int64_t total);
    void *ud;
} Maker;

typedef struct Job { const Maker *m; int64_t first; float *out; } Job;      /* out: (series of the block, length) */

static uint64_t key_of(const Job *job, int item) { return rng_hash((uint64_t)job->m->o->seed, RNG_SYNTH, (uint64_t)(job->first + item)); }
static float   *out_of(const Job *job, int item) { return job->out + item * job->m->o->length; }

static void make_simple(void *arg, int item, int worker)
{
    const Job *job = arg;
    (void)worker;
    simple_series(key_of(job, item), job->m->o->length, out_of(job, item));
}

static void make_kernel(void *arg, int item, int worker)
{
    const Job *job = arg;
    kernel_series(&job->m->kernels, key_of(job, item), worker, out_of(job, item));
}

static void make_mix(void *arg, int item, int worker)
{
    const Job *job = arg;
    mix_series(&job->m->mix, key_of(job, item), out_of(job, item), &job->m->err[worker]);
}

static int open_nothing(Maker *m, Err *e)
{
    (void)m; (void)e;
    return 0;
}

static int open_kernels(Maker *m, Err *e) { return kernel_open(&m->kernels, m->o->length, par_threads(m->par), e); }
static int open_mix(Maker *m, Err *e) { return mix_open(&m->mix, &m->o->dataset_path, m->o->length, m->to, e); }

/* In the order of --kind's values in synth.def. */
static const struct { int (*open)(Maker *m, Err *e); ParItem *make; int mixes; } kinds[] = {
    {/* simple */      open_nothing, make_simple, 0},
    {/* kernelsynth */ open_kernels, make_kernel, 0},
    {/* tsmixup */     open_mix,     make_mix,    1},
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
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        Job job = {m, first + at, (float *)out + at * m->o->length};
        int64_t now = n - at < AT_ONCE ? n - at : AT_ONCE;
        par_for(m->par, (int)now, kinds[m->o->kind].make, &job);
        for (int i = 0; i < par_threads(m->par); i++)
            if (m->err[i].code) {
                *e = m->err[i];
                return -1;
            }
        if (m->progress && m->progress(m->ud, first + at + now, m->o->series)) return err_set(e, FTS_STOPPED, "stopped after %lld series, nothing written", (long long)(first + at + now));
    }
    return 0;
}

static int write_all(void *user, const char *dir, Err *e)
{
    const Maker *m = user;
    return bin_write(dir, &(BinSpec){.dtype = "float32", .size = sizeof(float), .series = m->o->series, .length = length_of, .fill = make_block, .user = user}, e);
}

static int check(const SynthOpts *o, Err *e)
{
    if (o->series > INT64_MAX / 8 / o->length) return err_set(e, FTS_USAGE, "%lld series of %lld points are too many", (long long)o->series, (long long)o->length);
    if (o->dataset_path.n && !kinds[o->kind].mixes) return err_set(e, FTS_USAGE, "--dataset-path is for --kind tsmixup only");
    return 0;
}

static int open_maker(Maker *m, Err *e)
{
    int threads = m->o->threads == OPT_UNSET ? machine_threads() : (int)m->o->threads;
    if (par_open(&m->par, threads, e)) return -1;
    m->err = calloc((size_t)par_threads(m->par), sizeof *m->err);
    return m->err ? kinds[m->o->kind].open(m, e) : err_nomem(e, (size_t)threads * sizeof *m->err, "synthetic series");
}

int synth_write(const char *out, const SynthOpts *o, const Events *to, int (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e)
{
    Maker m = {.o = o, .to = to, .progress = progress, .ud = ud};
    int bad = check(o, e) || open_maker(&m, e) || folder_write(out, write_all, &m, e);
    kernel_close(&m.kernels);
    mix_close(&m.mix);
    par_close(m.par);
    free(m.err);
    return bad ? -1 : 0;
}
