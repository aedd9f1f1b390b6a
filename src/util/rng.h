/* rng.h - random numbers without state: a value is a function of (seed, stream, index).
 * Philox4x32-10 (Salmon et al., SC 2011), so any thread can make any part of a sequence. */
#ifndef UTIL_RNG_H
#define UTIL_RNG_H

#include <stdint.h>

/* Streams: one per use, so that no two uses share numbers. */
enum { RNG_INIT = 1, RNG_SPLIT, RNG_PASS, RNG_OOD, RNG_SYNTH, RNG_TEST, RNG_RETRY };

void   rng_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]);
double rng_uniform(uint64_t seed, uint64_t stream, uint64_t i);      /* [0, 1), 53 bits */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t i);       /* N(0, 1), Box-Muller */
uint64_t rng_hash(uint64_t seed, uint64_t stream, uint64_t i);       /* 64 bits */

/* A pseudo-random permutation of 0..n-1 that is held in no array: a keyed Feistel network walked until it lands below n. */
typedef struct Perm { uint64_t n, seed, stream; int half_bits; } Perm;
Perm     perm_make(uint64_t n, uint64_t seed, uint64_t stream);
uint64_t perm_at(const Perm *p, uint64_t i);                          /* i < n */

#endif
