/* test_runlog.c - log.jsonl read back: what counts of runs that went well, were resumed, or left a damaged file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/log.h"
#include "report/runlog.h"
#include "test.h"
#include "util/rng.h"

#define CORPUS "tests/corpus/report/runlog"
#define START "{\"event\":\"start\",\"time\":1,\"step\":0,\"steps\":9,\"settings\":{\"batch_size\":2}}\n"
#define STEP(n, loss) "{\"event\":\"step\",\"time\":2,\"step\":" n ",\"loss\":" loss "}\n"

static int decode(RunLog *l, const char *text, Err *e) { return runlog_decode(l, text, strlen(text), e); }

/* What the writer says is what the reader hears. */
TEST(runlog_reads_what_log_writes)
{
    const double share[] = {0.5, 0.5, 0.25, 0.75};
    const Event told[] = {
        {.kind = FTS_EVENT_START, .steps = 20, .text = "{\"k\":[1,{\"a\":2}]}"},
        {.kind = FTS_EVENT_STEP, .step = 10, .steps = 20, .due = 1, .loss = 1, .pred = 2, .aux = 3, .lr = 4, .norm = 5, .tokens_per_s = 6, .points_per_s = 7,
         .step_ms = 8, .data_ms = 9, .peak_mb = 10, .tflops = 11, .mfu = 12},
        {.kind = FTS_EVENT_EXPERTS, .step = 10, .share = share, .routers = 2, .experts = 2},
        {.kind = FTS_EVENT_BASELINE, .name = "val", .mae = 0.5, .mse = 1},
        {.kind = FTS_EVENT_VALIDATION, .name = "val", .step = 10, .pred = 1, .aux = 2, .mae = 3, .mse = 4},
        {.kind = FTS_EVENT_VALIDATION, .name = "val_ood", .step = 10, .pred = 5, .aux = 6, .mae = 7, .mse = NAN},
        {.kind = FTS_EVENT_CHECKPOINT, .step = 10, .text = "x"},
        {.kind = FTS_EVENT_NOTICE, .text = "two\nlines"},
        {.kind = FTS_EVENT_END, .step = 10, .text = "time"},
    };
    Err e = {0};
    Str text = {0};
    RunLog l;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) log_line(&text, 100 + (double)i, &told[i]);
    OK(runlog_decode(&l, text.p, text.n, &e));
    str_free(&text);
    CHECK(l.lines == 9 && !l.bad && l.planned == 20 && l.last == 10 && l.from == 100 && l.to == 108 && l.worked == 8);
    CHECK(l.steps.n == 1 && l.steps.step[0] == 10);
    for (int i = 0; i < STEP_FIELDS; i++) CHECK(l.steps.value[i] == i + 1);
    for (int i = 0; i < VAL_FIELDS; i++) CHECK(l.validation[LOG_VAL].value[i] == i + 1);
    CHECK(l.validation[LOG_OOD].value[VAL_MAE] == 7 && isnan(l.validation[LOG_OOD].value[VAL_MSE]));
    CHECK(l.routers == 2 && l.nexperts == 2 && l.experts.n == 1 && !memcmp(l.experts.value, share, sizeof share));
    CHECK(l.naive[LOG_VAL][VAL_MAE] == 0.5 && isnan(l.naive[LOG_OOD][VAL_MAE]));
    CHECK(l.notices.n == 1 && l.said == 1);
    TEXT(l.notices.name[0], "two\nlines");
    TEXT(l.settings, "{\"k\":[1,{\"a\":2}]}");
    TEXT(l.why, "time");
    runlog_close(&l);
}

TEST(runlog_steps_done_twice_are_those_of_the_last_time)
{
    Err e = {0};
    RunLog l;
    OK(decode(&l, START STEP("1", "1") STEP("2", "2") STEP("3", "3") "{\"event\":\"end\",\"time\":9,\"step\":3,\"why\":\"stopped\"}\n"
              "{\"event\":\"resume\",\"time\":100,\"step\":1,\"steps\":9,\"settings\":{}}\n" STEP("2", "20"), &e));
    CHECK(l.steps.n == 2 && l.steps.value[0] == 1 && l.steps.value[STEP_FIELDS] == 20 && l.last == 2);
    CHECK(l.resumes == 1 && l.resume[0] == 1 && !*l.why && l.worked == 8);
    runlog_close(&l);
    OK(decode(&l, START STEP("1", "1") STEP("2", "2") STEP("2", "3") STEP("1", "4"), &e));
    CHECK(l.steps.n == 1 && l.steps.value[0] == 4);
    runlog_close(&l);
}

TEST(runlog_an_earlier_run_in_the_folder_does_not_count)
{
    Err e = {0};
    RunLog l;
    OK(decode(&l, START STEP("5", "1") "{\"event\":\"baseline\",\"name\":\"val\",\"mae\":1,\"mse\":1}\n{\"event\":\"notice\",\"text\":\"old\"}\n" START STEP("2", "2"), &e));
    CHECK(l.steps.n == 1 && l.steps.step[0] == 2 && l.earlier == 4 && isnan(l.naive[LOG_VAL][VAL_MAE]) && !l.notices.n && l.last == 2);
    runlog_close(&l);
}

