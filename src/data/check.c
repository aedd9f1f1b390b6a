/* check.c - see check.h */
#include "data/check.h"

#include <inttypes.h>
#include <math.h>

#include "data/walk.h"

enum { BLOCK = 4096 };

typedef struct Check { const Events *to; const char *name; int64_t sources, series, points, missing, defects; } Check;

static void tell_run(Check *c, int64_t series, int64_t from, int64_t n)
{
    c->defects++;
    event_say(c->to, FTS_EVENT_ANSWER, "%s: series %" PRId64 ", point %" PRId64 ": %" PRId64 " infinite point%s", c->name, series, from, n, n == 1 ? "" : "s");
}

/* A run of infinite points is one defect, however many blocks it spans. */
static int check_series(Check *c, const Source *s, int64_t i, Err *e)
{
    double x[BLOCK];
    int64_t run = 0;
    for (int64_t at = 0; at < s->length[i]; at += BLOCK) {
        int64_t n = s->length[i] - at < BLOCK ? s->length[i] - at : BLOCK;
        if (s->format->read(s, i, at, n, x, e)) return -1;
        for (int64_t k = 0; k < n; k++) {
            c->missing += isnan(x[k]) != 0;
            if (isinf(x[k])) { run++; continue; }
            if (run) tell_run(c, i, at + k - run, run);
            run = 0;
        }
    }
    if (run) tell_run(c, i, s->length[i] - run, run);
    return 0;
}

static int check_all(Check *c, const Source *s, Err *e)
{
    for (int64_t i = 0; i < s->count; i++) {
        if (!s->length[i]) {
            c->defects++;
            event_say(c->to, FTS_EVENT_ANSWER, "%s: series %" PRId64 ": no points", c->name, i);
        }
        if (check_series(c, s, i, e)) return err_wrap(e, "%s (%s): series %" PRId64, s->path, s->format->name, i);
        c->points += s->length[i];
    }
    return 0;
}

static int check_source(Check *c, const Found *f, Err *e)
{
    Source s;
    c->sources++;
    c->name = f->name;
    if (!source_open(&s, f->format, f->path, NULL, e)) {
        c->series += s.count;
        int bad = check_all(c, &s, e);
        source_close(&s);
        if (!bad) return 0;
    }
    if (e->code == FTS_NOMEM) return -1;
    c->defects++;
    event_say(c->to, FTS_EVENT_ANSWER, "%s", e->message);
    return 0;
}

int data_check(const OptList *paths, const Events *to, int64_t *defects, Err *e)
{
    Walk w;
    Check c = {.to = to};
    if (walk_paths(&w, paths, NULL, e)) return -1;
    int bad = 0;
    for (int i = 0; !bad && i < w.n; i++) bad = check_source(&c, &w.found[i], e);
    if (!bad)
        event_say(to, FTS_EVENT_ANSWER, "%" PRId64 " dataset%s, %" PRId64 " series, %" PRId64 " points, %" PRId64 " of them missing: %" PRId64 " defect%s", c.sources, c.sources == 1 ? "" : "s",
                  c.series, c.points, c.missing, c.defects, c.defects == 1 ? "" : "s");
    walk_free(&w);
    *defects = c.defects;
    return bad;
}
