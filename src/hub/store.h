/* store.h - the folder that is filled: which files are right already, where half ones lie, what huggingface_hub would note. */
#ifndef HUB_STORE_H
#define HUB_STORE_H

#include <stdatomic.h>

#include "hub/list.h"

/* Makes DIR with .cache/huggingface, which tells git and back-ups to pass it by. */
int  store_open(const char *dir, Err *e);
/* 1: DIR/path has that size and content (by its metadata, or hashed now, and noted), 0: not, -1: error or stopped. */
int  store_has(const char *dir, const RepoFile *f, const char *commit, const atomic_int *stop, Err *e);
int64_t store_partial(const char *dir, const RepoFile *f);                     /* bytes of a half one that is there */
int  store_part_path(char *path, size_t size, const char *dir, const RepoFile *f, Err *e);
int  store_publish(const char *dir, const RepoFile *f, const char *commit, Err *e);      /* the verified part gets the file's name, then its metadata */
int  store_parents(const char *path, Err *e);                                  /* folders above a file */

#endif
