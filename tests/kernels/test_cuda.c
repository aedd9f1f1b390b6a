/* The CUDA device behind backend.h, in the emulator or on the one that FTS_TEST_DEVICE names; and what nvcc says of its kernels. */
#include "device.h"
#include "kernels/op_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((weak)) extern int emu_dnn_missing;       /* tests/emu/cudnn.c */

/* NULL: it is not there, which the caller has said. */
static Backend *open_device(Dtype type)
{
    Err e;
    Backend *b;
    if (!test_device_open(&b, type, 0, &e)) return b;
    test_skip(e.message);
    return NULL;
}

TEST(cuda_memory_is_zeroed_and_sent_both_ways)
{
    Err e;
    void *p, *none = &e;
    unsigned char here[1000], back[1000] = {0};
    Backend *b = open_device(F32);
    if (!b) return;
    OK(backend_alloc(b, sizeof here, &p, "a test", &e));
    memset(here, 7, sizeof here);
    backend_download(b, here, p, sizeof here);
    for (size_t i = 0; i < sizeof here; i++) CHECK(!here[i]);
    for (size_t i = 0; i < sizeof here; i++) here[i] = (unsigned char)(i % 251);
    backend_upload(b, p, here, sizeof here);
    backend_download(b, back, p, sizeof back);
    CHECK(!memcmp(here, back, sizeof here) && (uintptr_t)p % 64 == 0);
    backend_free(b, p, sizeof here);
    CHECK(backend_alloc(b, (size_t)1 << 46, &none, "a dream", &e) == -1 && e.code == FTS_NOMEM && !none);
    CHECK(!strncmp(e.message, "a dream: 70368744177664 bytes are needed on the device, ", 56) && strstr(e.message, " are free"));
    OK(backend_sync(b, &e));
    backend_close(b);
}

/* Threads that load a model send what is small at the same time. */
enum { POSTS = 1 << 16, POST = 16 };
typedef struct Posting { Backend *b; float *to; } Posting;
static void post_one(void *job, int i, int thread)
{
    const Posting *p = job;
    float x[POST];
    (void)thread;
    for (int k = 0; k < POST; k++) x[k] = (float)(i * POST + k);
    backend_upload(p->b, p->to + i * POST, x, sizeof x);
}

TEST(cuda_small_things_from_many_threads)
{
    Err e;
    Par *par;
    float *back;
    Posting p = {.b = open_device(F32)};
    if (!p.b) return;
    OK(par_open(&par, 8, &e));
    OK(backend_alloc(p.b, POSTS * POST * sizeof *back, (void **)&p.to, "a test", &e));
    par_for(par, POSTS, post_one, &p);
    back = malloc(POSTS * POST * sizeof *back);
    CHECK(back);
    backend_download(p.b, back, p.to, POSTS * POST * sizeof *back);
    int wrong = 0;
    for (int i = 0; i < POSTS * POST; i++) wrong += back[i] != (float)i;
    CHECK(!wrong);
    free(back);
    backend_free(p.b, p.to, POSTS * POST * sizeof *back);
    par_close(par);
    backend_close(p.b);
}

/* Products by a library read copies of weights in bf16, made anew after an upload and after a step. */
typedef struct Kept { Backend *b; float *p; Flat f; bf16 *x, *y; } Kept;
enum { IN = 16, OUT = 5, BEFORE = 32, WEIGHTS = BEFORE + IN * OUT };

static void kept_product(const Kept *k, float *y)
{
    static const Seg seg[] = {{.ntok = 1, .npt = 1}};
    static const int chunk[] = {0, 1};
    bf16 got[OUT];
    Input in = {.seg = seg, .chunk = chunk, .nseg = 1, .nchunk = 1, .ntok = 1, .longest = 1, .P = 1, .S = 1};
    Weight w = {.w = k->p + BEFORE, .groups = 1, .out = OUT, .in = IN};
    k->b->ops.linear(k->b, (Mat){k->y, 1, OUT, OUT, BF16}, (Mat){k->x, 1, IN, IN, BF16}, &w, (Vec){0}, SET, &in);
    backend_download(k->b, got, k->y, sizeof got);
    for (int i = 0; i < OUT; i++) y[i] = bf16_to_f32(got[i]);
}

