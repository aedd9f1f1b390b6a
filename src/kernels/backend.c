/* backend.c - the registry: which devices this build has, which tier of the CPU runs, and the memory that ops see. */
#include "kernels/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/cpu/cpu.h"
#include "util/machine.h"

#define OP(name, args, call) #name,
const char *const op_names[] = {
#include "kernels/ops.def"
};
#undef OP
const int nops = (int)(sizeof op_names / sizeof *op_names);

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
#endif

/* In order: each overwrites what it does better than those before it. The first is the reference, and all that bf16 has. */
static const struct { const char *name; int (*here)(void); void (*override)(Ops *o); size_t (*scratch)(const Dims *d, int threads); } tiers[] = {
    {"ref", always, NULL, ref_scratch_bytes},
    {"base", always, base_override, base_scratch_bytes},
#if defined __x86_64__
    {"avx2", has_avx2, avx2_override, avx2_scratch_bytes},
    {"avx512", has_avx512, avx512_override, avx512_scratch_bytes},
#endif
};
enum { NTIERS = sizeof tiers / sizeof *tiers };

static int best_tier(Dtype type)
{
    int best = NTIERS - 1;
    while (best && (type != F32 || !tiers[best].here())) best--;
    return best;
}

/* The place of the tier to use, or -1. */
static int choose_tier(Dtype type, Err *e)
{
    const char *forced = getenv("FTS_TIER");
    int best = best_tier(type);
    if (!forced || !*forced) return best;
    for (int i = 0; i < NTIERS; i++) {
        if (strcmp(tiers[i].name, forced)) continue;
        if (i <= best) return i;
        if (type != F32) return err_set(e, FTS_USAGE, "FTS_TIER=%s: bf16 has only the tier 'ref'", forced);
    }
    return err_set(e, FTS_USAGE, "FTS_TIER=%s: this machine has no such tier, the best one it has is '%s'", forced, tiers[best].name);
}

static int device_check(const char *device, Err *e)
{
    if (!strcmp(device, "cpu")) return 0;
    if (!strncmp(device, "cuda", 4)) return err_set(e, FTS_USAGE, "--device cuda: CUDA is not built in, use --device cpu");
    return err_set(e, FTS_USAGE, "--device %s: unknown device, use cpu", device);
}

int backend_open(Backend **out, const char *device, Dtype dtype, int threads, Err *e)
{
    *out = NULL;
    if (device_check(device, e)) return -1;
    int tier = choose_tier(dtype, e);
    if (tier < 0) return -1;
    Backend *b = calloc(1, sizeof *b);
    if (!b) return err_nomem(e, sizeof *b, "the device");
    *b = (Backend){.name = "cpu", .tier = tiers[tier].name, .dtype = dtype, .ops = ref_ops};
    for (int i = 1; i <= tier; i++) tiers[i].override(&b->ops);
    if (par_open(&b->par, threads ? threads : machine_threads(), e)) {
        free(b);
        return -1;
    }
    *out = b;
    return 0;
}

void backend_close(Backend *b)
{
    if (!b) return;
    backend_free(b, b->scratch, b->scratch_size);
    par_close(b->par);
    free(b);
}

int backend_sync(Backend *b, Err *e)
{
    (void)b; (void)e;
    return 0;                            /* ops of a CPU are done when they return, and cannot fail */
}

enum { HUGE_PAGE = 2 << 20 };

int backend_alloc(Backend *b, size_t bytes, void **p, const char *what, Err *e)
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

void backend_free(Backend *b, void *p, size_t bytes)
{
    (void)b;
    if (p) munmap(p, bytes ? bytes : 1);
}

int backend_on_host(const Backend *b) { return !strcmp(b->name, "cpu"); }

void backend_upload(Backend *b, void *device, const void *host, size_t bytes) { (void)b; if (bytes) memcpy(device, host, bytes); }
void backend_download(Backend *b, void *host, const void *device, size_t bytes) { (void)b; if (bytes) memcpy(host, device, bytes); }

size_t backend_cache_bytes(const KvCache *kv)
{
    return (size_t)kv->layers * (size_t)kv->slots * (size_t)kv->Hk * kv_floats(kv->cap, kv->d) * sizeof(float);
}

size_t backend_scratch_bytes(const Backend *b, const Dims *d)
{
    size_t largest = 0;
    for (int i = 0; i < NTIERS; i++) {
        size_t bytes = tiers[i].scratch(d, par_threads(b->par));
        if (bytes > largest) largest = bytes;
        if (b->tier == tiers[i].name) break;
    }
    return largest;
}

int backend_reserve(Backend *b, const Dims *d, Err *e)
{
    size_t bytes = backend_scratch_bytes(b, d);
    if (bytes <= b->scratch_size) return 0;
    backend_free(b, b->scratch, b->scratch_size);
    b->scratch_size = 0;
    if (backend_alloc(b, bytes, &b->scratch, "the scratch memory of operations", e)) return -1;
    b->scratch_size = bytes;
    return 0;
}

int backend_text(char *text, size_t size)
{
    Err e;
    int tier = choose_tier(F32, &e);
    return snprintf(text, size, "cpu (%s)", tiers[tier < 0 ? best_tier(F32) : tier].name);
}
