/* loss.c - counts of valid targets, and the loss of repeating the last point: the yardstick printed beside a validation. */
#include <math.h>

#include "model/model.h"

void loss_valid(const ModelConfig *c, int64_t n, int64_t *valid)
{
    int64_t tokens = config_tokens(c, n);
    for (int j = 0; j < c->nh; j++)
        for (int64_t t = 0; t < tokens; t++) {
            int64_t left = n - t * c->S - c->P;
            if (left >= c->horizon[j]) {           /* so have all tokens up to the last one with that many points after it */
                int64_t last = (n - c->horizon[j] - c->P) / c->S;
                valid[j] += (last - t + 1) * c->horizon[j];
                t = last;
            } else valid[j] += left;
        }
}

/* One token: every horizon h scores the points after it that exist, at most h. */
static void naive_token(const ModelConfig *c, const float *x, int64_t left, double *abs, double *sq, int64_t *n)
{
    double a = 0, s = 0;
    int64_t i = 0;
    for (int j = 0; j < c->nh; j++) {
        int64_t stop = left < c->horizon[j] ? left : c->horizon[j];
        for (; i < stop; i++) {                    /* horizons ascend: each goes on where the shorter one stopped */
            double d = (double)x[0] - (double)x[1 + i];
            a += fabs(d);
            s += d * d;
        }
        *abs += a;
        *sq += s;
        *n += stop;
    }
}

void loss_naive(const ModelConfig *c, const float *points, const int *pt, const int *npt, int nseg, double *abs, double *sq, int64_t *n)
{
    for (int g = 0; g < nseg; g++)
        for (int64_t t = 0, tokens = config_tokens(c, npt[g]); t < tokens; t++) {
            int64_t last = t * c->S + c->P - 1;
            naive_token(c, points + pt[g] + last, npt[g] - last - 1, abs, sq, n);
        }
}
