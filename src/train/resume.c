/* resume.c - reading checkpoints; see checkpoint.h */
#include "train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/weights.h"

typedef struct Path { char p[4096]; } Path;

/* The link is read, not followed, so that messages name the checkpoint. */
int checkpoint_find(const Checkpoints *k, const char *from, char *folder, size_t size, Err *e)
{
    char to[1024];
    Path link;
    if (strcmp(from, "latest")) return path_join(folder, size, "", from, e);
    if (path_join(link.p, sizeof link.p, k->dir, "latest", e)) return -1;
    ssize_t n = readlink(link.p, to, sizeof to - 1);
    if (n < 0) return err_set(e, FTS_IO, "--resume-checkpoint: %s: there is no checkpoint to continue from: is --checkpoint-dir right?", link.p);
    to[n] = 0;
    return path_join(folder, size, *to == '/' ? "" : k->dir, to, e);
}

/* Where the words of state.json go. */
typedef struct State { Progress p; int64_t format; char backend[256]; Str difference; unsigned seen; } State;

static int read_key(Json *j, State *s, const Facts *f, Err *e)
{
    char key[32];
    int64_t baselines;
    struct { const char *name; int64_t *to; } ints[] = {{"format", &s->format}, {"step", &s->p.step}, {"skipped", &s->p.skipped}, {"tokens", &s->p.tokens},
                                                        {"points", &s->p.points}, {"cut", &s->p.cut}, {"baselines", &baselines}};
    enum { N = sizeof ints / sizeof *ints };
    if (json_key(j, key, sizeof key, e)) return -1;
    for (int i = 0; i < N; i++)
        if (!strcmp(key, ints[i].name)) {
            s->seen |= 1u << i;
            if (json_int(j, ints[i].to, e)) return err_wrap(e, "\"%s\"", key);
            if (*ints[i].to < 0) return json_error(j, e, "\"%s\" is negative", key);
            if (s->format != 1) return json_error(j, e, "format %lld is not known to this version", (long long)s->format);
            if (ints[i].to == &baselines) s->p.baselines = (int)(baselines & 3);
            return 0;
        }
    if (!strcmp(key, "backend")) return json_string(j, s->backend, sizeof s->backend, e);
    if (strcmp(key, "facts")) return json_skip(j, e);
    s->seen |= 1u << N;
    return facts_compare(f, j, &s->difference, e);
}

static int read_text(Json *j, State *s, const Facts *f, Err *e)
{
    int more;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (read_key(j, s, f, e)) return -1;
    if (more < 0 || json_end(j, e)) return -1;
    if (s->seen != 0xff) return err_set(e, FTS_FORMAT, "not all of format, step, skipped, tokens, points, cut, baselines and facts are there");
    return str_ok(&s->difference, e);
}

static int read_state(const char *dir, State *s, const Facts *f, Err *e)
{
    Map m;
    Json j;
    Path path;
    if (path_join(path.p, sizeof path.p, dir, "state.json", e)) return -1;
    if (path_is_dir(dir) && !path_exists(path.p))
        return err_set(e, FTS_FORMAT, "%s: holds no state.json, so no run can continue from it: --init-from takes the weights alone", dir);
    if (map_open(&m, path.p, e)) return -1;
    json_init(&j, m.p, m.n);
    int bad = read_text(&j, s, f, e);
    map_close(&m);
    return bad ? err_wrap(e, "%s", path.p) : 0;
}

static int check_config(const char *dir, const ModelConfig *c, const char *advice, Err *e)
{
    ModelConfig there;
    Path path;
    Str d = {0};
    if (path_join(path.p, sizeof path.p, dir, "config.json", e) || config_read(&there, path.p, e)) return -1;
    int same = config_same(&there, c, &d), bad = str_ok(&d, e);
    if (!bad && !same) bad = err_set(e, FTS_USAGE, "%s is another model: %s here: %s", dir, d.p, advice);
    str_free(&d);
    return bad;
}

static int check_state(const char *dir, const State *s, Err *e)
{
    if (!s->difference.n) return 0;
    return err_set(e, FTS_USAGE, "%s cannot be continued with other data or settings: %.700s: set them as they were, or use --init-from to begin a new run with its weights", dir, s->difference.p);
}

static int load_files(const char *dir, Model *m, Err *e)
{
    Path path;
    if (path_join(path.p, sizeof path.p, dir, "optimizer.safetensors", e)) return -1;
    return weights_load(m, dir, e) || moments_load(m, path.p, e) ? -1 : 0;
}

int checkpoint_load(const Checkpoints *k, const char *folder, Model *m, Progress *p, Str *notice, Err *e)
{
    State s = {.format = 1};
    int bad = read_state(folder, &s, k->facts, e) || check_config(folder, &m->c, "give the shape options that it was trained with", e)
           || check_state(folder, &s, e) || load_files(folder, m, e);
    if (!bad) {
        *p = s.p;
        str_addf(notice, "continuing %s after step %lld", folder, (long long)p->step);
        if (*s.backend && strcmp(s.backend, k->backend))
            str_addf(notice, "; it was computed by %s, this machine has %s, so the last bits will differ", s.backend, k->backend);
    }
    str_free(&s.difference);
    return bad ? err_wrap(e, "--resume-checkpoint") : str_ok(notice, e);
}

int checkpoint_init(Model *m, const char *from, Err *e)
{
    char folder[4096];
    ModelConfig there;
    int bad = weights_folder(folder, sizeof folder, &there, from, e)
           || check_config(folder, &m->c, "give the same shape options, such as --preset base for the published 50M model", e) || weights_load(m, folder, e);
    return bad ? err_wrap(e, "--init-from") : 0;
}
