/* test_task.c - options and configuration files through the public door. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/task.h"
#include "test.h"
#include "util/file.h"

TEST(api_every_verb_opens_and_has_a_help_line)
{
    Err e = {0};
    FtsTask *t;
    const char *verb, *help;
    int n = 0;
    for (; (verb = fts_verb(n, &help)); n++) {
        OK(fts_task_open(&t, verb, &e));
        CHECK(*help && fts_verb_operands(verb));
        fts_task_close(t);
    }
    CHECK(n == nverbs && !fts_verb(-1, NULL) && !fts_verb_operands("brew"));
    fts_task_close(NULL);
}

/* What a room adds to its table may collide with another room's, in any verb that takes both. */
TEST(api_an_option_name_is_used_once_in_a_verb)
{
    Err e = {0};
    FtsTask *t;
    FtsOption a, b;
    char no[64];
    for (int v = 0; v < nverbs; v++) {
        OK(fts_task_open(&t, verbs[v].name, &e));
        for (int i = 0; !fts_task_option(t, i, &a); i++) {
            snprintf(no, sizeof no, "no-%s", a.name);
            CHECK(*a.name && *a.help && i < MAX_OPTIONS && !strchr(a.name, '_'));
            for (int k = 0; !fts_task_option(t, k, &b); k++)
                if (k != i && (!strcmp(a.name, b.name) || !strcmp(no, b.name)))
                    test_fail(__FILE__, __LINE__, "%s: --%s is there twice", verbs[v].name, b.name);
        }
        CHECK(fts_task_option(t, -1, &a));
        fts_task_close(t);
    }
}

TEST(api_unknown_verb_lists_what_there_is)
{
    Err e = {0};
    FtsTask *t;
    CHECK(fts_task_open(&t, "predict", &e) && !t && e.code == FTS_USAGE);
    TEXT(e.message, "unknown verb 'predict', there are: train, forecast, evaluate, probe, report, export, data download, data info, data check, data convert, data synth");
}