static int kept_open(Kept *k, Err *e)
{
    float w[WEIGHTS];
    bf16 x[IN];
    void **part[] = {(void **)&k->f.p, (void **)&k->f.g, (void **)&k->f.m, (void **)&k->f.v, (void **)&k->x, (void **)&k->y};
    for (int i = 0; i < WEIGHTS; i++) w[i] = (float)i;
    for (int i = 0; i < IN; i++) x[i] = f32_to_bf16(i == 3 ? 1 : 0);
    for (int i = 0; i < 6; i++)
        if (backend_alloc(k->b, sizeof w, part[i], "a test", e)) return -1;
    k->p = k->f.p;
    k->f.n = WEIGHTS;
    backend_upload(k->b, k->p, w, sizeof w);
    backend_upload(k->b, k->f.g, w, sizeof w);
    backend_upload(k->b, k->x, x, sizeof x);
    return backend_reserve(k->b, &(Dims){.tokens = 1, .chunks = 1, .longest = 1, .D = IN, .H = 1, .Hk = 1, .d = IN, .F = OUT, .P = 1, .S = 1, .O = OUT}, e);
}

static void kept_close(Kept *k)
{
    void *part[] = {k->f.p, k->f.g, k->f.m, k->f.v, k->x, k->y};
    for (int i = 0; i < 6; i++) backend_free(k->b, part[i], WEIGHTS * sizeof(float));
    backend_close(k->b);
}

TEST(cuda_copies_of_weights_follow_them)
{
    static const Range where[] = {{0, BEFORE - 7}, {BEFORE, IN * OUT}};
    const float more[] = {1000, 2000, 3000, 4000};
    Err e;
    float y[OUT], z[OUT];
    StepSum sum = {.norm2 = 1}, *s;
    Kept k = {0};
    setenv("FTS_CUBLAS", "yes", 1);
    k.b = open_device(BF16);
    unsetenv("FTS_CUBLAS");
    if (!k.b) return;
    OK(kept_open(&k, &e));
    OK(backend_copies(k.b, k.p, where, 2, &e));
    CHECK(backend_copies_bytes(k.b, 48, 64) == 96);
    kept_product(&k, y);
    for (int i = 0; i < OUT; i++) CHECK(y[i] == bf16_round((float)(BEFORE + i * IN + 3)));
    if (!test_device_is_real()) {                /* behind its back: it does not look again */
        k.p[BEFORE + 3] = 7;
        kept_product(&k, z);
        CHECK(!memcmp(y, z, sizeof y));
    }
    backend_upload(k.b, k.p + BEFORE, more, sizeof more);
    kept_product(&k, z);
    CHECK(z[0] == bf16_round(4000) && z[1] == y[1]);
    OK(backend_alloc(k.b, sizeof sum, (void **)&s, "a test", &e));
    backend_upload(k.b, s, &sum, sizeof sum);
    k.b->ops.adamw(k.b, s, &k.f, where, 2, &(AdamW){.lr = 100, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .step = 1});
    kept_product(&k, z);
    CHECK(fabsf(z[0] - 3900) <= 16 && fabsf(z[1] - (y[1] - 100)) <= 0.5f);
    OK(backend_copies(k.b, k.p, NULL, 0, &e));
    kept_product(&k, y);
    CHECK(!memcmp(y, z, sizeof y));
    backend_free(k.b, s, sizeof sum);
    kept_close(&k);
}

TEST(cuda_counts_the_memory_it_holds)
{
    Err e;
    void *p;
    Backend *b = open_device(F32);
    if (!b) return;
    int64_t before = backend_used(b);
    OK(backend_alloc(b, 12345, &p, "a test", &e));
    CHECK(backend_used(b) == before + 12345 && backend_unused(b) > 0 && backend_unused(b) <= backend_memory(b));
    OK(backend_reserve(b, &(Dims){.tokens = 10, .chunks = 1, .longest = 10, .D = 8, .H = 1, .Hk = 1, .d = 8, .F = 8, .P = 1, .S = 1, .O = 1}, &e));
    CHECK(backend_used(b) >= before + 12345 + (int64_t)b->scratch_size);
    backend_free(b, p, 12345);
    backend_free(b, b->scratch, b->scratch_size);
    CHECK(backend_used(b) > before);             /* of inputs */
    b->scratch = NULL;
    b->scratch_size = 0;
    backend_close(b);
}

