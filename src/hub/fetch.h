/* fetch.h - one file: from where it was left to the end, verified, renamed. */
#ifndef HUB_FETCH_H
#define HUB_FETCH_H

#include "hub/list.h"

typedef void FetchProgress(void *user, int64_t bytes);          /* that many more are on the disk; negative: some had to go */

int fetch_file(Hub *h, const char *dir, const RepoFile *f, FetchProgress *progress, void *user, Err *e);

#endif
