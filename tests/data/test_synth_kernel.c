/* Here a covariance is evaluated from its formula, entry by entry, apart from the tables and the factor under test. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/synth.h"
#include "data/synth_kernel.h"
#include "util/file.h"
#include "util/rng.h"

static const double period_of[] = {24, 48, 96, 168, 336, 672, 7, 14, 30, 60, 365, 730, 4, 26, 52, 6, 12, 40, 10};
enum { PERIODS = sizeof period_of / sizeof *period_of, DOT = PERIODS, RBF = DOT + 3, RATIONAL = RBF + 3, WHITE = RATIONAL + 3, CONSTANT = WHITE + 2 };

static double want_kernel(int k, int i, int j, int n)
{
    static const double dot[] = {0, 1, 10}, scale[] = {0.1, 1, 10}, level[] = {0.1, 1};
    double x = i / (n - 1.0), y = j / (n - 1.0), lag = fabs(x - y);
    if (k < DOT) return exp(-2 * pow(sin(3.141592653589793 * lag / (period_of[k] / n)), 2));
    if (k < RBF) return dot[k - DOT] * dot[k - DOT] + x * y;
    if (k < RATIONAL) return exp(-lag * lag / (2 * scale[k - RBF] * scale[k - RBF]));
    if (k < WHITE) return pow(1 + lag * lag / (2 * scale[k - RATIONAL]), -scale[k - RATIONAL]);
    if (k < CONSTANT) return i == j ? level[k - WHITE] : 0;
    return 1;
}

static double want_mix(const KernelMix *mix, int i, int j, int n)
{
    double sum = want_kernel(mix->kernel[0], i, j, n);
    for (int m = 1; m < mix->n; m++) {
        double v = want_kernel(mix->kernel[m], i, j, n);
        sum = mix->times[m] ? sum * v : sum + v;
    }
    return sum;
}

/* Largest difference of L L^T + diag(excess) and the covariance, in parts of the largest variance. */
static double worst(const KernelSynth *k, const KernelMix *mix)
{
    const KernelFactor *f = k->factor;
    double bad = 0, most = 0;
    kernel_factor(k, mix, k->factor);
    for (int a = 0; a < k->length; a++)
        for (int b = 0; b <= a; b++) {
            double got = a == b ? f->excess[f->order[a]] : 0, want = want_mix(mix, f->order[a], f->order[b], k->length);
            for (int c = 0; c < f->rank && c <= b; c++) got += kernel_column(k, f, c)[a] * kernel_column(k, f, c)[b];
            bad = fmax(bad, fabs(got - want));
            if (a == b) most = fmax(most, want);
        }
    return bad / most;
}

TEST(synth_kernel_factor_is_the_covariance_of_every_kernel_and_of_mixes)
{
    static const int lengths[] = {2, 3, 130};
    Err e;
    KernelSynth k;
    CHECK(CONSTANT + 1 == KERNEL_BANK);
    for (int i = 0; i < 3; i++) {
        OK(kernel_open(&k, lengths[i], 1, &e));
        double bad = 0;
        for (int b = 0; b < KERNEL_BANK; b++) bad = fmax(bad, worst(&k, &(KernelMix){.n = 1, .kernel = {b}}));
        for (uint64_t s = 0; s < 100; s++) {
            KernelMix mix = kernel_draw(rng_hash(5, RNG_TEST, s));
            bad = fmax(bad, worst(&k, &mix));
        }
        kernel_close(&k);
        if (!(bad < 2e-9)) test_fail(__FILE__, __LINE__, "length %d: off by %g of the variance", lengths[i], bad);
    }
}

/* One period of a periodic kernel has few harmonics, so the rank stays small however long the series is. */
TEST(synth_kernel_rank_is_that_of_the_kernel)
{
    Err e;
    KernelSynth k;
    OK(kernel_open(&k, 600, 1, &e));
    static const struct { int kernel, low, high; } rows[] = {{0, 15, 60}, {DOT, 1, 1}, {DOT + 1, 2, 2}, {RBF + 2, 2, 6}, {WHITE, 0, 0}, {CONSTANT, 1, 1}};
    int ranks[6];
    for (int i = 0; i < 6; i++) {
        kernel_factor(&k, &(KernelMix){.n = 1, .kernel = {rows[i].kernel}}, k.factor);
        ranks[i] = k.factor->rank;
    }
    kernel_close(&k);
    for (int i = 0; i < 6; i++)
        if (ranks[i] < rows[i].low || ranks[i] > rows[i].high) test_fail(__FILE__, __LINE__, "kernel %d has rank %d", rows[i].kernel, ranks[i]);
}

TEST(synth_kernel_draws_all_counts_kernels_and_both_operations)
{
    enum { DRAWS = 20000 };
    int count[KERNEL_MIX_MAX + 1] = {0}, kernel[KERNEL_BANK] = {0}, times = 0, pairs = 0, all = 0;
    for (uint64_t s = 0; s < DRAWS; s++) {
        KernelMix mix = kernel_draw(rng_hash(6, RNG_TEST, s));
        CHECK(mix.n >= 1 && mix.n <= KERNEL_MIX_MAX);
        count[mix.n]++;
        all += mix.n;
        for (int i = 0; i < mix.n; i++) kernel[mix.kernel[i]]++;
        for (int i = 1; i < mix.n; i++, pairs++) times += mix.times[i];
    }
    for (int i = 1; i <= KERNEL_MIX_MAX; i++) CHECK(abs(count[i] - DRAWS / 5) < 300);                    /* 5 deviations */
    for (int i = 0; i < KERNEL_BANK; i++) CHECK(abs(kernel[i] - all / KERNEL_BANK) < 220);
    CHECK(abs(2 * times - pairs) < 1000);
}

