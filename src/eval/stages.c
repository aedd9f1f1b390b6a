/* stages.c - see stages.h */
#include "eval/stages.h"

#include "eval/protocol.h"

static const Horizons published = {{96, 192, 336, 720}, 4};

static void lengths(const Source *s, int64_t *shortest, int64_t *longest)
{
    *shortest = *longest = s->length[0];
    for (int64_t i = 1; i < s->count; i++) {
        if (s->length[i] < *shortest) *shortest = s->length[i];
        if (s->length[i] > *longest) *longest = s->length[i];
    }
}

static int64_t context_asked(const EvalOpts *o) { return o->context_length == OPT_UNSET ? 0 : o->context_length; }

static int plan_table(Stages *s, const EvalOpts *o, const Source *past, Err *e)
{
    Horizons h = published;
    int64_t shortest, longest;
    if (o->prediction_length && horizons_read(&h, o->prediction_length, e)) return -1;
    lengths(past, &shortest, &longest);
    if (shortest != longest)
        return err_set(e, FTS_FORMAT, "%s (%s): series of %lld to %lld points; a table has all of one length, or name what comes after them with --test-data", past->path,
                       past->format->name, (long long)shortest, (long long)longest);
    for (int i = 0; i < h.n; i++) {
        Split p;
        if (protocol_split(&p, past->path, longest, h.h[i], context_asked(o), o->all_windows > 0, e)) return -1;
        s->stage[s->n++] = (Stage){h.h[i], p.context, o->max_windows != OPT_UNSET && o->max_windows < p.windows ? o->max_windows : p.windows, p.windows};
        s->train = p.train;
        s->first = p.first;
        s->end = p.end;
    }
    return 0;
}

static int horizons_of_pairs(Horizons *h, const EvalOpts *o, const Source *future, Err *e)
{
    int64_t shortest, longest;
    lengths(future, &shortest, &longest);
    if (o->prediction_length && horizons_read(h, o->prediction_length, e)) return -1;
    if (!o->prediction_length && (shortest != longest || !shortest))
        return err_set(e, FTS_FORMAT, "%s: series of %lld to %lld points: say how many to forecast with --prediction-length", future->path,
                       (long long)shortest, (long long)longest);
    if (!o->prediction_length) *h = (Horizons){{longest}, 1};
    for (int i = 0; i < h->n; i++)
        if (h->h[i] > shortest)
            return err_set(e, FTS_FORMAT, "%s: --prediction-length is %lld, and a series has %lld points", future->path, (long long)h->h[i], (long long)shortest);
    return 0;
}

static int plan_pairs(Stages *s, const EvalOpts *o, const Source *future, Err *e)
{
    Horizons h;
    if (o->all_windows > 0) return err_set(e, FTS_USAGE, "--all-windows has no meaning with --test-data: there is one window a series");
    if (horizons_of_pairs(&h, o, future, e)) return -1;
    for (int i = 0; i < h.n; i++)
        s->stage[s->n++] = (Stage){h.h[i], context_asked(o) ? context_asked(o) : protocol_context(h.h[i]), 1, 1};
    return 0;
}

static void choose_season(Stages *s, const EvalOpts *o, const char *path)
{
    int64_t named = protocol_season(path);
    s->season = o->season != OPT_UNSET ? o->season : named ? named : 1;
    s->season_from = o->season != OPT_UNSET ? "as given" : named ? "by the name of the file" : "--season M sets another";
}

int stages_plan(Stages *s, const EvalOpts *o, const Source *past, const Source *future, Err *e)
{
    *s = (Stages){.n = 0};
    if (!past->count) return err_set(e, FTS_FORMAT, "%s (%s): no series", past->path, past->format->name);
    choose_season(s, o, past->path);
    return future ? plan_pairs(s, o, future, e) : plan_table(s, o, past, e);
}

int64_t stages_horizon(const Stages *s)
{
    int64_t most = 0;
    for (int i = 0; i < s->n; i++)
        if (s->stage[i].horizon > most) most = s->stage[i].horizon;
    return most;
}
