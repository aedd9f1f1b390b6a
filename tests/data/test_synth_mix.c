#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/synth.h"
#include "data/synth_mix.h"
#include "support.h"
#include "test.h"
#include "util/file.h"
#include "util/rng.h"

enum { LENGTH = 1500, DRAWS = 30000 };                      /* more than a block of points */

/* Two sources: one with a single long series among short ones, one with three. */
static const char *put_two(void)
{
    static const int64_t a[] = {20, 1600, 1499}, b[] = {1500, 1501, 2000};
    const char *dir = test_folder();
    put_ramps(dir, "a", a, 3);
    put_ramps(dir, "b", b, 3);
    return dir;
}

TEST(mix_draws_as_the_paper_says)
{
    Mix m;
    MixPart part[MIX_MAX];
    Err e = {0};
    const char *dir = put_two();
    OptList paths = one_path(dir);
    double parts[MIX_MAX + 1] = {0}, source[2] = {0}, square[MIX_MAX + 1] = {0}, all = 0, first = 0, last = 0, of_b[3] = {0};
    OK(mix_open(&m, &paths, LENGTH, NULL, &e));
    for (uint64_t key = 0; key < DRAWS; key++) {
        int n = mix_draw(&m, rng_hash(1, RNG_TEST, key), part);
        double sum = 0;
        parts[n]++;
        square[n] += pow(part[0].weight - 1.0 / n, 2);
        for (int i = 0; i < n; i++) {
            const MixPart *p = &part[i];
            const Source *s = dataset_source(m.data, p->source);
            CHECK(p->at >= 0 && p->at + LENGTH <= s->length[p->series] && p->weight > 0);
            source[p->source]++;
            if (p->source == 0) CHECK(p->series == 1);
            else of_b[p->series]++;
            if (p->source == 1 && p->series == 1) first += p->at == 0, last += p->at == 1;
            sum += p->weight;
            all++;
        }
        CHECK(fabs(sum - 1) < 1e-12);
    }
    mix_close(&m);
    for (int n = 1; n <= MIX_MAX; n++) CHECK(fabs(parts[n] / DRAWS - 1.0 / 3) < 0.01);
    for (int n = 2; n <= MIX_MAX; n++) {                                    /* the variance of one weight of a Dirichlet distribution */
        double total = 1.5 * n, variance = 1.5 * (total - 1.5) / (total * total * (total + 1));
        if (fabs(square[n] / parts[n] / variance - 1) > 0.05) test_fail(__FILE__, __LINE__, "%d parts: variance %g, want %g", n, square[n] / parts[n], variance);
    }
    CHECK(fabs(source[0] / all - 0.5) < 0.01);
    for (int i = 0; i < 3; i++) CHECK(fabs(of_b[i] / source[1] - 1.0 / 3) < 0.015);
    CHECK(fabs(first / (first + last) - 0.5) < 0.03);
}

TEST(mix_is_the_weighted_sum)
{
    Mix m;
    MixPart part[MIX_MAX];
    Err e = {0};
    const char *dir = put_two();
    OptList paths = one_path(dir);
    double raw[LENGTH], want[LENGTH];
    float got[LENGTH];
    int seen = 0;
    OK(mix_open(&m, &paths, LENGTH, NULL, &e));
    for (uint64_t key = 0; key < 20; key++) {
        int n = mix_draw(&m, key, part);
        seen |= 1 << n;
        memset(want, 0, sizeof want);
        for (int i = 0; i < n; i++) {
            const Source *s = dataset_source(m.data, part[i].source);
            double size = 0;
            OK(s->format->read(s, part[i].series, part[i].at, LENGTH, raw, &e));
            for (int t = 0; t < LENGTH; t++) size += fabs(raw[t]) / LENGTH;
            for (int t = 0; t < LENGTH; t++) want[t] += part[i].weight * raw[t] / size;
        }
        OK(mix_series(&m, key, got, &e));
        for (int t = 0; t < LENGTH; t++)
            if (!(fabs(got[t] - want[t]) <= 1e-6 * fabs(want[t]))) test_fail(__FILE__, __LINE__, "key %llu, point %d: %g, want %g", (unsigned long long)key, t, (double)got[t], want[t]);
    }
    mix_close(&m);
    CHECK(seen == 14);                                                      /* one, two and three parts */
}

TEST(mix_keeps_missing_points)
{
    static const int64_t length[] = {4, 4};
    static const float points[] = {1, NAN, -3, INFINITY, NAN, NAN, NAN, NAN};
    Mix m;
    MixPart part[MIX_MAX];
    Err e = {0};
    const char *dir = test_folder();
    OptList paths = one_path(dir);
    float got[4];
    put_bin(dir, "a", points, length, 2);
    OK(mix_open(&m, &paths, 4, NULL, &e));
    for (uint64_t key = 0, some = 0; some < 10; key++) {
        int n = mix_draw(&m, key, part), all_missing = 0;
        OK(mix_series(&m, key, got, &e));
        for (int i = 0; i < n; i++) all_missing |= part[i].series == 1;
        if (all_missing) { CHECK(isnan(got[0]) && isnan(got[3])); continue; }
        some++;
        CHECK(fabsf(got[0] - 0.5f) < 1e-6f && isnan(got[1]) && fabsf(got[2] + 1.5f) < 1e-6f && isnan(got[3]));     /* mean magnitude 2 */
    }
    mix_close(&m);
}

TEST(mix_refusals)
{
    Err e = {0};
    const char *dir = put_two(), *out = path_to(test_folder(), "out");
    SynthOpts o = {.kind = 2, .series = 5, .length = 3000, .threads = 1};
    CHECK(synth_write(out, &o, NULL, NULL, NULL, &e) == -1 && e.code == FTS_USAGE);
    TEXT(e.message, "--kind tsmixup mixes series that are there: name them with --dataset-path");
    o.dataset_path = one_path(dir);
    CHECK(synth_write(out, &o, NULL, NULL, NULL, &e) == -1 && e.code == FTS_FORMAT);
    TEXT(e.message, "none of the 6 series has 3000 points; choose a smaller --length");
    o.kind = 0;
    CHECK(synth_write(out, &o, NULL, NULL, NULL, &e) == -1 && e.code == FTS_USAGE);
    TEXT(e.message, "--dataset-path is for --kind tsmixup only");
    CHECK(!path_exists(out));
}

TEST(mix_same_bytes_for_any_threads)
{
    Err e = {0};
    Map x, y;
    const char *dir = put_two(), *out = test_folder();
    SynthOpts o = {.kind = 2, .series = 300, .length = 1500, .threads = 1, .dataset_path = one_path(dir)};
    OK(synth_write(path_to(out, "one"), &o, NULL, NULL, NULL, &e));
    o.threads = 3;
    OK(synth_write(path_to(out, "three"), &o, NULL, NULL, NULL, &e));
    OK(map_open(&x, path_to(out, "one/data-1-of-1.bin"), &e));
    OK(map_open(&y, path_to(out, "three/data-1-of-1.bin"), &e));
    CHECK(x.n == 300 * 1500 * 4 && x.n == y.n && !memcmp(x.p, y.p, x.n));
    CHECK(memcmp(x.p, x.p + 1500 * 4, 1500 * 4));
    map_close(&x);
    map_close(&y);
}

TEST(mix_without_memory)
{
    Err e = {0};
    const char *dir = put_two(), *out = path_to(test_folder(), "out");
    SynthOpts o = {.kind = 2, .series = 3, .length = 1500, .threads = 1, .dataset_path = one_path(dir)};
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = synth_write(out, &o, NULL, NULL, NULL, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 1000);
    }
}
