/* test_tensorboard.c - the bytes of event files against vectors, and files as they grow. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/tensorboard.h"
#include "test.h"
#include "util/file.h"

static void hex(const Str *s, char *out)
{
    for (size_t i = 0; i < s->n; i++) sprintf(out + 2 * i, "%02x", (unsigned char)s->p[i]);
}

TEST(report_crc32c_vector)
{
    CHECK(tb_crc32c("123456789", 9) == 0xe3069283u);
    CHECK(tb_crc32c("", 0) == 0);
}

TEST(report_tensorboard_record_vector)
{
    static const char message[] = "\x09\x00\x00\x80\x38\x99\xd6\xd7\x41\x1a\x0d" "brain.Event:2";
    Str s = {0};
    char text[256];
    tb_record(&s, message, sizeof message - 1);
    hex(&s, text);
    CHECK(!strncmp(text, "1800000000000000" "a37f4b22", 24));
    TEXT(text + strlen(text) - 8, "124b36ab");
    str_free(&s);
}

TEST(report_tensorboard_scalar_vector)
{
    Str m = {0}, s = {0};
    char text[512];
    tb_message(&m, 1700000000.25, 100, (TbScalar[]){{"loss/train", 0.5}}, 1);
    tb_record(&s, m.p, m.n);
    hex(&s, text);
    TEXT(text, "2000000000000000" "29eda950" "0900001040fc54d94110642a130a110a0a6c6f73732f747261696e150000003f" "d99f8d20");
    str_free(&m);
    str_free(&s);
}

TEST(report_tensorboard_writes_a_zero_value_and_several_scalars)
{
    Str m = {0};
    char text[512];
    tb_message(&m, 0, 0, (TbScalar[]){{"a", 0}, {"b", NAN}}, 2);
    hex(&m, text);
    CHECK(!strncmp(text, "0900000000000000002a14" "0a080a01611500000000" "0a080a016215", strlen("0900000000000000002a140a080a016115000000000a080a016215")));
    str_free(&m);
}

/* Walks the records of a file: *n of them, all checksums right, *last the final message. */
static int walk(const char *path, int *n, Str *last)
{
    Map m;
    Err e;
    size_t at = 0;
    *n = 0;
    if (map_open(&m, path, &e)) return -1;
    while (at + 16 <= m.n) {
        uint64_t len;
        Str again = {0};
        memcpy(&len, m.p + at, 8);
        if (len > m.n - at - 16) break;
        tb_record(&again, m.p + at + 12, len);
        int same = again.n == len + 16 && !memcmp(again.p, m.p + at, again.n);
        str_free(&again);
        if (!same) break;
        last->n = 0;
        str_add(last, m.p + at + 12, len);
        at += len + 16;
        ++*n;
    }
    int whole = at == m.n;
    map_close(&m);
    return whole ? 0 : -1;
}

static const Event step = {.kind = FTS_EVENT_STEP, .step = 10, .due = 1, .loss = 0.5, .pred = 0.4, .aux = 1, .lr = 1e-3, .norm = 2, .tokens_per_s = 1e5};

TEST(report_tensorboard_appends_and_a_resumed_run_sorts_after)
{
    Err e = {0};
    TensorBoard a, b;
    Str last = {0};
    int n;
    char dir[128];
    snprintf(dir, sizeof dir, "%s/run/tensorboard", test_folder());
    OK(tb_open(&a, dir, &e));
    OK(tb_event(&a, &step, &e));
    OK(tb_event(&a, &(Event){.kind = FTS_EVENT_STEP, .step = 11}, &e));                     /* not due */
    OK(tb_event(&a, &(Event){.kind = FTS_EVENT_NOTICE, .text = "x"}, &e));
    CHECK(!walk(a.path, &n, &last) && n == 2);
    OK(tb_open(&b, dir, &e));
    CHECK(strcmp(a.path, b.path) < 0);
    OK(tb_event(&b, &(Event){.kind = FTS_EVENT_START, .step = 10}, &e));
    CHECK(!walk(b.path, &n, &last) && n == 2);
    CHECK(last.n == 9 + 2 + 4 && !memcmp(last.p + 9, "\x10\x0b\x3a\x02\x08\x01", 6));       /* step 11: what was done stays visible */
    tb_close(&a);
    tb_close(&b);
    str_free(&last);
}

TEST(report_tensorboard_repeats_the_baseline_beside_each_validation)
{
    Err e = {0};
    TensorBoard t;
    Str last = {0};
    int n;
    OK(tb_open(&t, test_folder(), &e));
    Event v = {.kind = FTS_EVENT_VALIDATION, .name = "val_ood", .step = 50, .mse = 0.5};
    OK(tb_event(&t, &v, &e));
    CHECK(!walk(t.path, &n, &last) && memmem(last.p, last.n, "val_ood/mse", 11) && !memmem(last.p, last.n, "repeat_last", 11));
    OK(tb_event(&t, &(Event){.kind = FTS_EVENT_BASELINE, .name = "val_ood", .mse = 1}, &e));
    OK(tb_event(&t, &v, &e));
    CHECK(!walk(t.path, &n, &last) && n == 3 && memmem(last.p, last.n, "val_ood/repeat_last_mse", 23));
    tb_close(&t);
    str_free(&last);
}

TEST(report_tensorboard_names_the_file_when_the_disk_is_full)
{
    Err e = {0};
    TensorBoard t;
    OK(tb_open(&t, test_folder(), &e));
    test_write_fail(1);
    CHECK(tb_event(&t, &step, &e) && strstr(e.message, "events.out.tfevents.") && strstr(e.message, "No space left"));
    test_write_fail(0);
    tb_close(&t);
    CHECK(tb_open(&t, "/proc/none/here", &e) && strstr(e.message, "/proc/none"));
}

/* With the real package where it is there: the file is read back by TensorBoard's own reader. */
TEST(report_tensorboard_opens_in_tensorboard)
{
    Err e = {0};
    TensorBoard t;
    char command[512];
    const char *dir = test_folder(), *python = getenv("FTS_PYTHON");
    if (!python) python = "python3";
    snprintf(command, sizeof command, "%s -c 'import tensorboard' 2>/dev/null", python);
    if (system(command) || access("tests/report/tensorboard_check.py", R_OK)) {
        test_skip("no Python with the package tensorboard (FTS_PYTHON names one)");
        return;
    }
    OK(tb_open(&t, dir, &e));
    OK(tb_event(&t, &step, &e));
    Event later = step;
    later.step = 20;
    later.loss = 0;
    OK(tb_event(&t, &later, &e));
    tb_close(&t);
    OK(tb_open(&t, dir, &e));
    OK(tb_event(&t, &(Event){.kind = FTS_EVENT_START, .step = 10}, &e));
    later.loss = 0.25;
    OK(tb_event(&t, &later, &e));
    OK(tb_event(&t, &(Event){.kind = FTS_EVENT_VALIDATION, .name = "val", .step = 20, .mse = 0.75}, &e));
    tb_close(&t);
    snprintf(command, sizeof command, "%s tests/report/tensorboard_check.py %s", python, dir);
    CHECK(system(command) == 0);
}
