/* support.h - a Hub of our own (server.py) with the repository org/tiny, and visits to it with everything they say written down. */
#ifndef TESTS_HUB_SUPPORT_H
#define TESTS_HUB_SUPPORT_H

#include "hub/hub.h"
#include "util/str.h"

#define SECRET "hf_NobodyElseMaySeeThis"

/* Starts the server once, makes it behave, and points the environment to it. 0 after a test_skip() or a failure. */
int  tiny_start(void);
const char *tiny_endpoint(void);
void tiny_set(const char *settings);                     /* "truncate=2&only=data-1" (see server.py) */
void tiny_clear(void);                                   /* forgets the requests so far */
const char *tiny_sha(int changed);
/* Requests whose line in the log has all of these texts; NULL: any. */
int  tiny_asked(const char *a, const char *b, const char *c);

typedef struct Visit {
    HubOpts    opts;
    atomic_int stop;
    double     stop_after_s;                             /* 0: never */
    double     pause_s, took_s;
    Str        answers, notices, all;                    /* all: every text and name of every event, and the error */
    int        steps;                                    /* STEP events named "download" */
    Err        e;
} Visit;

/* A run into `dir` with "option", "value", ..., NULL. 0 or -1 as hub_download says. */
int  visit(Visit *v, const char *dir, const char *const *pairs);
void visit_free(Visit *v);
#define VISIT(v, dir, ...) visit(v, dir, (const char *const[]){__VA_ARGS__, NULL})

const char *in(const char *dir, const char *name);       /* DIR/NAME, valid for 16 calls */
const char *plain(int changed, const char *name);        /* where the server wrote what it serves */
int  same(const char *a, const char *b);                 /* two files, or two folders with all below that begins with no dot */
int  arrived(const char *dir, int changed, const char *name);    /* DIR/name is what the server has */
int  tidy(const char *dir);                              /* below DIR/.cache there are metadata and nothing half done */
/* Files below dir, those with a dot too, whose path ends so. The last one stays in `last` unless NULL. */
int  files_ending(const char *dir, const char *ending, char last[512]);
void overwrite(const char *path, const char *text);
double seconds_now(void);

#endif
