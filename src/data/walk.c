/* walk.c - see walk.h */
#include "data/walk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/refuse.h"

enum { MAX_DEPTH = 64, PATH_ROOM = 4096 };

/* Where the walk is: the folders above, so that a link back to one of them is not followed for ever. */
typedef struct Level { const struct Level *up; dev_t dev; ino_t ino; int depth; } Level;
typedef struct Asked { Walk *w; const char *root, *exclude; int several; } Asked;     /* exclude: real, or NULL */

static char *copy_of(const char *text, Err *e)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    if (!copy) err_nomem(e, n, "a path");
    return copy ? memcpy(copy, text, n) : NULL;
}

static int at_or_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    while (n && folder[n - 1] == '/') n--;
    return !strncmp(path, folder, n) && (!path[n] || path[n] == '/');
}

/* What to call it in messages: the part below the root; the root itself goes by its last part. */
static const char *name_of(const Asked *a, const char *path)
{
    size_t n = strlen(a->root);
    if (a->several) return path;
    if (!strncmp(path, a->root, n) && path[n]) return path + n + strspn(path + n, "/");
    const char *last = strrchr(path, '/');
    return last && last[1] ? last + 1 : path;
}

static int add(const Asked *a, const char *path, const Format *format, Err *e)
{
    Walk *w = a->w;
    char real[PATH_MAX];
    if (!realpath(path, real)) return err_errno(e, errno, path);
    if (a->exclude && at_or_below(real, a->exclude)) {
        w->excluded++;
        return 0;
    }
    if (w->n == w->cap) {
        size_t bytes = (size_t)(2 * w->cap + 16) * sizeof *w->found;
        Found *grown = realloc(w->found, bytes);
        if (!grown) return err_nomem(e, bytes, "the list of datasets");
        w->found = grown;
        w->cap = 2 * w->cap + 16;
    }
    Found *f = &w->found[w->n];
    *f = (Found){.format = format};
    w->n++;
    return (f->path = copy_of(path, e)) && (f->real = copy_of(real, e)) && (f->name = copy_of(name_of(a, path), e)) ? 0 : -1;
}

static int visit(const Asked *a, const char *path, const Level *up, Err *e);

static int visit_folder(const Asked *a, const char *path, const Level *here, Err *e)
{
    Names names;
    char below[PATH_ROOM];
    int bad = 0;
    if (here->depth > MAX_DEPTH) return err_set(e, FTS_IO, "%s: folders nested deeper than %d", path, MAX_DEPTH);
    if (dir_list(&names, path, e)) return -1;
    for (int i = 0; !bad && i < names.n; i++) bad = path_join(below, sizeof below, path, names.name[i], e) || visit(a, below, here, e);
    names_free(&names);
    return bad ? -1 : 0;
}

static int visit(const Asked *a, const char *path, const Level *up, Err *e)
{
    struct stat st;
    const Format *format = source_sniff(path);
    if (format) return add(a, path, format, e);
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {                  /* a link to nowhere is a file that is no data */
        a->w->ignored++;
        return 0;
    }
    Level here = {up, st.st_dev, st.st_ino, up ? up->depth + 1 : 0};
    for (const Level *l = up; l; l = l->up)
        if (l->dev == here.dev && l->ino == here.ino) return 0;
    return visit_folder(a, path, &here, e);
}

/* Is this where a download was meant to go? Empty, begun, or called like it. */
static int meant_for_download(const char *path)
{
    char begun[PATH_ROOM];
    Names names;
    Err e;
    if (strstr(path, "300b") || strstr(path, "300B")) return 1;
    if (!path_join(begun, sizeof begun, path, ".cache/huggingface", &e) && path_exists(begun)) return 1;
    if (dir_list(&names, path, &e)) return 0;
    int empty = names.n == 0;
    names_free(&names);
    return empty;
}

static int nothing_in(const char *path, int64_t ignored, Err *e)
{
    char others[64] = "", looked[512], download[256] = "";
    if (!path_is_dir(path)) return refuse_path(path, e);
    formats_text(looked, sizeof looked);
    if (ignored) snprintf(others, sizeof others, "; %lld other file%s", (long long)ignored, ignored == 1 ? "" : "s");
    if (meant_for_download(path)) snprintf(download, sizeof download, ". To download Time-300B into it: foundationts data download --time300b-dir %.160s", path);
    return err_set(e, FTS_FORMAT, "%s: no data in this folder: %s%s%s", path, looked, others, download);
}

static int visit_root(Asked *a, const char *path, Err *e)
{
    int before = a->w->n + a->w->excluded;
    int64_t ignored = a->w->ignored;
    struct stat st;
    a->root = path;
    if (stat(path, &st)) {
        const char *slash = strrchr(path, '/');
        if (errno != ENOENT || strchr(slash ? slash : path, '.')) return err_errno(e, errno, path);          /* with an ending it was meant as a file */
        return err_set(e, FTS_IO, "%s: No such file or directory. To download Time-300B into it: foundationts data download --time300b-dir %s", path, path);
    }
    if (visit(a, path, NULL, e)) return -1;
    return a->w->n + a->w->excluded > before ? 0 : nothing_in(path, a->w->ignored - ignored, e);
}

static int by_real(const void *a, const void *b)
{
    const Found *x = *(Found *const *)a, *y = *(Found *const *)b;
    int order = strcmp(x->real, y->real);
    return order ? order : (x > y) - (x < y);
}

static void found_free(Found *f)
{
    free(f->path);
    free(f->real);
    free(f->name);
    *f = (Found){0};
}

/* Two paths, or two links, to one thing are one source: the first way to it counts. */
static int drop_repeated(Walk *w, Err *e)
{
    size_t bytes = (size_t)w->n * sizeof(Found *);
    if (w->n < 2) return 0;
    Found **sorted = malloc(bytes);
    if (!sorted) return err_nomem(e, bytes, "the list of datasets");
    for (int i = 0; i < w->n; i++) sorted[i] = &w->found[i];
    qsort(sorted, (size_t)w->n, sizeof *sorted, by_real);
    for (int i = 0, first = 0; i < w->n; i++) {
        if (i == first || strcmp(sorted[i]->real, sorted[first]->real)) first = i;
        else sorted[i]->format = NULL;
    }
    free(sorted);
    int kept = 0;
    for (int i = 0; i < w->n; i++) {
        if (w->found[i].format) w->found[kept++] = w->found[i];
        else found_free(&w->found[i]);
    }
    w->n = kept;
    return 0;
}

static int visit_all(Walk *w, const OptList *paths, const char *exclude, Err *e)
{
    char real[PATH_MAX];
    Asked a = {.w = w, .several = paths->n > 1};
    if (!paths->n) return err_set(e, FTS_USAGE, "no dataset given: use --dataset-path PATH");
    if (exclude && !(a.exclude = realpath(exclude, real))) return err_errno(e, errno, exclude);
    for (int i = 0; i < paths->n; i++)
        if (visit_root(&a, paths->item[i], e)) return -1;
    if (!w->n) return err_set(e, FTS_FORMAT, "%s: every dataset lies at or below %s, which is left out", paths->item[0], exclude);
    return drop_repeated(w, e);
}

int walk_paths(Walk *w, const OptList *paths, const char *exclude, Err *e)
{
    *w = (Walk){0};
    if (!visit_all(w, paths, exclude, e)) return 0;
    walk_free(w);
    return -1;
}

void walk_free(Walk *w)
{
    for (int i = 0; i < w->n; i++) found_free(&w->found[i]);
    free(w->found);
    *w = (Walk){0};
}
