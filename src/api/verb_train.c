/* verb_train.c - a training run with what listens to it: log.jsonl, TensorBoard, and the caller. */
#include <string.h>

#include "api/task.h"
#include "report/log.h"
#include "report/tensorboard.h"
#include "util/file.h"

typedef struct Listeners {
    const Events     *caller;
    const TrainOpts  *opts;
    Log         log;
    TensorBoard board;
    int         log_on, board_on;
} Listeners;

/* A full disk stops the log, not the training. */
static int lost(const Listeners *l, const Err *why)
{
    event_say(l->caller, FTS_EVENT_NOTICE, "%s; the run goes on without this log", why->message);
    return 0;
}

static int open_board(TensorBoard *b, const TrainOpts *o, const char *run, Err *e)
{
    char dir[4096];
    if (o->tensorboard_dir) return tb_open(b, o->tensorboard_dir, e);
    return path_join(dir, sizeof dir, run, "tensorboard", e) || tb_open(b, dir, e);
}

static void open_logs(Listeners *l, const char *run)
{
    Err why;
    if (run) l->log_on = !log_open(&l->log, run, &why) || lost(l, &why);
    if (l->opts->tensorboard && (run || l->opts->tensorboard_dir)) l->board_on = !open_board(&l->board, l->opts, run, &why) || lost(l, &why);
}

static void hear(void *user, const Event *ev)
{
    Listeners *l = user;
    Err why;
    if (ev->kind == FTS_EVENT_START) open_logs(l, ev->dir);
    if (l->log_on && log_event(&l->log, ev, &why)) l->log_on = lost(l, &why);
    if (l->board_on && tb_event(&l->board, ev, &why)) l->board_on = lost(l, &why);
    event_send(l->caller, ev);
}

static int run(FtsTask *t, const char *settings, Err *e)
{
    Settings *s = &t->s;
    Listeners l = {.caller = &t->events, .opts = &s->train};
    TrainSpec spec = {.train = &s->train, .data = &s->data, .model = &s->model, .device = &s->device, .settings = settings,
                      .events = {hear, &l}, .stop = &t->stop};
    int bad = train_run(&spec, e);
    log_close(&l.log);
    tb_close(&l.board);
    return bad;
}

int verb_train(FtsTask *t, Err *e)
{
    Str settings = {0};
    if (!t->s.data.dataset_path.n) return err_set(e, FTS_USAGE, "train needs --dataset-path: the file or folder of series to learn from");
    if (t->s.device.compile) event_say(&t->events, FTS_EVENT_NOTICE, "--compile: nothing needs compiling here");
    config_resolve(&t->s.model);
    opt_write(t->set, t->nset - 1, &settings);
    int bad = str_ok(&settings, e) || run(t, settings.p, e);
    str_free(&settings);
    return bad ? -1 : 0;
}
