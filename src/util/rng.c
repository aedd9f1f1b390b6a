/* rng.c - see rng.h */
#include "util/rng.h"

#include <math.h>

void rng_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * c0, b = (uint64_t)0xCD9E8D57 * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

static uint64_t word(const uint32_t *w) { return (uint64_t)w[1] << 32 | w[0]; }
static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

uint64_t rng_hash(uint64_t seed, uint64_t stream, uint64_t i)
{
    uint32_t w[4];
    rng_block(seed, stream, i >> 1, w);
    return word(w + 2 * (i & 1));
}

double rng_uniform(uint64_t seed, uint64_t stream, uint64_t i) { return unit(rng_hash(seed, stream, i)); }

/* A block makes two numbers, the cosine and the sine of the same angle. */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t i)
{
    uint32_t w[4];
    rng_block(seed, stream, i >> 1, w);
    double radius = sqrt(-2 * log(1 - unit(word(w)))), angle = 6.283185307179586 * unit(word(w + 2));
    return radius * (i & 1 ? sin(angle) : cos(angle));
}

/* The domain is 4^half_bits. At least 16: a network over fewer places reaches only some of the orders. */
Perm perm_make(uint64_t n, uint64_t seed, uint64_t stream)
{
    Perm p = {n, seed, stream, 2};
    while (p.half_bits < 31 && n > (uint64_t)1 << 2 * p.half_bits) p.half_bits++;
    return p;
}

static uint64_t feistel(const Perm *p, uint64_t x)
{
    uint64_t mask = ((uint64_t)1 << p->half_bits) - 1, left = x >> p->half_bits, right = x & mask;
    for (uint64_t round = 0; round < 8; round++) {
        uint64_t mixed = left ^ (rng_hash(p->seed, p->stream, round << 32 | right) & mask);
        left = right;
        right = mixed;
    }
    return left << p->half_bits | right;
}

/* The walk ends: it follows the cycle of i, which comes back to i itself. It takes less than 4 steps on average. */
uint64_t perm_at(const Perm *p, uint64_t i)
{
    do i = feistel(p, i); while (i >= p->n);
    return i;
}
