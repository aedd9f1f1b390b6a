/* test_spans.c - a Chrome trace: the rules of its format, what is cut, what does not fit, what cannot be written. */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "util/file.h"
#include "util/json.h"
#include "util/spans.h"

static Span part(const char *name, int number, double from, double took) { return (Span){.name = name, .number = number, .kind = SPAN_PART, .from = from, .took = took}; }

static int write_text(Spans *s, Map *m, Err *e)
{
    char path[300];
    snprintf(path, sizeof path, "%s/trace.json", test_folder());
    return spans_write(s, "a \"process\"", path, e) || map_open(m, path, e);
}

/* The outer span is added after what it encloses, as it ends later; it is written first. Begin and end are rounded each, so that none leaves it. */
TEST(spans_make_a_trace)
{
    static const char want[] =
        "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
        "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"a \\\"process\\\"\"}},\n"
        "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":1,\"args\":{\"name\":\"steps\"}},\n"
        "{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":1,\"tid\":1,\"args\":{\"sort_index\":0}},\n"
        "{\"name\":\"layer 0\",\"cat\":\"part\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0.500,\"dur\":1000000.001},\n"
        "{\"name\":\"norm\",\"cat\":\"op\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0.500,\"dur\":1000000.001,\"args\":{\"gflop\":0.25,\"megabytes\":1.5}},\n"
        "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":2,\"args\":{\"name\":\"loader 1\"}},\n"
        "{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":1,\"tid\":2,\"args\":{\"sort_index\":1}},\n"
        "{\"name\":\"wait for room\",\"cat\":\"wait\",\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":0.000,\"dur\":2000.000},\n"
        "{\"name\":\"batch 7\",\"cat\":\"data\",\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":2000.000,\"dur\":0.000,"
        "\"args\":{\"windows\":32,\"points\":512,\"read_ms\":0.5,\"normalise_ms\":0.25}}\n"
        "]}\n";
    Err e = {0};
    Spans s;
    Map m;
    OK(spans_open(&s, 2, 8, 4, &e));
    strcpy(s.lane[0].name, "steps"), strcpy(s.lane[1].name, "loader 1");
    s.start = 100;
    spans_add(&s, 0, &(Span){.name = "norm", .number = -1, .kind = SPAN_OP, .from = 100.0000005, .took = 1.0000000008, .arg = {0.25, 1.5}});
    Span layer = part("layer", 0, 100.0000005, 1.0000000009);
    spans_add(&s, 0, &layer);
    spans_add(&s, 1, &(Span){.name = "batch", .number = 7, .kind = SPAN_BATCH, .from = 100.002, .took = 1e-11, .arg = {32, 512, 0.5, 0.25}});
    spans_add(&s, 1, &(Span){.name = "wait for room", .number = -1, .kind = SPAN_WAIT, .from = 99, .took = 1.002});      /* begun before the trace */
    OK(write_text(&s, &m, &e));
    CHECK(m.n == strlen(want) && !memcmp(m.p, want, m.n) && !spans_lost(&s));
    map_close(&m);
    spans_close(&s);
}

TEST(spans_of_other_times_and_too_many)
{
    Err e = {0};
    Spans s;
    OK(spans_open(&s, 1, 3, 1, &e));
    s.start = 10;
    for (int i = 0; i < 5; i++) {
        Span x = part("x", i, 8 + i, 0.5);
        spans_add(&s, 0, &x);
    }
    CHECK(s.lane[0].n == 3 && spans_lost(&s) == 2);
    CHECK(s.lane[0].span[1].from == 10 && s.lane[0].span[1].took == 0 && s.lane[0].span[2].from == 10 && s.lane[0].span[2].took == 0.5);
    spans_close(&s);
    spans_close(&s);
}

TEST(spans_without_memory)
{
    Err e = {0};
    Spans s;
    for (long n = 1; n < 50; n++) {
        test_alloc_fail(n);
        int bad = spans_open(&s, 3, 8, 4, &e);
        test_alloc_fail(0);
        if (!bad) { CHECK(n == 5); break; }
        CHECK(e.code == FTS_NOMEM && strstr(e.message, "a profile") && !s.lane);
    }
    spans_close(&s);
}

TEST(spans_on_a_full_disk)
{
    Err e = {0};
    Spans s;
    Map m;
    OK(spans_open(&s, 1, 2, 1, &e));
    test_write_fail(1);
    int bad = write_text(&s, &m, &e);
    test_write_fail(0);
    CHECK(bad && strstr(e.message, "trace.json"));
    for (long n = 1; n < 20; n++) {
        test_alloc_fail(n);
        bad = write_text(&s, &m, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM);
    }
    CHECK(!bad);
    map_close(&m);
    spans_close(&s);
}
