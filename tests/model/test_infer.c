/* test_infer.c - predictions with a cache: those that PyTorch computed without one, in any company and any pieces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "golden.h"
#include "model/infer.h"
#include "model/weights.h"
#include "test.h"

static const char *const models[] = {"pointwise", "unequal", "gqa", "dense", "k1", "expert_layers2", "patch", "patch_overlap", "one_token"};
enum { NMODELS = sizeof models / sizeof *models, MOST_SEGS = 16 };

typedef struct Runs { Golden g; Backend *b; Model *m; Infer f; float *want, *out; int O; } Runs;

/* threads 0: on the device of tests/device.h */
static int runs_open(Runs *r, const char *name, int threads, Err *e)
{
    *r = (Runs){0};
    if (golden_open(&r->g, name, CHUNK, e) || (threads ? backend_open(&r->b, "cpu", F32, threads, e) : test_device_open(&r->b, F32, 0, e)) || golden_model(&r->m, &r->g, r->b, FORWARD_ONLY, e)) return -1;
    r->O = config_outputs(&r->g.c);
    r->want = golden_floats(golden_tensor(&r->g, "act.", "pred"));
    r->out = malloc((size_t)r->g.nseg * (size_t)r->O * sizeof *r->out);
    return infer_open(&r->f, r->m, r->g.ntok, r->g.nseg, r->g.longest, e);
}

static void runs_close(Runs *r)
{
    infer_close(&r->f);
    model_close(r->m);
    backend_close(r->b);
    golden_close(&r->g);
    free(r->want);
    free(r->out);
}

/* Tokens [from, to) of segments [first, +n), as far as they have so many; returns how many segments took part, their numbers in `which`. */
static int pass(Runs *r, int first, int n, int from, int to, int *which)
{
    Seg seg[MOST_SEGS];
    int chunk[MOST_SEGS + 1] = {0};
    Input in = {.points = r->g.points, .seg = seg, .chunk = chunk, .P = r->g.c.P, .S = r->g.c.S};
    for (int i = first; i < first + n; i++) {
        int end = to < r->g.seg[i].ntok ? to : r->g.seg[i].ntok;
        if (end <= from) continue;
        which[in.nseg] = i;
        seg[in.nseg++] = (Seg){.tok = in.ntok, .ntok = end - from, .pt = r->g.seg[i].pt + from * in.S, .npt = (end - from - 1) * in.S + in.P, .past = from, .slot = i};
        chunk[in.nseg] = in.ntok += end - from;
        if (end > in.longest) in.longest = end;
    }
    in.nchunk = in.nseg;
    if (in.nseg) infer_pass(&r->f, &in, r->out);
    return in.nseg;
}

static const float *want_after(const Runs *r, int seg, int to)
{
    int last = to < r->g.seg[seg].ntok ? to : r->g.seg[seg].ntok;
    return r->want + (size_t)(r->g.seg[seg].tok + last - 1) * (size_t)r->O;
}

/* All segments at once, `piece` tokens at a time, against PyTorch without a cache, in double. */
static void predictions(const char *model, int threads, int piece)
{
    Runs r;
    Err e;
    int which[MOST_SEGS];
    OK(runs_open(&r, model, threads, &e));
    for (int from = 0, n; from < r.g.longest; from += piece) {
        n = pass(&r, 0, r.g.nseg, from, from + piece, which);
        for (int i = 0; i < n; i++) {
            double far = golden_distance(r.out + (size_t)i * (size_t)r.O, want_after(&r, which[i], from + piece), (size_t)r.O);
            if (!(far <= 1e-5)) test_fail(__FILE__, __LINE__, "%s: segment %d after %d tokens is off by %.1e", model, which[i], from + piece, far);
        }
    }
    runs_close(&r);
}

TEST(infer_gives_the_golden_predictions)
{
    static const int pieces[] = {1 << 20, 1, 7};
    for (int k = 0; k < NMODELS; k++)
        for (int p = 0; p < 3; p++) predictions(models[k], 2, pieces[p]);
}

