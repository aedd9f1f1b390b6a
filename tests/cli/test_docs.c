/* test_docs.c - the commands of the pages, as a reader would type them. */
#include <stdio.h>
#include <string.h>

#include "../hub/support.h"
#include "cli.h"
#include "util/file.h"

/* A command ends where three blanks set off what is said about it. 0: not a command line of a page. */
static int command_of(const char *line, size_t n, char *command, size_t size)
{
    static const char begins[] = "    foundationts ";
    if (n < sizeof begins || strncmp(line, begins, sizeof begins - 1)) return 0;
    snprintf(command, size, "%.*s", (int)n - 4, line + 4);
    char *end = strstr(command, "   ");
    if (end) *end = 0;
    return 1;
}

/* Runs the commands of a page in the folder dir, with options of ours behind each; how many, -1 if one failed. Those that ask the Hub ask the one of the tests. */
static int run_page_with(const char *page, const char *dir, const char *options, int *downloads)
{
    char command[512];
    Map m;
    Err e = {0};
    int ran = 0;
    *downloads = 0;
    if (map_open(&m, page, &e)) return -1;
    const char *p = (const char *)m.p, *end = p + m.n, *line;
    for (; (line = p) < end; p++) {
        p = memchr(line, '\n', (size_t)(end - line));
        if (!command_of(line, (size_t)(p - line), command, sizeof command)) continue;
        int download = strstr(command, " download ") != NULL;
        const Said *s = cli("cd %s; foundationts() { \"$P\" \"$@\"%s; }; %s", dir, download ? " --repo-id org/tiny" : options, command);
        if (s->status) test_fail(__FILE__, __LINE__, "%s: status %d, %s", command, s->status, s->err);
        ran++;
        *downloads += download;
    }
    map_close(&m);
    return ran;
}

/* What pages say is run by the plain build: a sanitizer finds nothing there that it would not find in the tests of the verbs. */
static int pages(void)
{
#if defined __SANITIZE_ADDRESS__
    test_skip("the commands of the pages run in the build without sanitizers");
    return 0;
#else
    return cli_program() != NULL;
#endif
}

static int run_page(const char *page, const char *dir, int *downloads) { return run_page_with(page, dir, "", downloads); }

TEST(docs_data_commands_run)
{
    int downloads;
    if (!pages() || !tiny_start()) return;
    const char *dir = test_folder();
    cli("printf '[1, 2, 3, 4]\n[5, 6, 7.5]\n' >%s/sales.jsonl", dir);
    CHECK(run_page("docs/data.md", dir, &downloads) == 9 && downloads == 2);
}

