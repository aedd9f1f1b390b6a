/* test_train.c - training from the command line: the printed lines, stopping, being killed, going on. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "util/file.h"

#define NUMBER "-?[0-9]+\\.[0-9]{4}"
#define STEP(n) "step=" #n " loss=" NUMBER " pred=" NUMBER " aux=" NUMBER " lr=[0-9]\\.[0-9]{2}e[+-][0-9]{2} toks/s=[0-9,]+"
#define NAIVE(set) set "_baseline repeat_last mae=" NUMBER " mse=" NUMBER
#define VAL(set, n) set " step=" #n " pred=" NUMBER " aux=" NUMBER " mae=" NUMBER " mse=" NUMBER
#define PARAMS "params total=0\\.[0-9]{2}M \\([0-9,]+\\) active=0\\.[0-9]{2}M \\([0-9,]+\\)"

TEST(cli_synth_then_info)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    char want[256];
    const Said *s = cli("$P data synth %s/a --series 9 --length 100 --seed 3", dir);
    snprintf(want, sizeof want, "%s/a: 9 series of 100 points in ", dir);
    CHECK(s->status == 0 && !*s->err);
    CHECK(!strncmp(s->out, want, strlen(want)) && strstr(s->out, " million points/s, ") && strchr(s->out, '\n') == s->out + strlen(s->out) - 1);
    s = cli("$P data info %s/a --seq-max-len 40 --seq-stride 30", dir);
    CHECK(s->status == 0 && strstr(s->out, "9 series, 900 points"));
    s = cli("$P data info %s/a --json", dir);
    CHECK(s->status == 0 && !strncmp(s->out, "{\"series\": 9, \"points\": 900,", 28) && strstr(s->out, "\"datasets\": [{\"path\": "));
    s = cli("$P data synth %s/b --series 9 --length 100 --seed 3 --threads 1 && cmp %s/a/data-1-of-1.bin %s/b/data-1-of-1.bin", dir, dir, dir);
    CHECK(s->status == 0);
}

TEST(cli_train_prints_the_lines_that_scripts_read)
{
    static const char *const want[] = {PARAMS, STEP(2), STEP(4), NAIVE("val"), VAL("val", 4), NAIVE("val_ood"), VAL("val_ood", 4),
                                       STEP(6), STEP(7), VAL("val", 7), VAL("val_ood", 7)};
    if (!cli_program()) return;
    const char *dir = test_folder(), *data = cli_data();
    const Said *s = cli("$P data synth %s/ood --series 8 --length 100 --seed 9", dir);
    CHECK(s->status == 0);
    s = cli("$P train --dataset-path %s --ood-val-dataset-path %s/ood --checkpoint-dir %s/run --checkpoint-every 0 --steps-per-epoch 7 --log-every 2 --val-every 4"
            " --val-max-batches 1 --ood-val-max-batches 1 " CLI_SMALL, data, dir, dir);
    CHECK(s->status == 0 && cli_lines(s->out, want, sizeof want / sizeof *want));
    s = cli("cd %s/run && test ! -e latest && test -s log.jsonl && test -s settings.json && ls tensorboard", dir);
    CHECK(s->status == 0 && cli_match(s->out, "events\\.out\\.tfevents\\.[0-9]{10}\\..*\\.[0-9]+\\.0\n"));
}

TEST(cli_perf_metrics_follow_in_the_same_line)
{
    static const char *const want[] = {PARAMS, STEP(2) " points/s=[0-9,]+ tflops=[0-9.]+ mfu=[0-9.]+ step_ms=[0-9.]+ data_ms=[0-9.]+ peak_mb=[0-9]+"};
    if (!cli_program()) return;
    const Said *s = cli("$P train --dataset-path %s --checkpoint-dir %s/run --checkpoint-every 0 --steps-per-epoch 2 --log-every 2 --val-split 0 --no-tensorboard"
                        " --log-perf-metrics --mfu-peak-tflops 1 " CLI_SMALL, cli_data(), test_folder());
    CHECK(s->status == 0 && cli_lines(s->out, want, 2));
}

TEST(cli_nothing_but_answers_on_stdout)
{
    if (!cli_program()) return;
    const Said *s = cli("$P train --dataset-path %s --checkpoint-dir %s/run --steps-per-epoch 1 --log-every 1 --val-split 0 " CLI_SMALL " 2>/dev/null", cli_data(), test_folder());
    CHECK(s->status == 0 && cli_lines(s->out, (const char *const[]){PARAMS, STEP(1)}, 2));
}

TEST(cli_dry_run_starts_nothing)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("$P train --dataset-path %s --checkpoint-dir %s/run --preset base --dry-run", cli_data(), dir);
    CHECK(s->status == 0 && cli_line(s->out, "params total=113\\.35M \\(113,352,192\\) active=49\\.65M \\(49,651,200\\)"));
    CHECK(cli("test -e %s/run", dir)->status == 1);
}

/* Bytes or megabytes behind a word, commas dropped. */
static double number_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    double x = 0;
    for (at = at ? at + strlen(word) : ""; *at == ' '; at++) { }
    for (; *at == ',' || (*at >= '0' && *at <= '9'); at++)
        if (*at != ',') x = 10 * x + (*at - '0');
    return x;
}

