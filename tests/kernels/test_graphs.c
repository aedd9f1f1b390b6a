/* test_graphs.c - backend_begin() and backend_end() on a device: what may be recorded, when that is good again, and when it is not. */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "kernels/op_help.h"

/* What an op sees besides its inputs, in a pass of one op that reads inputs and of some that read row numbers. */
typedef enum { PLAIN, FETCHES, SENDS_INPUTS, SENDS_ROWS, SENDS_MANY_ROWS } Inside;
enum { WIDTH = 2, MOST = 4, SENT = 9 };
typedef struct Bench { Backend *b; float *w, *h; int row[SENT][MOST]; int calls; } Bench;

static int bench_open(Bench *k)
{
    static const float one[] = {1, 2};
    const Dims d = {.tokens = 64, .chunks = 2, .longest = 64, .D = WIDTH, .H = 1, .Hk = 1, .d = WIDTH, .F = 2, .P = 1, .S = 1, .O = 1};
    Err e;
    *k = (Bench){0};
    const char *set = getenv("FTS_GRAPHS");
    if (set && !strcmp(set, "no")) { test_skip("FTS_GRAPHS=no is set"); return 0; }
    TestEnv trials = test_env("FTS_CUBLAS_TUNE", "no");
    int bad = test_device_open(&k->b, F32, 0, &e);
    test_env_back(&trials);
    if (bad) { test_skip(e.message); return 0; }
    if (backend_alloc(k->b, sizeof one, (void **)&k->w, "a test", &e) || backend_alloc(k->b, MOST * WIDTH * sizeof *k->h, (void **)&k->h, "a test", &e)
        || backend_reserve(k->b, &d, &e)) {
        test_fail(__FILE__, __LINE__, "%s", e.message);
        return 0;
    }
    backend_upload(k->b, k->w, one, sizeof one);
    return 1;
}

static int bench_close(Bench *k)
{
    Err e;
    int bad = backend_sync(k->b, &e);
    backend_free(k->b, k->w, WIDTH * sizeof *k->w);
    backend_free(k->b, k->h, MOST * WIDTH * sizeof *k->h);
    backend_close(k->b);
    return !bad;
}

static void ops(Bench *k, const Input *in, Inside how)
{
    float now[MOST * WIDTH];
    Input bare = *in;
    Weight w = {.w = k->w, .groups = 1, .out = WIDTH, .in = 1, .full = 1};
    Mat h = {k->h, in->ntok, WIDTH, WIDTH, F32};
    if (how == SENDS_INPUTS) bare.own = NULL;
    k->b->ops.embed(k->b, h, &w, &w, &bare);
    if (how == FETCHES) backend_download(k->b, now, k->h, sizeof now);
    for (int i = 0; i < SENT && how >= SENDS_ROWS; i++)
        if (how == SENDS_MANY_ROWS || i < 2) k->b->ops.rows(k->b, h, h, k->row[i]);
    k->calls++;
}

/* The points are first, first + 1 ... and some that belong to no token. 1: what came out is right; *calls: of ops. */
static int pass(Bench *k, const int *ntok, int nseg, int more, float first, Inside how, int *calls)
{
    float points[96], got[MOST * WIDTH];
    Seg seg[2];
    int chunk[3] = {0}, right = 1;
    Input in = {.points = points, .seg = seg, .chunk = chunk, .nseg = nseg, .nchunk = nseg, .P = 1, .S = 1, .longest = MOST};
    for (int i = 0, pt = 0; i < nseg; i++, pt += more) {
        seg[i] = (Seg){.tok = in.ntok, .ntok = ntok[i], .pt = pt, .npt = ntok[i] + more};
        for (int t = 0; t < ntok[i]; t++) points[pt++] = first + (float)(in.ntok + t);
        for (int t = 0; t < more; t++) points[pt + t] = -9;
        chunk[i + 1] = in.ntok += ntok[i];
    }
    k->calls = 0;
    if (!backend_begin(k->b, k->h, &in, 1, 64))
        do ops(k, &in, how);
        while (backend_end(k->b));
    *calls = k->calls;
    backend_download(k->b, got, k->h, (size_t)in.ntok * WIDTH * sizeof *got);
    for (int i = 0; i < in.ntok * WIDTH; i++) {
        int from = i / WIDTH;
        for (int r = how == SENDS_MANY_ROWS ? SENT : how == SENDS_ROWS ? 2 : 0; r-- > 0;) from = k->row[r][from];
        double x = (double)(i % WIDTH + 1) * (double)(first + (float)from), want = silu_of(x) * x;
        if (!(got[i] - want <= 1e-4 * want + 1e-6 && want - got[i] <= 1e-4 * want + 1e-6)) right = 0;
    }
    return right;
}

