/* wait.c - see wait.h */
#include "hub/wait.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/machine.h"
#include "util/rng.h"

static const double PATIENCE = 600;

int wait_transient(const Reply *r)
{
    if (r->broken || r->status == 408 || r->status == 429 || r->status >= 500) return 1;
    return !r->at_endpoint && r->status >= 400;                 /* a signed address that ran out: ask the Hub for a new one */
}

/* RateLimit: "resolvers";r=0;t=55, else Retry-After in seconds or as a date; one second on top, as clocks differ. */
double wait_asked(const Reply *r)
{
    double s = 0;
    const char *none = strstr(r->rate, "r=0"), *t = strstr(r->rate, "t=");
    if (none && t) s = strtod(t + 2, NULL) + 1;
    else if (*r->retry_after >= '0' && *r->retry_after <= '9') s = strtod(r->retry_after, NULL) + 1;
    else if (*r->retry_after) {
        time_t then = curl_getdate(r->retry_after, NULL);
        if (then > 0) s = difftime(then, time(NULL)) + 1;
    }
    return s < 0 ? 0 : s < PATIENCE ? s : PATIENCE;
}

static int sleep_until(const Wait *w, double until, Err *e)
{
    for (double left; (left = until - machine_seconds()) > 0;) {
        struct timespec t = {0, (long)(1e9 * (left < 0.1 ? left : 0.1))};
        if (http_stopped(w->stop, e)) return -1;
        nanosleep(&t, NULL);
    }
    return http_stopped(w->stop, e);
}

int wait_turn(Wait *w, Err *e)
{
    pthread_mutex_lock(&w->lock);
    double until = w->until;
    pthread_mutex_unlock(&w->lock);
    return sleep_until(w, until, e);
}

static void tell(const Wait *w, const Reply *r, double seconds, const Err *e)
{
    char answer[64];
    snprintf(answer, sizeof answer, "the server answered %ld", (long)r->status);
    w->tell(w->user, !r->broken && r->status >= 400 ? answer : e->message, seconds);
}

/* Somewhere up to twice as long as the last time, so that threads which failed together do not come back together. */
int wait_again(Wait *w, const Reply *r, int attempt, double pause_s, Err *e)
{
    double now = machine_seconds(), longest = pause_s * (attempt > 6 ? 60 : (double)(1 << (attempt - 1))), asked = wait_asked(r);
    uint64_t dice = (uint64_t)(now * 1e9) ^ (uint64_t)(size_t)&dice;
    double until = now + longest * (0.5 + 0.5 * rng_uniform(dice, RNG_RETRY, (uint64_t)attempt));
    if (asked > 0 && until < now + asked * (pause_s < 1 ? pause_s : 1)) until = now + asked * (pause_s < 1 ? pause_s : 1);
    pthread_mutex_lock(&w->lock);
    if (r->status == 429 && until > w->until) w->until = until;
    pthread_mutex_unlock(&w->lock);
    tell(w, r, until - now, e);
    return sleep_until(w, until, e);
}
