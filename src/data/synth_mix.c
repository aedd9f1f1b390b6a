/* synth_mix.c - see synth_mix.h */
#include "data/synth_mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/rng.h"

static const double ALPHA = 1.5;
enum { BLOCK = 1024 };                   /* doubles on the stack */

static int64_t long_enough(const Mix *m, const Source *s, int64_t *list)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++)
        if (s->length[i] >= m->length) {
            if (list) list[n] = i;
            n++;
        }
    return n;
}

static int make_lists(Mix *m, Err *e)
{
    int all = dataset_sources(m->data);
    int64_t total = 0;
    for (int k = 0; k < all; k++) total += long_enough(m, dataset_source(m->data, k), NULL);
    if (!total)
        return err_set(e, FTS_FORMAT, "none of the %lld series has %lld points; choose a smaller --length", (long long)dataset_series(m->data), (long long)m->length);
    m->source = malloc((size_t)all * sizeof *m->source);
    m->first = calloc((size_t)all + 1, sizeof *m->first);
    m->series = malloc((size_t)total * sizeof *m->series);
    if (!m->source || !m->first || !m->series) return err_nomem(e, (size_t)total * sizeof *m->series, "the list of series to mix");
    for (int k = 0; k < all; k++) {
        int64_t at = m->first[m->nsource], n = long_enough(m, dataset_source(m->data, k), m->series + at);
        if (!n) continue;
        m->source[m->nsource++] = k;
        m->first[m->nsource] = at + n;
    }
    return 0;
}

int mix_open(Mix *m, const OptList *paths, int64_t length, const Events *to, Err *e)
{
    DataOpts o = {.seq_max_len = 1, .seq_stride = 1, .normalization_func = SCALE_NONE};      /* windows do not matter here */
    *m = (Mix){.length = length};
    if (!paths->n) return err_set(e, FTS_USAGE, "--kind tsmixup mixes series that are there: name them with --dataset-path");
    return dataset_open(&m->data, paths, NULL, &o, 1, to, e) || make_lists(m, e) ? -1 : 0;
}

void mix_close(Mix *m)
{
    dataset_close(m->data);
    free(m->source);
    free(m->first);
    free(m->series);
    *m = (Mix){0};
}

typedef struct Draw { uint64_t key, used; } Draw;
static double uniform(Draw *d) { return rng_uniform(d->key, RNG_SYNTH, d->used++); }
static int64_t below(Draw *d, int64_t n) { return (int64_t)(uniform(d) * (double)n); }

/* A number of the gamma distribution of shape a >= 1 (Marsaglia and Tsang 2000). */
static double gamma_draw(Draw *d, double a)
{
    double third = a - 1.0 / 3, c = 1 / sqrt(9 * third);
    for (;;) {
        double x = rng_normal(d->key, RNG_SYNTH, d->used++), v = pow(1 + c * x, 3), u = uniform(d);
        if (1 + c * x > 0 && log(1 - u) < 0.5 * x * x + third - third * v + third * log(v)) return third * v;
    }
}

int mix_draw(const Mix *m, uint64_t key, MixPart part[MIX_MAX])
{
    Draw d = {key, 0};
    int n = 1 + (int)below(&d, MIX_MAX);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        int k = (int)below(&d, m->nsource);
        int64_t own = m->series[m->first[k] + below(&d, m->first[k + 1] - m->first[k])];
        int64_t places = dataset_source(m->data, m->source[k])->length[own] - m->length + 1;
        part[i] = (MixPart){m->source[k], own, below(&d, places), gamma_draw(&d, ALPHA)};
        sum += part[i].weight;
    }
    for (int i = 0; i < n; i++) part[i].weight /= sum;
    return n;
}

static int read_block(const Mix *m, const MixPart *p, int64_t at, int64_t n, double *x, Err *e)
{
    const Source *s = dataset_source(m->data, p->source);
    return s->format->read(s, p->series, p->at + at, n, x, e) ? err_wrap(e, "%s: series %lld", s->path, (long long)p->series) : 0;
}

/* *unit: the mean magnitude of the finite points, 1 if it is 0 or no number. */
static int magnitude(const Mix *m, const MixPart *p, double *unit, Err *e)
{
    double x[BLOCK], sum = 0;
    int64_t finite = 0;
    for (int64_t at = 0; at < m->length; at += BLOCK) {
        int64_t n = m->length - at < BLOCK ? m->length - at : BLOCK;
        if (read_block(m, p, at, n, x, e)) return -1;
        for (int64_t i = 0; i < n; i++)
            if (isfinite(x[i])) sum += fabs(x[i]), finite++;
    }
    *unit = finite && sum > 0 && isfinite(sum) ? sum / (double)finite : 1;
    return 0;
}

int mix_series(const Mix *m, uint64_t key, float *out, Err *e)
{
    MixPart part[MIX_MAX];
    double x[BLOCK], y[BLOCK], unit[MIX_MAX];
    int parts = mix_draw(m, key, part);
    for (int k = 0; k < parts; k++)
        if (magnitude(m, &part[k], &unit[k], e)) return -1;
    for (int64_t at = 0; at < m->length; at += BLOCK) {
        int64_t n = m->length - at < BLOCK ? m->length - at : BLOCK;
        memset(y, 0, sizeof y);
        for (int k = 0; k < parts; k++) {
            if (read_block(m, &part[k], at, n, x, e)) return -1;
            for (int64_t i = 0; i < n; i++) y[i] += part[k].weight * (x[i] / unit[k]);
        }
        for (int64_t i = 0; i < n; i++) out[at + i] = isfinite(y[i]) ? (float)y[i] : NAN;
    }
    return 0;
}
