/* checkpoint.c - saving; loading is in resume.c */
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "model/weights.h"

/* Fixed names: what a killed run left there is cleared by the next save. */
#define SAVING   ".saving"
#define DELETING ".deleting"
#define LINKING  ".latest"

typedef struct Path { char p[4096]; } Path;

/* Two runs in one folder would delete each other's checkpoints. A file system without locks is taken at its word. */
int checkpoints_open(Checkpoints *k, Err *e)
{
    k->lock = -1;
    if (dir_make(k->dir, e)) return -1;
    k->lock = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (k->lock < 0) return err_errno(e, errno, k->dir);
    if (!flock(k->lock, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK) return 0;
    checkpoints_close(k);
    return err_set(e, FTS_USAGE, "%s: another run writes its checkpoints there: choose another --checkpoint-dir", k->dir);
}

void checkpoints_close(Checkpoints *k)
{
    if (k->lock >= 0) close(k->lock);
    k->lock = -1;
}

/* The step in a name like step_000500, -1 for other names. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step_", 5) || name[5] < '0' || name[5] > '9') return -1;
    long long step = strtoll(name + 5, &end, 10);
    return *end ? -1 : step;
}

int checkpoints_exist(const Checkpoints *k)
{
    Names l;
    Err e;
    int n = 0;
    if (dir_list(&l, k->dir, &e)) return 0;
    for (int i = 0; i < l.n; i++) n += step_of(l.name[i]) >= 0;
    names_free(&l);
    return n > 0;
}

static void put_state(Str *s, const Checkpoints *k, const Progress *p)
{
    str_addf(s, "{\n  \"format\": 1,\n  \"version\": \"%s\",\n  \"step\": %" PRId64 ",\n  \"skipped\": %" PRId64 ",\n", FTS_VERSION, p->step, p->skipped);
    str_addf(s, "  \"tokens\": %" PRId64 ",\n  \"points\": %" PRId64 ",\n  \"cut\": %" PRId64 ",\n  \"baselines\": %d,\n  \"backend\": ", p->tokens, p->points, p->cut, p->baselines);
    json_put_string(s, k->backend);
    str_addf(s, ",\n  \"facts\": ");
    facts_write(k->facts, s);
    str_addf(s, ",\n  \"settings\": %s\n}\n", k->settings);
}

static int save_state(const char *path, const Checkpoints *k, const Progress *p, Err *e)
{
    Str s = {0};
    put_state(&s, k, p);
    int bad = str_ok(&s, e) || file_write(path, s.p, s.n, e) ? -1 : 0;
    str_free(&s);
    return bad;
}

static int save_files(const char *dir, const Checkpoints *k, Model *m, const Progress *p, Err *e)
{
    Path config, model, optimizer, state;
    if (path_join(config.p, sizeof config, dir, "config.json", e) || path_join(model.p, sizeof model, dir, "model.safetensors", e)
        || path_join(optimizer.p, sizeof optimizer, dir, "optimizer.safetensors", e) || path_join(state.p, sizeof state, dir, "state.json", e)) return -1;
    return config_write(&m->c, config.p, k->aux_weight, F32, e) || weights_save(model.p, m, F32, e) || moments_save(optimizer.p, m, e)
        || save_state(state.p, k, p, e) || dir_sync(dir, e) ? -1 : 0;
}

/* The folder gets its name; one of that name that was there is exchanged in the same moment, or, where the file system cannot, moved away before. */
static int publish(const char *from, const char *to, const char *aside, Err *e)
{
    if (!path_exists(to)) return rename(from, to) ? err_errno(e, errno, to) : 0;
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE)) return dir_remove(from, e);
    if (errno != EINVAL && errno != ENOSYS) return err_errno(e, errno, to);
    if (dir_remove(aside, e)) return -1;
    if (rename(to, aside)) return err_errno(e, errno, to);
    if (!rename(from, to)) return dir_remove(aside, e);
    int why = errno;
    if (rename(aside, to)) return err_errno(e, why, aside);         /* it cannot go back: then say where it is */
    return err_errno(e, why, to);
}

static int link_latest(const Checkpoints *k, const char *name, Err *e)
{
    Path tmp, latest;
    if (path_join(tmp.p, sizeof tmp, k->dir, LINKING, e) || path_join(latest.p, sizeof latest, k->dir, "latest", e)) return -1;
    if (unlink(tmp.p) && errno != ENOENT) return err_errno(e, errno, tmp.p);
    if (symlink(name, tmp.p)) return err_errno(e, errno, latest.p);
    if (!rename(tmp.p, latest.p)) return dir_sync(k->dir, e);
    int why = errno;
    unlink(tmp.p);
    return err_errno(e, why, latest.p);
}

/* Renamed first, so that no name ever stands for half a checkpoint. */
static int discard(const Checkpoints *k, const char *name, Err *e)
{
    Path from, to;
    if (path_join(from.p, sizeof from, k->dir, name, e) || path_join(to.p, sizeof to, k->dir, DELETING, e) || dir_remove(to.p, e)) return -1;
    return rename(from.p, to.p) ? err_errno(e, errno, from.p) : dir_remove(to.p, e);
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Steps up to `step`, newest first. Later ones are of another run, which is not ours to thin out. */
static int64_t earlier(const Names *l, int64_t step, int64_t *list)
{
    int64_t n = 0;
    for (int i = 0; i < l->n; i++) {
        int64_t s = step_of(l->name[i]);
        if (s >= 0 && s <= step) list[n++] = s;
    }
    if (n) qsort(list, (size_t)n, sizeof *list, descending);
    return n;
}

static int thin_out(const Checkpoints *k, int64_t step, Err *e)
{
    Names l;
    Path half;
    int bad = 0;
    if (path_join(half.p, sizeof half, k->dir, DELETING, e) || dir_remove(half.p, e)) return -1;
    if (!k->keep) return 0;
    if (dir_list(&l, k->dir, e)) return -1;
    int64_t *list = malloc(((size_t)l.n + 1) * sizeof *list);
    if (!list) bad = err_nomem(e, (size_t)l.n * sizeof *list, "the list of checkpoints");
    int64_t n = bad ? 0 : earlier(&l, step, list), least = n > k->keep ? list[k->keep - 1] : 0;
    for (int i = 0; i < l.n && !bad; i++) {
        int64_t s = step_of(l.name[i]);
        if (s >= 0 && s < least) bad = discard(k, l.name[i], e);
    }
    free(list);
    names_free(&l);
    return bad;
}

/* What lies under the hidden name is worth nothing to anyone. */
static int give_up(const char *tmp, Err *e)
{
    Err other;
    dir_remove(tmp, &other);
    return err_wrap(e, "the checkpoint was not saved");
}

int checkpoint_save(const Checkpoints *k, Model *m, const Progress *p, char *folder, size_t size, Err *e)
{
    char name[32];
    Path tmp, aside;
    snprintf(name, sizeof name, "step_%06" PRId64, p->step);
    if (path_join(tmp.p, sizeof tmp, k->dir, SAVING, e) || path_join(aside.p, sizeof aside, k->dir, DELETING, e) || path_join(folder, size, k->dir, name, e)) return -1;
    if (dir_remove(tmp.p, e) || dir_make(tmp.p, e) || save_files(tmp.p, k, m, p, e) || publish(tmp.p, folder, aside.p, e)) return give_up(tmp.p, e);
    if (dir_sync(k->dir, e) || link_latest(k, name, e)) return err_wrap(e, "%s was saved, but not marked as the latest", folder);
    return thin_out(k, p->step, e) ? err_wrap(e, "%s was saved, but an older checkpoint could not be deleted", folder) : 0;
}
