/* test_infer_again.c - passes that come again: started as one launch on a device, they give the bits of ops that are called one by one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "kernels/watch.h"
#include "model/infer.h"
#include "test.h"

__attribute__((weak)) extern int emu_graph_fails;       /* tests/emu/emu.cpp */

enum { SLOTS = 3, CAP = 90, TOKENS = 90, PIECES = 3, OUTPUTS = 6 };

/* As small as they can be: every op of a pass takes its time in the emulator. */
static const ModelConfig mixture = {.D = 8, .L = 2, .H = 2, .Hk = 1, .E = 3, .K = 2, .B = 1, .F = 8, .Fe = 8, .P = 1, .S = 1, .nh = 2, .horizon = {2, 4},
                                    .max_positions = 100, .eps = 1e-6f, .theta = 10000, .init_range = 0.4f};
static const ModelConfig patches = {.D = 12, .L = 1, .H = 2, .Hk = 2, .E = 2, .K = 1, .B = 2, .F = 10, .Fe = 6, .P = 5, .S = 3, .nh = 2, .horizon = {3, 3},
                                    .max_positions = 100, .eps = 1e-6f, .theta = 10000, .init_range = 0.4f};
static const ModelConfig dense = {.D = 8, .L = 1, .H = 1, .Hk = 1, .F = 16, .B = 1, .P = 1, .S = 1, .nh = 1, .horizon = {OUTPUTS}, .dense = 1,
                                  .max_positions = 100, .eps = 1e-6f, .theta = 10000, .init_range = 0.4f};

/* Tokens [past, +ntok) of a slot. */
typedef struct Piece { int slot, past, ntok; } Piece;
typedef struct Step { int n; Piece piece[PIECES]; int replayed; } Step;

/* The same model twice: every op launched by itself, and as the device likes it. */
typedef struct Side { Backend *b; Model *m; Infer f; float out[SLOTS * OUTPUTS]; } Side;
typedef struct Pair { Side side[2]; int step; } Pair;

/* With trials of a library's algorithms a pass is recorded after them, two passes later. */
static int side_open(Side *s, const ModelConfig *c, const char *graphs, const char *library, const char *trials, Dtype type, Err *e)
{
    TestEnv before[] = {test_env("FTS_GRAPHS", graphs), test_env("FTS_CUBLAS", library), test_env("FTS_CUBLAS_TUNE", trials)};
    int bad = test_device_open(&s->b, type, 0, e);
    for (int i = 0; i < 3; i++) test_env_back(&before[i]);
    if (bad || model_open(&s->m, c, s->b, 0, e)) return -1;
    model_init(s->m, 7);
    return infer_open(&s->f, s->m, TOKENS, SLOTS, CAP, e);
}

static void pair_close(Pair *p)
{
    for (int i = 0; i < 2; i++) {
        infer_close(&p->side[i].f);
        model_close(p->side[i].m);
        backend_close(p->side[i].b);
    }
}

/* Points of a piece follow from `step` and the slot. */
static void run(Side *s, const Step *what, int step)
{
    const ModelConfig *c = &s->m->c;
    Seg seg[PIECES];
    int chunk[PIECES + 1] = {0}, npt = 0;
    Input in = {.seg = seg, .chunk = chunk, .nseg = what->n, .nchunk = what->n, .P = c->P, .S = c->S};
    float *points = calloc((size_t)(TOKENS * c->S + PIECES * c->P), sizeof *points);
    in.points = points;
    for (int i = 0; i < what->n; i++) {
        Piece x = what->piece[i];
        seg[i] = (Seg){.tok = in.ntok, .ntok = x.ntok, .pt = npt, .npt = (x.ntok - 1) * c->S + c->P, .past = x.past, .slot = x.slot};
        for (int t = 0; t < seg[i].npt; t++) points[npt++] = (float)sin(0.7 * t + 1.3 * x.slot + 5.1 * step);
        chunk[i + 1] = in.ntok += x.ntok;
        if (x.past + x.ntok > in.longest) in.longest = x.past + x.ntok;
    }
    infer_pass(&s->f, &in, s->out);
    free(points);
}

static int same_bits(Pair *p, const Step *what)
{
    p->step++;
    for (int i = 0; i < 2; i++) run(&p->side[i], what, p->step);
    return !memcmp(p->side[0].out, p->side[1].out, (size_t)what->n * OUTPUTS * sizeof(float));
}

/* Where the driver makes every launch wait, it may refuse to record. */
static int counts(void) { return !test_device_is_real() || !getenv("CUDA_LAUNCH_BLOCKING"); }

