/* verb_probe.c - models side by side: probed, answered, drawn. */
#include <stdlib.h>

#include "api/probe_plot.h"
#include "api/task.h"
#include "report/picture.h"

static int answer(FtsTask *t, const Probe *p, Err *e)
{
    Str text = {0};
    if (t->s.probe.json > 0) probe_json(&text, p);
    else probe_text(&text, p);
    int bad = str_ok(&text, e);
    if (!bad) answer_lines(&t->events, text.p);
    str_free(&text);
    return bad || (t->s.probe.plot && probe_plot(t->s.probe.plot, p, e)) ? -1 : 0;
}

/* START lets a signal ask for an end in order, with an answer. */
static int run(FtsTask *t, Probe *p, const char *settings, Err *e)
{
    const Settings *s = &t->s;
    ProbeSpec spec = {.probe = &s->probe, .train = &s->train, .data = &s->data, .model = &s->model, .device = &s->device, .events = t->events, .stop = &t->stop};
    event_send(&t->events, &(Event){.kind = FTS_EVENT_START, .text = settings});
    if (probe_run(p, &spec, e) || answer(t, p, e)) return -1;
    event_send(&t->events, &(Event){.kind = FTS_EVENT_END, .text = "done"});
    return p->stopped ? err_set(e, FTS_STOPPED, "stopped early: the answer is of what was measured by then") : 0;
}

int verb_probe(FtsTask *t, Err *e)
{
    Str settings = {0};
    if (!t->s.data.dataset_path.n) return err_set(e, FTS_USAGE, "probe needs --dataset-path: the file or folder of series to learn from");
    if (t->s.probe.plot && picture_check(t->s.probe.plot, e)) return err_wrap(e, "--plot");
    Probe *p = malloc(sizeof *p);
    if (!p) return err_nomem(e, sizeof *p, "a probe");
    opt_write(t->set, t->nset - 1, &settings);
    int bad = str_ok(&settings, e) || run(t, p, settings.p, e);
    str_free(&settings);
    free(p);
    return bad ? -1 : 0;
}