/* A graph that was not made, where the driver makes launches wait, is not missed. */
static int called(int calls, int want) { return calls == want || (test_device_is_real() && getenv("CUDA_LAUNCH_BLOCKING")); }

#define PASS(k, ntok, more, first, how, want)                                                                      \
    do {                                                                                                           \
        int calls_;                                                                                                \
        CHECK(pass(k, ntok, (int)(sizeof (ntok) / sizeof *(ntok)), more, first, how, &calls_));                     \
        if (!called(calls_, want)) test_fail(__FILE__, __LINE__, "ops were called %d times, not %d", calls_, want); \
    } while (0)

static const int one[] = {3}, two[] = {1, 2};

TEST(cuda_graph_follows_its_inputs)
{
    Bench k;
    if (!bench_open(&k)) return;
    PASS(&k, one, 0, 1, PLAIN, 1);
    PASS(&k, one, 0, 2, PLAIN, 1);
    PASS(&k, one, 0, 3, PLAIN, 0);
    PASS(&k, two, 0, 4, PLAIN, 1);
    PASS(&k, one, 5, 5, PLAIN, 0);               /* more points, but at the same place */
    PASS(&k, one, 70, 6, PLAIN, 1);              /* what lies behind the points is elsewhere */
    PASS(&k, one, 0, 7, PLAIN, 0);
    CHECK(backend_replays(k.b) == 3 || called(0, 1));
    CHECK(bench_close(&k));
}

/* Ops may have been given what is freed, wherever it lay. */
TEST(cuda_graph_goes_with_memory)
{
    Err e;
    void *p;
    Bench k;
    if (!bench_open(&k)) return;
    OK(backend_alloc(k.b, 100, &p, "a test", &e));
    PASS(&k, one, 0, 1, PLAIN, 1);
    PASS(&k, one, 0, 2, PLAIN, 1);
    PASS(&k, one, 0, 3, PLAIN, 0);
    backend_free(k.b, p, 100);
    PASS(&k, one, 0, 4, PLAIN, 1);
    PASS(&k, one, 0, 5, PLAIN, 1);
    PASS(&k, one, 0, 6, PLAIN, 0);
    CHECK(backend_reserve(k.b, &(Dims){.tokens = 6400, .chunks = 2, .longest = 64, .D = WIDTH, .H = 1, .Hk = 1, .d = WIDTH, .F = 2, .P = 1, .S = 1, .O = 1}, &e) == 0);
    PASS(&k, one, 0, 7, PLAIN, 1);
    CHECK(bench_close(&k));
}

/* What must not happen while ops are recorded makes them be called once more, and never recorded again. */
TEST(cuda_graph_is_not_made_of_what_waits)
{
    static const Inside bad[] = {FETCHES, SENDS_INPUTS, SENDS_MANY_ROWS};
    for (int i = 0; i < 3; i++) {
        Bench k;
        if (!bench_open(&k)) return;
        for (int r = 0; r < SENT; r++) memcpy(k.row[r], (int[]){2, 0, 1}, 3 * sizeof(int));
        PASS(&k, one, 0, 1, bad[i], 1);
        PASS(&k, one, 0, 2, bad[i], 2);
        PASS(&k, one, 0, 3, bad[i], 1);
        PASS(&k, one, 0, 4, bad[i], 1);
        CHECK(!backend_replays(k.b));
        CHECK(bench_close(&k));
    }
}

/* Row numbers are looked for where they lay. */
TEST(cuda_graph_sends_rows_again)
{
    Bench k;
    if (!bench_open(&k)) return;
    for (int n = 0; n < 6; n++) {
        memcpy(k.row[0], (int[]){n % 3, (n + 1) % 3, 0}, 3 * sizeof(int));
        memcpy(k.row[1], (int[]){2 - n % 3, 1, n % 2}, 3 * sizeof(int));
        PASS(&k, one, 0, (float)n, SENDS_ROWS, n < 2);
    }
    CHECK(bench_close(&k));
}
