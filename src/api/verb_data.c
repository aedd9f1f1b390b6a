/* verb_data.c - what there is to do with series besides training on them. */
#include <inttypes.h>
#include <string.h>

#include "api/task.h"
#include "data/check.h"
#include "data/info.h"
#include "util/machine.h"

void answer_lines(const Events *to, char *text)
{
    char *line;
    while (text && *text) {
        line = strsep(&text, "\n");
        event_send(to, &(Event){.kind = FTS_EVENT_ANSWER, .text = line});
    }
}

int verb_data_info(FtsTask *t, Err *e)
{
    OptList paths = {.item = {t->operand[0]}, .n = 1};
    Dataset *d;
    Str text = {0};
    if (dataset_open(&d, &paths, NULL, &t->s.data, 2, &t->events, e)) return -1;
    int bad = data_info(&text, d, &t->s.data, t->s.info.json, e) || str_ok(&text, e);
    dataset_close(d);
    if (!bad) answer_lines(&t->events, text.p);
    str_free(&text);
    return bad ? -1 : 0;
}

typedef struct Progress { const Events *to; const atomic_int *stop; double began; } Progress;

static int tell_progress(void *user, int64_t done, int64_t total)
{
    const Progress *p = user;
    double spent = machine_seconds() - p->began, eta = done ? spent * (double)(total - done) / (double)done : 0;
    event_send(p->to, &(Event){.kind = FTS_EVENT_STEP, .step = done, .steps = total, .eta_s = eta});
    return atomic_load(p->stop);
}

int verb_data_synth(FtsTask *t, Err *e)
{
    const SynthOpts *o = &t->s.synth;
    Progress p = {&t->events, &t->stop, machine_seconds()};
    if (synth_write(t->operand[0], o, &t->events, tell_progress, &p, e)) return -1;
    double spent = machine_seconds() - p.began, points = (double)o->series * (double)o->length;
    event_say(&t->events, FTS_EVENT_ANSWER, "%s: %" PRId64 " series of %" PRId64 " points in %.1f s (%.1f million points/s, %.0f MB/s)", t->operand[0], o->series, o->length, spent,
              points / spent / 1e6, 4 * points / spent / 1e6);
    return 0;
}

int verb_data_convert(FtsTask *t, Err *e)
{
    OptList paths = {.item = {t->operand[0]}, .n = 1};
    DataOpts o = {.seq_max_len = 1, .seq_stride = 1, .normalization_func = SCALE_NONE};       /* windows do not matter here */
    Progress p = {&t->events, &t->stop, machine_seconds()};
    Dataset *d;
    if (dataset_open(&d, &paths, NULL, &o, 1, &t->events, e)) return -1;
    int bad = convert_write(t->operand[1], d, &t->s.convert, tell_progress, &p, e);
    if (!bad) event_say(&t->events, FTS_EVENT_ANSWER, "%s: %" PRId64 " series, %" PRId64 " points", t->operand[1], dataset_series(d), dataset_points(d));
    dataset_close(d);
    return bad ? -1 : 0;
}

int verb_data_download(FtsTask *t, Err *e)
{
    return hub_download(&(HubSpec){.opts = &t->s.hub, .events = t->events, .stop = &t->stop, .pause_s = 1}, e);
}

int verb_data_check(FtsTask *t, Err *e)
{
    OptList paths = {.item = {t->operand[0]}, .n = 1};
    int64_t defects;
    if (data_check(&paths, &t->events, &defects, e)) return -1;
    return defects ? err_set(e, FTS_FORMAT, "%s: %" PRId64 " defect%s, see above", t->operand[0], defects, defects == 1 ? "" : "s") : 0;
}
