/* test_probe.c - the probe verb as typed: the sizes it names are those that train agrees to, and its answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define SMALL "--n-decoder-layers 1 --num-experts 2 --k 1 --n-head 2 --seq-max-len 64 --seq-stride 64 --threads 2"
#define SANITY "--n-decoder-layers 2 --num-experts 2 --k 1 --n-head 2 --seq-max-len 512 --seq-stride 512 --hidden-size 64 --memory-limit 1G"
#define BASE "--preset base --memory-limit 20G"

/* The n-th number of the line that begins with `name`. */
static long number_of(const char *out, const char *name, int n)
{
    const char *p = strstr(out, name);
    long x = -1;
    for (p = p ? p + strlen(name) : NULL; p && n >= 0; n--) {
        char plain[32] = "", *to = plain;
        p += strspn(p, " ");
        for (; *p && *p != ' ' && to < plain + 31; p++)
            if (*p != ',') *to++ = *p;
        x = atol(plain);
    }
    return x;
}

/* train itself, asked what it would do with that many windows, of which the data have more. */
static int micro_batches(const char *data, const char *options, long windows)
{
    const Said *s = cli("$P train --dataset-path %s %s --batch-size %ld --dry-run", data, options, windows);
    const char *line = strstr(s->out, "micro_batches=");
    if (s->status) return -1;
    return line ? atoi(line + 14) : 1;
}

static void agrees(const char *data, const char *options, const char *name, const char *kind)
{
    const Said *s = cli("$P probe --dataset-path %s %s --dry-run", data, options);
    CHECK(s->status == 0 && strstr(s->out, "by the plan") == NULL);
    char line[64], with[512];
    snprintf(line, sizeof line, "\n%s ", name);
    long most = number_of(s->out, line, 2), more = number_of(s->out, line, 7);
    CHECK(most > 1 && more >= most + most / 10 && more <= most + most / 10 + 1);
    snprintf(with, sizeof with, "%s %s", options, kind);
    CHECK(micro_batches(data, with, most) == 1 && micro_batches(data, with, most + 1) == 2 && micro_batches(data, with, more) == 2);
}

TEST(cli_probe_names_the_largest_batch_of_one_micro_batch)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    char path[512];
    CHECK(cli("cd %s && $P data synth short --series 12500 --length 513 --kind simple && $P data synth long --series 1000 --length 4097 --kind simple", dir)->status == 0);
    snprintf(path, sizeof path, "%s/short", dir);
    agrees(path, SANITY, "point 64", "");
    agrees(path, SANITY, "patch 32 64", "--patch");
    snprintf(path, sizeof path, "%s/long", dir);
    agrees(path, BASE, "point base", "--no-patch");
    agrees(path, BASE, "patch 32 base", "--patch");
}

TEST(cli_probe_answers)
{
    static const char *const want[] = {
        "limit 104 MB, 104 MB of it free now; windows of up to 65 points", "",
        "largest batch   parameters +active +windows +MB planned +windows +measured MB +step s +10 % more  micro-batches",
        "point 16( +[0-9,]+){4} +[0-9,]+ +[0-9]+ +[0-9.]+ +[0-9,]+ +2", "patch 8 16( +[0-9,]+){4} +[0-9,]+ +[0-9]+ +[0-9.]+ +[0-9,]+ +2", "",
        "speed +windows  micro-batches +step s +tokens/s +points/s  MB planned  measured MB",
        "point 16 +2 +1 +[0-9.]+( +[0-9,]+){4}", "patch 8 16 +2 +1 +[0-9.]+( +[0-9,]+){4}", "",
        "learning +points +seconds +loss +mae +mse",
        "point 16 +[0-9,]+ +[0-9.]+( +[0-9.]+){3}", "patch 8 16 +[0-9,]+ +[0-9.]+( +[0-9.]+){3}", "repeat-last +- +- +-( +[0-9.]+){2}",
        "loss, mae, mse: of the same [0-9,]+ predictions of validation windows, from point 8 and every 8 points after it, where a token of each model ends", "",
        "Within 104 MB the largest batch in one micro-batch is [0-9,]+ windows with point 16 and [0-9,]+ windows with patch 8 16; .* points a second, [0-9.]+ times as many as .*\\. After .*\\."};
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s && $P probe --dataset-path %s " SMALL " --hidden-size 16 --patch-len 8 --memory-limit 100M --train-points 5000 --batch-sizes 2 --plot a.svg", dir, cli_data());
    CHECK(s->status == 0 && cli_lines(s->out, want, sizeof want / sizeof *want));
    CHECK(cli("cd %s && test \"$(ls)\" = a.svg && grep -q '>patch 8 16<' a.svg && grep -q '>validation loss by time<' a.svg", dir)->status == 0);
}

/* Interrupted in the middle it still answers: what it has, and that this is not all. A busy machine may not have begun after a second. */
TEST(cli_probe_answers_when_interrupted)
{
    const Said *s = NULL;
    if (!cli_program()) return;
    for (int seconds = 1; seconds <= 16 && !(s && *s->out); seconds *= 2)
        s = cli("timeout --preserve-status -s INT %d $P probe --dataset-path %s " SMALL " --hidden-size 16 --patch-len 8 --memory-limit 100M --train-points 100000000000000", seconds, cli_data());
    CHECK(s->status == 130 && strstr(s->out, "\npatch 8 16 ") && strstr(s->out, "\nWithin 104 MB "));
    CHECK(strstr(s->err, "stopping: this step is finished first") && strstr(s->err, "foundationts: stopped early: the answer is of what was measured by then\n"));
}

TEST(cli_probe_wrong_usage)
{
    static const struct { const char *args, *says; } wrong[] = {
        {"", "foundationts: probe needs --dataset-path: the file or folder of series to learn from"},
        {"--dataset-path x --plot a.gif", "foundationts: --plot: a.gif: a plot is written as .svg or .png: end its name with one of them"},
        {"--dataset-path x --train-points 0", "foundationts: --train-points: 0 is outside 1..100000000000000"},
        {"--dataset-path x --hidden-size 1", "foundationts: --hidden-size: 1 is outside 2..65536"},
        {"--dataset-path x --measure-steps 65", "foundationts: --measure-steps: 65 is outside 1..64"},
        {"--dataset-path x --init-from y", "foundationts: --init-from: probe compares models that begin with random weights"},
        {"series", "foundationts: probe takes options only, got 'series'"},
    };
    if (!cli_program()) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!cli_fails(cli("$P probe %s", wrong[i].args), 2, wrong[i].says)) test_fail(__FILE__, __LINE__, "%s", wrong[i].args);
}
