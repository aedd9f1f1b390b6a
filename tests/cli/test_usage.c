/* test_usage.c - help, version, and what is said to a command line that cannot be meant. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "foundationts.h"

static const char top[] =
    "usage: foundationts VERB [--option value ...]\n"
    "\n"
    "Verbs:\n"
    "  train                train a model on series, with validation, checkpoints and logs\n"
    "  forecast             continue the series of a file with a model\n"
    "  evaluate             forecast series whose continuation is known, and say how far off a model and naive rules are\n"
    "  probe                find the largest batch that fits, the speed, and what is learned from equally many points, of point-wise and patch tokens side by side\n"
    "  report RUN [RUN...]  show training runs, alone or side by side, as one page of HTML\n"
    "  export MODEL OUT     write a model in the published layout into a new folder\n"
    "  data download        fetch folders of Time-300B from the Hugging Face Hub\n"
    "  data info PATH       say what a file or folder of series holds\n"
    "  data check PATH      read everything below a path and tell each defect\n"
    "  data convert IN OUT  write what a file or folder of series holds in the layout of Time-300B, or as one file\n"
    "  data synth OUT       write synthetic series into a new folder, in the layout of Time-300B\n"
    "\n"
    "foundationts VERB --help lists the options of a verb, foundationts --version says what this build can do.\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n";

static const char data_help[] =
    "usage: foundationts data VERB [--option value ...]\n"
    "\n"
    "Verbs:\n"
    "  data download        fetch folders of Time-300B from the Hugging Face Hub\n"
    "  data info PATH       say what a file or folder of series holds\n"
    "  data check PATH      read everything below a path and tell each defect\n"
    "  data convert IN OUT  write what a file or folder of series holds in the layout of Time-300B, or as one file\n"
    "  data synth OUT       write synthetic series into a new folder, in the layout of Time-300B\n";

TEST(cli_help_of_the_program)
{
    if (!cli_program()) return;
    const Said *s = cli("$P --help");
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out, top);
    s = cli("$P");
    CHECK(s->status == 2 && !*s->out);
    TEXT(s->err, top);
}

TEST(cli_help_of_a_group)
{
    if (!cli_program()) return;
    const Said *s = cli("$P data --help");
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out, data_help);
    s = cli("$P data");
    CHECK(s->status == 2 && !*s->out);
    TEXT(s->err, data_help);
    s = cli("$P data pour");
    CHECK(s->status == 2 && !*s->out && !strncmp(s->err, "foundationts: unknown verb 'data pour'\n", 39));
}

TEST(cli_help_of_a_verb_lists_every_option)
{
    FtsError e = {0};
    FtsTask *t;
    FtsOption o;
    char want[128];
    const char *verb;
    if (!cli_program()) return;
    for (int v = 0; (verb = fts_verb(v, NULL)); v++) {
        const Said *s = cli("$P %s --help", verb);
        CHECK(s->status == 0 && !*s->err);
        snprintf(want, sizeof want, "usage: foundationts %s", verb);
        CHECK(!strncmp(s->out, want, strlen(want)));
        OK(fts_task_open(&t, verb, &e));
        for (int i = 0; !fts_task_option(t, i, &o); i++) {
            snprintf(want, sizeof want, "\n  --%s", o.name);
            if (!strstr(s->out, want)) test_fail(__FILE__, __LINE__, "%s --help without --%s", verb, o.name);
        }
        fts_task_close(t);
    }
    const Said *s = cli("$P train --batch-size 1 --help");
    CHECK(s->status == 0 && strstr(s->out, "\n  --batch-size N                  windows of a batch [1024]\n"));
    CHECK(strstr(s->out, "\n  --drop-last, --no-drop-last     ") && strstr(s->out, "\n  --config FILE.json"));
}

TEST(cli_version)
{
    if (!cli_program()) return;
    const Said *s = cli("$P --version");
    CHECK(s->status == 0 && !*s->err);
    CHECK(cli_match(s->out, "foundationts [0-9]+\\.[0-9]+\\.[0-9]+, cpu \\(.*\\)\n"));
}

TEST(cli_wrong_usage_is_status_2_and_one_line)
{
    static const struct { const char *args, *says; } wrong[] = {
        {"trian", "foundationts: unknown verb 'trian', there are: train, forecast, evaluate, probe, report, export, data download, data info, data check, data convert, data synth"},
        {"predict --model x", "foundationts: unknown verb 'predict', there are: train, forecast, evaluate, probe, report, export, data download, data info, data check, data convert, data synth"},
        {"--batch-size 3 train", "foundationts: --batch-size stands where a verb is expected (see foundationts --help)"},
        {"train --batch-sise 3", "foundationts: unknown option --batch-sise: did you mean --batch-size?"},
        {"train --zzz", "foundationts: unknown option --zzz (see --help)"},
        {"train -b 3", "foundationts: unknown option -b: options begin with two dashes"},
        {"train --batch-size 0", "foundationts: --batch-size: 0 is outside 1..100000000"},
        {"train --batch_size=-4", "foundationts: --batch-size: -4 is outside 1..100000000"},
        {"train --learning-rate 11", "foundationts: --learning-rate: 11 is outside 0..10"},
        {"train --learning-rate nan", "foundationts: --learning-rate: 'nan' is not a number"},
        {"train --seq-max-len 1e3", "foundationts: --seq-max-len: '1e3' is not a whole number"},
        {"train --normalization-func mean", "foundationts: --normalization-func: 'mean' is none of zero, max, none"},
        {"train --batch-size", "foundationts: --batch-size needs a value"},
        {"train --checkpoint-dir --patch", "foundationts: --checkpoint-dir needs a value"},
        {"train --patch=maybe", "foundationts: --patch takes no value, or one of 1, 0, true, false, got 'maybe'"},
        {"train folder", "foundationts: train takes options only, got 'folder'"},
        {"train", "foundationts: train needs --dataset-path: the file or folder of series to learn from"},
        {"data info", "foundationts: data info needs a PATH"},
        {"data info a b", "foundationts: data info takes one PATH, got 'b' after 'a'"},
        {"data synth -- --out more", "foundationts: data synth takes one OUT, got 'more' after '--out'"},
    };
    if (!cli_program()) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!cli_fails(cli("$P %s", wrong[i].args), 2, wrong[i].says)) test_fail(__FILE__, __LINE__, "%s", wrong[i].args);
}

TEST(cli_config_file_that_is_wrong)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    char want[256];
    const Said *s = cli("cd %s && echo '{\"batch_size\": 3, \"patch_lenn\": 4}' >a.json && $P train --dataset-path x --config a.json", dir);
    cli_fails(s, 2, "foundationts: a.json: unknown option --patch-lenn: did you mean --patch-len?");
    s = cli("$P train --dataset-path x --config %s/none.json", dir);
    snprintf(want, sizeof want, "foundationts: %s/none.json: No such file or directory", dir);
    cli_fails(s, 1, want);
}

/* docs/flags.md is made by the program, so it can be compared with what the program says today. */
TEST(cli_flags_page_is_current)
{
    if (!cli_program()) return;
    const Said *s = cli("test -f docs/flags.md");
    if (s->status) { test_skip("not in the source folder"); return; }
    s = cli("$P --help-markdown | diff - docs/flags.md");
    if (s->status) test_fail(__FILE__, __LINE__, "docs/flags.md is out of date, run: build/foundationts --help-markdown > docs/flags.md\n%s", s->out);
}