/* The sanity size on windows that are all full. */
static void takes_what_is_planned(const char *dir, const char *options)
{
    static const char *const size = "--batch-size 32 --seq-max-len 512 --hidden-size 64 --n-decoder-layers 2 --num-experts 2 --k 1 --n-head 2 --val-split 0 --no-tensorboard";
    const Said *s = cli("$P train --dataset-path %s/full %s %s --dry-run", dir, size, options);
    double planned = number_behind(s->out, "\ntotal"), took;
    s = cli("rm -rf %s/run && $P train --dataset-path %s/full --checkpoint-dir %s/run %s %s --steps-per-epoch 4 --log-every 4 --checkpoint-every 0 --log-perf-metrics"
            " --mfu-peak-tflops 1", dir, dir, dir, size, options);
    took = 1e6 * number_behind(s->out, "peak_mb=");
    if (took < 0.95 * planned || took > planned) test_fail(__FILE__, __LINE__, "%s: planned %.0f bytes, took %.0f", options, planned, took);
}

TEST(cli_train_takes_what_is_planned)
{
#if defined __SANITIZE_ADDRESS__
    test_skip("memory of the sanitizers is not in the plan");
    return;
#endif
    if (!cli_program()) return;
    const char *dir = test_folder();
    CHECK(cli("$P data synth %s/full --series 256 --length 513", dir)->status == 0);
    takes_what_is_planned(dir, "");
    takes_what_is_planned(dir, "--bf16");
    takes_what_is_planned(dir, "--patch --patch-len 32 --batch-size 256 --hidden-size 128");
}

#define RUN "$P train --dataset-path %s --val-split 0 --no-tensorboard --log-every 4 --seed 5 " CLI_SMALL " "

static int same_checkpoints(const char *a, const char *b)
{
    static const char *const files[] = {"config.json", "model.safetensors", "optimizer.safetensors"};
    char x[512], y[512];
    int same = 1;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(x, sizeof x, "%s/%s", a, files[i]);
        snprintf(y, sizeof y, "%s/%s", b, files[i]);
        same &= cli_same_file(x, y);
    }
    return same;
}

TEST(cli_resume_equals_an_uninterrupted_run)
{
    if (!cli_program()) return;
    const char *dir = test_folder(), *data = cli_data();
    char a[300], b[300];
    const Said *s = cli(RUN "--checkpoint-dir %s/whole --steps-per-epoch 20 --checkpoint-every 8", data, dir);
    CHECK(s->status == 0);
    s = cli("$P train --config %s/whole/settings.json --checkpoint-dir %s/parts --resume-checkpoint %s/whole/step_000008", dir, dir, dir);
    CHECK(s->status == 0 && !strstr(s->out, "step=8 ") && strstr(s->out, "step=12 "));
    snprintf(a, sizeof a, "%s/whole/step_000020", dir);
    snprintf(b, sizeof b, "%s/parts/step_000020", dir);
    CHECK(same_checkpoints(a, b));
}

