/* signals.c - see signals.h. A thread waits for them, so that no handler ever touches a run. */
#include "cli/signals.h"

#include <unistd.h>

#include "util/err.h"

static void stop_or_end(const Signals *s, int seen)
{
    if (seen || !print_running(s->print)) {
        print_notice(s->print, "interrupted");
        _exit(130);
    }
    if (s->print->clears) print_notice(s->print, "stopping: what is half written is removed first (a second signal ends the program at once)");
    else print_notice(s->print, "stopping: this step is finished%s first (a second signal ends the program at once)", print_saves(s->print) ? " and saved" : "");
    fts_task_stop(s->print->task);
}

/* SIGRTMIN, which only signals_end() sends, ends the wait: a cancelled thread would be gone from wherever it is. */
static void *wait_for_signals(void *arg)
{
    const Signals *s = arg;
    int number;
    for (int seen = 0; !sigwait(&s->set, &number) && number != SIGRTMIN; seen++) stop_or_end(s, seen);
    return NULL;
}

/* What the caller chose to ignore (nohup, a background job of a script) stays ignored. */
static void choose(sigset_t *set)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    sigemptyset(set);
    sigaddset(set, SIGRTMIN);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!sigaction(wanted[i], NULL, &now) && now.sa_handler != SIG_IGN) sigaddset(set, wanted[i]);
}

int signals_begin(Signals *s, Print *p, FtsError *e)
{
    *s = (Signals){.print = p};
    choose(&s->set);
    pthread_sigmask(SIG_BLOCK, &s->set, NULL);
    int why = pthread_create(&s->thread, NULL, wait_for_signals, s);
    if (why) return err_errno(e, why, "a thread for signals");
    s->on = 1;
    return 0;
}

void signals_end(Signals *s)
{
    if (!s->on) return;
    pthread_kill(s->thread, SIGRTMIN);
    pthread_join(s->thread, NULL);
    s->on = 0;
}
