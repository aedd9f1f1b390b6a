/* download.c - hub_download(): what is wanted, what is missing, room for it, then several files at once. */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "hub/fetch.h"
#include "hub/hub.h"
#include "hub/select.h"
#include "hub/store.h"
#include "hub/wait.h"
#include "util/machine.h"

const Opt hub_opts[] = {
#define X(...) OPT_ROW(HubOpts, __VA_ARGS__),
#include "hub/hub.def"
#undef X
};
const int nhub_opts = sizeof hub_opts / sizeof *hub_opts;

static const int64_t LARGE = 10000000000, MIB = 1 << 20;

typedef struct Download {
    const HubSpec *s;
    const char *dir;
    HubEnv env;
    Hub   hub;                           /* of the calling thread: what the others begin with */
    Wait  wait;
    RepoList list;
    pthread_mutex_t lock;                /* for all below, and for the listener */
    int     next, failed, done;          /* file to take; one has failed; files that are there */
    int64_t total, bytes;                /* of the files that are wanted; on the disk */
    double  began;
    Err     err;                         /* of the first that failed */
} Download;

static int stop_asked(const Download *d) { return d->s->stop && atomic_load(d->s->stop); }

/* As the Hub allows them: the name becomes part of an address. */
static int check_repo(const char *repo, Err *e)
{
    size_t n = strspn(repo, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/");
    const char *slash = strchr(repo, '/');
    if (n && !repo[n] && n < 200 && slash && slash != repo && slash[1] && !strchr(slash + 1, '/') && !strstr(repo, "..") && !strstr(repo, "--")) return 0;
    return err_set(e, FTS_USAGE, "--repo-id %s: not the name of a repository, which is OWNER/NAME", repo);
}

/* A file that a thread fetches, and how much of it is there. */
typedef struct Fetch { Download *d; const RepoFile *f; int64_t bytes; } Fetch;

static void tell_file(const Fetch *f, int64_t bytes)
{
    event_send(&f->d->s->events, &(Event){.kind = FTS_EVENT_STEP, .name = "download", .text = f->f->path, .step = bytes / MIB, .steps = (f->f->size + MIB - 1) / MIB});
}

static void tell_progress(void *user, int64_t bytes)
{
    Fetch *f = user;
    Download *d = f->d;
    pthread_mutex_lock(&d->lock);
    d->bytes += bytes;
    f->bytes += bytes;
    tell_file(f, f->bytes);
    double spent = machine_seconds() - d->began, rate = spent > 0 ? (double)d->bytes / spent : 0;
    event_send(&d->s->events, &(Event){.kind = FTS_EVENT_STEP, .name = "download", .step = d->bytes / MIB, .steps = (d->total + MIB - 1) / MIB,
                                       .eta_s = rate > 0 ? (double)(d->total - d->bytes) / rate : 0});
    pthread_mutex_unlock(&d->lock);
}

static const RepoFile *take(Download *d)
{
    pthread_mutex_lock(&d->lock);
    const RepoFile *f = d->failed || stop_asked(d) || d->next == d->list.n ? NULL : &d->list.file[d->next++];
    pthread_mutex_unlock(&d->lock);
    return f;
}

static void give_up(Download *d, const Err *e)
{
    pthread_mutex_lock(&d->lock);
    if (!d->failed) d->err = *e;
    d->failed = 1;
    pthread_mutex_unlock(&d->lock);
}

static void told_done(const Fetch *fetch)
{
    Download *d = fetch->d;
    const RepoFile *f = fetch->f;
    pthread_mutex_lock(&d->lock);
    d->done++;
    tell_file(fetch, MIB * ((f->size + MIB - 1) / MIB));
    event_say(&d->s->events, FTS_EVENT_NOTICE, "%s: %" PRId64 " bytes, verified (%d of %d files)", f->path, f->size, d->done, d->list.n);
    pthread_mutex_unlock(&d->lock);
}

static void tell_wait(void *user, const char *why, double seconds)
{
    Download *d = user;
    pthread_mutex_lock(&d->lock);
    event_say(&d->s->events, FTS_EVENT_NOTICE, "%s; asking again in %.0f s", why, seconds < 1 ? 1 : seconds);
    pthread_mutex_unlock(&d->lock);
}

static void *work(void *arg)
{
    Download *d = arg;
    Hub h = d->hub;
    Err e;
    const RepoFile *f;
    int bad = http_open(&h.http, &d->env, d->s->stop, &e);
    while (!bad && (f = take(d))) {
        Fetch fetch = {d, f, 0};
        bad = fetch_file(&h, d->dir, f, tell_progress, &fetch, &e);
        if (!bad) told_done(&fetch);
    }
    if (bad) give_up(d, &e);
    http_close(&h.http);
    return NULL;
}

/* Signals are for the threads of the program. */
static int fetch_all(Download *d, Err *e)
{
    enum { MOST = 64 };
    pthread_t thread[MOST];
    sigset_t all, old;
    int want = (int)d->s->opts->max_workers, n = 0;
    if (want > d->list.n) want = d->list.n;
    d->began = machine_seconds();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (n < want && n < MOST && !pthread_create(&thread[n], NULL, work, d)) n++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!n && want) work(d);                            /* without a thread of its own it still works */
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
    if (d->failed) *e = d->err;
    return d->failed ? -1 : d->done < d->list.n ? http_stopped(d->s->stop, e) : 0;
}

