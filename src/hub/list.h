/* list.h - what a repository holds at one commit. */
#ifndef HUB_LIST_H
#define HUB_LIST_H

#include "hub/http.h"

typedef struct RepoFile { char *path; int64_t size; char etag[65]; } RepoFile;      /* path: owned; etag: SHA-256 of a large file, git's blob hash of a small one */
typedef struct RepoList { RepoFile *file; int n, cap; } RepoList;

typedef struct Hub {                     /* a repository and how to ask for it; one per thread, but for what is not owned */
    Http http;
    const HubEnv *env;                   /* not owned */
    const char *repo;                    /* "owner/name"; not owned */
    char commit[41];
    double pause_s;                      /* see HubSpec */
    struct Wait *wait;                   /* of all threads together; not owned */
} Hub;

int  hub_resolve(Hub *h, const char *revision, Err *e);         /* which commit that is; all else uses it */
int  hub_list(Hub *h, RepoList *l, Err *e);                     /* every file; paths are safe to use below a folder */
void list_free(RepoList *l);
int  path_is_safe(const char *path);                            /* relative, no "..", nothing below .cache */
int  list_page(RepoList *l, const char *text, size_t n, Err *e);    /* adds the files of a page of JSON */

#endif