TEST(docs_forecast_commands_run)
{
    int downloads;
    if (!pages()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s && $P train --dataset-path %s --checkpoint-dir model --steps-per-epoch 2 --val-split 0 --no-tensorboard " CLI_SMALL, dir, cli_data());
    CHECK(s->status == 0);
    s = cli("cd %s && awk 'BEGIN { print \"id,date,y\"; for (i = 1; i <= 20; i++) printf \"shop,2024-01-%%02d,%%d\\n\", i, i %% 7 }' >sales.csv && "
            "awk 'BEGIN { print \"date,OT\"; for (i = 0; i < 14400; i++) print i \",\" i %% 24 }' >ETTh1.csv", dir);
    CHECK(s->status == 0);
    CHECK(run_page("docs/forecast.md", dir, &downloads) == 5);
    CHECK(cli("cd %s && ls next.csv next.svg known.svg exported/config.json", dir)->status == 0);
}

/* The commands of the README in their order, from series to a published model; `build/foundationts` trains but two steps, looks at a few windows, and asks the Hub of the tests. */
TEST(docs_readme_commands_run)
{
    if (!pages() || !tiny_start()) return;
    const char *dir = test_folder();
    const Said *s = cli("mkdir %s/build && printf '#!/bin/sh\\ncase \"$1 $2\" in train*) set -- \"$@\" --steps-per-epoch 2 --no-tensorboard ;; evaluate*) set -- \"$@\" --max-windows 8 ;; *download) set -- \"$@\" --repo-id org/tiny ;; esac\\n"
                        "exec \"%%s\" \"$@\"\\n' \"$P\" >%s/build/foundationts && chmod +x %s/build/foundationts", dir, dir, dir);
    CHECK(s->status == 0);
    s = cli("awk '/^    build.foundationts / { on = 1 } on { sub(/^ +/, \"\"); print; on = /[\\\\]$/ }' README.md >%s/commands && grep -c ^build %s/commands", dir, dir);
    TEXT(s->out, "7\n");
    cli("cd %s && awk 'BEGIN { print \"id,date,y\"; for (i = 1; i <= 28; i++) printf \"shop,2024-01-%%02d,%%d\\n\", i, i %% 7 }' >sales.csv && "
        "awk 'BEGIN { print \"date,OT\"; for (i = 0; i < 14400; i++) print i \",\" i %% 24 }' >ETTh1.csv", dir);
    s = cli("cd %s && sh -e commands", dir);
    if (s->status) test_fail(__FILE__, __LINE__, "status %d: %s", s->status, s->err);
    CHECK(cli("cd %s && ls next.csv next.svg published/config.json checkpoints/latest", dir)->status == 0);
}

TEST(docs_report_commands_run)
{
    int downloads;
    if (!pages()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s && for r in small patches; do $P train --dataset-path %s --checkpoint-dir runs/$r --steps-per-epoch 4 --val-every 2 --val-split 0.1 --no-tensorboard " CLI_SMALL
                        " $([ $r = patches ] && echo --patch --patch-len 8 --patch-stride 8); done", dir, cli_data());
    CHECK(s->status == 0);
    CHECK(run_page("docs/report.md", dir, &downloads) == 3);
    CHECK(cli("cd %s && ls runs/small/report.html both.html quick.html", dir)->status == 0);
}

/* At a size that takes a moment. */
TEST(docs_probe_commands_run)
{
    int downloads;
    if (!pages()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s && cp -r %s series && echo '{\"n_decoder_layers\": 1, \"num_experts\": 2, \"k\": 1, \"n_head\": 2, \"seq_max_len\": 64, \"seq_stride\": 64, "
                        "\"hidden_size\": \"16\", \"confirm\": false, \"measure_steps\": 1, \"threads\": 2}' >small.json", dir, cli_data());
    CHECK(s->status == 0);
    CHECK(run_page_with("docs/probe.md", dir, " --config small.json", &downloads) == 4);
    CHECK(cli("cd %s && test \"$(ls)\" = \"$(printf 'probe.svg\\nseries\\nsmall.json')\"", dir)->status == 0);
}

TEST(docs_plan_commands_run)
{
    int downloads;
    if (!pages()) return;
    const char *dir = test_folder();
    CHECK(cli("cd %s && ln -s %s series", dir, cli_data())->status == 0);
    CHECK(run_page("docs/experiment_plan.md", dir, &downloads) == 1);
    CHECK(cli("cd %s/run/profiler && test -s trace.json && test -s ops.txt", dir)->status == 0);
}

/* The script itself at a size of a second or two; what takes longer is printed and read. */
TEST(docs_plan_script_runs)
{
    if (!pages()) return;
    const char *dir = test_folder();
    const Said *s = cli("FTS_PROGRAM=$P script/plan sanity --steps 1 --dir %s/plan", dir);
    if (s->status) test_fail(__FILE__, __LINE__, "status %d: %s", s->status, s->err);
    CHECK(s->status == 0 && cli_line(s->out, "after step 1, mean squared error against repeating the last value:") && cli_line(s->out, "  val_ood +[0-9.]+ against [0-9.]+: .*"));
    s = cli("script/plan capacity -n && script/plan real -n --steps 2");
    CHECK(s->status == 0 && strstr(s->out, "$ foundationts probe ") && strstr(s->out, "--train-points 500000") && strstr(s->out, "--patch --patch-len 32"));
    CHECK(cli("script/plan sanity --steps x")->status == 2 && cli("script/plan")->status == 2);
}