/* Waits until the run in `dir` has written a checkpoint, then sends the signal; $! is the run. */
#define WHEN_SAVED "i=0; while [ ! -e %s/latest ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done; kill -%s $!; wait $!"

TEST(cli_kill_9_and_resume_equals_an_uninterrupted_run)
{
    if (!cli_program()) return;
    const char *dir = test_folder(), *data = cli_data();
    char a[400], b[400], run[300];
    snprintf(run, sizeof run, "%s/killed", dir);
    const Said *s = cli(RUN "--checkpoint-dir %s/whole --steps-per-epoch 300", data, dir);
    CHECK(s->status == 0);
    s = cli(RUN "--checkpoint-dir %s --steps-per-epoch 300 --checkpoint-every 10 & " WHEN_SAVED, data, run, run, "KILL");
    CHECK(s->status == 137);
    s = cli(RUN "--checkpoint-dir %s --steps-per-epoch 300 --checkpoint-every 10 --resume-checkpoint latest", data, run);
    CHECK(s->status == 0);
    snprintf(a, sizeof a, "%s/whole/step_000300", dir);
    snprintf(b, sizeof b, "%s/step_000300", run);
    CHECK(same_checkpoints(a, b));
}

TEST(cli_sigterm_saves_and_says_how_to_go_on)
{
    if (!cli_program()) return;
    const char *dir = test_folder(), *data = cli_data();
    char run[300], hint[600];
    snprintf(run, sizeof run, "%s/run", dir);
    const Said *s = cli(RUN "--checkpoint-dir %s --steps-per-epoch 100000 --checkpoint-every 10 & " WHEN_SAVED, data, run, run, "TERM");
    CHECK(s->status == 0);
    snprintf(hint, sizeof hint, "foundationts: to go on: foundationts train --config %s/settings.json --resume-checkpoint latest\n", run);
    CHECK(strstr(s->err, "stopping: ") && strstr(s->err, hint));
    CHECK(cli_line(s->err, "foundationts: stopped after step [0-9]+ of 100000, saved in .*/run/step_[0-9]+"));
    s = cli("grep -c '\"event\":\"end\".*\"why\":\"stopped\"' %s/log.jsonl", run);
    TEXT(s->out, "1\n");
}

/* A shell without a terminal starts what runs in the background with SIGINT ignored, hence env. */
TEST(cli_sigint_without_checkpoints_is_status_130)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("env --default-signal=INT " RUN "--checkpoint-dir %s --steps-per-epoch 100000 --checkpoint-every 0 & "
                        "i=0; while ! grep -qs '\"event\":\"step\"' %s/log.jsonl && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done; kill -INT $!; wait $!", cli_data(), dir, dir);
    CHECK(s->status == 130 && cli_line(s->err, "foundationts: stopped after step [0-9]+ of 100000, nothing saved"));
}

TEST(cli_a_reader_that_goes_away_stops_the_run_in_order)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("{ " RUN "--checkpoint-dir %s --steps-per-epoch 100000; echo status $? >&2; } | head -n 2", cli_data(), dir);
    CHECK(strstr(s->err, "foundationts: stdout: Broken pipe\n") && strstr(s->err, "status 1\n"));
    CHECK(cli("test -e %s/latest", dir)->status == 0);
}

TEST(cli_settings_of_a_run_repeat_it)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    char a[300], b[300];
    const Said *s = cli(RUN "--checkpoint-dir %s/one --steps-per-epoch 3", cli_data(), dir);
    CHECK(s->status == 0);
    s = cli("$P train --config %s/one/settings.json --checkpoint-dir %s/two", dir, dir);
    CHECK(s->status == 0);
    snprintf(a, sizeof a, "%s/one/step_000003", dir);
    snprintf(b, sizeof b, "%s/two/step_000003", dir);
    CHECK(same_checkpoints(a, b));
}