TEST(infer_on_a_device_gives_the_golden_predictions)
{
    Err e;
    Backend *b;
    if (test_device_open(&b, F32, 0, &e)) { test_skip(e.message); return; }
    backend_close(b);
    for (int k = 0; k < NMODELS; k++) predictions(models[k], 0, k ? 7 : 1 << 20);
}

/* The same bits alone as among others, with one thread as with several, and after the memory was made for other sizes. */
TEST(infer_company_changes_nothing)
{
    for (int k = 0; k < NMODELS; k++) {
        Runs all, one;
        Err e;
        int which[MOST_SEGS], alone[MOST_SEGS];
        OK(runs_open(&all, models[k], 2, &e));
        OK(runs_open(&one, models[k], 1, &e));
        infer_close(&one.f);
        OK(infer_open(&one.f, one.m, one.g.ntok + 5, one.g.nseg + 1, one.g.longest + 40, &e));
        for (int from = 0; from < all.g.longest; from += 9) {
            int n = pass(&all, 0, all.g.nseg, from, from + 9, which);
            for (int i = 0; i < n; i++) {
                CHECK(pass(&one, which[i], 1, from, from + 9, alone) == 1);
                if (memcmp(one.out, all.out + (size_t)i * (size_t)all.O, (size_t)all.O * sizeof(float)))
                    test_fail(__FILE__, __LINE__, "%s: segment %d after %d tokens differs alone", models[k], which[i], from + 9);
            }
        }
        runs_close(&one);
        runs_close(&all);
    }
}

/* r's weights become those of the file: copied, or where they lie in it. */
static int reopen(Runs *r, const char *dir, int mapped, Err *e)
{
    infer_close(&r->f);
    model_close(r->m);
    if (model_open(&r->m, &r->g.c, r->b, 0, e) || (mapped ? weights_map : weights_load)(r->m, dir, e)) return -1;
    return infer_open(&r->f, r->m, r->g.ntok, r->g.nseg, r->g.longest, e);
}

static int left_in_file(const Model *m)
{
    int n = 0;
    for (int i = 0; i < m->plan.n; i++) n += m->flat.stored[i].p != NULL;
    return n;
}

/* What is predicted with weights that stay in a file has the bits of what is predicted with copies. */
TEST(infer_reads_weights_from_the_file)
{
    static const char *const tier[] = {"ref", ""};
    char path[512];
    Err e;
    const char *dir = test_folder();
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    for (int k = 0; k < NMODELS * 4; k++) {
        Runs copy, map;
        int which[MOST_SEGS];
        setenv("FTS_TIER", tier[k % 2], 1);
        OK(runs_open(&copy, models[k / 4], 1, &e));
        OK(runs_open(&map, models[k / 4], 2, &e));
        OK(weights_save(path, copy.m, k / 2 % 2 ? BF16 : F32, &e));
        OK(reopen(&copy, dir, 0, &e));
        OK(reopen(&map, dir, 1, &e));
        CHECK(left_in_file(map.m) > map.g.c.L);
        int n = pass(&copy, 0, copy.g.nseg, 0, copy.g.longest, which);
        CHECK(pass(&map, 0, map.g.nseg, 0, map.g.longest, which) == n);
        if (memcmp(copy.out, map.out, (size_t)n * (size_t)copy.O * sizeof(float))) test_fail(__FILE__, __LINE__, "%s: tier '%s', case %d differs", models[k / 4], tier[k % 2], k);
        runs_close(&map);
        runs_close(&copy);
    }
    unsetenv("FTS_TIER");
}

TEST(infer_without_memory)
{
    Runs r;
    Err e;
    OK(runs_open(&r, "gqa", 1, &e));
    infer_close(&r.f);
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = infer_open(&r.f, r.m, r.g.ntok, r.g.nseg, r.g.longest, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
    CHECK(infer_bytes(r.b, &r.g.c, 10, 2, 10) < infer_bytes(r.b, &r.g.c, 10, 2, 100) && infer_bytes(r.b, &r.g.c, 10, 2, 10) < infer_bytes(r.b, &r.g.c, 100, 2, 10));
    runs_close(&r);
}