TEST(runlog_counts_what_it_cannot_read)
{
    static const struct { const char *text; int64_t bad, line; const char *why; } rows[] = {
        {START STEP("1", "1") "{\"event\":\"step\",\"ti", 1, 3, "column 20: the text ends inside a string"},
        {START "\n{\"event\":\"step\"}\n\xFF\n" STEP("1", "1"), 2, 3, "the step of a line \"step\" is no step"},
        {START STEP("-1", "1") STEP("1", "1"), 1, 2, "the step of a line \"step\" is no step"},
        {START STEP("1e300", "1") STEP("1", "1"), 1, 2, "the step of a line \"step\" is no step"},
        {START "{\"time\":1}\n" STEP("1", "1"), 1, 2, "column 11: \"event\" is missing"},
        {START "{\"event\":\"of a later version\"}\n" STEP("1", "1"), 0, 0, ""},
        {START "{\"event\":\"later\"}\n" STEP("1", "1"), 0, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Err e = {0};
        RunLog l;
        OK(decode(&l, rows[i].text, &e));
        if (l.bad != rows[i].bad || l.bad_line != rows[i].line || strcmp(l.bad_why, rows[i].why) || l.steps.n != 1)
            test_fail(__FILE__, __LINE__, "row %zu: %lld bad, line %lld, '%s'", i, (long long)l.bad, (long long)l.bad_line, l.bad_why);
        runlog_close(&l);
    }
}

TEST(runlog_what_is_no_log_is_refused)
{
    static const struct { const char *text, *says; } rows[] = {
        {"", "nothing was logged yet: there is not one line about a step"},
        {"a,b\n1,2\n", "this is no log of a training run: line 1: column 1: found 'a', expected an object"},
        {"\n{}\n", "this is no log of a training run: line 2: column 3: \"event\" is missing"},
    };
    Err e = {0};
    RunLog l;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(decode(&l, rows[i].text, &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, rows[i].says);
    }
    CHECK(runlog_open(&l, "/nowhere/run", &e) == -1 && strstr(e.message, "/nowhere/run: there is no such folder: a run is the --checkpoint-dir of a training"));
    char want[512], file[300];
    const char *dir = test_folder();
    snprintf(want, sizeof want, "%s: there is no log.jsonl in it: a run is the --checkpoint-dir of a training", dir);
    CHECK(runlog_open(&l, dir, &e) == -1);
    TEXT(e.message, want);
    snprintf(file, sizeof file, "%s/b", dir);
    OK(dir_make(file, &e));
    snprintf(file, sizeof file, "%s/b/log.jsonl", dir);
    OK(file_write(file, "{}\n", 3, &e));
    snprintf(want + strlen(want), sizeof want - strlen(want), ", such as %s/b", dir);
    CHECK(runlog_open(&l, dir, &e) == -1);
    TEXT(e.message, want);
}

TEST(runlog_long_notices_are_cut_and_the_last_are_kept)
{
    Err e = {0};
    Str text = {0};
    RunLog l;
    str_addf(&text, START);
    for (int i = 0; i < LOG_NOTICES + 5; i++) str_addf(&text, "{\"event\":\"notice\",\"text\":\"%d %06000d\"}\n", i, 1);
    OK(runlog_decode(&l, text.p, text.n, &e));
    str_free(&text);
    CHECK(!l.bad && l.said == LOG_NOTICES + 5 && l.notices.n == LOG_NOTICES && !strncmp(l.notices.name[0], "5 0000", 6) && strlen(l.notices.name[0]) == 4095);
    runlog_close(&l);
}

TEST(runlog_every_failed_allocation_is_told)
{
    static const char text[] = START STEP("1", "1") "{\"event\":\"experts\",\"step\":1,\"share\":[[1]]}\n{\"event\":\"notice\",\"text\":\"a\"}\n" START;
    int failed = 0;
    for (long n = 1; n < 100; n++) {
        Err e = {0};
        RunLog l;
        test_alloc_fail(n);
        int bad = runlog_decode(&l, text, sizeof text - 1, &e);
        test_alloc_fail(0);
        if (!bad) { runlog_close(&l); CHECK(failed >= 6); return; }
        CHECK(e.code == FTS_NOMEM);
        failed++;
    }
    CHECK(!"ends");
}

TEST(runlog_corpus_and_damage_are_refused_or_read)
{
    Names names;
    Err e = {0};
    int read = 0;
    uint64_t used = 0;
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, CORPUS, &e));
    for (int i = 0; i < names.n; i++) {
        char path[256];
        Map m;
        RunLog l;
        snprintf(path, sizeof path, CORPUS "/%s", names.name[i]);
        OK(map_open(&m, path, &e));
        if (!runlog_decode(&l, m.p, m.n, &e)) runlog_close(&l), read++;
        char *now = malloc(m.n + 1);
        CHECK(now);
        for (int round = 0; round < 300 && m.n; round++) {
            memcpy(now, m.p, m.n);
            for (int k = 0; k < 3; k++) {
                uint64_t r = rng_hash(9, RNG_TEST, used++);
                now[r % m.n] = r >> 63 ? (char)(r >> 40) : "{}[]\",:\n0-.eN"[(r >> 40) % 13];
            }
            if (!runlog_decode(&l, now, m.n - (size_t)round % (m.n / 2 + 1), &e)) runlog_close(&l);
            else CHECK(e.code == FTS_FORMAT);
        }
        free(now);
        map_close(&m);
    }
    CHECK(names.n >= 11 && read == names.n - 2);
    names_free(&names);
}
