/* fetch.c - see fetch.h */
#include "hub/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "hub/digest.h"
#include "hub/store.h"
#include "hub/wait.h"

enum { WRONG_MOST = 2, READ_AT_ONCE = 1 << 20 };          /* contents that may be wrong before we give up */

typedef struct Fetch {
    Hub    *h;
    const RepoFile *f;
    int     fd;
    int64_t have;                        /* bytes on the disk, all of them in the digest */
    Digest  digest;
    int     begun;                       /* the answer at hand was looked at */
    FetchProgress *progress;
    void   *user;
    char    part[4096];
} Fetch;

static int restart(Fetch *t, Err *e)
{
    if (t->have) t->progress(t->user, -t->have);
    t->have = 0;
    digest_close(&t->digest);
    if (ftruncate(t->fd, 0)) return err_errno(e, errno, t->part);
    return digest_open(&t->digest, t->f->etag, t->f->size, e);
}

/* What an earlier run left goes through the hash again. */
static int take_up(Fetch *t, Err *e)
{
    char *block = malloc(READ_AT_ONCE);
    int bad = block ? digest_open(&t->digest, t->f->etag, t->f->size, e) : err_nomem(e, READ_AT_ONCE, "hashing a file");
    for (ssize_t n = 1; !bad && n > 0;) {
        n = pread(t->fd, block, READ_AT_ONCE, t->have);
        if (n < 0) bad = err_errno(e, errno, t->part);
        else if (n) bad = digest_add(&t->digest, block, (size_t)n, e);
        t->have += n > 0 ? n : 0;
        if (!bad) bad = http_stopped(t->h->http.stop, e);
    }
    free(block);
    if (!bad) t->progress(t->user, t->have);
    return bad || (t->have > t->f->size && restart(t, e)) ? -1 : 0;
}

static int write_all(int fd, const char *p, size_t n, int64_t at)
{
    while (n) {
        ssize_t k = pwrite(fd, p, n, at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return -1;
        p += k;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

/* "bytes 500-999/1000" must go on where we are; an answer from the start means to start again. */
static int begin(Fetch *t, const Reply *r, Err *e)
{
    long long from = -1, total = -1;
    t->begun = 1;
    if (!strncmp(r->type, "text/html", 9)) return err_set(e, FTS_NET, "a web page came instead of the file: is there a proxy or a log-in page on the way?");
    if (r->status == 200) return t->have ? restart(t, e) : 0;
    if (sscanf(r->range, "bytes %lld-%*d/%lld", &from, &total) == 2 && from == t->have && total == t->f->size) return 0;
    return err_set(e, FTS_NET, "the server sent the range '%.60s' instead of the rest from %lld", r->range, (long long)t->have);
}

static int take_bytes(void *user, const Reply *r, const void *p, size_t n, Err *e)
{
    Fetch *t = user;
    if (!t->begun && begin(t, r, e)) return -1;
    if ((int64_t)n > t->f->size - t->have) return err_set(e, FTS_NET, "more came than the %lld bytes that the Hub lists", (long long)t->f->size);
    if (write_all(t->fd, p, n, t->have)) return err_errno(e, errno, t->part);
    if (digest_add(&t->digest, p, n, e)) return -1;
    t->have += (int64_t)n;
    t->progress(t->user, (int64_t)n);
    return 0;
}

static int request(Fetch *t, Reply *r, Err *e)
{
    Str url = {0};
    str_addf(&url, "%s/datasets/%s/resolve/%s/", t->h->env->endpoint, t->h->repo, t->h->commit);
    http_quote(&url, t->f->path, "/");
    t->begun = 0;
    int bad = str_ok(&url, e) || http_get(&t->h->http, url.p, t->have, take_bytes, t, r, e);
    str_free(&url);
    return bad;
}

/* 0: all is there; 1: another try is worth it; -1: it is not. */
static int try_once(Fetch *t, Reply *r, Err *e)
{
    if (t->have == t->f->size) return 0;
    if (wait_turn(t->h->wait, e)) return -1;
    if (request(t, r, e)) return r->broken || (e->code == FTS_NET && r->status == 200) || (e->code == FTS_NET && r->status == 206) ? 1 : -1;
    if (t->have == t->f->size) return 0;
    if (r->status == 416) return restart(t, e) ? -1 : 1;
    if (r->status == 200 || r->status == 206) {
        err_set(e, FTS_NET, "only %lld of %lld bytes came", (long long)t->have, (long long)t->f->size);
        return 1;
    }
    http_refused(r, "asked for it", e);
    return wait_transient(r) ? 1 : -1;
}

/* Until every byte is there. As long as it gets further than ever before, patience starts anew. */
static int get_all(Fetch *t, Err *e)
{
    Reply *r = calloc(1, sizeof *r);
    int64_t best = t->have;
    int attempt = 1, more = r ? 1 : err_nomem(e, sizeof *r, "a request");
    while (more > 0) {
        more = try_once(t, r, e);
        if (more <= 0) break;
        attempt = t->have > best ? 1 : attempt + 1;
        if (t->have > best) best = t->have;
        if (attempt > ATTEMPTS || wait_again(t->h->wait, r, attempt, t->h->pause_s, e)) more = -1;
    }
    free(r);
    return more;
}

static int get_right(Fetch *t, Err *e)
{
    for (int wrong = 0, same;; ) {
        if (get_all(t, e) || digest_matches(&t->digest, t->f->etag, &same, e)) return -1;
        if (same) return fsync(t->fd) ? err_errno(e, errno, t->part) : 0;
        if (restart(t, e)) return -1;
        if (++wrong > WRONG_MOST) return err_set(e, FTS_NET, "what came has not the hash that the Hub lists, %d times: nothing of it was kept", wrong);
    }
}

int fetch_file(Hub *h, const char *dir, const RepoFile *f, FetchProgress *progress, void *user, Err *e)
{
    Fetch t = {.h = h, .f = f, .progress = progress, .user = user};
    if (store_part_path(t.part, sizeof t.part, dir, f, e) || store_parents(t.part, e)) return -1;
    t.fd = open(t.part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t.fd < 0) return err_errno(e, errno, t.part);
    int taken = flock(t.fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;     /* a file system without locks is taken at its word */
    int bad = taken ? err_set(e, FTS_IO, "another download is writing it") : take_up(&t, e) || get_right(&t, e);
    if (!bad) bad = store_publish(dir, f, h->commit, e);                     /* while the lock is held */
    digest_close(&t.digest);
    close(t.fd);
    return bad ? err_wrap(e, "%s", f->path) : 0;
}
