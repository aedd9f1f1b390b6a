/* table.c - see table.h */
#include "data/table.h"

#include <stdlib.h>
#include <string.h>

#include "data/refuse.h"
#include "data/table_state.h"

static const TableKind *const kinds[] = {&table_csv, &table_jsonl, &table_json};
enum { NKINDS = sizeof kinds / sizeof *kinds };

static const TableKind *kind_of(const Format *f)
{
    for (int i = 0; i < NKINDS; i++)
        if (kinds[i]->format == f) return kinds[i];
    return &table_source;
}

static int new_table(Table **t, const Format *f, const char *path, const TableOptions *o, Err *e)
{
    Table *made = calloc(1, sizeof *made);
    *t = made;
    if (!made) return err_nomem(e, sizeof *made, "a table");
    made->kind = kind_of(f);
    made->format = f;
    made->keep = o->keep;
    made->count = -1;
    made->timeless = o->timeless;
    if (o->freq) made->freq = *o->freq;
    made->has_freq = o->freq != NULL;
    made->path = path ? strdup(path) : NULL;
    return path && !made->path ? err_nomem(e, strlen(path), "a path") : 0;
}

/* For the one who asked for a table, there is none. */
static int failed(Table **t)
{
    table_close(*t);
    *t = NULL;
    return -1;
}

static int open_text(Table *t, const void *text, size_t n, Err *e)
{
    t->text = n ? text : "";
    t->size = n;
    return t->kind->open(t, e);
}

static int open_map(Table *t, Err *e)
{
    if (map_open(&t->map, t->path, e)) return -1;
    return open_text(t, t->map.p, t->map.n, e) ? err_wrap(e, "%s (%s)", t->path, t->format->name) : 0;
}

int table_open(Table **t, const char *path, const TableOptions *o, Err *e)
{
    const Format *f = source_sniff(path);
    *t = NULL;
    if (!f) return refuse_path(path, e);
    if (new_table(t, f, path, o, e) || ((*t)->kind == &table_source ? table_source.open(*t, e) : open_map(*t, e))) return failed(t);
    return 0;
}

int table_open_text(Table **t, const char *format, const void *text, size_t n, const TableOptions *o, Err *e)
{
    *t = NULL;
    for (int i = 0; i < NKINDS; i++)
        if (!strcmp(kinds[i]->format->name, format)) return new_table(t, kinds[i]->format, NULL, o, e) || open_text(*t, text, n, e) ? failed(t) : 0;
    return err_set(e, FTS_USAGE, "\"%s\" is no format of tables in text", format);
}

int table_next(Table *t, TableSeries *s, Err *e)
{
    *s = (TableSeries){0};
    t->id.n = 0;
    t->named = 0;
    *t->why.message = 0;
    int more = t->kind->next(t, s, e);
    if (more > 0 && !t->named) str_addf(&t->id, "%lld", (long long)t->at);
    if (more > 0 && str_ok(&t->id, e)) more = -1;
    if (more < 0 && t->path) err_wrap(e, "%s (%s)", t->path, t->format->name);
    t->at++;
    s->id = t->id.p;
    s->named = t->named == 1;
    s->why = *t->why.message ? t->why.message : NULL;
    return more;
}

int table_has_ids(const Format *f) { return kind_of(f) != &table_source; }

Form table_form(const Table *t) { return t->form; }
int64_t table_count(const Table *t) { return t->count; }

void table_close(Table *t)
{
    if (!t) return;
    t->kind->close(t);
    map_close(&t->map);
    str_free(&t->id);
    free(t->path);
    free(t);
}
