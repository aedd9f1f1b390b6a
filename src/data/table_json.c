/* table_json.c - tables of jsonl and json: {"item_id": "a", "start": "2016-07-01", "freq": "h", "target": [...]} as GluonTS has
 * them, or lists of numbers. A start without a frequency that is known gives no times: an answer in jsonl has none either. */
#include <stdlib.h>
#include <string.h>

#include "data/jsonl.h"
#include "data/table_state.h"

typedef struct Lines {
    Json    json;                          /* what is still to be read */
    int     one;                           /* of json: the whole array is one series */
    Decoded series;                        /* the one handed out */
    char    start[64], freq[32];           /* what the object says, "": nothing */
    Table  *table;
} Lines;

/* What is longer than any time or frequency is none. */
static int short_text(Json *j, char *out, size_t size, Err *e)
{
    Json at = *j;
    Err ignored;
    if (json_peek(j) != '"') return 0;
    if (!json_string(j, out, size, &ignored)) return 1;
    out[0] = 0;
    *j = at;
    return json_skip(j, e) ? -1 : 1;
}

/* An id may be a number: its text is the id. A text of n bytes needs no more when its escapes are read. */
static int read_id(Json *j, Table *t, Err *e)
{
    Str *id = &t->id;
    char kind = json_peek(j);
    if (kind != '"' && kind != '0') return json_error(j, e, "an id that is neither text nor a number");
    const char *from = j->p;
    Json skip = *j;
    if (json_skip(&skip, e)) return -1;
    id->n = 0;
    str_add(id, from, (size_t)(skip.p - from));
    if (str_ok(id, e)) return -1;
    if (kind == '"' && json_string(j, id->p, id->n, e)) return -1;
    if (kind == '"') id->n = strlen(id->p);
    *j = skip;
    t->named = 1;
    return 1;
}

static int other(void *user, const char *key, Json *j, Err *e)
{
    Lines *l = user;
    if (!strcmp(key, "item_id") || !strcmp(key, "unique_id") || !strcmp(key, "id")) return read_id(j, l->table, e);
    if (!strcmp(key, "start")) return short_text(j, l->start, sizeof l->start, e);
    return strcmp(key, "freq") ? 0 : short_text(j, l->freq, sizeof l->freq, e);
}

/* Periods of GluonTS begin at any day: "W-SUN" says where a week ends, not that the start is a Sunday. */
static void times(const Table *t, const Lines *l, TableSeries *s)
{
    Err ignored;
    Stamp start;
    s->freq = t->freq;
    if (!s->total || !l->start[0] || stamp_read(&start, l->start, strlen(l->start), NULL, &ignored)) return;
    if (!t->has_freq && freq_read(&s->freq, l->freq, &ignored)) return;
    if (!freq_on(&s->freq, &start)) freq_loosen(&s->freq);
    s->has_time = !calendar_next(&s->freq, &start, s->total - 1, &s->last, &ignored);
}

static int series(Table *t, Json *j, TableSeries *s, Err *e)
{
    Lines *l = t->state;
    l->series.n = l->series.count = 0;
    l->start[0] = l->freq[0] = 0;
    if (json_series_and(&l->series, j, &(JsonOther){other, l}, e)) return -1;
    s->total = l->series.n;
    s->n = t->keep && t->keep < s->total ? t->keep : s->total;
    s->x = s->n ? l->series.point + (s->total - s->n) : NULL;
    times(t, l, s);
    return 1;
}

static int lines_open(Table *t, Err *e)
{
    Lines *l = calloc(1, sizeof *l);
    if (!l) return err_nomem(e, sizeof *l, "a table");
    l->table = t;
    t->state = l;
    t->form = (Form){.kind = FORM_JSONL};
    json_init(&l->json, t->text, t->size);
    return 0;
}

/* Each line gets a parser of its own that ends with it, but starts with the text, so that errors count lines. */
static int lines_next(Table *t, TableSeries *s, Err *e)
{
    Lines *l = t->state;
    while (l->json.p < l->json.end) {
        Json one = l->json;
        const char *stop = memchr(one.p, '\n', (size_t)(one.end - one.p));
        one.end = stop ? stop : one.end;
        l->json.p = stop ? stop + 1 : one.end;
        if (json_peek(&one)) return series(t, &one, s, e) < 0 || json_end(&one, e) ? -1 : 1;
    }
    return 0;
}

static int array_open(Table *t, Err *e)
{
    if (lines_open(t, e)) return -1;
    Lines *l = t->state;
    Json ahead = l->json;
    if (json_open(&ahead, '[', e)) return -1;
    int more = json_more(&ahead, e);
    char kind = json_peek(&ahead);
    l->one = more > 0 && kind != '[' && kind != '{';
    return more < 0 || (!l->one && json_open(&l->json, '[', e)) ? -1 : 0;
}

static int array_next(Table *t, TableSeries *s, Err *e)
{
    Lines *l = t->state;
    if (l->one && t->at) return 0;
    if (l->one) return series(t, &l->json, s, e) < 0 || json_end(&l->json, e) ? -1 : 1;
    int more = json_more(&l->json, e);
    if (!more) return json_end(&l->json, e);
    return more < 0 ? -1 : series(t, &l->json, s, e);
}

static void lines_close(Table *t)
{
    Lines *l = t->state;
    if (!l) return;
    decoded_free(&l->series);
    free(l);
}

const TableKind table_jsonl = {&format_jsonl, lines_open, lines_next, lines_close};
const TableKind table_json = {&format_json, array_open, array_next, lines_close};
