/* synth.c - see synth.h
 *
 * A series of kind simple is level + trend + one to three seasonal patterns + level steps + AR(1) noise, at a scale of its own.
 * Every number is a function of (seed, series, index), so any thread may make any series. */
#include "data/synth.h"

#include <math.h>

#include "data/bin_write.h"
#include "data/synth_kernel.h"
#include "util/machine.h"
#include "util/par.h"
#include "util/rng.h"

const Opt synth_opts[] = {
#define X(...) OPT_ROW(SynthOpts, __VA_ARGS__),
#include "data/synth.def"
#undef X
};
const int nsynth_opts = sizeof synth_opts / sizeof *synth_opts;

enum { MAX_PERIOD = 365, MAX_SEASONS = 3, MAX_STEPS = 2 };
#define NOISE_FROM   ((uint64_t)1 << 32)         /* of a series' numbers those below shape it, those above are its noise */

static const int periods[] = {4, 7, 12, 24, 30, 48, 52, 96, 168, MAX_PERIOD};
enum { NPERIODS = sizeof periods / sizeof *periods };

typedef struct Draw { uint64_t key, used; } Draw;
static double draw(Draw *d, double low, double high) { return low + (high - low) * rng_uniform(d->key, RNG_SYNTH, d->used++); }

typedef struct Season { int period; double value[MAX_PERIOD]; } Season;       /* one period of the pattern */
typedef struct Recipe {
    Season  season[MAX_SEASONS];
    int     nseason, nstep;
    int64_t step_at[MAX_STEPS];
    double  step[MAX_STEPS], slope, phi, sigma, scale, offset;
} Recipe;

static void draw_season(Season *s, Draw *d, int choices)
{
    s->period = periods[(int)draw(d, 0, choices)];
    double size = draw(d, 0.5, 1.5), phase = draw(d, 0, 1), second = draw(d, -0.4, 0.4);
    int saw = draw(d, 0, 1) < 0.25;
    for (int i = 0; i < s->period; i++) {
        double u = (double)i / s->period + phase, angle = 6.283185307179586 * u;
        s->value[i] = size * (saw ? 2 * (u - floor(u)) - 1 : sin(angle) + second * sin(2 * angle));
    }
}

/* A period must fit twice, or nobody could learn it. */
static void draw_recipe(Recipe *r, Draw *d, int64_t length)
{
    int choices = 0;
    while (choices < NPERIODS && 2 * periods[choices] <= length) choices++;
    r->nseason = choices ? 1 + (int)draw(d, 0, MAX_SEASONS) : 0;
    for (int i = 0; i < r->nseason; i++) draw_season(&r->season[i], d, choices);
    r->nstep = (int)draw(d, 0, MAX_STEPS + 1);
    for (int i = 0; i < r->nstep; i++) {
        r->step_at[i] = (int64_t)draw(d, 0, (double)length);
        r->step[i] = draw(d, -1, 1);
    }
    r->slope = draw(d, -1.5, 1.5) / (double)length;
    r->phi = draw(d, 0, 0.8);
    r->sigma = draw(d, 0.03, 0.15);
    r->scale = pow(10, draw(d, -1, 3));
    r->offset = draw(d, -5, 5);
}

typedef struct Job { const SynthOpts *o; const KernelSynth *kernels; int64_t first; float *out; } Job;    /* out: (series of the block, length) */

static uint64_t key_of(const Job *job, int item) { return rng_hash((uint64_t)job->o->seed, RNG_SYNTH, (uint64_t)(job->first + item)); }

static void make_simple(void *arg, int item, int worker)
{
    const Job *job = arg;
    int64_t n = job->o->length;
    float *out = job->out + item * n;
    Draw d = {key_of(job, item), 0};
    Recipe r;
    double noise = 0;
    (void)worker;
    draw_recipe(&r, &d, n);
    for (int64_t t = 0; t < n; t++) {
        double x = r.offset + r.slope * (double)t;
        for (int i = 0; i < r.nseason; i++) x += r.season[i].value[t % r.season[i].period];
        for (int i = 0; i < r.nstep; i++) x += t >= r.step_at[i] ? r.step[i] : 0;
        noise = r.phi * noise + r.sigma * rng_normal(d.key, RNG_SYNTH, NOISE_FROM + (uint64_t)t);
        out[t] = (float)(r.scale * (x + noise));
    }
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
