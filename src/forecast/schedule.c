/* schedule.c - see schedule.h */
#include "forecast/schedule.h"

/* The longest horizon of at most `left` points, among the multiples of `step`; -1: none. */
static int longest(const ModelConfig *c, int64_t left, int step)
{
    int best = -1;
    for (int j = 0; j < c->nh; j++)
        if (c->horizon[j] <= left && c->horizon[j] % step == 0) best = j;
    return best;
}

static int shortest_of(const ModelConfig *c, int64_t least)
{
    int j = 0;
    while (j < c->nh - 1 && c->horizon[j] < least) j++;
    return j;
}

/* Only a multiple of the patch stride leaves the last token at the last point. Where no horizon is one, none is asked for. */
Hop schedule_hop(const ModelConfig *c, int64_t left)
{
    int fits = longest(c, left, c->S), divides = longest(c, INT64_MAX, c->S) >= 0;
    if (fits < 0 && !divides) fits = longest(c, left, 1);
    if (fits >= 0) return (Hop){fits, c->horizon[fits], !divides};
    return (Hop){shortest_of(c, left), (int)left, 0};
}
