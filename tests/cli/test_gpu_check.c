/* test_gpu_check.c - the order, the time and the words of script/gpu-check, whose device, programs and clock are played by gpu_check.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const Said *gpu_check(const char *how, const char *mode) { return cli("%s tests/cli/gpu_check.sh %s %s", how, test_folder(), mode); }

/* Each line begins with its part, and there are no more. */
static void lines_begin(const char *text, const char *const *begin, int n)
{
    for (int i = 0; i < n; i++) {
        if (strncmp(text, begin[i], strlen(begin[i]))) { test_fail(__FILE__, __LINE__, "line %d does not begin with '%s': %.80s", i + 1, begin[i], text); return; }
        text = strchr(text, '\n');
        if (text) text++;
        else text = "";
    }
    if (*text) test_fail(__FILE__, __LINE__, "there is more: %s", text);
}
#define BEGIN(text, all) lines_begin(text, all, (int)(sizeof(all) / sizeof *(all)))

#define CHECKS \
    "# 2026-01-31, a GPU, 1.2, 3 MiB, nvcc 13.0.88", \
    "ok      build                          60 s", "ok      registers ", "ok      ops_own_products               18 s", "ok      models_own_products ", \
    "ok      ops ", "ok      models ", "ok      graphs ", "ok      cudnn_plans ", "not ok  ops_cudnn                      18 s", "not ok - it", "ok      models_cudnn ", \
    "ok      ops_wgmma ", "ok      models_wgmma ", "ok      two_runs_same_bytes             2 s", "ok      resumed_same_bytes ", "ok      tuned_same_bytes ", \
    "ok      cudnn_same_bytes ", "ok      wgmma_same_bytes ", "ok      gpu_to_cpu_and_back ", "ok      profile "

/* What is worth most comes first; what is estimated not to fit is skipped, and something shorter behind it may still fit. */
TEST(gpu_check_has_ten_minutes)
{
    static const char *const want[] = {
        CHECKS, "ok      memcheck ", "ok      racecheck ", "ok      synccheck ", "ok      initcheck ", "ok      probe ", "# PyTorch 2.9.1", "", "size                 windows     tokens/s",
        "base_512                 128         1000         1000   0.400       65.5           9000         77        ", "base_4096                 16 ",
        "base_512 wgmma           128 ", "base_4096 wgmma ", "forecast of base, bf16, batch 1, context 512, horizon 96, FTS_GRAPHS=yes: 0.900 ms, the median of 200",
        "forecast of base, bf16, batch 1, context 512, horizon 96, FTS_GRAPHS=no: ", "forecast of base, fp32, batch 1, context 512, horizon 96, FTS_GRAPHS=yes: ", "large_4096                16 ", "large_4096 wgmma ", "patch_512               1024 ",
        "patch_4096               256 ", "large_512                128 ", "ultra_4096                 8 ", "ultra_512                 64 ", "base_4096 cuDNN ", "large_4096 cuDNN ",
        "base_4096 untuned ", "base_4096 PyTorch         16          400          400                  3                              2.50", "large_4096 PyTorch        16 ",
        "base_512 PyTorch   skipped: 67 s left", "base_512 cuDNN           128 ", "patch_4096 PyTorch skipped: 54 s left",
        "patch_512 PyTorch  skipped: ", "large_512 PyTorch  skipped: ", "large_512 cuDNN          128 ", "ultra_4096 cuDNN   skipped: 41 s left", "ultra_512 cuDNN    skipped: ",
        "ultra_4096 PyTorch skipped: ", "ultra_512 PyTorch  skipped: 41 s left", "",
        "gpu-check: 8 checks and rows were skipped, there was no time left: script/gpu-check full has them all", "gpu-check: 1 failed, their output is in ", "529 s",
    };
    if (!cli_program()) return;
    const Said *s = gpu_check("ROW=13 CHECK=18 BAD=op_attention", "");
    BEGIN(s->out, want);
    CHECK(s->status == 1);
}

/* A row that hangs has its own end, and what hangs at the end of all has that one. */
TEST(gpu_check_ends_what_hangs)
{
    if (!cli_program()) return;
    const Said *s = gpu_check("ROW=999 CHECK=1", "");
    CHECK(s->status == 1 && cli_line(s->out, "^base_512           failed: it was not done in 45 s$") && cli_line(s->out, "^large_512          skipped: it was not done in [0-9]+ s$"));
    CHECK(cli_line(s->out, "^ultra_512          skipped: 0 s left$") && cli_line(s->out, "^gpu-check: 8 failed, .*: base_512,base_4096,.*,patch_4096$") && cli_line(s->out, "^570 s$"));
}

TEST(gpu_check_quick_has_no_table)
{
    static const char *const want[] = {CHECKS, "skip    compute-sanitizer", "ok      probe ", "", "gpu-check: 1 failed, their output is in ", "252 s"};
    static const char *const none[] = {"gpu-check: no NVIDIA GPU on this machine, nothing was checked", "0 s"};
    if (!cli_program()) return;
    const Said *s = gpu_check("CHECK=18 BAD=op_attention", "quick");
    BEGIN(s->out, want);
    CHECK(s->status == 1);
    s = gpu_check("GPU=no", "");
    BEGIN(s->out, none);
    CHECK(s->status == 77);
    s = cli("script/gpu-check fast");
    CHECK(s->status == 2 && !strcmp(s->err, "usage: script/gpu-check [quick|full]\n"));
}
