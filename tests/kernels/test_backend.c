/* The registry: devices, tiers, memory; and that every op has a test. */
#include "kernels/op_help.h"

#include <stdlib.h>
#include <string.h>

TEST(every_op_has_a_test)
{
    CHECK(nops > 20);
    for (int i = 0; i < nops; i++)
        if (!test_covers("op_", op_names[i])) test_fail(__FILE__, __LINE__, "no TEST(op_%s)", op_names[i]);
}

TEST(backend_unknown_devices_are_refused)
{
    Err e;
    Backend *b;
    CHECK(backend_open(&b, "tpu", F32, 1, &e) == -1 && e.code == FTS_USAGE && strstr(e.message, "tpu"));
    CHECK(backend_open(&b, "cpu:1", F32, 1, &e) == -1 && backend_open(&b, "cudax", F32, 1, &e) == -1 && !b);
    backend_close(NULL);
    if (CUDA_IS_BUILT_IN) { test_skip("CUDA is built in"); return; }
    CHECK(backend_open(&b, "cuda:0", F32, 1, &e) == -1 && e.code == FTS_USAGE && !b);
    TEXT(e.message, "--device cuda: CUDA is not built in, use --device cpu");
}

/* Opens with FTS_TIER set; NULL: unset. */
static Backend *open_as(const char *tier, Dtype type, Err *e)
{
    Backend *b;
    char before[16] = "";
    const char *set = getenv("FTS_TIER");
    if (set) strncpy(before, set, sizeof before - 1);
    if (tier) setenv("FTS_TIER", tier, 1); else unsetenv("FTS_TIER");
    if (backend_open(&b, "cpu", type, 1, e)) b = NULL;
    if (set) setenv("FTS_TIER", before, 1); else unsetenv("FTS_TIER");
    return b;
}

TEST(backend_tiers)
{
    Err e;
    Backend *ref = open_as("ref", F32, &e), *base = open_as("base", F32, &e), *best = open_as(NULL, F32, &e), *half = open_as(NULL, BF16, &e);
    CHECK(ref && base && best && half);
    CHECK(!strcmp(ref->tier, "ref") && !strcmp(base->tier, "base") && !strcmp(half->tier, best->tier) && strcmp(best->tier, "ref"));
    CHECK(ref->ops.linear == ref_linear && base->ops.linear != ref_linear && half->ops.norm == best->ops.norm && half->dtype == BF16);
    CHECK(!open_as("avx3", F32, &e) && e.code == FTS_USAGE && strstr(e.message, "avx3") && strstr(e.message, best->tier));
    backend_close(ref);
    backend_close(base);
    backend_close(best);
    backend_close(half);
}

TEST(backend_a_tier_that_the_machine_lacks_is_refused)
{
    Err e;
    Backend *b = open_as("avx512", F32, &e), *best = open_as(NULL, F32, &e);
    if (b) {                             /* which it has: then it is taken unasked */
        CHECK(!strcmp(b->tier, "avx512") && b->ops.ffn == best->ops.ffn);
        backend_close(b);
    } else {
        CHECK(e.code == FTS_USAGE && strstr(e.message, "FTS_TIER=avx512: this machine has no such tier"));
        CHECK(strcmp(best->tier, "avx512"));
    }
    backend_close(best);
}

TEST(backend_memory_is_zeroed_and_aligned)
{
    Err e;
    Backend *b;
    const size_t size[] = {1, 4096, (5u << 20) + 3};
    OK(backend_open(&b, "cpu", F32, 1, &e));
    for (int i = 0; i < 3; i++) {
        void *p;
        unsigned char last = 1;
        OK(backend_alloc(b, size[i], &p, "a test", &e));
        CHECK((uintptr_t)p % 64 == 0);
        for (size_t k = 0; k < size[i]; k++) CHECK(((unsigned char *)p)[k] == 0);
        memset(p, 7, size[i]);
        backend_download(b, &last, (char *)p + size[i] - 1, 1);
        CHECK(last == 7);
        backend_free(b, p, size[i]);
    }
    backend_free(b, NULL, 0);
    CHECK(backend_sync(b, &e) == 0);
    backend_close(b);
}

TEST(backend_memory_that_does_not_exist_is_an_error)
{
    Err e;
    Backend *b;
    void *p = &e;
    OK(backend_open(&b, "cpu", F32, 1, &e));
    CHECK(backend_alloc(b, (size_t)1 << 60, &p, "a dream", &e) == -1 && e.code == FTS_NOMEM && strstr(e.message, "a dream") && !p);
    test_alloc_fail(1);
    Backend *none;
    int bad = backend_open(&none, "cpu", F32, 1, &e);
    test_alloc_fail(0);
    CHECK(bad == -1 && e.code == FTS_NOMEM && !none);
    backend_close(b);
}

TEST(backend_scratch_grows_with_what_it_is_for)
{
    Err e;
    Backend *b;
    Dims d = {.tokens = 5000, .chunks = 3, .longest = 700, .D = 48, .H = 3, .Hk = 3, .d = 16, .E = 4, .K = 2, .F = 96, .Fe = 48, .P = 2, .O = 105, .routers = 4}, more = d;
    OK(backend_open(&b, "cpu", F32, 2, &e));
    more.tokens *= 2;
    more.longest *= 2;
    size_t small = backend_scratch_bytes(b, &d), large = backend_scratch_bytes(b, &more);
    CHECK(small >= ref_scratch_bytes(&d, F32, 2, &b->ops) && large > small);
    OK(backend_reserve(b, &d, &e));
    CHECK(b->scratch_size >= small);
    OK(backend_reserve(b, &more, &e));
    CHECK(b->scratch_size >= large);
    OK(backend_reserve(b, &d, &e));
    CHECK(b->scratch_size >= large);
    backend_close(b);
}

TEST(backend_text_names_the_tier)
{
    char text[256], half[8];
    Err e;
    Backend *b;
    OK(backend_open(&b, "cpu", F32, 1, &e));
    int n = backend_text(b, text, sizeof text);
    CHECK(n == (int)strlen(text) && !strncmp(text, "cpu (", 5) && strstr(text, b->tier) && text[n - 1] == ')');
    CHECK(backend_text(NULL, half, sizeof half) == n && strlen(half) == sizeof half - 1);
    backend_close(b);
}
