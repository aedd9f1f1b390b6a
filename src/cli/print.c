/* print.c - see print.h */
#include "cli/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/digits.h"
#include "util/json.h"
#include "util/machine.h"

void print_init(Print *p, FtsTask *task)
{
    *p = (Print){.task = task, .saved = -1};
    pthread_mutex_init(&p->lock, NULL);
    bar_init(&p->bar);
}

/* One line of the answer. Where nobody can read it any more, a run stops in order instead of dying in the middle. */
static void answer(Print *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void answer(Print *p, const char *fmt, ...)
{
    va_list ap;
    bar_clear(&p->bar);
    va_start(ap, fmt);
    int bad = vprintf(fmt, ap) < 0;
    va_end(ap);
    if ((!bad && putchar('\n') != EOF && !fflush(stdout)) || p->broken) return;
    p->broken = errno ? errno : EIO;
    fts_task_stop(p->task);
}

static void notice(Print *p, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void notice(Print *p, const char *fmt, va_list ap)
{
    bar_clear(&p->bar);
    fputs("foundationts: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

static void say(Print *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(Print *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    notice(p, fmt, ap);
    va_end(ap);
}

void print_notice(Print *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&p->lock);
    notice(p, fmt, ap);
    pthread_mutex_unlock(&p->lock);
    va_end(ap);
}

int print_running(Print *p)
{
    pthread_mutex_lock(&p->lock);
    int running = p->running || p->clears;
    pthread_mutex_unlock(&p->lock);
    return running;
}

int print_saves(Print *p)
{
    pthread_mutex_lock(&p->lock);
    int saves = *p->run != 0;
    pthread_mutex_unlock(&p->lock);
    return saves;
}

/* The value of a switch in the settings that a run announces. */
static int setting_is_true(const char *settings, const char *name)
{
    FtsError e;
    Json j;
    char key[64];
    int more, truth = 0, found = 0;
    json_init(&j, settings, strlen(settings));
    if (json_open(&j, '{', &e)) return 0;
    while ((more = json_more(&j, &e)) > 0 && !json_key(&j, key, sizeof key, &e)) {
        found = !strcmp(key, name);
        if (found ? json_bool(&j, &truth, &e) : json_skip(&j, &e)) return 0;
        if (found) return truth;
    }
    return 0;
}

static void start(Print *p, const FtsEvent *ev)
{
    p->running = 1;
    p->perf = ev->text && setting_is_true(ev->text, "log_perf_metrics");
    p->steps = ev->steps;
    if (ev->step > 0) p->saved = ev->step;          /* a resumed run lies in the checkpoint that it came from */
    snprintf(p->run, sizeof p->run, "%s", ev->dir ? ev->dir : "");
    snprintf(p->folder, sizeof p->folder, "%s", p->run);
}

static void step(Print *p, const FtsEvent *ev)
{
    char perf[192] = "";
    p->step = ev->step;
    if (ev->due && p->perf)
        snprintf(perf, sizeof perf, " points/s=%s tflops=%.4f mfu=%.4f step_ms=%.1f data_ms=%.1f peak_mb=%.0f",
                 digits(ev->points_per_s).text, ev->tflops, ev->mfu, ev->step_ms, ev->data_ms, ev->peak_mb);
    if (ev->due)
        answer(p, "step=%" PRId64 " loss=%.4f pred=%.4f aux=%.4f lr=%.2e toks/s=%s%s", ev->step, ev->loss, ev->pred, ev->aux, ev->lr,
               digits(ev->tokens_per_s).text, perf);
    bar_step(&p->bar, ev);
}

/* Where there is no terminal for a bar, a line every ten seconds. */
static void progress(Print *p, const FtsEvent *ev)
{
    double now = machine_seconds();
    bar_step(&p->bar, ev);
    if (ev->text || p->bar.on || now - p->told < 10) return;
    if (p->told > 0) say(p, "%s: %" PRId64 " of %" PRId64 "%s", ev->name, ev->step, ev->steps, progress_unit(ev));
    p->told = now;
}

/* Only a person at a terminal is asked. */
static void question(Print *p, const FtsEvent *ev)
{
    char line[64] = "";
    bar_clear(&p->bar);
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        say(p, "%s Yes, as nobody is there to ask", ev->text);
        return;
    }
    fprintf(stderr, "foundationts: %s [y/N] ", ev->text);
    if (!fgets(line, sizeof line, stdin) || (*line != 'y' && *line != 'Y')) fts_task_stop(p->task);
}

static void checkpoint(Print *p, const FtsEvent *ev)
{
    p->saved = ev->step;
    snprintf(p->folder, sizeof p->folder, "%s", ev->text);
    say(p, "saved %s", ev->text);
}

/* For people who paste it into a shell. */
static const char *quote_of(const char *path)
{
    for (const char *c = path; *c; c++)
        if (!strchr("/._-+,:@%=", *c) && !(*c >= '0' && *c <= '9') && !(*c >= 'A' && *c <= 'Z') && !(*c >= 'a' && *c <= 'z')) return "'";
    return "";
}

static void end(Print *p, const FtsEvent *ev)
{
    int early = strcmp(ev->text, "done") != 0;
    p->running = 0;
    p->stopped = !strcmp(ev->text, "stopped");
    p->step = ev->step;
    bar_clear(&p->bar);
    if (!early) return;
    if (p->saved != ev->step) {
        say(p, "stopped after step %" PRId64 " of %" PRId64 ", nothing saved", ev->step, p->steps);
        return;
    }
    const char *q = quote_of(p->run);
    say(p, "stopped after step %" PRId64 " of %" PRId64 ", saved in %s", ev->step, p->steps, p->folder);
    say(p, "to go on: foundationts train --config %s%s/settings.json%s --resume-checkpoint latest", q, p->run, q);
}

void print_event(void *print, const FtsEvent *ev)
{
    Print *p = print;
    pthread_mutex_lock(&p->lock);
    switch (ev->kind) {
    case FTS_EVENT_ANSWER:     answer(p, "%s", ev->text); break;
    case FTS_EVENT_NOTICE:     say(p, "%s", ev->text); break;
    case FTS_EVENT_QUESTION:   question(p, ev); break;
    case FTS_EVENT_START:      start(p, ev); break;
    case FTS_EVENT_STEP:       if (ev->name) progress(p, ev); else step(p, ev); break;
    case FTS_EVENT_BASELINE:   answer(p, "%s_baseline repeat_last mae=%.4f mse=%.4f", ev->name, ev->mae, ev->mse); break;
    case FTS_EVENT_VALIDATION: answer(p, "%s step=%" PRId64 " pred=%.4f aux=%.4f mae=%.4f mse=%.4f", ev->name, ev->step, ev->pred, ev->aux, ev->mae, ev->mse); break;
    case FTS_EVENT_EXPERTS:    break;
    case FTS_EVENT_CHECKPOINT: checkpoint(p, ev); break;
    case FTS_EVENT_END:        end(p, ev); break;
    }
    pthread_mutex_unlock(&p->lock);
}
