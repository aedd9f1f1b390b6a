/* log.c - see log.h */
#include "report/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/append.h"
#include "util/file.h"
#include "util/json.h"

static void put_number(Str *out, const char *key, double x)
{
    str_addf(out, ",\"%s\":", key);
    json_put_number(out, x);
}

static void put_text(Str *out, const char *key, const char *text)
{
    str_addf(out, ",\"%s\":", key);
    json_put_string(out, text);
}

static void put_int(Str *out, const char *key, int64_t x) { str_addf(out, ",\"%s\":%" PRId64, key, x); }

static void begin(Str *out, const char *event, double time)
{
    str_addf(out, "{\"event\":\"%s\"", event);
    put_number(out, "time", time);
}

static void put_start(Str *out, const Event *ev)
{
    put_int(out, "step", ev->step);
    put_int(out, "steps", ev->steps);
    str_addf(out, ",\"settings\":%s", ev->text && *ev->text ? ev->text : "{}");
}

static void put_step(Str *out, const Event *ev)
{
    put_int(out, "step", ev->step);
    put_int(out, "steps", ev->steps);
    put_number(out, "loss", ev->loss);
    put_number(out, "pred", ev->pred);
    put_number(out, "aux", ev->aux);
    put_number(out, "lr", ev->lr);
    put_number(out, "grad_norm", ev->norm);
    put_number(out, "tokens_per_s", ev->tokens_per_s);
    put_number(out, "points_per_s", ev->points_per_s);
    put_number(out, "step_ms", ev->step_ms);
    put_number(out, "data_ms", ev->data_ms);
    put_number(out, "peak_mb", ev->peak_mb);
    if (ev->tflops > 0) put_number(out, "tflops", ev->tflops);
    if (ev->mfu > 0) put_number(out, "mfu", ev->mfu);
}

static void put_errors(Str *out, const Event *ev)
{
    put_number(out, "mae", ev->mae);
    put_number(out, "mse", ev->mse);
}

static void put_validation(Str *out, const Event *ev)
{
    put_text(out, "name", ev->name);
    put_int(out, "step", ev->step);
    put_number(out, "pred", ev->pred);
    put_number(out, "aux", ev->aux);
    put_errors(out, ev);
}

static void put_experts(Str *out, const Event *ev)
{
    put_int(out, "step", ev->step);
    str_addf(out, ",\"share\":[");
    for (int r = 0; r < ev->routers; r++) {
        str_addf(out, r ? ",[" : "[");
        for (int i = 0; i < ev->experts; i++) {
            if (i) str_add(out, ",", 1);
            json_put_number(out, ev->share[r * ev->experts + i]);
        }
        str_add(out, "]", 1);
    }
    str_add(out, "]", 1);
}

/* The name of a line; NULL for what belongs to no log. */
static const char *name_of(const Event *ev)
{
    switch (ev->kind) {
    case FTS_EVENT_START:      return ev->step > 0 ? "resume" : "start";
    case FTS_EVENT_STEP:       return ev->due ? "step" : NULL;
    case FTS_EVENT_BASELINE:   return "baseline";
    case FTS_EVENT_VALIDATION: return "validation";
    case FTS_EVENT_EXPERTS:    return "experts";
    case FTS_EVENT_CHECKPOINT: return "checkpoint";
    case FTS_EVENT_NOTICE:     return "notice";
    case FTS_EVENT_END:        return "end";
    default:                   return NULL;
    }
}

int log_line(Str *out, double time, const Event *ev)
{
    const char *name = name_of(ev);
    if (!name) return 0;
    begin(out, name, time);
    switch (ev->kind) {
    case FTS_EVENT_START:      put_start(out, ev); break;
    case FTS_EVENT_STEP:       put_step(out, ev); break;
    case FTS_EVENT_BASELINE:   put_text(out, "name", ev->name); put_errors(out, ev); break;
    case FTS_EVENT_VALIDATION: put_validation(out, ev); break;
    case FTS_EVENT_EXPERTS:    put_experts(out, ev); break;
    case FTS_EVENT_CHECKPOINT: put_int(out, "step", ev->step); put_text(out, "dir", ev->text); break;
    case FTS_EVENT_END:        put_int(out, "step", ev->step); put_text(out, "why", ev->text); break;
    default:                   put_text(out, "text", ev->text); break;
    }
    str_addf(out, "}\n");
    return 1;
}

/* A machine that lost power may have left half a line, which must not swallow the next one. */
static int end_last_line(const Log *l, Err *e)
{
    struct stat st;
    char last = '\n';
    if (fstat(l->fd, &st)) return err_errno(e, errno, l->path);
    if (st.st_size && pread(l->fd, &last, 1, st.st_size - 1) < 0) return err_errno(e, errno, l->path);
    return last == '\n' ? 0 : append_write(l->fd, l->path, "\n", 1, e);
}

int log_open(Log *l, const char *dir, Err *e)
{
    *l = (Log){.fd = -1};
    if (dir_make(dir, e) || path_join(l->path, sizeof l->path, dir, "log.jsonl", e)) return -1;
    l->fd = open(l->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (l->fd < 0) return err_errno(e, errno, l->path);
    if (!end_last_line(l, e)) return 0;
    log_close(l);
    return -1;
}

int log_event(Log *l, const Event *ev, Err *e)
{
    Str line = {0};
    int bad = log_line(&line, floor(1e3 * append_time()) / 1e3, ev) && (str_ok(&line, e) || append_write(l->fd, l->path, line.p, line.n, e));
    str_free(&line);
    return bad ? -1 : 0;
}

void log_close(Log *l) { append_close(&l->fd); }
