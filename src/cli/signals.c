/* signals.c - see signals.h. A thread waits for them, so that no handler ever touches a run. */
#include "cli/signals.h"

#include <unistd.h>

#include "util/err.h"

/* A library may have started threads before main(), with nothing blocked (OpenBLAS does). A signal that the system
 * gives to one of those would end the program, so it has a handler after all, whose one act is to pass it on. */
static pthread_t waiter;
static void pass_on(int number) { pthread_kill(waiter, number); }

static void stop_or_end(const Signals *s, int seen)
{
    if (seen || !print_running(s->print)) {
        print_notice(s->print, "interrupted");
        _exit(130);
    }
    print_notice(s->print, "stopping: this step is finished%s first (a second signal ends the program at once)", print_saves(s->print) ? " and saved" : "");
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

static void handle(const sigset_t *set, const struct sigaction *how)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(set, number) == 1) sigaction(number, how, NULL);
}

int signals_begin(Signals *s, Print *p, FtsError *e)
{
    struct sigaction forward = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    *s = (Signals){.print = p};
    choose(&s->set);
    pthread_sigmask(SIG_BLOCK, &s->set, NULL);
    int why = pthread_create(&s->thread, NULL, wait_for_signals, s);
    if (why) return err_errno(e, why, "a thread for signals");
    s->on = 1;
    waiter = s->thread;
    handle(&s->set, &forward);
    return 0;
}

void signals_end(Signals *s)
{
    if (!s->on) return;
    handle(&s->set, &(struct sigaction){.sa_handler = SIG_DFL});
    pthread_kill(s->thread, SIGRTMIN);
    pthread_join(s->thread, NULL);
    s->on = 0;
}
