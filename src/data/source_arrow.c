/* source_arrow.c - Arrow's files and streams (.arrow, .feather of version 2), and the folders that save_to_disk of Hugging Face
 * datasets makes: state.json and shards, which are one table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/arrow.h"
#include "data/source.h"
#include "util/json.h"

enum { PATH_ROOM = 4096 };

typedef struct ArrowFiles { Arrow arrow; Map *map; int n; } ArrowFiles;      /* map: (n) owned; arrow reads from them */

static int is_saved(const char *path)
{
    char state[PATH_ROOM];
    Map m;
    Err e;
    if (path_join(state, sizeof state, path, "state.json", &e) || !path_exists(state) || path_is_dir(state) || map_open(&m, state, &e)) return 0;
    int mine = json_has_key(m.p, m.n, "_data_files");
    map_close(&m);
    return mine;
}

/* Of .feather version 2 is a file of Arrow, version 1 something else. */
static int is_arrow_file(const char *path)
{
    char magic[6] = "";
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(magic, 1, sizeof magic, f) : 0;
    if (f) fclose(f);
    return n == sizeof magic && !memcmp(magic, "ARROW1", sizeof magic);
}

static int arrow_sniff(const char *path, int is_dir)
{
    if (is_dir) return is_saved(path);
    return named_like(path, is_dir, ".arrow") || (named_like(path, is_dir, ".feather") && is_arrow_file(path));
}

static int add_file(Source *s, ArrowFiles *f, const char *path, const char *name, Err *e)
{
    if (map_open(&f->map[f->n], path, e)) return -1;
    const Map *m = &f->map[f->n++];
    s->hash = source_hash(s->hash, name, m);
    return arrow_add(&f->arrow, m->p, m->n, e);
}

static int room_for(ArrowFiles *f, int n, Err *e)
{
    f->map = calloc((size_t)n, sizeof *f->map);
    return f->map ? 0 : err_nomem(e, (size_t)n * sizeof *f->map, "a dataset");
}

static int open_shard(Source *s, ArrowFiles *f, const char *name, Err *e)
{
    char path[PATH_ROOM];
    if (path_join(path, sizeof path, s->path, name, e)) return -1;
    if (!path_exists(path)) return err_set(e, FTS_FORMAT, "state.json names %s, which is not there: is the download complete?", name);
    return add_file(s, f, path, name, e) ? err_wrap(e, "%s", name) : 0;
}

static int read_state(Source *s, Names *shards, Err *e)
{
    char path[PATH_ROOM];
    Map m;
    if (path_join(path, sizeof path, s->path, "state.json", e) || map_open(&m, path, e)) return -1;
    s->hash = source_hash(s->hash, "state.json", &m);
    int bad = arrow_state(shards, m.p, m.n, e);
    map_close(&m);
    return bad ? err_wrap(e, "state.json") : 0;
}

static int open_saved(Source *s, ArrowFiles *f, Err *e)
{
    Names shards = {0};
    int bad = read_state(s, &shards, e) || room_for(f, shards.n, e);
    for (int i = 0; !bad && i < shards.n; i++) bad = open_shard(s, f, shards.name[i], e);
    names_free(&shards);
    return bad ? -1 : 0;
}

/* All rows of a column of plain numbers are one series; it has no index but its length. */
static int hand_over(Source *s, ArrowFiles *f, Err *e)
{
    Arrow *a = &f->arrow;
    int flat = !a->column.levels;
    s->length = a->length;
    a->length = NULL;
    if (!s->length && !(s->length = malloc(sizeof *s->length))) return err_nomem(e, sizeof *s->length, "the index of a dataset");
    if (flat) *s->length = a->points;
    s->count = flat ? 1 : a->count;
    s->dtype = a->column.type->name;
    s->bytes = (int64_t)(sizeof *f + (size_t)f->n * sizeof *f->map + (size_t)a->batch_cap * sizeof *a->batch) + 8 * (a->start_cap + a->length_cap);
    return 0;
}

static int arrow_open(Source *s, Err *e)
{
    ArrowFiles *f = calloc(1, sizeof *f);
    if (!f) return err_nomem(e, sizeof *f, "a dataset");
    s->state = f;
    if (path_is_dir(s->path) ? open_saved(s, f, e) : room_for(f, 1, e) || add_file(s, f, s->path, "", e)) return -1;
    return hand_over(s, f, e);
}

static int arrow_source_read(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e)
{
    const ArrowFiles *f = s->state;
    (void)e;                                        /* what could go wrong was checked when it was opened */
    arrow_read(&f->arrow, i, at, n, out);
    return 0;
}

static void arrow_close(Source *s)
{
    ArrowFiles *f = s->state;
    if (!f) return;
    for (int i = 0; i < f->n; i++) map_close(&f->map[i]);
    arrow_free(&f->arrow);
    free(f->map);
    free(f);
}

const Format format_arrow = {"arrow", ".arrow", arrow_sniff, arrow_open, arrow_source_read, arrow_close};
