/* pairs.c - see pairs.h */
#include "eval/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv_table.h"
#include "data/table.h"
#include "util/str.h"

enum { SHOWN = 3 };                      /* series that a message names */

typedef struct SeriesNames {
    const Source *of;
    int     named;                       /* 1: each series has an id */
    Str     text;                        /* of all ids, one behind the other */
    size_t *end;                         /* (of->count) of each in text; owned */
    Ids     ids;                         /* all: a place in it is the number of a series */
} SeriesNames;

static void names_close(SeriesNames *n)
{
    str_free(&n->text);
    free(n->end);
    ids_free(&n->ids);
}

static Cell name_of(const SeriesNames *n, int64_t i)
{
    size_t from = i ? n->end[i - 1] : 0;
    return (Cell){n->text.p + from, n->end[i] - from};
}

static int number_all(SeriesNames *n, Err *e)
{
    char shown[32];
    for (int64_t i = 0; i < n->of->count; i++) {
        if (ids_count(&n->ids, name_of(n, i), e)) return -1;
        if (n->ids.n == i + 1) continue;
        return err_set(e, FTS_FORMAT, "%s (%s): series %lld and %lld are both called \"%s\": what comes after them is found by that", n->of->path, n->of->format->name,
                       (long long)ids_find(&n->ids, name_of(n, i)) + 1, (long long)i + 1, cell_shown(name_of(n, i), shown));
    }
    return 0;
}

static int read_all(SeriesNames *n, Table *t, Err *e)
{
    TableSeries s;
    int more;
    int64_t i = 0;
    while ((more = table_next(t, &s, e)) > 0 && s.named && i < n->of->count) {
        str_add(&n->text, s.id, strlen(s.id));
        n->end[i++] = n->text.n;
    }
    n->named = !more && i == n->of->count;
    return more < 0 || str_ok(&n->text, e) ? -1 : 0;
}

/* A file with some ids and some series without has none. */
static int names_read(SeriesNames *n, const Source *of, Err *e)
{
    Table *t;
    *n = (SeriesNames){.of = of};
    if (!table_has_ids(of->format)) return 0;
    n->end = malloc((size_t)of->count * sizeof *n->end + 1);
    if (!n->end) return err_nomem(e, (size_t)of->count * sizeof *n->end, "the ids of series");
    if (table_open(&t, of->path, &(TableOptions){.keep = 1, .timeless = 1}, e)) return -1;
    int bad = read_all(n, t, e);
    table_close(t);
    return bad;
}

static int64_t tell_lonely(Str *out, const SeriesNames *a, const SeriesNames *b, const char *lacks)
{
    int64_t n = 0;
    char shown[32];
    for (int64_t i = 0; i < a->of->count; i++)
        if (ids_find(&b->ids, name_of(a, i)) < 0) n++;
    if (!n) return 0;
    str_addf(out, "%s%lld series of %s %s in %s: ", out->n ? "; " : "", (long long)n, a->of->path, lacks, b->of->path);
    for (int64_t i = 0, told = 0; i < a->of->count && told < SHOWN; i++)
        if (ids_find(&b->ids, name_of(a, i)) < 0) str_addf(out, "%s\"%s\"", told++ ? ", " : "", cell_shown(name_of(a, i), shown));
    if (n > SHOWN) str_addf(out, " and %lld more", (long long)(n - SHOWN));
    return n;
}

static int all_have_partners(const SeriesNames *past, const SeriesNames *future, Err *e)
{
    Str text = {0};
    int64_t n = tell_lonely(&text, past, future, "are not continued") + tell_lonely(&text, future, past, "have no beginning");
    int bad = str_ok(&text, e);
    if (!bad && n) bad = err_set(e, FTS_FORMAT, "%s: leave them out", text.p);
    str_free(&text);
    return bad;
}

static int by_name(int64_t **future_of, SeriesNames *past, SeriesNames *future, Err *e)
{
    if (number_all(past, e) || number_all(future, e) || all_have_partners(past, future, e)) return -1;
    *future_of = malloc((size_t)past->of->count * sizeof **future_of);
    if (!*future_of) return err_nomem(e, (size_t)past->of->count * sizeof **future_of, "pairs of series");
    for (int64_t i = 0; i < past->of->count; i++) (*future_of)[i] = ids_find(&future->ids, name_of(past, i));
    return 0;
}

static int by_place(const Source *past, const Source *future, Err *e)
{
    if (past->count == future->count) return 0;
    return err_set(e, FTS_FORMAT, "%s has %lld series, %s has %lld: each needs its continuation", past->path, (long long)past->count, future->path,
                   (long long)future->count);
}

int pairs_find(int64_t **future_of, const Source *past, const Source *future, Err *e)
{
    SeriesNames p = {0}, f = {0};
    *future_of = NULL;
    int bad = names_read(&p, past, e) || names_read(&f, future, e);
    if (!bad) bad = p.named && f.named ? by_name(future_of, &p, &f, e) : by_place(past, future, e);
    names_close(&p);
    names_close(&f);
    return bad ? -1 : 0;
}