TEST(cuda_text_names_device_and_products)
{
    char text[256];
    Backend *b = open_device(BF16);
    if (!b) return;
    CHECK(backend_text(b, text, sizeof text) == (int)strlen(text) && !strncmp(text, "cuda:0 (", 8));
    if (!test_device_is_real() && !test_wgmma_asked()) TEXT(text, "cuda:0 (emulator, own products, own attention)");
    CHECK(!strcmp(b->name, "cuda") && b->device->fast_bf16() && !b->device->on_host && backend_memory(b) > 0);
    backend_close(b);
}

/* Hopper's products are for those who ask and for bf16. */
TEST(cuda_text_names_wgmma_where_it_is_asked_for)
{
    char text[256];
    for (int type = F32; type <= BF16 && !test_device_is_real() && !test_wgmma_asked(); type++) {
        test_wgmma_ask(1);
        Backend *b = open_device((Dtype)type);
        test_wgmma_ask(0);
        if (!b) return;
        backend_text(b, text, sizeof text);
        TEXT(text, type == BF16 ? "cuda:0 (emulator, own products and wgmma, own attention)" : "cuda:0 (emulator, own products, own attention)");
        backend_close(b);
    }
}

/* cuDNN is for those who ask and for bf16, and nobody minds when it is not there. */
TEST(cuda_text_names_cudnn_where_it_is_asked_for)
{
    char text[256];
    if (!&emu_dnn_missing) { test_skip("the emulator of CUDA is not built in"); return; }
    for (int i = 0; i < 3 && !test_device_is_real(); i++) {
        emu_dnn_missing = i == 1;
        setenv("FTS_CUDNN", "yes", 1);
        Backend *b = open_device(i == 2 ? F32 : BF16);
        unsetenv("FTS_CUDNN");
        emu_dnn_missing = 0;
        if (!b) return;
        backend_text(b, text, sizeof text);
        TEXT(text, i ? "cuda:0 (emulator, own products, own attention)" : "cuda:0 (emulator, own products, cuDNN 9.19.0)");
        backend_close(b);
    }
}

TEST(cuda_heads_that_are_too_wide_are_refused)
{
    Err e;
    Dims d = {.tokens = 10, .chunks = 1, .longest = 10, .D = 256, .H = 1, .Hk = 1, .d = 256, .E = 2, .K = 1, .F = 8, .Fe = 8, .P = 1, .S = 1, .O = 1, .routers = 1};
    Backend *b = open_device(F32);
    if (!b) return;
    CHECK(backend_reserve(b, &d, &e) == -1 && e.code == FTS_USAGE);
    TEXT(e.message, "--device cuda: heads of 256 numbers are too wide, at most 128: use more heads");
    d.d = 128;
    d.H = 2;
    OK(backend_reserve(b, &d, &e));
    CHECK(b->scratch_size >= backend_scratch_bytes(b, &d) && backend_input_bytes(b, &d) > 0);
    backend_close(b);
}

__attribute__((weak)) extern size_t emu_shared_memory;

/* Devices smaller than a Hopper are told before the first step. */
TEST(cuda_heads_that_need_more_shared_memory_are_refused)
{
    static const struct { Dtype type; int d, forecast; size_t room; int fits; } ask[] = {
        {F32, 64, 0, 99 << 10, 0}, {F32, 64, 1, 99 << 10, 1}, {F32, 32, 0, 99 << 10, 1}, {BF16, 64, 0, 99 << 10, 1}, {F32, 128, 0, 163 << 10, 0}, {F32, 128, 0, 227 << 10, 1},
    };
    if (!&emu_shared_memory) { test_skip("the emulator of CUDA is not built in"); return; }
    for (size_t i = 0; i < sizeof ask / sizeof *ask && !test_device_is_real(); i++) {
        Err e = {0};
        Dims d = {.tokens = 10, .chunks = 1, .longest = 10, .D = ask[i].d, .H = 1, .Hk = 1, .d = ask[i].d, .E = 2, .K = 1, .F = 8, .Fe = 8, .P = 1, .S = 1, .O = 1, .routers = 1, .forecast = ask[i].forecast};
        emu_shared_memory = ask[i].room;
        Backend *b = open_device(ask[i].type);
        emu_shared_memory = 227 << 10;
        if (!b) return;
        CHECK(backend_reserve(b, &d, &e) == (ask[i].fits ? 0 : -1));
        if (!i) TEXT(e.message, "--device cuda: attention in fp32 with heads of 64 numbers takes 116992 bytes of shared memory, a block of emulator may have 101376: use bf16, or more heads");
        backend_close(b);
    }
}

