/* sources.c - opens all sources of a dataset, several at once, and gives what was found out to their indexes. */
#include <stdatomic.h>
#include <stdlib.h>

#include "data/dataset_state.h"
#include "data/index.h"
#include "util/machine.h"
#include "util/par.h"

static const double QUICK = 0.5, SLOW = 1;       /* seconds: no bar before, no word about an index that is missing before */
enum { MIB = 1 << 20 };

typedef struct Opening {
    Dataset *d;
    SourceHow how;
    Err     *err;                        /* (nsource) */
    const Events *to;
    int64_t  total;                      /* bytes to read */
    double   began, told;
    _Atomic int64_t done;
    atomic_int failed;                   /* the first source that failed, in their order */
} Opening;

static void tell(Opening *o)
{
    double now = machine_seconds(), spent = now - o->began;
    if (!o->to || spent < QUICK || now - o->told < 0.2) return;
    o->told = now;
    int64_t done = o->done < o->total ? o->done : o->total;
    event_send(o->to, &(Event){.kind = FTS_EVENT_STEP, .name = "open", .step = done / MIB, .steps = (o->total + MIB - 1) / MIB, .eta_s = done ? spent * (double)(o->total - done) / (double)done : 0});
}

/* Of one source: what it told while it was opened, so that at its end only the rest is added. */
typedef struct Share { Opening *o; int64_t told; int speaks; } Share;

static void add_share(void *user, int64_t more)
{
    Share *s = user;
    s->told += more;
    s->o->done += more;
    if (s->speaks) tell(s->o);
}

static void set_failed(Opening *o, int i)
{
    int first = o->failed;
    while (i < first && !atomic_compare_exchange_weak(&o->failed, &first, i)) {}
}

/* A source behind one that failed is not needed any more; those before it are, for theirs may be the first failure. */
static void open_one(void *arg, int i, int worker)
{
    Opening *o = arg;
    const Found *f = &o->d->walk.found[i];
    Share share = {o, 0, worker == 0};               /* worker 0 is the caller: events come from the thread that asked */
    Tell how_far = {add_share, &share};
    SourceHow how = o->how;
    how.tell = &how_far;
    if (i > o->failed) return;
    if (source_open(&o->d->source[i], f->format, f->path, &how, &o->err[i])) set_failed(o, i);
    add_share(&share, source_work(f->path) - share.told);
}

static int open_all(Opening *o, Err *e)
{
    Dataset *d = o->d;
    Par *par;
    int most = machine_threads();
    for (int i = 0; i < d->walk.n; i++) o->total += source_work(d->walk.found[i].path);
    if (par_open(&par, d->walk.n < most ? d->walk.n : most, e)) return -1;
    par_for(par, d->walk.n, open_one, o);
    par_close(par);
    if (o->failed == d->walk.n) return 0;
    *e = o->err[o->failed];
    return -1;
}

/* asked: an empty --cache-dir is one that was not given, NULL a verb that has none. */
static void tell_unkept(const Opening *o, const char *asked)
{
    int n = 0, first = 0;
    for (int i = o->d->walk.n - 1; i >= 0; i--)
        if (o->d->source[i].unkept) n++, first = i;
    if (!n || !o->to || !asked || (!o->how.cache_dir && machine_seconds() - o->began < SLOW)) return;
    event_say(o->to, FTS_EVENT_NOTICE, "%s%s: no index can be written, so opening takes as long next time%s", o->d->walk.found[first].path, n > 1 ? " and others" : "",
              o->how.cache_dir ? ": is --cache-dir a folder that can be written?" : ": name a folder for it with --cache-dir");
}

int dataset_open_sources(Dataset *d, const char *cache_dir, const Events *to, Err *e)
{
    int n = d->walk.n;
    Opening o = {.d = d, .how = {.cache_dir = cache_dir && *cache_dir ? cache_dir : NULL}, .to = to, .began = machine_seconds(), .failed = n};
    d->source = zeroed(n, sizeof *d->source, e);
    d->first = zeroed(n + 1, sizeof *d->first, e);
    o.err = zeroed(n, sizeof *o.err, e);
    if (d->source && o.err) d->nsource = n;
    int bad = !d->source || !d->first || !o.err || open_all(&o, e);
    free(o.err);
    if (!bad) tell_unkept(&o, cache_dir);
    for (int i = 0; i < n && !bad; i++) {
        if (__builtin_add_overflow(d->series, d->source[i].count, &d->series)) bad = err_set(e, FTS_FORMAT, "%s: too many series", d->walk.found[i].path);
        d->first[i + 1] = d->series;
    }
    return bad ? -1 : 0;
}

static void keep_source(Dataset *d, int k)
{
    Index *x = d->source[k].index;
    for (int64_t at = 0; x && at < x->count; at += INDEX_BLOCK) {
        int n = (int)(x->count - at < INDEX_BLOCK ? x->count - at : INDEX_BLOCK), news = 0;
        const unsigned char *ready = d->ready + d->first[k] + at;
        for (int i = 0; i < n; i++) news |= ready[i] == READY_COMPUTED;
        if (news) index_keep(x, (int)d->scaling, at, n, d->affine + d->first[k] + at, ready);
    }
}

void dataset_keep(Dataset *d)
{
    for (int k = 0; k < d->nsource; k++) keep_source(d, k);
}
