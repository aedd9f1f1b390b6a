/* test_run.c - whole tasks through the public door, and the events they send. */
#include <stdio.h>
#include <string.h>

#include "foundationts.h"
#include "test.h"
#include "util/file.h"
#include "util/str.h"

typedef struct Heard { char order[512]; int n, answers, stop_at; FtsTask *task; char last[4096]; } Heard;

/* One letter per event, so that an order is a text. */
static void hear(void *user, const FtsEvent *ev)
{
    static const char letter[] = {'A', 'N', 'S', 's', 'B', 'V', 'E', 'C', '.'};
    Heard *h = user;
    if (ev->kind == FTS_EVENT_NOTICE || (ev->kind == FTS_EVENT_STEP && !ev->due)) return;
    if (ev->kind == FTS_EVENT_ANSWER) {
        h->answers++;
        snprintf(h->last, sizeof h->last, "%s", ev->text);
        return;
    }
    if (ev->kind == FTS_EVENT_END) snprintf(h->last, sizeof h->last, "%s", ev->text);
    if (ev->kind == FTS_EVENT_STEP && ev->step == h->stop_at) fts_task_stop(h->task);
    if (h->n < (int)sizeof h->order - 1) h->order[h->n++] = letter[ev->kind];
}

/* "option", "value", ..., NULL */
static int run(Heard *h, const char *verb, const char *operand, const char *const *options, FtsError *e)
{
    FtsTask *t;
    if (fts_task_open(&t, verb, e)) return -1;
    h->task = t;
    int bad = *operand && fts_task_operand(t, operand, e);
    for (; !bad && *options; options += 2) bad = fts_task_set(t, options[0], options[1], e);
    bad = bad || fts_task_run(t, hear, h, e);
    fts_task_close(t);
    return bad ? -1 : 0;
}

static int make_data(const char *dir, FtsError *e)
{
    Heard h = {0};
    return run(&h, "data synth", dir, (const char *const[]){"series", "12", "length", "200", NULL}, e);
}

#define SMALL "hidden-size", "8", "n-decoder-layers", "1", "num-experts", "2", "k", "1", "n-head", "2", "seq-max-len", "64", "seq-stride", "64", \
              "batch-size", "4", "steps-per-epoch", "8", "log-every", "2", "val-every", "4", "val-max-batches", "1", "threads", "1"

TEST(api_data_synth_then_info)
{
    FtsError e = {0};
    Heard h = {0};
    char data[128];
    snprintf(data, sizeof data, "%s/data", test_folder());
    OK(make_data(data, &e));
    OK(run(&h, "data info", data, (const char *const[]){"json", NULL, NULL}, &e));
    CHECK(h.answers >= 1);
    CHECK(run(&h, "data info", "/nowhere", (const char *const[]){NULL}, &e) && e.code != FTS_USAGE && strstr(e.message, "/nowhere"));
}

TEST(api_train_sends_its_events_in_order)
{
    FtsError e = {0};
    Heard h = {0};
    char data[128], out[128], path[160];
    const char *dir = test_folder();
    snprintf(data, sizeof data, "%s/data", dir);
    snprintf(out, sizeof out, "%s/run", dir);
    OK(make_data(data, &e));
    OK(run(&h, "train", "", (const char *const[]){"dataset-path", data, "checkpoint-dir", out, SMALL, NULL}, &e));
    CHECK(h.order[0] == 'S' && h.order[h.n - 1] == '.');
    TEXT(h.last, "done");
    char kinds[512];
    int n = 0;
    for (int i = 0; i < h.n; i++)
        if (h.order[i] != 'E') kinds[n++] = h.order[i];
    kinds[n] = 0;
    TEXT(kinds, "SssBVssVC.");
    snprintf(path, sizeof path, "%s/log.jsonl", out);
    CHECK(path_exists(path));
    snprintf(path, sizeof path, "%s/settings.json", out);
    CHECK(path_exists(path));
    snprintf(path, sizeof path, "%s/tensorboard", out);
    CHECK(path_is_dir(path));
    snprintf(path, sizeof path, "%s/latest/model.safetensors", out);
    CHECK(path_exists(path));
}

TEST(api_train_stops_when_asked_and_goes_on)
{
    FtsError e = {0};
    Heard h = {.stop_at = 4};
    char data[128], out[128];
    const char *dir = test_folder();
    snprintf(data, sizeof data, "%s/data", dir);
    snprintf(out, sizeof out, "%s/run", dir);
    OK(make_data(data, &e));
    OK(run(&h, "train", "", (const char *const[]){"dataset-path", data, "checkpoint-dir", out, SMALL, NULL}, &e));
    TEXT(h.last, "stopped");
    CHECK(strchr(h.order, 'C'));
    Heard again = {0};
    OK(run(&again, "train", "", (const char *const[]){"dataset-path", data, "checkpoint-dir", out, SMALL, "resume-checkpoint", "latest", NULL}, &e));
    TEXT(again.last, "done");
}

TEST(api_describe)
{
    char text[256];
    int n = fts_describe(text, sizeof text);
    CHECK(n > 0 && n < (int)sizeof text && !strncmp(text, "foundationts " FTS_VERSION ", ", strlen("foundationts " FTS_VERSION ", ")));
    CHECK(fts_describe(text, 5) == n && strlen(text) == 4);
}

TEST(api_train_needs_data)
{
    FtsError e = {0};
    Heard h = {0};
    CHECK(run(&h, "train", "", (const char *const[]){NULL}, &e) && e.code == FTS_USAGE && strstr(e.message, "--dataset-path"));
}