static void steps(Pair *p, const char *what, const Step *step, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t before = backend_replays(p->side[1].b);
        if (!same_bits(p, &step[i])) test_fail(__FILE__, __LINE__, "%s: step %d has other bits", what, i);
        if (counts() && backend_replays(p->side[1].b) - before != step[i].replayed) test_fail(__FILE__, __LINE__, "%s: step %d: replayed or not", what, i);
    }
    if (backend_replays(p->side[0].b)) test_fail(__FILE__, __LINE__, "%s: replayed by who was told not to", what);
}

#define STEPS(p, what, ...) steps(p, what, (const Step[]){__VA_ARGS__}, (int)(sizeof (const Step[]){__VA_ARGS__} / sizeof(Step)))

static int closed(Pair *p)
{
    Err e;
    int bad = backend_sync(p->side[0].b, &e) || backend_sync(p->side[1].b, &e);
    pair_close(p);
    return !bad;
}

/* 1 if there is a device; the test is skipped otherwise. */
static int opened_with(Pair *p, const ModelConfig *c, const char *library, const char *trials, Dtype type)
{
    Err e;
    Backend *b;
    *p = (Pair){0};
    if (test_device_open(&b, type, 0, &e)) {
        test_skip(e.message);
        return 0;
    }
    backend_close(b);
    if (!side_open(&p->side[0], c, "no", library, trials, type, &e) && !side_open(&p->side[1], c, "yes", library, trials, type, &e)) return 1;
    test_fail(__FILE__, __LINE__, "%s", e.message);
    return 0;
}

static int opened(Pair *p, const ModelConfig *c, const char *library, Dtype type) { return opened_with(p, c, library, "no", type); }

/* A pass has other points, lengths, slots and pasts than that which was recorded; or other counts, when it must not be taken for it. */
static void forecasts(const ModelConfig *c, const char *library, Dtype type)
{
    Pair p;
    if (!opened(&p, c, library, type)) return;
    STEPS(&p, library,
        {2, {{0, 0, 5}, {1, 0, 3}}, 0}, {2, {{0, 0, 5}, {1, 0, 3}}, 0}, {2, {{0, 0, 5}, {1, 0, 3}}, 1}, {2, {{0, 0, 3}, {1, 0, 5}}, 1}, {2, {{2, 0, 5}, {0, 0, 3}}, 1},
        {2, {{0, 3, 1}, {2, 5, 1}}, 0}, {2, {{0, 4, 1}, {2, 6, 1}}, 0}, {2, {{0, 5, 1}, {2, 7, 1}}, 1}, {2, {{1, 0, 1}, {0, 6, 1}}, 1},
        {1, {{0, 0, 8}}, 0}, {1, {{0, 0, 8}}, 0}, {1, {{1, 0, 8}}, 1}, {1, {{1, 8, 8}}, 1},
        {3, {{0, 8, 2}, {1, 16, 2}, {2, 8, 4}}, 0}, {2, {{0, 0, 5}, {1, 0, 3}}, 1},
        {3, {{2, 12, 6}, {0, 10, 1}, {1, 5, 1}}, 0}, {3, {{2, 12, 6}, {0, 10, 1}, {1, 5, 1}}, 1});
    CHECK(closed(&p));
}

/* What is recorded has the algorithms that were chosen. */
TEST(infer_again_after_trials)
{
    Pair p;
    if (!opened_with(&p, &mixture, "yes", "yes", BF16)) return;
    STEPS(&p, "trials", {1, {{0, 0, 8}}, 0}, {1, {{0, 0, 8}}, 0}, {1, {{1, 0, 8}}, 0}, {1, {{0, 0, 8}}, 0}, {1, {{2, 0, 8}}, 1}, {1, {{1, 0, 8}}, 1});
    CHECK(closed(&p));
}

TEST(infer_again_gives_the_same_bits)
{
    ModelConfig shallow = mixture;
    shallow.L = 1;
    forecasts(&mixture, "no", F32);
    forecasts(&patches, "no", BF16);
    forecasts(&dense, "yes", F32);
    forecasts(&shallow, "yes", BF16);
}

/* As many tokens of as many series, but in other tiles of attention. */
TEST(infer_again_counts_tiles)
{
    Pair p;
    if (!opened(&p, &dense, "no", F32)) return;
    STEPS(&p, "tiles", {2, {{0, 0, 65}, {1, 0, 5}}, 0}, {2, {{0, 0, 65}, {1, 0, 5}}, 0}, {2, {{0, 0, 35}, {1, 0, 35}}, 0}, {2, {{0, 0, 5}, {1, 0, 65}}, 1},
        {2, {{0, 0, 30}, {1, 0, 40}}, 0}, {2, {{0, 0, 29}, {1, 0, 41}}, 1});
    CHECK(closed(&p));
}

