/* digest.c - see digest.h */
#include "hub/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { SHA1_HEX = 40, SHA256_HEX = 64 };

int digest_known(const char *etag)
{
    size_t n = strspn(etag, "0123456789abcdef");
    return !etag[n] && (n == SHA1_HEX || n == SHA256_HEX);
}

static int failed(Err *e) { return err_set(e, FTS_IO, "hashing failed inside the crypto library"); }

int digest_open(Digest *d, const char *etag, int64_t size, Err *e)
{
    int git = strlen(etag) == SHA1_HEX;
    char head[32];
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, git ? EVP_sha1() : EVP_sha256(), NULL) != 1) return failed(e);
    if (!git) return 0;
    int n = snprintf(head, sizeof head, "blob %lld", (long long)size);
    return digest_add(d, head, (size_t)n + 1, e);
}

int digest_add(Digest *d, const void *p, size_t n, Err *e) { return EVP_DigestUpdate(d->ctx, p, n) == 1 ? 0 : failed(e); }

int digest_matches(Digest *d, const char *etag, int *same, Err *e)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned n = 0;
    int bad = EVP_DigestFinal_ex(d->ctx, raw, &n) != 1;
    digest_close(d);
    if (bad) return failed(e);
    for (unsigned i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    *same = !strcmp(hex, etag);
    return 0;
}

void digest_close(Digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}