/* Second moments of many draws of one process: each within 6 of its own standard errors, sqrt((Kii Kjj + Kij^2) / draws). */
TEST(synth_kernel_samples_have_the_covariance)
{
    enum { N = 12, DRAWS = 20000 };
    static const KernelMix mixes[] = {
        {.n = 1, .kernel = {WHITE + 1}},
        {.n = 3, .kernel = {RBF, WHITE, DOT + 1}, .times = {0, 0, 1}},
        {.n = 3, .kernel = {6, RATIONAL + 1, WHITE + 1}, .times = {0, 1, 0}},
    };
    Err e;
    KernelSynth k;
    for (int m = 0; m < 3; m++) {
        double sum[N][N] = {{0}}, bad = 0;
        float x[N];
        OK(kernel_open(&k, N, 1, &e));
        kernel_factor(&k, &mixes[m], k.factor);
        for (uint64_t s = 0; s < DRAWS; s++) {
            kernel_sample(&k, k.factor, k.factor->sum, rng_hash(7, RNG_TEST, s), x);
            for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) sum[i][j] += (double)x[i] * (double)x[j] / DRAWS;
        }
        kernel_close(&k);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double want = want_mix(&mixes[m], i, j, N), both = want_mix(&mixes[m], i, i, N) * want_mix(&mixes[m], j, j, N);
                bad = fmax(bad, fabs(sum[i][j] - want) / sqrt((both + want * want) / DRAWS + 1e-12));
            }
        if (!(bad < 6)) test_fail(__FILE__, __LINE__, "mix %d: %.1f standard errors off", m, bad);
    }
}

static int same(const char *dir, const char *a, const char *b)
{
    char name[2][64];
    Map x, y;
    Err e;
    snprintf(name[0], sizeof name[0], "%s/data-1-of-1.bin", a);
    snprintf(name[1], sizeof name[1], "%s/data-1-of-1.bin", b);
    if (map_open(&x, path_to(dir, name[0]), &e)) return -1;
    if (map_open(&y, path_to(dir, name[1]), &e)) {
        map_close(&x);
        return -1;
    }
    int equal = x.n == y.n && !memcmp(x.p, y.p, x.n);
    map_close(&x);
    map_close(&y);
    return equal;
}

TEST(synth_kernel_same_bytes_for_any_threads)
{
    static const struct { const char *out; int threads, seed; } rows[] = {{"one", 1, 9}, {"two", 2, 9}, {"seven", 7, 9}, {"other", 1, 10}};
    Err e = {0};
    const char *dir = test_folder();
    for (int i = 0; i < 4; i++) {
        SynthOpts o = {.series = 60, .length = 200, .seed = rows[i].seed, .kind = 1, .threads = rows[i].threads};
        OK(synth_write(path_to(dir, rows[i].out), &o, NULL, NULL, NULL, &e));
    }
    CHECK(same(dir, "one", "two") == 1);
    CHECK(same(dir, "one", "seven") == 1);
    CHECK(same(dir, "one", "other") == 0);
}

TEST(synth_kernel_is_finite_at_any_length)
{
    static const int lengths[] = {2, 3, 257};
    Err e = {0};
    const char *dir = test_folder();
    for (int l = 0; l < 3; l++) {
        SynthOpts o = {.series = 200, .length = lengths[l], .seed = 1, .kind = 1, .threads = 2};
        const char *out = path_to(dir, (const char *[]){"a", "b", "c"}[l]);
        double x[257];
        int moving = 0;
        Source s;
        OK(synth_write(out, &o, NULL, NULL, NULL, &e));
        OK(source_open(&s, &format_bin, out, NULL, &e));
        CHECK(s.count == 200);
        for (int i = 0; i < 200; i++) {
            OK(s.format->read(&s, i, 0, lengths[l], x, &e));
            for (int t = 0; t < lengths[l]; t++) CHECK(isfinite(x[t]));
            moving += x[0] != x[lengths[l] - 1];
        }
        source_close(&s);
        CHECK(moving > 150);                                        /* only constants and, at length 2, some kernels stand still */
    }
}

TEST(synth_kernel_refuses_what_does_not_fit)
{
    Err e = {0};
    KernelSynth k;
    SynthOpts o = {.series = 3, .length = KERNEL_LENGTH_MAX + 1, .seed = 9, .kind = 1, .threads = 2};
    const char *dir = path_to(test_folder(), "out");
    CHECK(synth_write(dir, &o, NULL, NULL, NULL, &e) == -1 && e.code == FTS_USAGE && !path_exists(dir));
    TEXT(e.message, "--length 8193: kernelsynth makes series of 2 to 8192 points, for which a thread needs up to 256 MiB; choose a smaller --length or --kind simple");
    CHECK(kernel_open(&k, KERNEL_LENGTH_MAX, 1 << 30, &e) == -1 && e.code == FTS_NOMEM);
    kernel_close(&k);
    o.length = 40;
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = synth_write(dir, &o, NULL, NULL, NULL, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
}
