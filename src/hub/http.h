/* http.h - GET with hand-made redirects: the token goes to the endpoint's own scheme, host and port and nowhere else. */
#ifndef HUB_HTTP_H
#define HUB_HTTP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "hub/env.h"
#include "util/str.h"

typedef struct Http { void *curl, *headers; const HubEnv *env; const atomic_int *stop; } Http;   /* of one thread; curl, headers: owned */

/* The answer at the end of the redirects. Texts are cut to their room. */
typedef struct Reply {
    long    status;
    int     at_endpoint;                 /* the endpoint gave it, so its status says something about the repository */
    int     broken;                      /* the transfer failed on the way: worth another try */
    char    url[4096];
    char    commit[64], etag[128];       /* of any hop */
    char    range[128], type[128], retry_after[64], rate[128], link[4096], code[64], said[256];
} Reply;

/* Bytes of an answer with status 200 or 206; -1 ends the transfer with its error. r: status, range and the like are known. */
typedef int HttpSink(void *user, const Reply *r, const void *p, size_t n, Err *e);

int  http_open(Http *h, const HubEnv *v, const atomic_int *stop, Err *e);
void http_close(Http *h);
/* from > 0: asks for the bytes from there on. 0: there is an answer, of whatever status; -1: none, or the sink's error. */
int  http_get(Http *h, const char *url, int64_t from, HttpSink *sink, void *user, Reply *r, Err *e);
int  http_text(Http *h, const char *url, Str *body, Reply *r, Err *e);       /* the same into a text of up to 64 MiB */
void http_quote(Str *to, const char *text, const char *safe);               /* percent-encodes all but letters, digits, "_.-~" and `safe` */

int  http_stopped(const atomic_int *stop, Err *e);                           /* -1 with the sentence for it if the run is to stop; stop NULL: never */
/* Sums up why an answer is no success. */
int  http_refused(const Reply *r, const char *what, Err *e);

#endif