static int dry_run(const Download *d)
{
    for (int i = 0; i < d->list.n; i++) event_say(&d->s->events, FTS_EVENT_ANSWER, "%14" PRId64 "  %s", d->list.file[i].size, d->list.file[i].path);
    event_say(&d->s->events, FTS_EVENT_ANSWER, "%14" PRId64 "  in %d files of %s at %s", d->total, d->list.n, d->s->opts->repo_id, d->hub.commit);
    return 0;
}

/* Leaves in the list what is not there yet; *missing: bytes that have to come. */
static int leave_missing(Download *d, int64_t *missing, Err *e)
{
    int n = 0, there = 0;
    *missing = d->total = 0;
    for (int i = 0; i < d->list.n; i++) {
        RepoFile *f = &d->list.file[i];
        int has = there < 0 ? 0 : store_has(d->dir, f, d->hub.commit, d->s->stop, e);
        if (has < 0) there = -1;
        if (has > 0) {
            free(f->path);
            there++;
            continue;
        }
        d->total += f->size;
        *missing += f->size - store_partial(d->dir, f);
        d->list.file[n++] = *f;
    }
    d->list.n = n;
    if (there > 0) event_say(&d->s->events, FTS_EVENT_NOTICE, "%d files are there already", there);
    return there < 0 ? -1 : 0;
}

static int check_room(const Download *d, int64_t missing, Err *e)
{
    struct statvfs v;
    if (statvfs(d->dir, &v)) return err_errno(e, errno, d->dir);
    int64_t room = (int64_t)((double)v.f_bavail * (double)v.f_frsize);
    if (missing <= room) return 0;
    return err_set(e, FTS_IO, "%s: %" PRId64 " bytes have to come and there is room for %" PRId64 ": choose fewer --partitions or another --time300b-dir", d->dir, missing, room);
}

/* Whoever hears the question says no by asking the task to stop. */
static int ask(const Download *d, int64_t missing, Err *e)
{
    char text[256];
    if (d->s->opts->yes || missing <= LARGE) return 0;
    snprintf(text, sizeof text, "%.1f GB in %d files are to be fetched into %.160s. Go on?", 1e-9 * (double)missing, d->list.n, d->dir);
    event_send(&d->s->events, &(Event){.kind = FTS_EVENT_QUESTION, .text = text});
    return stop_asked(d) ? err_set(e, FTS_STOPPED, "nothing was fetched") : 0;
}

static int run(Download *d, Err *e)
{
    int64_t missing;
    const HubOpts *o = d->s->opts;
    if (hub_resolve(&d->hub, o->revision, e) || hub_list(&d->hub, &d->list, e) || select_files(&d->list, o, &d->s->events, e)) return -1;
    for (int i = 0; i < d->list.n; i++) d->total += d->list.file[i].size;
    if (o->dry_run) return dry_run(d);
    if (store_open(d->dir, e) || leave_missing(d, &missing, e) || check_room(d, missing, e) || ask(d, missing, e)) return -1;
    if (d->list.n) event_say(&d->s->events, FTS_EVENT_NOTICE, "fetching %d files, %" PRId64 " bytes, of %s at %s", d->list.n, missing, o->repo_id, d->hub.commit);
    if (fetch_all(d, e)) return -1;
    event_say(&d->s->events, FTS_EVENT_ANSWER, "%s: complete and verified, %s at %s", d->dir, o->repo_id, d->hub.commit);
    return 0;
}

int hub_download(const HubSpec *s, Err *e)
{
    Download d = {.s = s, .dir = s->opts->time300b_dir, .lock = PTHREAD_MUTEX_INITIALIZER, .wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .stop = s->stop, .tell = tell_wait}};
    d.wait.user = &d;
    if (s->opts->no_time300b) return 0;
    if (check_repo(s->opts->repo_id, e) || env_read(&d.env, e)) return -1;
    if (s->opts->cache_dir && *s->opts->cache_dir)
        event_say(&s->events, FTS_EVENT_NOTICE, "--cache-dir: a download makes no index: give it to the command that opens the data, if that cannot write into %s", d.dir);
    if (d.env.offline) return err_set(e, FTS_NET, "HF_HUB_OFFLINE is set: nothing is asked of the Hub");
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return err_set(e, FTS_NET, "the HTTP library could not be set up");
    d.hub = (Hub){.env = &d.env, .repo = s->opts->repo_id, .pause_s = s->pause_s, .wait = &d.wait};
    int bad = http_open(&d.hub.http, &d.env, s->stop, e) || run(&d, e);
    http_close(&d.hub.http);
    list_free(&d.list);
    return bad ? -1 : 0;
}
