/* synth_simple.c - see synth_simple.h */
#include "data/synth_simple.h"

#include <math.h>

#include "util/rng.h"

enum { MAX_PERIOD = 365, MAX_SEASONS = 3, MAX_STEPS = 2, PIECE = 256 };           /* PIECE is even: its noise comes in pairs */
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

/* A run of points of a series. */
typedef struct Piece { int64_t from; int n; double x[PIECE]; } Piece;

static void add_season(Piece *p, const Season *s)
{
    int at = (int)(p->from % s->period);
    for (int i = 0, n; i < p->n; i += n, at = 0) {
        n = s->period - at < p->n - i ? s->period - at : p->n - i;
        for (int k = 0; k < n; k++) p->x[i + k] += s->value[at + k];
    }
}

static void add_step(Piece *p, int64_t at, double size)
{
    int64_t begin = at < p->from ? 0 : at - p->from;
    for (int64_t i = begin; i < p->n; i++) p->x[i] += size;
}

/* Of mean 0 and deviation 1: the sum of four uniform numbers of 16 bits, of which a block has two such sums. Near enough to the
 * normal distribution for noise, and a tenth of the time of an exact one, which would be most of the time there is. */
static void draw_noise(double *z, uint64_t key, int64_t from, int n)
{
    static const double mean = 4 * 65535 / 2.0, deviation = 37836.9;             /* sqrt(4 (65536^2 - 1) / 12) */
    uint32_t w[4];
    for (int i = 0; i < n; i += 2) {
        rng_block(key, RNG_SYNTH, NOISE_FROM + (uint64_t)(from + i), w);
        for (int k = 0; k < 2; k++) z[i + k] = ((double)((w[2 * k] & 0xffff) + (w[2 * k] >> 16) + (w[2 * k + 1] & 0xffff) + (w[2 * k + 1] >> 16)) - mean) / deviation;
    }
}

static void make_piece(Piece *p, const Recipe *r)
{
    for (int i = 0; i < p->n; i++) p->x[i] = r->offset + r->slope * (double)(p->from + i);
    for (int i = 0; i < r->nseason; i++) add_season(p, &r->season[i]);
    for (int i = 0; i < r->nstep; i++) add_step(p, r->step_at[i], r->step[i]);
}

void simple_series(uint64_t key, int64_t length, float *out)
{
    Draw d = {key, 0};
    Recipe r;
    Piece p;
    double noise = 0, z[PIECE];
    draw_recipe(&r, &d, length);
    for (p.from = 0; p.from < length; p.from += PIECE) {
        p.n = length - p.from < PIECE ? (int)(length - p.from) : PIECE;
        make_piece(&p, &r);
        draw_noise(z, key, p.from, p.n);
        for (int i = 0; i < p.n; i++) {
            noise = r.phi * noise + r.sigma * z[i];
            out[p.from + i] = (float)(r.scale * (p.x[i] + noise));
        }
    }
}
