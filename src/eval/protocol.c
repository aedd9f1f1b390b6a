/* protocol.c - see protocol.h */
#include "eval/protocol.h"

#include <string.h>

enum { MONTH = 30 };                     /* days */

/* Points of a day in the names of ETT. */
static const struct Fixed { const char *name; int64_t day; } fixed[] = {{"etth", 24}, {"ettm", 96}};
static const struct { int64_t horizon, context; } contexts[] = {{96, 512}, {192, 1024}, {336, 2048}, {720, 3072}};

/* A day for ETT; for the others the seasons of the M4 competition, whose files carry these words. */
static const struct { const char *name; int64_t season; } seasons[] =
    {{"etth", 24}, {"ettm", 96}, {"hourly", 24}, {"daily", 1}, {"weekly", 1}, {"monthly", 12}, {"quarterly", 4}, {"yearly", 1}};

static int is_in_name(const char *path, const char *word)
{
    const char *slash = strrchr(path, '/');
    return strcasestr(slash ? slash + 1 : path, word) != NULL;
}

int64_t protocol_context(int64_t horizon)
{
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        if (contexts[i].horizon == horizon) return contexts[i].context;
    return 4 * horizon;
}

int64_t protocol_season(const char *path)
{
    for (size_t i = 0; i < sizeof seasons / sizeof *seasons; i++)
        if (is_in_name(path, seasons[i].name)) return seasons[i].season;
    return 0;
}

/* In double, as Python's int(0.7 * n) has it. */
static int64_t share(double part, int64_t rows) { return (int64_t)(part * (double)rows); }

static int64_t rows_needed(int64_t test, int64_t context)
{
    int64_t least = 5 * test, nearly = context + context / 4 - 1;
    if (nearly > least) least = nearly;
    while (least - share(0.2, least) < context) least++;
    return least;
}

static int split_by_share(Split *s, const char *path, int64_t rows, int64_t horizon, int64_t spare, Err *e)
{
    s->train = share(0.7, rows);
    s->end = rows;
    s->first = rows - share(0.2, rows);
    if (s->end - s->first >= horizon + spare && s->first >= s->context && s->train > 0) return 0;
    return err_set(e, FTS_FORMAT, "%s: %lld rows; a horizon of %lld with a context of %lld needs %lld, of which the last fifth is for the test", path, (long long)rows,
                   (long long)horizon, (long long)s->context, (long long)rows_needed(horizon + spare, s->context));
}

static int split_by_months(Split *s, const struct Fixed *f, const char *path, int64_t rows, int64_t horizon, int64_t spare, Err *e)
{
    int64_t month = MONTH * f->day;
    s->train = 12 * month;
    s->first = 16 * month;
    s->end = 20 * month;
    if (rows < s->end)
        return err_set(e, FTS_FORMAT, "%s: %lld rows; by its name it is divided as %s is, which needs %lld", path, (long long)rows, f->name, (long long)s->end);
    if (s->end - s->first >= horizon + spare && s->first >= s->context) return 0;
    return err_set(e, FTS_FORMAT, "%s: a horizon of %lld with a context of %lld does not fit: divided as %s is, it has %lld test rows and %lld rows before them", path,
                   (long long)horizon, (long long)s->context, f->name, (long long)(s->end - s->first), (long long)s->first);
}

int protocol_split(Split *s, const char *path, int64_t rows, int64_t horizon, int64_t context, int all_windows, Err *e)
{
    const struct Fixed *f = NULL;
    int64_t spare = all_windows ? 0 : 1;
    *s = (Split){.context = context ? context : protocol_context(horizon)};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && !f; i++)
        if (is_in_name(path, fixed[i].name)) f = &fixed[i];
    if (f ? split_by_months(s, f, path, rows, horizon, spare, e) : split_by_share(s, path, rows, horizon, spare, e)) return -1;
    s->windows = s->end - s->first - horizon + 1 - spare;
    return 0;
}
