/* test_bad_input.c - data and shapes that cannot be used end with one clear line, never with a crash. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define TRAIN "$P train --steps-per-epoch 2 --checkpoint-every 0 --no-tensorboard " CLI_SMALL

TEST(cli_missing_dataset)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli(TRAIN " --checkpoint-dir %s/run --dataset-path %s/time300b_selected", dir, dir);
    CHECK(s->status == 1 && !*s->out && strstr(s->err, "/time300b_selected: No such file or directory"));
    s = cli("test -e %s/run", dir);
    CHECK(s->status == 1);
}

TEST(cli_empty_folder)
{
    if (!cli_program()) return;
    const Said *s = cli(TRAIN " --dataset-path %s", test_folder());
    CHECK(s->status == 1 && !*s->out && strstr(s->err, "no data in this folder") && strstr(s->err, "meta.json"));
}

/* Each meta.json beside a shard of eight floats; what follows is a part of the message. */
TEST(cli_broken_meta)
{
    static const struct { const char *meta, *says; } broken[] = {
        {"", "meta.json"},
        {"{", "the text ends"},
        {"[]", "expected an object"},
        {"{\"num_sequences\": 1, \"dtype\": \"complex64\", \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "\"dtype\" is \"complex64\""},
        {"{\"num_sequences\": 1, \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "\"dtype\" is missing"},
        {"{\"num_sequences\": -1, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "\"num_sequences\" is -1"},
        {"{\"num_sequences\": 2, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "\"num_sequences\" is 2"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"scales\": [{\"offset\": 0, \"length\": 8}]}", "\"files\" is missing"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 8}}", "\"scales\" is missing"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 4, \"length\": 8}]}", "end past the 8"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0}]}", "\"length\" is missing"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"data-1-of-1.bin\": 9}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "is the download complete?"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"data-1-of-2.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "data-1-of-2.bin"},
        {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {\"../data-1-of-1.bin\": 8}, \"scales\": [{\"offset\": 0, \"length\": 8}]}", "is not the name of a file in this folder"},
    };
    if (!cli_program()) return;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *dir = test_folder();
        const Said *s = cli("head -c 32 /dev/zero >%s/data-1-of-1.bin; printf '%%s' '%s' >%s/meta.json; " TRAIN " --dataset-path %s", dir, broken[i].meta, dir, dir);
        if (s->status != 1 || *s->out || !strstr(s->err, broken[i].says) || !strstr(s->err, dir))
            test_fail(__FILE__, __LINE__, "%s: status %d, '%s'", broken[i].meta, s->status, s->err);
        s = cli("$P data info %s", dir);
        if (s->status != 1 || *s->out) test_fail(__FILE__, __LINE__, "%s: data info ends with %d", broken[i].meta, s->status);
    }
}

TEST(cli_shapes_that_do_not_fit_together)
{
    if (!cli_program()) return;
    const char *data = cli_data();
    cli_fails(cli(TRAIN " --dataset-path %s --n-head 3", data), 2, "foundationts: hidden size 16 is not divisible by 3 heads");
    cli_fails(cli(TRAIN " --dataset-path %s --k 3", data), 2, "foundationts: k is 3 but there are 2 experts: each token needs k different ones");
    const Said *s = cli(TRAIN " --dataset-path %s --hidden-size 6 --n-head 2", data);
    CHECK(s->status == 2 && strstr(s->err, "is odd"));
}

TEST(cli_too_little_data)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    cli_fails(cli("cd %s && printf 'date,a\\n' >e.csv && " TRAIN " --dataset-path e.csv", dir), 1, "foundationts: --dataset-path: no series in e.csv: is the file empty?");
    cli_fails(cli("cd %s && printf 'date,a\\n2016,1\\n' >e.csv && " TRAIN " --dataset-path e.csv", dir), 1,
              "foundationts: --dataset-path: the only series has fewer than 2 points, which is one token and one target");
}

TEST(cli_cuda_is_not_built_in)
{
    if (CUDA_IS_BUILT_IN) { test_skip("CUDA is built in"); return; }
    if (!cli_program()) return;
    const Said *s = cli(TRAIN " --dataset-path %s --device cuda", cli_data());
    CHECK(s->status == 1 || s->status == 2);
    CHECK(!*s->out && strstr(s->err, "cuda") && strstr(s->err, "not built in"));
    s = cli(TRAIN " --dataset-path %s --device tpu", cli_data());
    CHECK((s->status == 1 || s->status == 2) && strstr(s->err, "tpu"));
}

TEST(cli_synth_refuses_a_folder_that_holds_something)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    char want[256];
    const Said *s = cli("touch %s/mine; $P data synth %s", dir, dir);
    snprintf(want, sizeof want, "foundationts: %s: the folder is not empty", dir);
    cli_fails(s, 1, want);
}

TEST(cli_too_little_memory)
{
    if (!cli_program()) return;
    const Said *s = cli("$P train --dataset-path %s --preset ultra --memory-limit 1G --checkpoint-dir %s/run", cli_data(), test_folder());
    CHECK(s->status == 1 && strstr(s->err, "--memory-limit") != NULL);
}

/* Interrupted while it writes, a verb takes away what is half written. */
TEST(cli_sigint_leaves_nothing_half_written)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s; env --default-signal=INT $P data synth out --kind kernelsynth --series 1000000 --length 256 --threads 1 & "
                        "cd %s; i=0; while ! ls | grep -q tmp && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done; sleep 0.1; kill -INT $!; wait $!; r=$?; ls -A; exit $r", dir, dir);
    CHECK(s->status == 130 && !*s->out && strstr(s->err, "foundationts: stopping: what is half written is removed first (a second signal ends the program at once)\n"));
    CHECK(cli_line(s->err, "foundationts: stopped after [0-9]+ series, nothing written"));
}

/* A limit on the size of files is an error of the file, as a full disk is. */
TEST(cli_a_file_that_may_not_be_so_large)
{
    if (!cli_program()) return;
    const char *dir = test_folder();
    const Said *s = cli("cd %s; (ulimit -f 8; $P data synth made --series 100 --length 100; echo $?; $P data convert %s out.csv --to csv; echo $?); ls -A", dir, cli_data());
    TEXT(s->out, "1\n1\n");
    CHECK(cli_line(s->err, "foundationts: made.*data-1-of-1.bin: File too large") && cli_line(s->err, "foundationts: out.csv: File too large"));
}
