/* file.c - see file.h */
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/array.h"

enum { OUT_BUFFER = 1 << 16 };

static int map_fd(Map *m, int fd, const char *path, Err *e)
{
    struct stat st;
    if (fstat(fd, &st)) return err_errno(e, errno, path);
    if (S_ISDIR(st.st_mode)) return err_errno(e, EISDIR, path);
    if (!S_ISREG(st.st_mode)) return err_set(e, FTS_IO, "%s: not a regular file", path);
    if (!st.st_size) return 0;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return err_errno(e, errno, path);
    *m = (Map){p, (size_t)st.st_size};
    return 0;
}

int map_open(Map *m, const char *path, Err *e)
{
    *m = (Map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);         /* a pipe is refused, not waited for */
    if (fd < 0) return err_errno(e, errno, path);
    int bad = map_fd(m, fd, path, e);
    close(fd);
    return bad;
}

void map_close(Map *m)
{
    if (m->p) munmap((void *)m->p, m->n);
    *m = (Map){0};
}

int path_join(char *out, size_t size, const char *dir, const char *name, Err *e)
{
    size_t n = strlen(dir);
    int made = snprintf(out, size, "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
    if (made >= 0 && (size_t)made < size) return 0;
    return err_set(e, FTS_IO, "%.200s...: the path is too long", dir);
}

int path_exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

int64_t path_time(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

int64_t path_size(const char *path)
{
    struct stat st;
    return stat(path, &st) || !S_ISREG(st.st_mode) ? 0 : (int64_t)st.st_size;
}

int path_is_dir(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Looks before it complains: a folder that is there may answer EROFS or EACCES instead of EEXIST. */
static int make_one(const char *path, Err *e)
{
    if (!mkdir(path, 0777)) return 0;
    int why = errno;
    return path_is_dir(path) ? 0 : err_errno(e, why, path);
}

int dir_make(const char *path, Err *e)
{
    char part[4096];
    if (path_join(part, sizeof part, "", path, e)) return -1;
    for (char *p = part + 1; part[0] && *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (make_one(part, e)) return -1;
        *p = '/';
    }
    return make_one(part, e);
}

int dir_sync(const char *path, Err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, path);
    int why = fsync(fd) && errno != EINVAL ? errno : 0;             /* EINVAL: a file system that cannot, such as some over a network */
    close(fd);
    return why ? err_errno(e, why, path) : 0;
}

static int remove_at(int parent, const char *name, Err *e);

static int remove_inside(int fd, Err *e)
{
    DIR *d = fdopendir(fd);
    struct dirent *entry;
    int bad = 0;
    if (!d) {
        bad = errno;
        close(fd);
        return err_errno(e, bad, "open folder");
    }
    while (!bad && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) bad = remove_at(dirfd(d), entry->d_name, e);
    closedir(d);
    return bad;
}

/* By handles, not by names put together: a folder swapped for a link in between leads nowhere. */
static int remove_at(int parent, const char *name, Err *e)
{
    if (!unlinkat(parent, name, 0) || errno == ENOENT) return 0;
    int why = errno;
    if (why != EISDIR && why != EPERM) return err_errno(e, why, name);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno == ENOTDIR ? why : errno, name);
    if (remove_inside(fd, e)) return err_wrap(e, "%s", name);
    if (unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT) return err_errno(e, errno, name);
    return 0;
}

int dir_remove(const char *path, Err *e) { return remove_at(AT_FDCWD, path, e); }

/* Full at every power of two. */
int names_add(Names *l, const char *name, Err *e)
{
    size_t n = strlen(name) + 1, have = (size_t)l->n;
    if (!(have & (have - 1)) && array_resize(&l->name, (have ? 2 * have : 1) * sizeof *l->name, "names of files", e)) return -1;
    char *copy = malloc(n);
    if (!copy) return err_nomem(e, n, "the name of a file");
    l->name[l->n++] = memcpy(copy, name, n);
    return 0;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int dir_list(Names *l, const char *path, Err *e)
{
    struct dirent *entry;
    int bad = 0;
    *l = (Names){0};
    DIR *d = opendir(path);
    if (!d) return err_errno(e, errno, path);
    while (!bad && (errno = 0, entry = readdir(d)))
        if (entry->d_name[0] != '.') bad = names_add(l, entry->d_name, e);
    if (!bad && errno) bad = err_errno(e, errno, path);
    closedir(d);
    if (bad) names_free(l);
    else if (l->n) qsort(l->name, (size_t)l->n, sizeof *l->name, by_bytes);
    return bad;
}

void names_free(Names *l)
{
    for (int i = 0; i < l->n; i++) free(l->name[i]);
    free(l->name);
    *l = (Names){0};
}

int out_open(Out *o, const char *path, Err *e)
{
    o->buf = NULL;
    o->n = 0;
    o->failed = 0;
    if (path_join(o->path, sizeof o->path, "", path, e)) return -1;
    snprintf(o->tmp, sizeof o->tmp, "%s.tmp-%ld", o->path, (long)getpid());
    char *buf = malloc(OUT_BUFFER);
    if (!buf) return err_nomem(e, OUT_BUFFER, "writing a file");
    o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        int why = errno;
        free(buf);
        return err_errno(e, why, path);
    }
    o->buf = buf;
    return 0;
}

static int put(Out *o, const char *p, size_t n, Err *e)
{
    while (n && !o->failed) {
        ssize_t done = write(o->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) { o->failed = errno; break; }
        p += done;
        n -= (size_t)done;
    }
    return o->failed ? err_errno(e, o->failed, o->path) : 0;
}

static int flush(Out *o, Err *e)
{
    size_t n = o->n;
    o->n = 0;
    return put(o, o->buf, n, e);
}

int out_write(Out *o, const void *p, size_t n, Err *e)
{
    if (n > OUT_BUFFER - o->n && flush(o, e)) return -1;
    if (n >= OUT_BUFFER) return put(o, p, n, e);
    if (n) memcpy(o->buf + o->n, p, n);
    o->n += n;
    return o->failed ? err_errno(e, o->failed, o->path) : 0;
}

int out_commit(Out *o, Err *e)
{
    int bad = flush(o, e);                          /* fails too if an earlier write did */
    if (!bad && fsync(o->fd)) bad = err_errno(e, errno, o->path);
    if (close(o->fd) && !bad) bad = err_errno(e, errno, o->path);
    free(o->buf);
    o->buf = NULL;
    if (!bad && rename(o->tmp, o->path)) bad = err_errno(e, errno, o->path);
    if (bad) unlink(o->tmp);
    return bad;
}

void out_drop(Out *o)
{
    if (!o->buf) return;
    close(o->fd);
    unlink(o->tmp);
    free(o->buf);
    o->buf = NULL;
}

int file_write(const char *path, const void *p, size_t n, Err *e)
{
    Out o;
    if (out_open(&o, path, e)) return -1;
    if (!out_write(&o, p, n, e)) return out_commit(&o, e);
    out_drop(&o);
    return -1;
}