/* The shape that was not asked for the longest is given up. */
TEST(infer_again_knows_some_shapes)
{
    enum { MANY = 20 };
    Pair p;
    if (!opened(&p, &dense, "no", F32)) return;
    for (int n = 1; n <= MANY; n++)
        STEPS(&p, "many", {1, {{0, 0, n}}, 0}, {1, {{1, 0, n}}, 0}, {1, {{0, 3, n}}, 1});
    STEPS(&p, "many", {1, {{0, 0, MANY}}, 1}, {1, {{0, 0, MANY - 9}}, 1}, {1, {{0, 0, 1}}, 0}, {1, {{0, 0, 1}}, 0}, {1, {{0, 0, 1}}, 1}, {1, {{1, 0, MANY - 9}}, 1});
    CHECK(closed(&p));
}

static int reopen(Side *s, int slots, int cap, Err *e)
{
    infer_close(&s->f);
    return infer_open(&s->f, s->m, TOKENS, slots, cap, e);
}

/* What was recorded of memory that is gone is not started. */
TEST(infer_again_after_memory_was_freed)
{
    Err e;
    Pair p;
    if (!opened(&p, &mixture, "no", F32)) return;
    for (int cap = CAP; cap < CAP + 4; cap++) {
        STEPS(&p, "freed", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 1});
        for (int i = 0; i < 2; i++) OK(reopen(&p.side[i], SLOTS, cap + 1, &e));
    }
    CHECK(closed(&p));
}

/* Two models share a device and its places for inputs. */
TEST(infer_again_of_two_models)
{
    Err e;
    Pair p;
    Model *m[2];
    Infer f[2];
    if (!opened(&p, &mixture, "no", F32)) return;
    for (int i = 0; i < 2; i++) {
        OK(model_open(&m[i], &mixture, p.side[i].b, 0, &e));
        model_init(m[i], 8);
        OK(infer_open(&f[i], m[i], TOKENS, SLOTS, CAP, &e));
    }
    for (int k = 0; k < 8; k++) {
        STEPS(&p, "two", {1, {{0, 0, 6}}, k / 2 >= 2});
        for (int i = 0; i < 2; i++) {
            Infer other = p.side[i].f;
            p.side[i].f = f[i];
            f[i] = other;
        }
    }
    for (int i = 0; i < 2; i++) {
        infer_close(&f[i]);
        model_close(m[i]);
    }
    CHECK(closed(&p));
}

/* In bf16 with a library, products read copies of weights, which somebody has to make anew. */
TEST(infer_again_after_new_weights)
{
    for (int type = F32; type <= BF16; type++) {
        Pair p;
        if (!opened(&p, &mixture, "yes", (Dtype)type)) return;
        float old[OUTPUTS];
        STEPS(&p, "old", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 1});
        memcpy(old, p.side[1].out, sizeof old);
        for (int i = 0; i < 2; i++) model_init(p.side[i].m, 9);
        p.step--;
        STEPS(&p, "new", {1, {{0, 0, 6}}, type == F32});
        if (!memcmp(old, p.side[1].out, sizeof old)) test_fail(__FILE__, __LINE__, "predictions of the old weights");
        STEPS(&p, "new", {1, {{0, 0, 6}}, 1}, {1, {{0, 0, 6}}, 1});
        if (!closed(&p)) test_fail(__FILE__, __LINE__, "the device failed");
    }
}

/* A device that cannot record, or cannot start what it recorded, calls ops one by one and says nothing. */
TEST(infer_again_without_graphs)
{
    Pair p;
    if (!&emu_graph_fails || test_device_is_real()) { test_skip("it is the emulator that fails on purpose"); return; }
    for (int how = 1; how <= 4; how++) {
        if (!opened(&p, &dense, "no", F32)) return;
        STEPS(&p, "before", {1, {{0, 0, 4}}, 0}, {1, {{0, 0, 4}}, 0}, {1, {{0, 0, 4}}, 1});
        emu_graph_fails = how;
        STEPS(&p, "fails", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 4}}, how < 4});
        emu_graph_fails = 0;
        STEPS(&p, "after", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 4}}, how < 4});
        CHECK(closed(&p));
    }
}

/* Who times ops wants to see them. */
TEST(infer_again_is_not_for_who_watches)
{
    Err e;
    Spans spans;
    Watch w = {.spans = &spans};
    Pair p;
    if (!opened(&p, &dense, "no", F32)) return;
    OK(spans_open(&spans, 1, 8, 1, &e));
    STEPS(&p, "before", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 1});
    watch_begin(&w, p.side[1].b);
    STEPS(&p, "watched", {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 6}}, 0}, {1, {{0, 0, 4}}, 0}, {1, {{0, 0, 4}}, 0}, {1, {{0, 0, 4}}, 0});
    watch_end(p.side[1].b);
    CHECK(w.sum[AT_attend_cache].calls == 5 * dense.L);
    spans_close(&spans);
    STEPS(&p, "after", {1, {{0, 0, 6}}, 1}, {1, {{0, 0, 4}}, 0});
    CHECK(closed(&p));
}
