/* file.h - reading by mapping, writing so that a name never stands for half a file. */
#ifndef UTIL_FILE_H
#define UTIL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/str.h"

typedef struct Map { const unsigned char *p; size_t n; } Map;      /* a whole file, read-only; p NULL when the file is empty */

int  map_open(Map *m, const char *path, Err *e);
void map_close(Map *m);

int  path_join(char *out, size_t size, const char *dir, const char *name, Err *e);   /* -1: too long */
int  dir_make(const char *path, Err *e);                           /* with its parents; fine if it is there */
int  dir_sync(const char *path, Err *e);                           /* what was renamed into it survives a power cut */
int  dir_remove(const char *path, Err *e);                         /* with all below; fine if it is not there */
int  path_exists(const char *path);
int  path_is_dir(const char *path);
int64_t path_time(const char *path);                               /* of its last change, in nanoseconds; 0: unknown */
int64_t path_size(const char *path);                               /* bytes of a file; 0: unknown */

typedef struct Names { char **name; int n; } Names;                /* owned */
int  names_add(Names *l, const char *name, Err *e);                 /* a copy of it, at the end; l zeroed at first */
int  dir_list(Names *l, const char *path, Err *e);                 /* entries without those that begin with a dot, sorted by bytes */
void names_free(Names *l);

/* One file being written under a temporary name beside its own: open, write, then commit (flush, fsync, rename) or drop. */
typedef struct Out { int fd; char *buf; size_t n; int failed; char path[4096], tmp[4120]; } Out;    /* buf: owned, NULL unless open; failed: errno */
int  out_open(Out *o, const char *path, Err *e);
int  out_write(Out *o, const void *p, size_t n, Err *e);           /* names the file; "No space left on device" comes from here or commit */
int  out_commit(Out *o, Err *e);                                   /* closes in any case; on failure the temporary file is gone */
void out_drop(Out *o);                                             /* zeroed or committed is fine */
int  file_write(const char *path, const void *p, size_t n, Err *e);/* the three in one */

#endif
