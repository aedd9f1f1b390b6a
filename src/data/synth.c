/* synth.c - see synth.h
 *
 * A series is level + trend + one to three seasonal patterns + level steps + AR(1) noise, at a scale of its own.
 * Every number is a function of (seed, series, index), so any thread may make any series. */
#include "data/synth.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
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
#define SHARD_POINTS ((int64_t)1 << 28)          /* 1 GiB of float32 */
#define BLOCK_POINTS ((int64_t)1 << 22)          /* made at once: 16 MiB, or one series */
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

typedef struct Job { const SynthOpts *o; int64_t first; float *out; } Job;    /* out: (series of the block, length) */

static void make_series(void *arg, int item, int worker)
{
    const Job *job = arg;
    int64_t n = job->o->length;
    float *out = job->out + item * n;
    Draw d = {rng_hash((uint64_t)job->o->seed, RNG_SYNTH, (uint64_t)(job->first + item)), 0};
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

typedef struct Writer {
    const SynthOpts *o;
    const char *dir;
    void (*progress)(void *ud, int64_t done, int64_t total);
    void *ud;
    Par   *par;
    float *block;                        /* (per_block, length) */
    int64_t per_block, per_shard, done;  /* series */
} Writer;

static int64_t shards(const Writer *w) { return (w->o->series + w->per_shard - 1) / w->per_shard; }

static int shard_path(const Writer *w, int64_t i, char *path, size_t size, Err *e)
{
    char name[64];
    snprintf(name, sizeof name, "data-%lld-of-%lld.bin", (long long)i + 1, (long long)shards(w));
    return path_join(path, size, w->dir, name, e);
}

static int64_t series_of_shard(const Writer *w, int64_t i)
{
    int64_t left = w->o->series - i * w->per_shard;
    return left < w->per_shard ? left : w->per_shard;
}

static int write_blocks(Writer *w, Out *out, int64_t end, Err *e)
{
    while (w->done < end) {
        int64_t n = end - w->done < w->per_block ? end - w->done : w->per_block;
        Job job = {w->o, w->done, w->block};
        par_for(w->par, (int)n, make_series, &job);
        if (out_write(out, w->block, (size_t)(n * w->o->length) * sizeof *w->block, e)) return -1;
        w->done += n;
        if (w->progress) w->progress(w->ud, w->done, w->o->series);
    }
    return 0;
}

static int write_shard(Writer *w, int64_t i, Err *e)
{
    char path[4096];
    Out out;
    if (shard_path(w, i, path, sizeof path, e) || out_open(&out, path, e)) return -1;
    if (!write_blocks(w, &out, w->done + series_of_shard(w, i), e)) return out_commit(&out, e);
    out_drop(&out);
    return -1;
}

/* Laid out as Python's json.dump does, which wrote the published ones. */
static int put_meta(const Writer *w, Out *out, Err *e)
{
    char text[160];
    int64_t n = w->o->length;
    int k = snprintf(text, sizeof text, "{\"num_sequences\": %lld, \"dtype\": \"float32\", \"files\": {", (long long)w->o->series);
    if (out_write(out, text, (size_t)k, e)) return -1;
    for (int64_t i = 0; i < shards(w); i++) {
        k = snprintf(text, sizeof text, "%s\"data-%lld-of-%lld.bin\": %lld", i ? ", " : "", (long long)i + 1, (long long)shards(w), (long long)(series_of_shard(w, i) * n));
        if (out_write(out, text, (size_t)k, e)) return -1;
    }
    if (out_write(out, "}, \"scales\": [", 14, e)) return -1;
    for (int64_t i = 0; i < w->o->series; i++) {
        k = snprintf(text, sizeof text, "%s{\"offset\": %lld, \"length\": %lld}", i ? ", " : "", (long long)(i * n), (long long)n);
        if (out_write(out, text, (size_t)k, e)) return -1;
    }
    return out_write(out, "]}", 2, e);
}

static int write_meta(const Writer *w, Err *e)
{
    char path[4096];
    Out out;
    if (path_join(path, sizeof path, w->dir, "meta.json", e) || out_open(&out, path, e)) return -1;
    if (!put_meta(w, &out, e)) return out_commit(&out, e);
    out_drop(&out);
    return -1;
}

static int write_all(Writer *w, Err *e)
{
    for (int64_t i = 0; i < shards(w); i++)
        if (write_shard(w, i, e)) return -1;
    return write_meta(w, e) || dir_sync(w->dir, e) ? -1 : 0;
}

static int open_writer(Writer *w, Err *e)
{
    const SynthOpts *o = w->o;
    int threads = o->threads == OPT_UNSET ? machine_threads() : (int)o->threads;
    w->per_shard = SHARD_POINTS / o->length;
    w->per_block = BLOCK_POINTS / o->length + (o->length > BLOCK_POINTS);
    if (w->per_block > o->series) w->per_block = o->series;
    size_t bytes = (size_t)(w->per_block * o->length) * sizeof *w->block;
    w->block = malloc(bytes);
    if (!w->block) return err_nomem(e, bytes, "a block of series");
    return par_open(&w->par, threads, e);
}

/* Everything goes to a folder beside it, which gets the name when all of it is on the disk: half a dataset has no name. */
static int write_beside(const char *dir, Writer *w, Err *e)
{
    char beside[4096], parent[4096];
    Err ignored;
    int n = snprintf(beside, sizeof beside, "%s.tmp-%ld", dir, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof beside) return err_set(e, FTS_IO, "%.200s...: the path is too long", dir);
    snprintf(parent, sizeof parent, "%s", dir);
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = 0;
    if (dir_remove(beside, e) || dir_make(beside, e)) return -1;
    w->dir = beside;
    int bad = write_all(w, e);
    if (!bad && rename(beside, dir)) bad = err_errno(e, errno, dir);
    if (bad) dir_remove(beside, &ignored);
    else bad = dir_sync(slash ? parent : ".", e);
    return bad;
}

/* An empty folder may be replaced, anything else stays. */
static int refuse_full(const char *dir, Err *e)
{
    Names names;
    if (!path_exists(dir)) return 0;
    if (!path_is_dir(dir)) return err_set(e, FTS_IO, "%s: is there and no folder", dir);
    if (dir_list(&names, dir, e)) return -1;
    int n = names.n;
    names_free(&names);
    return n ? err_set(e, FTS_IO, "%s: the folder is not empty", dir) : 0;
}

int synth_write(const char *out, const SynthOpts *o, void (*progress)(void *ud, int64_t done, int64_t total), void *ud, Err *e)
{
    char dir[4096];
    Writer w = {.o = o, .progress = progress, .ud = ud};
    if (!*out) return err_set(e, FTS_USAGE, "no folder to write to");
    if (path_join(dir, sizeof dir, "", out, e)) return -1;
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--) dir[n - 1] = 0;
    if (o->series > INT64_MAX / 8 / o->length) return err_set(e, FTS_USAGE, "%lld series of %lld points are too many", (long long)o->series, (long long)o->length);
    int bad = refuse_full(dir, e) || open_writer(&w, e) || write_beside(dir, &w, e);
    par_close(w.par);
    free(w.block);
    return bad ? -1 : 0;
}
