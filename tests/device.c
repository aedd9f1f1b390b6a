#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "util/par.h"

/* What only some builds have. */
__attribute__((weak)) extern const Device emu_device;
__attribute__((weak)) void emu_order(int descending);
__attribute__((weak)) int emu_products(int wide);
__attribute__((weak)) int emu_pipe_width(size_t wide, size_t narrow, size_t processors);
__attribute__((weak)) void *gpu_managed(size_t bytes);
__attribute__((weak)) void gpu_managed_free(void *p);

static const char *named(void)
{
    const char *name = getenv("FTS_TEST_DEVICE");
    return name && *name ? name : NULL;
}

int test_device_is_real(void) { return named() && gpu_managed; }

/* The library's part is played where a test asks for it: our own products are what there is more of to test. */
static int open_it(Backend *b, Err *e)
{
    int asked = getenv("FTS_CUBLAS") != NULL;
    if (!asked) setenv("FTS_CUBLAS", "no", 1);
    int bad = emu_device.open(b, 0, e);
    if (!asked) unsetenv("FTS_CUBLAS");
    return bad;
}

static const char *const wgmma[] = {"yes", "wide", "narrow"};
int test_wgmma_asked(void)
{
    const char *set = getenv("FTS_WGMMA");
    for (int i = 0; set && i < 3; i++)
        if (!strcmp(set, wgmma[i])) return 1 + i;
    return 0;
}
int test_wgmma_count(int wide) { return emu_products && !test_device_is_real() ? emu_products(wide) : -1; }

int test_wgmma_width(size_t wide, size_t narrow, size_t processors) { return emu_pipe_width ? emu_pipe_width(wide, narrow, processors) : -1; }

/* The library would take what is to be tested. */
void test_wgmma_ask(int how)
{
    static TestEnv before[2];
    if (how) {
        before[0] = test_env("FTS_WGMMA", wgmma[how - 1]);
        before[1] = test_env("FTS_CUBLAS", "no");
    } else
        for (int i = 0; i < 2; i++) test_env_back(&before[i]);
}

int test_device_is_there(void)
{
    if (named() || &emu_device) return 1;
    test_skip("the emulator of CUDA is not built in");
    return 0;
}

/* backend_open() for a device that is in no list. */
static int open_emulator(Backend **out, Dtype type, int descending, Err *e)
{
    if (!&emu_device) return err_set(e, FTS_USAGE, "the emulator of CUDA is not built in");
    Backend *b = calloc(1, sizeof *b);
    if (!b) return err_nomem(e, sizeof *b, "the emulator");
    *b = (Backend){.device = &emu_device, .name = "cuda", .dtype = type};
    emu_order(descending);
    *out = b;
    return par_open(&b->par, 1, e) || open_it(b, e) ? -1 : 0;
}

int test_device_open(Backend **b, Dtype type, int descending, Err *e)
{
    int width = test_wgmma_asked(), other = descending && width > 1;
    TestEnv before;
    *b = NULL;
    if (other) before = test_env("FTS_WGMMA", wgmma[width == 2 ? 2 : 1]);
    int bad = named() ? backend_open(b, named(), type, 1, e) : open_emulator(b, type, descending, e);
    if (other) test_env_back(&before);
    return bad;
}

void *test_device_memory(size_t bytes)
{
    void *p = test_device_is_real() ? gpu_managed(bytes) : malloc(bytes ? bytes : 1);
    if (!p) abort();
    return p;
}

void test_device_free(void *p)
{
    if (test_device_is_real()) gpu_managed_free(p);
    else free(p);
}
