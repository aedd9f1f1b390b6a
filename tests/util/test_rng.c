#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "util/rng.h"

/* The vectors that come with Random123, "philox4x32 10". */
TEST(rng_philox_gives_the_published_answers)
{
    static const struct { uint64_t seed, stream, block; uint32_t want[4]; } c[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (int i = 0; i < 3; i++) {
        uint32_t got[4];
        rng_block(c[i].seed, c[i].stream, c[i].block, got);
        CHECK(!memcmp(got, c[i].want, sizeof got));
    }
}

TEST(rng_hash_is_the_block_in_halves)
{
    CHECK(rng_hash(0, 0, 0) == 0xe169c58d6627e8d5);
    CHECK(rng_hash(0, 0, 1) == 0x9b00dbd8bc57ac4c);
    CHECK(rng_hash(0, 0, 0) != rng_hash(0, 1, 0) && rng_hash(0, 0, 0) != rng_hash(1, 0, 0));
}

TEST(rng_uniform_is_uniform)
{
    enum { N = 200000, BINS = 64 };
    int bin[BINS] = {0};
    double sum = 0, chi = 0;
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(5, RNG_TEST, (uint64_t)i);
        CHECK(u >= 0 && u < 1);
        sum += u;
        bin[(int)(u * BINS)]++;
    }
    for (int i = 0; i < BINS; i++) chi += (bin[i] - N / BINS) * (bin[i] - (double)N / BINS) / ((double)N / BINS);
    CHECK(fabs(sum / N - 0.5) < 4 * 0.2887 / sqrt(N));
    CHECK(chi > 30 && chi < 110);                              /* 63 degrees of freedom, about 4 sigma */
}

TEST(rng_normal_has_the_moments_of_the_normal)
{
    enum { N = 200000 };
    double s1 = 0, s2 = 0, s3 = 0, s4 = 0, pair = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_normal(6, RNG_TEST, (uint64_t)i);
        CHECK(isfinite(x));
        s1 += x; s2 += x * x; s3 += x * x * x; s4 += x * x * x * x;
        if (i & 1) pair += x * rng_normal(6, RNG_TEST, (uint64_t)i - 1);
    }
    CHECK(fabs(s1 / N) < 4 / sqrt(N));
    CHECK(fabs(s2 / N - 1) < 4 * sqrt(2.0 / N));
    CHECK(fabs(s3 / N) < 4 * sqrt(15.0 / N));
    CHECK(fabs(s4 / N - 3) < 4 * sqrt(96.0 / N));
    CHECK(fabs(pair / (N / 2)) < 4 / sqrt(N / 2));
}

static int is_bijection(uint64_t n, uint64_t seed)
{
    char *seen = calloc(1, n);
    Perm p = perm_make(n, seed, RNG_TEST);
    int good = seen != NULL;
    for (uint64_t i = 0; good && i < n; i++) {
        uint64_t k = perm_at(&p, i);
        good = k < n && !seen[k];
        if (good) seen[k] = 1;
    }
    free(seen);
    return good;
}

TEST(rng_perm_is_a_bijection)
{
    static const uint64_t n[] = {1000, 1023, 1024, 1025, 4096, 4097, 65536, 65537};
    for (uint64_t k = 1; k < 70; k++) CHECK(is_bijection(k, k));
    for (size_t k = 0; k < sizeof n / sizeof *n; k++) CHECK(is_bijection(n[k], 3));
    perm_make(0, 1, 1);                                        /* of nothing: may be made, is never asked */
}

TEST(rng_perm_of_huge_n_stays_below_it)
{
    static const uint64_t n[] = {((uint64_t)1 << 62), ((uint64_t)1 << 62) - 5, ((uint64_t)1 << 60) + 1, ((uint64_t)1 << 32) + 1};
    for (int k = 0; k < 4; k++) {
        Perm p = perm_make(n[k], 9, RNG_TEST);
        for (uint64_t i = 0; i < 200; i++) CHECK(perm_at(&p, i) < n[k] && perm_at(&p, n[k] - 1 - i) < n[k]);
        CHECK(perm_at(&p, 0) != perm_at(&p, 1));
    }
}

TEST(rng_perm_orders_of_three_are_equally_likely)
{
    enum { N = 12000 };
    int count[27] = {0}, kinds = 0;
    double chi = 0;
    for (uint64_t seed = 0; seed < N; seed++) {
        Perm p = perm_make(3, seed, RNG_TEST);
        count[perm_at(&p, 0) * 9 + perm_at(&p, 1) * 3 + perm_at(&p, 2)]++;
    }
    for (int i = 0; i < 27; i++) {
        kinds += count[i] > 0;
        if (count[i]) chi += (count[i] - N / 6.0) * (count[i] - N / 6.0) / (N / 6.0);
    }
    CHECK(kinds == 6);
    CHECK(chi < 25);                                           /* 5 degrees of freedom: one in ten thousand */
}

/* A shuffled order has few neighbours left, about one fixed point, and no correlation with the place. */
TEST(rng_perm_is_well_mixed)
{
    enum { N = 20000 };
    int neighbours = 0, fixed = 0;
    double cross = 0;
    Perm p = perm_make(N, 11, RNG_TEST);
    uint64_t before = perm_at(&p, 0);
    for (uint64_t i = 1; i < N; i++) {
        uint64_t k = perm_at(&p, i);
        neighbours += k == before + 1 || before == k + 1;
        fixed += k == i;
        cross += ((double)i / N - 0.5) * ((double)k / N - 0.5);
        before = k;
    }
    CHECK(neighbours < 12 && fixed < 9);
    CHECK(fabs(12 * cross / N) < 4 / sqrt(N));
    Perm q = perm_make(N, 12, RNG_TEST);
    int same = 0;
    for (uint64_t i = 0; i < N; i++) same += perm_at(&p, i) == perm_at(&q, i);
    CHECK(same < 9);
}
