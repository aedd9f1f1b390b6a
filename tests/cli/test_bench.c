/* test_bench.c - the CPU benchmark runs, on a model of a few thousand parameters and without PyTorch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

TEST(bench_cpu_reports_ceilings_ops_and_training)
{
    static const char *const part[] = {
        "^Before: (NOT )?quiet: idle .*",
        "^\\| fp32, [^|]+ \\| GFLOP/s \\| [0-9]+ \\| [0-9]+ \\| [0-9.]+ \\| [0-9]+ to [0-9]+ \\|$",
        "^\\| triad, L2 \\| GB/s \\| [0-9]+ \\| [0-9]+ \\| [0-9.]+ \\| [0-9]+ to [0-9]+ \\|$",
        "^### smoke, fp32: 64 tokens, tier [a-z0-9_]+$",
        "^\\| ffn_bwd, experts \\| 0.8 MFLOP \\| [0-9.]+ \\| [0-9.]+ \\| [0-9.]+ \\| [0-9.]+ \\| [0-9]+ % \\| [0-9]+ % \\| 0 % \\|$",
        "^\\| smoke \\| fp32 \\| foundationts \\| [1-9][0-9]* \\| [1-9][0-9]* \\| [0-9.]+ \\| .* \\| [1-9][0-9]* \\| [1-9][0-9]* \\| [0-9]+ % \\| \\| \\|$",
        "^\\| smoke \\| fp32 \\|( [0-9.]+ \\([+-][0-9]+ %\\) \\|){4}$",
    };
    const char *program = cli_program();
    char build[4096];
    if (!program) return;
    snprintf(build, sizeof build, "%.*s", (int)(strrchr(program, '/') - program), program);
    const Said *s = cli("test -x '%s/bench/cpu.exe' || exit 77; BUILD='%s' FTS_BENCH_PYTHON= FTS_TIER= bench/cpu.sh --smoke", build, build);
    if (s->status == 77) { test_skip("make bench-cpu has not been run"); return; }
    if (s->status) test_fail(__FILE__, __LINE__, "status %d: %s", s->status, s->err);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (!cli_line(s->out, part[i])) test_fail(__FILE__, __LINE__, "no line is like %s in\n%s", part[i], s->out);
    CHECK(!strstr(s->out, "nan") && !strstr(s->out, "inf") && !strstr(s->out, "failed"));
    s = cli("BUILD='%s' bench/cpu.sh --fast", build);
    CHECK(s->status == 2 && strstr(s->err, "Usage: bench/cpu.sh"));
}
