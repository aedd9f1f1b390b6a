/* cpu_device.c - the CPU as a device: which tier runs, and memory that ops see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/cpu/bf16_mm.h"
#include "kernels/cpu/cpu.h"
#include "util/machine.h"

static const Ops ref_ops = {
#define OP(name, args, call) ref_##name,
#include "kernels/ops.def"
#undef OP
};

static int always(void) { return 1; }

#if defined __x86_64__
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
/* The compiler's own test asks the operating system, too, whether it saves the registers. */
static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
static int has_dot(void) { return has_avx512() && dot_here(); }
static int has_amx(void) { return has_dot() && amx_here(); }
#endif

/* In order: each overwrites what it does better than those before it. */
static const struct {
    const char *name;
    int (*here)(void);
    int fast_bf16;
    void (*override)(Ops *o, Dtype type);
    size_t (*scratch)(const Dims *d, Dtype type, int threads, const Ops *o);
} tiers[] = {
    {"ref", always, 0, NULL, ref_scratch_bytes},
    {"base", always, 0, base_override, base_scratch_bytes},
#if defined __x86_64__
    {"avx2", has_avx2, 0, avx2_override, avx2_scratch_bytes},
    {"avx512", has_avx512, 0, avx512_override, avx512_scratch_bytes},
    {"avx512_bf16", has_dot, 1, dot_override, dot_scratch_bytes},
    {"amx", has_amx, 2, amx_override, amx_scratch_bytes},
#endif
};
enum { NTIERS = sizeof tiers / sizeof *tiers };

static int best_tier(void)
{
    int best = NTIERS - 1;
    while (!tiers[best].here()) best--;
    return best;
}

/* The place of the tier to use, or -1. */
static int choose_tier(Err *e)
{
    const char *forced = getenv("FTS_TIER");
    int best = best_tier();
    if (!forced || !*forced) return best;
    for (int i = 0; i < NTIERS; i++) {
        if (!strcmp(tiers[i].name, forced) && i <= best) return i;
    }
    return err_set(e, FTS_USAGE, "FTS_TIER=%s: this machine has no such tier, the best one it has is '%s'", forced, tiers[best].name);
}

static int cpu_fast_bf16(void)
{
    Err e;
    int tier = choose_tier(&e);
    return tier < 0 ? 0 : tiers[tier].fast_bf16;
}

static int cpu_open(Backend *b, int number, Err *e)
{
    int tier = choose_tier(e);
    (void)number;
    if (tier < 0) return -1;
    b->tier = tiers[tier].name;
    b->ops = ref_ops;
    for (int i = 1; i <= tier; i++) tiers[i].override(&b->ops, b->dtype);
    return 0;
}

static void cpu_close(Backend *b) { (void)b; }

static int cpu_sync(Backend *b, Err *e)
{
    (void)b; (void)e;
    return 0;                            /* ops of a CPU are done when they return, and cannot fail */
}

enum { HUGE_PAGE = 2 << 20 };

static int cpu_alloc(Backend *b, size_t bytes, void **p, const char *what, Err *e)
{
    size_t n = bytes ? bytes : 1;        /* mapped pages are zero and begin at a page */
    void *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)b;
    *p = NULL;
    if (m == MAP_FAILED) return err_nomem(e, bytes, what);
    if (n >= HUGE_PAGE) (void)madvise(m, n, MADV_HUGEPAGE);      /* a kernel without them says no, which is fine */
    *p = m;
    return 0;
}

static void cpu_free(Backend *b, void *p, size_t bytes)
{
    (void)b;
    if (p) munmap(p, bytes ? bytes : 1);
}

static void cpu_sparse(void *p, size_t bytes) { (void)madvise(p, bytes, MADV_NOHUGEPAGE); }
static void cpu_upload(Backend *b, void *device, const void *host, size_t bytes) { (void)b; if (bytes) memcpy(device, host, bytes); }
static void cpu_download(Backend *b, void *host, const void *device, size_t bytes) { (void)b; if (bytes) memcpy(host, device, bytes); }
static void cpu_input(Backend *b, Input *in) { (void)b; (void)in; }

static size_t cpu_cache_bytes(const Backend *b, const KvCache *kv)
{
    (void)b;
    return (size_t)kv->layers * (size_t)kv->slots * (size_t)kv->Hk * kv_floats(kv->cap, kv->d) * sizeof(float);
}

static size_t cpu_scratch_bytes(const Backend *b, const Dims *d)
{
    size_t largest = 0;
    for (int i = 0; i < NTIERS; i++) {
        size_t bytes = tiers[i].scratch(d, b->dtype, par_threads(b->par), &b->ops);
        if (bytes > largest) largest = bytes;
        if (b->tier == tiers[i].name) break;
    }
    return largest;
}

static size_t cpu_input_bytes(const Dims *d) { (void)d; return 0; }
static int cpu_reserve(Backend *b, const Dims *d, Err *e) { (void)b; (void)d; (void)e; return 0; }
static int64_t cpu_memory(const Backend *b) { (void)b; return machine_memory(); }
static int64_t cpu_unused(const Backend *b) { (void)b; return machine_free_memory(); }
static int64_t cpu_used(const Backend *b) { (void)b; return machine_own_memory(); }

static int cpu_text(const Backend *b, char *text, size_t size)
{
    Err e;
    int tier = choose_tier(&e);
    (void)b;
    return snprintf(text, size, "cpu (%s)", tiers[tier < 0 ? best_tier() : tier].name);
}

const Device cpu_device = {
    .name = "cpu", .on_host = 1, .fast_bf16 = cpu_fast_bf16, .count = always, .open = cpu_open, .close = cpu_close, .sync = cpu_sync, .alloc = cpu_alloc, .free = cpu_free, .sparse = cpu_sparse,
    .upload = cpu_upload, .download = cpu_download, .input = cpu_input, .cache_bytes = cpu_cache_bytes, .scratch_bytes = cpu_scratch_bytes,
    .input_bytes = cpu_input_bytes, .reserve = cpu_reserve, .memory = cpu_memory, .unused = cpu_unused,
    .used = cpu_used, .text = cpu_text,
};
