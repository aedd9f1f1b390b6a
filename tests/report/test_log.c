/* test_log.c - log.jsonl: one object per line, whatever the run says, and appended across runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/log.h"
#include "test.h"
#include "util/file.h"
#include "util/json.h"

static void line_is(const Event *ev, const char *want)
{
    Str s = {0};
    int any = log_line(&s, 1.5, ev);
    if (any != (want != NULL)) test_fail(__FILE__, __LINE__, "kind %d: a line %d", ev->kind, any);
    else if (any && strcmp(s.p, want)) test_fail(__FILE__, __LINE__, "got %swant %s", s.p, want);
    str_free(&s);
}

TEST(report_log_line_of_each_event)
{
    double share[] = {0.5, 0.5, 0.25, 0.75};
    line_is(&(Event){.kind = FTS_EVENT_START, .steps = 200, .text = "{\"k\":1}"}, "{\"event\":\"start\",\"time\":1.5,\"step\":0,\"steps\":200,\"settings\":{\"k\":1}}\n");
    line_is(&(Event){.kind = FTS_EVENT_START, .step = 7, .steps = 200}, "{\"event\":\"resume\",\"time\":1.5,\"step\":7,\"steps\":200,\"settings\":{}}\n");
    line_is(&(Event){.kind = FTS_EVENT_STEP, .step = 10, .steps = 200, .due = 1, .loss = 0.5, .pred = NAN, .aux = 1, .lr = 1e-6, .norm = 2,
                     .tokens_per_s = 3, .points_per_s = 4, .step_ms = 5, .data_ms = 6, .peak_mb = 7},
            "{\"event\":\"step\",\"time\":1.5,\"step\":10,\"steps\":200,\"loss\":0.5,\"pred\":null,\"aux\":1,\"lr\":1e-06,\"grad_norm\":2,"
            "\"tokens_per_s\":3,\"points_per_s\":4,\"step_ms\":5,\"data_ms\":6,\"peak_mb\":7}\n");
    line_is(&(Event){.kind = FTS_EVENT_STEP, .step = 11}, NULL);
    line_is(&(Event){.kind = FTS_EVENT_BASELINE, .name = "val", .mae = 0.5, .mse = 1}, "{\"event\":\"baseline\",\"time\":1.5,\"name\":\"val\",\"mae\":0.5,\"mse\":1}\n");
    line_is(&(Event){.kind = FTS_EVENT_VALIDATION, .name = "val_ood", .step = 50, .pred = 0.25, .aux = 1, .mae = 0.5, .mse = 1},
            "{\"event\":\"validation\",\"time\":1.5,\"name\":\"val_ood\",\"step\":50,\"pred\":0.25,\"aux\":1,\"mae\":0.5,\"mse\":1}\n");
    line_is(&(Event){.kind = FTS_EVENT_EXPERTS, .step = 50, .share = share, .routers = 2, .experts = 2},
            "{\"event\":\"experts\",\"time\":1.5,\"step\":50,\"share\":[[0.5,0.5],[0.25,0.75]]}\n");
    line_is(&(Event){.kind = FTS_EVENT_CHECKPOINT, .step = 50, .text = "a\"b"}, "{\"event\":\"checkpoint\",\"time\":1.5,\"step\":50,\"dir\":\"a\\\"b\"}\n");
    line_is(&(Event){.kind = FTS_EVENT_NOTICE, .text = "two\nlines"}, "{\"event\":\"notice\",\"time\":1.5,\"text\":\"two\\nlines\"}\n");
    line_is(&(Event){.kind = FTS_EVENT_END, .step = 50, .text = "done"}, "{\"event\":\"end\",\"time\":1.5,\"step\":50,\"why\":\"done\"}\n");
    line_is(&(Event){.kind = FTS_EVENT_ANSWER, .text = "x"}, NULL);
}

/* Every line parses and has "event" first; returns how many, -1 if one does not. */
static int count_lines(const char *path)
{
    Map m;
    Err e;
    int n = 0;
    char key[16];
    if (map_open(&m, path, &e)) return -1;
    const char *p = (const char *)m.p, *end = p + m.n;
    for (const char *stop; p < end && n >= 0 && (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1) {
        Json j;
        json_init(&j, p, (size_t)(stop - p));
        int bad = json_skip(&j, &e) || json_end(&j, &e);
        json_init(&j, p, (size_t)(stop - p));
        bad = bad || json_open(&j, '{', &e) || json_more(&j, &e) != 1 || json_key(&j, key, sizeof key, &e) || strcmp(key, "event");
        n = bad ? -1 : n + 1;
    }
    map_close(&m);
    return p == end ? n : -1;
}

TEST(report_log_appends_after_a_line_that_was_cut)
{
    Err e = {0};
    Log l;
    char dir[128], path[160], cut[] = "{\"event\":\"step\",\"time\":17";
    snprintf(dir, sizeof dir, "%s/run", test_folder());
    snprintf(path, sizeof path, "%s/log.jsonl", dir);
    OK(log_open(&l, dir, &e));
    OK(log_event(&l, &(Event){.kind = FTS_EVENT_BASELINE, .name = "val"}, &e));
    OK(log_event(&l, &(Event){.kind = FTS_EVENT_ANSWER, .text = "not for the log"}, &e));
    log_close(&l);
    CHECK(count_lines(path) == 1);
    FILE *f = fopen(path, "a");
    CHECK(f && fputs(cut, f) >= 0 && !fclose(f));
    OK(log_open(&l, dir, &e));
    OK(log_event(&l, &(Event){.kind = FTS_EVENT_END, .step = 3, .text = "done"}, &e));
    log_close(&l);
    Map m;
    OK(map_open(&m, path, &e));
    const char *tail = memmem(m.p, m.n, "17\n{\"event\":\"end\"", 17);
    map_close(&m);
    CHECK(tail);
}

TEST(report_log_says_when_it_cannot_write)
{
    Err e = {0};
    Log l;
    OK(log_open(&l, test_folder(), &e));
    test_write_fail(1);
    CHECK(log_event(&l, &(Event){.kind = FTS_EVENT_END, .text = "done"}, &e) && strstr(e.message, "log.jsonl: No space left"));
    test_write_fail(0);
    test_alloc_fail(1);
    CHECK(log_event(&l, &(Event){.kind = FTS_EVENT_END, .text = "done"}, &e) && e.code == FTS_NOMEM);
    test_alloc_fail(0);
    log_close(&l);
    CHECK(log_open(&l, "/proc/none", &e));
}
