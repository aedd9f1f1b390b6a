/* synth_simple.c - see synth_simple.h */
#include "data/synth_simple.h"

#include <math.h>

#include "util/rng.h"

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

void simple_series(uint64_t key, int64_t length, float *out)
{
    Draw d = {key, 0};
    Recipe r;
    double noise = 0;
    draw_recipe(&r, &d, length);
    for (int64_t t = 0; t < length; t++) {
        double x = r.offset + r.slope * (double)t;
        for (int i = 0; i < r.nseason; i++) x += r.season[i].value[t % r.season[i].period];
        for (int i = 0; i < r.nstep; i++) x += t >= r.step_at[i] ? r.step[i] : 0;
        noise = r.phi * noise + r.sigma * rng_normal(d.key, RNG_SYNTH, NOISE_FROM + (uint64_t)t);
        out[t] = (float)(r.scale * (x + noise));
    }
}
