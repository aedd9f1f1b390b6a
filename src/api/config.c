/* config.c - options from a JSON file: what a run writes as settings.json can be read back. */
#include <string.h>

#include "api/task.h"
#include "util/file.h"
#include "util/json.h"

enum { VALUE_MAX = 4096 };

/* A number goes on as the text it is, so that whole numbers keep all their digits. */
static int number_text(Json *j, char *text, Err *e)
{
    const char *from = j->p;
    if (json_skip(j, e)) return -1;
    size_t n = (size_t)(j->p - from);
    if (n >= VALUE_MAX) return json_error(j, e, "a number of %zu digits", n);
    memcpy(text, from, n);
    text[n] = 0;
    return 0;
}

/* One value that is neither an array nor an object. */
static int scalar_text(Json *j, char *text, Err *e)
{
    int truth;
    switch (json_peek(j)) {
    case '"': return json_string(j, text, VALUE_MAX, e);
    case '0': return number_text(j, text, e);
    case 't':
    case 'f':
        if (json_bool(j, &truth, e)) return -1;
        strcpy(text, truth ? "true" : "false");
        return 0;
    default:  return json_error(j, e, "an option takes a text, a number, true, false, or an array of texts");
    }
}

static int set_from_config(FtsTask *t, const char *key, int at, Json *j, Err *e)
{
    char text[VALUE_MAX];
    if (scalar_text(j, text, e)) return -1;
    if (at >= 0 && t->from[at] == FROM_USER) return 0;
    if (opt_set(t->set, t->nset - 1, key, text, e)) return -1;
    t->from[at] = FROM_CONFIG;
    return 0;
}

/* Several values belong to a list, which the file replaces as a whole. */
static int set_list(FtsTask *t, const char *key, int at, Json *j, Err *e)
{
    int more;
    if (json_open(j, '[', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (set_from_config(t, key, at, j, e)) return -1;
    return more;
}

static int set_key(FtsTask *t, Json *j, Err *e)
{
    char key[128];
    const OptSet *in;
    const Opt *o;
    if (json_key(j, key, sizeof key, e)) return -1;
    int at = task_index(t, key, &in, &o);
    if (at >= 0 && in == &t->set[t->nset - 1]) return json_error(j, e, "%s has no place in a configuration", key);
    if (at >= 0 && o->kind == OPT_LIST && t->from[at] != FROM_USER) task_clear_list(in, o);
    if (json_peek(j) == 'n') return json_skip(j, e);
    return json_peek(j) == '[' && (at < 0 || o->kind == OPT_LIST) ? set_list(t, key, at, j, e) : set_from_config(t, key, at, j, e);
}

static int set_all(FtsTask *t, Json *j, Err *e)
{
    int more;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (set_key(t, j, e)) return -1;
    return more ? -1 : json_end(j, e);
}

int task_config(FtsTask *t, const void *json, size_t n, Err *e)
{
    Json j;
    json_init(&j, json, n);
    return set_all(t, &j, e);
}

int fts_task_config(FtsTask *t, const char *json_file, FtsError *e)
{
    Map m;
    if (map_open(&m, json_file, e)) return -1;
    int bad = task_config(t, m.p, m.n, e);
    map_close(&m);
    return bad ? err_wrap(e, "%s", json_file) : 0;
}
