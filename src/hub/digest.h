/* digest.h - the two hashes by which the Hub names content: SHA-256 of a large file, git's blob SHA-1 of a small one. */
#ifndef HUB_DIGEST_H
#define HUB_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct Digest { void *ctx; } Digest;                       /* ctx: owned, NULL: closed */

/* etag: 64 hex digits or 40; size: of the whole content, which git hashes too. */
int  digest_open(Digest *d, const char *etag, int64_t size, Err *e);
int  digest_add(Digest *d, const void *p, size_t n, Err *e);
int  digest_matches(Digest *d, const char *etag, int *same, Err *e);      /* closes */
void digest_close(Digest *d);                                      /* zeroed is fine */
int  digest_known(const char *etag);                               /* 64 or 40 lower-case hex digits */

#endif
