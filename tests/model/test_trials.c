/* test_trials.c - a model whose products are a library's: that its algorithms are tried and timed changes no bit of training. In the emulator,
 * or on the device that FTS_TEST_DEVICE names. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "golden.h"

__attribute__((weak)) extern int emu_lt_made[];         /* tests/emu/cublasLt.c: products by each of its algorithms, of which the third is the fastest and has other bits */

/* Parameters (n) after some steps whose products are a library's; NULL after a failure. */
static float *stepped(const Golden *g, const char *tune, size_t *n)
{
    Err e;
    Model *m;
    Backend *b;
    Seg seg[64];
    int chunk[16];
    const double coef = g->aux_weight * g->c.E / ((double)config_routers(&g->c) * g->ntok);
    TestEnv library = test_env("FTS_CUBLAS", "yes"), trials = test_env("FTS_CUBLAS_TUNE", tune);
    int bad = test_device_open(&b, BF16, 0, &e);
    test_env_back(&library);
    test_env_back(&trials);
    if (bad || golden_model(&m, g, b, RECOMPUTE_NONE, &e)) return NULL;
    Input in = golden_input(g, 0, g->nchunk, seg, chunk);
    for (int i = 0; i < 4; i++) {
        model_begin(m);
        model_train(m, &in, 0, g->valid, coef);
        model_update(m, &(AdamW){.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = 1, .step = i + 1});
    }
    *n = m->flat.n;
    float *p = malloc(*n * sizeof *p);
    if (p) backend_download(b, p, m->flat.p, *n * sizeof *p);
    model_close(m);
    backend_close(b);
    return p;
}

TEST(model_trials_of_algorithms_change_no_bit)
{
    Err e;
    Golden g;
    size_t n = 0;
    if (!emu_lt_made && !test_device_is_real()) { test_skip("the emulator of CUDA is not built in"); return; }
    OK(golden_open(&g, "bf16_pointwise", 1 << 30, &e));
    float *first = stepped(&g, "no", &n);
    if (emu_lt_made) memset(emu_lt_made, 0, 8 * sizeof *emu_lt_made);
    float *tried = stepped(&g, "yes", &n);
    CHECK(first && tried && !memcmp(first, tried, n * sizeof *first));
    CHECK(test_device_is_real() || (emu_lt_made[2] && emu_lt_made[3] > emu_lt_made[2] + 7));
    free(first);
    free(tried);
    golden_close(&g);
}