TEST(api_operands)
{
    Err e = {0};
    FtsTask *t;
    OK(fts_task_open(&t, "train", &e));
    CHECK(fts_task_operand(t, "x", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "train takes options only, got 'x'");
    fts_task_close(t);
    OK(fts_task_open(&t, "data info", &e));
    CHECK(fts_task_run(t, NULL, NULL, &e) && e.code == FTS_USAGE);
    TEXT(e.message, "data info needs a PATH");
    OK(fts_task_operand(t, "x", &e));
    CHECK(fts_task_operand(t, "y", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "data info takes one PATH, got 'y' after 'x'");
    CHECK(fts_task_set(t, "--dataset-path", "x", &e));
    fts_task_close(t);
    OK(fts_task_open(&t, "report", &e));
    CHECK(fts_task_run(t, NULL, NULL, &e) && e.code == FTS_USAGE);
    TEXT(e.message, "report needs a RUN");
    for (int i = 0; i < 32; i++) OK(fts_task_operand(t, "x", &e));
    CHECK(fts_task_operand(t, "y", &e) && e.code == FTS_USAGE);
    TEXT(e.message, "report takes 32 at most, got 'y' after them");
    fts_task_close(t);
}

static const char *write_config(const char *text)
{
    static char path[160];
    Err e;
    snprintf(path, sizeof path, "%s/run.json", test_folder());
    return file_write(path, text, strlen(text), &e) ? "" : path;
}

TEST(api_config_gives_way_to_the_command_line)
{
    Err e = {0};
    FtsTask *t;
    OK(fts_task_open(&t, "train", &e));
    OK(fts_task_set(t, "--batch_size", "8", &e));
    OK(fts_task_set(t, "dataset-path", "mine", &e));
    OK(fts_task_config(t, write_config("{\"batch_size\": 16, \"seed\": 9007199254740991, \"dataset_path\": [\"a\", \"b\"], \"tensorboard\": false,"
                                       " \"learning-rate\": 2.5e-4, \"normalization_func\": \"max\", \"max_wall_time_s\": null, \"checkpoint_dir\": \"c\"}"), &e));
    CHECK(t->s.train.batch_size == 8 && t->s.train.seed == 9007199254740991 && t->s.train.tensorboard == 0 && t->s.train.learning_rate == 2.5e-4);
    CHECK(t->s.data.normalization_func == 1 && !strcmp(t->s.train.checkpoint_dir, "c") && t->s.train.max_wall_time_s == OPT_UNSET);
    CHECK(t->s.data.dataset_path.n == 1 && !strcmp(t->s.data.dataset_path.item[0], "mine"));
    fts_task_close(t);
}

TEST(api_config_list_is_replaced_as_a_whole)
{
    Err e = {0};
    FtsTask *t;
    OK(fts_task_open(&t, "train", &e));
    OK(fts_task_config(t, write_config("{\"dataset_path\": [\"a\", \"b\"]}"), &e));
    CHECK(t->s.data.dataset_path.n == 2);
    OK(fts_task_config(t, write_config("{\"dataset_path\": \"c\"}"), &e));
    CHECK(t->s.data.dataset_path.n == 1 && !strcmp(t->s.data.dataset_path.item[0], "c"));
    OK(fts_task_set(t, "dataset-path", "d", &e));
    OK(fts_task_set(t, "dataset-path", "e", &e));
    CHECK(t->s.data.dataset_path.n == 2 && !strcmp(t->s.data.dataset_path.item[0], "d"));
    fts_task_close(t);
}

static void config_fails(const char *text, const char *want)
{
    Err e = {0};
    FtsTask *t;
    OK(fts_task_open(&t, "train", &e));
    const char *path = write_config(text);
    int bad = fts_task_config(t, path, &e);
    if (!bad || strncmp(e.message, path, strlen(path)) || !strstr(e.message, want)) test_fail(__FILE__, __LINE__, "%s: %d '%s'", text, bad, e.message);
    fts_task_close(t);
}

TEST(api_config_errors_name_the_file_and_the_option)
{
    config_fails("", "expected an object");
    config_fails("[]", "expected an object");
    config_fails("{\"batch_sise\": 3}", "unknown option --batch-sise: did you mean --batch-size?");
    config_fails("{\"batch_size\": 0}", "--batch-size: 0 is outside 1..100000000");
    config_fails("{\"batch_size\": 1.5}", "'1.5' is not a whole number");
    config_fails("{\"batch_size\": [1]}", "an option takes a text");
    config_fails("{\"batch_size\": {\"a\": 1}}", "an option takes a text");
    config_fails("{\"tensorboard\": \"maybe\"}", "--tensorboard");
    config_fails("{\"config\": \"other.json\"}", "config has no place in a configuration");
    config_fails("{\"batch_size\": 3} 4", "expected the end");
    config_fails("{\"batch_size\": 3", "the text ends");
}

TEST(api_settings_of_a_run_read_back_as_they_were)
{
    Err e = {0};
    FtsTask *a, *b;
    Str first = {0}, second = {0};
    OK(fts_task_open(&a, "train", &e));
    OK(fts_task_set(a, "dataset-path", "\"quoted\\ path\"", &e));
    OK(fts_task_set(a, "learning-rate", "0.000123456789", &e));
    OK(fts_task_set(a, "memory-limit", "20G", &e));
    OK(fts_task_set(a, "no-drop-last", NULL, &e));
    opt_write(a->set, a->nset - 1, &first);
    OK(fts_task_open(&b, "train", &e));
    OK(fts_task_config(b, write_config(first.p), &e));
    opt_write(b->set, b->nset - 1, &second);
    TEXT(second.p, first.p);
    CHECK(b->s.device.memory_limit == (int64_t)20 << 30 && b->s.train.drop_last == 0);
    fts_task_close(a);
    fts_task_close(b);
    str_free(&first);
    str_free(&second);
}

TEST(api_open_survives_every_failed_allocation)
{
    Err e = {0};
    FtsTask *t;
    for (long n = 1; n < 40; n++) {
        test_alloc_fail(n);
        int bad = fts_task_open(&t, "train", &e);
        test_alloc_fail(0);
        CHECK(!bad == (t != NULL));
        CHECK(!bad || e.code == FTS_NOMEM);
        fts_task_close(t);
        if (!bad) return;
    }
    CHECK(!"opening a task takes fewer allocations");
}
