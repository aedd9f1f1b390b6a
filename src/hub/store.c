/* store.c - see store.h */
#include "hub/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hub/digest.h"
#include "util/file.h"

#define CACHE ".cache/huggingface"

typedef struct Path { char p[4096]; } Path;
enum { READ_AT_ONCE = 1 << 20 };

static int cache_path(Path *to, const char *dir, const char *path, const char *ending, Err *e)
{
    int n = snprintf(to->p, sizeof to->p, "%s/" CACHE "/download/%s%s", dir, path, ending);
    return n < (int)sizeof to->p ? 0 : err_set(e, FTS_IO, "%.200s...: the path is too long", path);
}

int store_open(const char *dir, Err *e)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds notes of a download. It can be deleted.\n";
    Path cache, file;
    if (path_join(cache.p, sizeof cache.p, dir, CACHE "/download", e) || dir_make(cache.p, e)) return -1;
    if (path_join(file.p, sizeof file.p, dir, CACHE "/.gitignore", e) || (!path_exists(file.p) && file_write(file.p, "*", 1, e))) return -1;
    return path_join(file.p, sizeof file.p, dir, CACHE "/CACHEDIR.TAG", e) || (!path_exists(file.p) && file_write(file.p, tag, sizeof tag - 1, e)) ? -1 : 0;
}

int store_parents(const char *path, Err *e)
{
    Path up;
    snprintf(up.p, sizeof up.p, "%s", path);
    char *slash = strrchr(up.p, '/');
    if (!slash || slash == up.p) return 0;
    *slash = 0;
    return dir_make(up.p, e);
}

/* Three lines: commit, etag, when. They count as long as the file was not touched since. */
static int noted(const char *dir, const RepoFile *f, const struct stat *st)
{
    Path path;
    Map m;
    Err ignored;
    char commit[64] = "", etag[80] = "", text[256];
    double when = 0;
    if (cache_path(&path, dir, f->path, ".metadata", &ignored) || map_open(&m, path.p, &ignored)) return 0;
    snprintf(text, sizeof text, "%.*s", (int)(m.n < 255 ? m.n : 255), m.p ? (const char *)m.p : "");
    map_close(&m);
    if (sscanf(text, "%63s %79s %lf", commit, etag, &when) != 3) return 0;
    return !strcmp(etag, f->etag) && (double)st->st_mtime - 1 <= when;
}

static int note(const char *dir, const RepoFile *f, const char *commit, Err *e)
{
    struct timespec now;
    Path path;
    char text[256];
    clock_gettime(CLOCK_REALTIME, &now);
    int n = snprintf(text, sizeof text, "%s\n%s\n%lld.%06ld\n", commit, f->etag, (long long)now.tv_sec, now.tv_nsec / 1000);
    return cache_path(&path, dir, f->path, ".metadata", e) || store_parents(path.p, e) || file_write(path.p, text, (size_t)n, e) ? -1 : 0;
}

static int hash_file(FILE *in, Digest *d, const atomic_int *stop, Err *e)
{
    char *block = malloc(READ_AT_ONCE);
    int bad = block ? 0 : err_nomem(e, READ_AT_ONCE, "hashing a file");
    for (size_t n; !bad && (n = fread(block, 1, READ_AT_ONCE, in)) > 0;) bad = digest_add(d, block, n, e) || http_stopped(stop, e);
    free(block);
    return bad;
}

/* The content of a file that is there. */
static int same_content(const char *path, const RepoFile *f, const atomic_int *stop, int *same, Err *e)
{
    Digest d = {NULL};
    FILE *in = fopen(path, "rb");
    *same = 0;
    if (!in) return err_errno(e, errno, path);
    int bad = digest_open(&d, f->etag, f->size, e) || hash_file(in, &d, stop, e);
    if (!bad && ferror(in)) bad = err_errno(e, errno, path);
    if (!bad) bad = digest_matches(&d, f->etag, same, e);
    digest_close(&d);
    fclose(in);
    return bad;
}

int store_has(const char *dir, const RepoFile *f, const char *commit, const atomic_int *stop, Err *e)
{
    struct stat st;
    Path path;
    int same;
    if (path_join(path.p, sizeof path.p, dir, f->path, e)) return -1;
    if (stat(path.p, &st)) return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, errno, path.p);
    if (!S_ISREG(st.st_mode)) return err_set(e, FTS_IO, "%s: is there and no file", path.p);
    if (st.st_size != f->size) return 0;
    if (noted(dir, f, &st)) return 1;
    if (same_content(path.p, f, stop, &same, e)) return -1;
    if (same && note(dir, f, commit, e)) return -1;
    return same;
}

/* Its name has the hash, so what is half there of other content is never continued. */
int store_part_path(char *path, size_t size, const char *dir, const RepoFile *f, Err *e)
{
    char ending[96];
    Path part;
    snprintf(ending, sizeof ending, ".%s.fts.part", f->etag);
    if (cache_path(&part, dir, f->path, ending, e)) return -1;
    snprintf(path, size, "%s", part.p);
    return 0;
}

int64_t store_partial(const char *dir, const RepoFile *f)
{
    struct stat st;
    Path path;
    Err ignored;
    if (store_part_path(path.p, sizeof path.p, dir, f, &ignored) || stat(path.p, &st)) return 0;
    return st.st_size < f->size ? st.st_size : f->size;
}

int store_publish(const char *dir, const RepoFile *f, const char *commit, Err *e)
{
    Path part, to, up;
    if (store_part_path(part.p, sizeof part.p, dir, f, e) || path_join(to.p, sizeof to.p, dir, f->path, e) || store_parents(to.p, e)) return -1;
    if (rename(part.p, to.p)) return err_errno(e, errno, to.p);
    snprintf(up.p, sizeof up.p, "%s", to.p);
    char *slash = strrchr(up.p, '/');
    if (slash) *slash = 0;
    return dir_sync(slash ? up.p : ".", e) || note(dir, f, commit, e) ? -1 : 0;
}
