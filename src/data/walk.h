/* walk.h - from paths to the sources at or below them. */
#ifndef DATA_WALK_H
#define DATA_WALK_H

#include "data/source.h"
#include "util/opt.h"

typedef struct Found {
    char *path, *real;                   /* owned; real: without links */
    char *name;                          /* owned; below the path that was asked for, or all of it if several were */
    const Format *format;
} Found;

typedef struct Walk {
    Found  *found;                       /* (n) path by path as given, below each sorted by the bytes of names; owned */
    int     n, cap;
    int64_t ignored;                     /* files that are no data */
    int     excluded;                    /* sources at or below `exclude` */
} Walk;

int  walk_paths(Walk *w, const OptList *paths, const char *exclude, Err *e);
void walk_free(Walk *w);                 /* zeroed is fine */

#endif