TEST(cli_answers_that_cannot_be_written_are_a_failure)
{
    if (!cli_program()) return;
    const Said *s = cli("test -c /dev/full");
    if (s->status) { test_skip("no /dev/full"); return; }
    s = cli("$P --help >/dev/full");
    CHECK(s->status == 1 && !strcmp(s->err, "foundationts: stdout: No space left on device\n"));
    s = cli("$P data info %s >/dev/full", cli_data());
    CHECK(s->status == 1 && strstr(s->err, "foundationts: stdout: No space left on device\n"));
}

/* A script may give it to all commands alike. */
TEST(cli_download_takes_a_cache_dir_and_says_what_for)
{
    if (!cli_program()) return;
    static const char *const told[] = {"foundationts: --cache-dir: a download makes no index: give it to the command that opens the data, if that cannot write into series", "foundationts: HF_HUB_OFFLINE is set: nothing is asked of the Hub"};
    const Said *s = cli("cd %s && HF_HUB_OFFLINE=1 $P data download --cache-dir cache --time300b-dir series; r=$?; ls; exit $r", test_folder());
    CHECK(s->status == 1 && !*s->out && cli_lines(s->err, told, 2));
    s = cli("$P data download --no-time300b --cache-dir cache");
    CHECK(s->status == 0 && !*s->out && !*s->err);
}