/* Points of segments are sent without what lies between them; two inputs are good at once, as a forecast needs them. */
TEST(cuda_two_inputs_are_good_at_once)
{
    static const int chunk[] = {0, 3}, last_chunk[] = {0, 1};
    static const Seg seg[] = {{.tok = 0, .ntok = 2, .pt = 4, .npt = 2}, {.tok = 2, .ntok = 1, .pt = 1, .npt = 1}}, last[] = {{.tok = 0, .ntok = 1, .pt = 5, .npt = 1}};
    const float points[] = {-9, 3, -9, -9, 1, 2}, one[] = {1, 0}, want[] = {1, 0, 2, 0, 3, 0}, want_last[] = {2, 0};
    Input in = {.points = points, .seg = seg, .chunk = chunk, .nseg = 2, .nchunk = 1, .ntok = 3, .longest = 2, .P = 1, .S = 1};
    Input end = {.points = points, .seg = last, .chunk = last_chunk, .nseg = 1, .nchunk = 1, .ntok = 1, .longest = 1, .P = 1, .S = 1};
    Err e;
    float got[6];
    void *w, *h;
    Backend *b = open_device(F32);
    if (!b) return;
    OK(backend_alloc(b, sizeof one, &w, "a test", &e));
    OK(backend_alloc(b, sizeof got, &h, "a test", &e));
    backend_upload(b, w, one, sizeof one);
    Weight gate = {.w = w, .groups = 1, .out = 2, .in = 1, .full = 1};
    backend_input(b, &in);
    backend_input(b, &end);
    b->ops.embed(b, (Mat){h, 3, 2, 2, F32}, &gate, &gate, &in);
    backend_download(b, got, h, sizeof got);
    for (int i = 0; i < 6; i++) CHECK(fabs((double)got[i] - silu_of((double)want[i]) * (double)want[i]) < 1e-5);
    b->ops.embed(b, (Mat){h, 1, 2, 2, F32}, &gate, &gate, &end);
    backend_download(b, got, h, sizeof want_last);
    for (int i = 0; i < 2; i++) CHECK(fabs((double)got[i] - silu_of((double)want_last[i]) * (double)want_last[i]) < 1e-5);
    OK(backend_sync(b, &e));
    backend_free(b, w, sizeof one);
    backend_free(b, h, sizeof got);
    backend_close(b);
}

/* Room for dP of every two tokens of a segment and head, in tiles of 64 queries and 128 keys, and a little more. */
static int plan_is_as_expected(const char *line)
{
    long long n[6], room = 0;
    char *rest;
    for (int i = 0; i < 6; i++, line = rest) n[i] = strtoll(line, &rest, 10);
    if (n[4]) room = n[0] * n[2] * ((n[1] + 63) / 64 * 64) * ((n[1] + 127) / 128 * 128) * 2;
    return n[5] >= room && n[5] <= room + 512 * n[0] + 65536;
}

/* tests/gpu/plans.c, beside the program of the tests. Each plan takes half a second, so it is asked for. */
TEST(cuda_plans_of_cudnn_for_a_described_device)
{
    char here[512], command[2048], line[256];
    int lines = 0;
    if (!CUDA_IS_BUILT_IN) { test_skip("CUDA is not built in"); return; }
    if (!getenv("FTS_TEST_CUDNN")) { test_skip("FTS_TEST_CUDNN=1 makes plans of cuDNN for a device that is only described"); return; }
    ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
    here[n < 0 ? 0 : n] = 0;
    char *name = strrchr(here, '/');
    if (name) *name = 0;
    snprintf(command, sizeof command, "LD_LIBRARY_PATH=%s/tests/gpu:$LD_LIBRARY_PATH %s/tests/gpu/plans.exe tests/gpu/h200.json", here, here);
    FILE *f = popen(command, "r");
    CHECK(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] >= '0' && line[0] <= '9' && !plan_is_as_expected(line)) test_fail(__FILE__, __LINE__, "%s", line);
        lines++;
    }
    int rc = pclose(f);
    if (WEXITSTATUS(rc) == 77) { test_skip(line); return; }
    CHECK(!rc && lines == 16);
}

/* Compiling takes minutes, so it is asked for. */
TEST(cuda_kernels_need_the_registers_that_the_list_says)
{
    if (!getenv("FTS_TEST_NVCC")) { test_skip("FTS_TEST_NVCC=1 compares the kernels of make CUDA=1 with tests/gpu/kernels.txt"); return; }
    CHECK(system("tools/check_kernels.sh") == 0);
}
