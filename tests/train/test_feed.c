/* test_feed.c - chunks and counts follow from the step alone, micro-batches are runs of whole chunks. */
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "train/feed.h"
#include "util/rng.h"

static ModelConfig shape(int P, int S)
{
    return (ModelConfig){.D = 8, .L = 1, .H = 1, .Hk = 1, .E = 2, .K = 1, .B = 1, .F = 8, .Fe = 8, .P = P, .S = S, .nh = 4, .horizon = {1, 8, 32, 64}};
}

/* Segments of P+1 .. P+longest points. */
typedef struct Made { Batch b; int pt[700], npt[700]; float points[8]; } Made;
static void make(Made *m, uint64_t seed, int nseg, int P, int longest)
{
    int at = 0;
    *m = (Made){.b = {.points = m->points, .pt = m->pt, .npt = m->npt, .nseg = nseg}};
    for (int i = 0; i < nseg; i++) {
        m->pt[i] = at;
        m->npt[i] = P + 1 + (int)(rng_uniform(seed, RNG_TEST, (uint64_t)i) * longest);
        at += m->npt[i];
    }
    m->b.npoints = at;
}

/* The chunk ends of the specification, by brute force: absolute tokens. */
static int brute_chunks(const ModelConfig *c, const Batch *b, int64_t *end)
{
    int n = 0;
    int64_t in_chunk = 0, all = 0;
    for (int i = 0; i < b->nseg; i++) {
        int64_t t = config_tokens(c, b->npt[i]);
        in_chunk += t;
        all += t;
        if (in_chunk >= CHUNK || i == b->nseg - 1) {
            end[n++] = all;
            in_chunk = 0;
        }
    }
    return n;
}

static int64_t brute_valid(const ModelConfig *c, const Batch *b, int h)
{
    int64_t n = 0;
    for (int i = 0; i < b->nseg; i++)
        for (int64_t t = 0; t < config_tokens(c, b->npt[i]); t++)
            for (int j = 0; j < h; j++) n += t * c->S + c->P + j < b->npt[i];
    return n;
}

static void check_segments(const Input *in, const Batch *b, const ModelConfig *c, int first)
{
    int tok = 0, longest = 0;
    for (int i = 0; i < in->nseg; i++) {
        Seg s = in->seg[i];
        CHECK(s.tok == tok && s.pt == b->pt[first + i] && s.npt == b->npt[first + i] && s.ntok == config_tokens(c, s.npt));
        tok += s.ntok;
        if (s.ntok > longest) longest = s.ntok;
    }
    CHECK(in->ntok == tok && in->longest == longest && in->points == b->points && in->P == c->P && in->S == c->S);
}

static int count_before(const Input *in, int tok)
{
    int n = 0;
    while (n < in->nseg && in->seg[n].tok < tok) n++;
    return n;
}

static void check_feed(const ModelConfig *c, const Batch *b, int cap, int64_t windows)
{
    Err e;
    Feed f;
    Input in;
    int64_t end[700], done = 0;
    int first, nseg = 0, k = 0, n = brute_chunks(c, b, end);
    feed_init(&f, c, cap, windows);
    OK(feed_batch(&f, b, &e));
    CHECK(f.nchunk == n && (n == 0 || f.tokens == end[n - 1]));
    for (int j = 0; j < c->nh; j++) CHECK(f.valid[j] == brute_valid(c, b, c->horizon[j]));
    CHECK(f.targets == f.valid[0] + f.valid[1] + f.valid[2] + f.valid[3]);
    while (feed_next(&f, &in, &first)) {
        CHECK(first == nseg && in.nchunk >= 1 && in.nchunk <= feed_chunks(cap) && in.chunk[0] == 0 && in.ntok <= cap);
        check_segments(&in, b, c, first);
        for (int i = 1; i <= in.nchunk; i++) CHECK(done + in.chunk[i] == end[k + i - 1]);
        k += in.nchunk;
        done += in.ntok;
        nseg += in.nseg;
        int more_fits = k < n && end[k] - done + in.ntok <= cap;
        int before_last = in.nchunk == 1 ? 0 : count_before(&in, in.chunk[in.nchunk - 1]);
        if (windows) CHECK((in.nseg >= windows || !more_fits) && (in.nchunk == 1 || before_last < windows));
        else CHECK(!more_fits);
    }
    CHECK(k == n && nseg == b->nseg);
    feed_free(&f);
}

TEST(feed_chunks_and_counts_for_any_cap_and_window_count)
{
    static const int patch[][2] = {{1, 1}, {4, 4}, {3, 2}, {2, 5}}, caps[] = {CHUNK - 1 + 300, 5000, 9000, 1 << 20};
    static const int64_t windows[] = {0, 1, 3, 50, 1000000};
    Made *m = malloc(sizeof *m);
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < 20; i++) {
            ModelConfig c = shape(patch[p][0], patch[p][1]);
            make(m, (uint64_t)(100 * p + i), (i * 37) % 700, c.P, 290);
            check_feed(&c, &m->b, caps[i % 4], windows[i % 5]);
        }
    free(m);
}

TEST(feed_one_chunk_at_least_and_exact_boundaries)
{
    ModelConfig c = shape(1, 1);
    Made *m = malloc(sizeof *m);
    make(m, 1, 8, 1, 1);
    for (int i = 0; i < 8; i++) m->npt[i] = 1025;            /* two make exactly a chunk */
    check_feed(&c, &m->b, CHUNK, 0);
    check_feed(&c, &m->b, CHUNK - 1 + 1024, 1);
    check_feed(&c, &m->b, 2 * CHUNK, 0);
    make(m, 1, 0, 1, 1);
    check_feed(&c, &m->b, CHUNK, 0);
    free(m);
}

TEST(feed_grows_with_the_batch)
{
    Err e;
    Feed f;
    Input in;
    int first;
    ModelConfig c = shape(1, 1);
    Made *m = malloc(sizeof *m);
    feed_init(&f, &c, 1 << 20, 0);
    for (int n = 1; n < 700; n += 99) {
        make(m, 5, n, 1, 50);
        OK(feed_batch(&f, &m->b, &e));
        CHECK(feed_next(&f, &in, &first) && in.nseg == n && !feed_next(&f, &in, &first));
    }
    feed_free(&f);
    free(m);
}

/* Of all ways to cut a window at gaps, the one with most tokens. */
static int64_t most_tokens(const ModelConfig *c, int64_t n)
{
    int64_t best[64] = {0};
    for (int64_t k = c->P + 1; k <= n; k++) {
        best[k] = best[k - 1];
        for (int64_t len = c->P + 1; len <= k; len++) {
            int64_t before = k - len - 1, t = config_tokens(c, len) + (before > 0 ? best[before] : 0);
            if (t > best[k]) best[k] = t;
        }
    }
    return best[n];
}

TEST(feed_window_tokens_of_the_worst_cut)
{
    for (int P = 1; P < 5; P++)
        for (int S = 1; S < 10; S++)
            for (int64_t n = P + 1; n < 60; n++) {
                ModelConfig c = shape(P, S);
                CHECK(feed_window_tokens(&c, n) == most_tokens(&c, n));
            }
}
