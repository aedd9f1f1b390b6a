/* http.c - see http.h */
#include "hub/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOPS = 10, SAID = 4096, TEXT_MAX = 64 << 20 };

/* What one hop knows while it runs. */
typedef struct Hop { Http *h; Reply *r; HttpSink *sink; void *user; Err *e; char location[4096]; Str said; int failed; } Hop;

static int setup(CURL *c, const Http *h)
{
    const char *const names[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"};
    int bad = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) || curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L)
           || curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, strncmp(h->env->endpoint, "https:", 6) ? "http,https" : "https")
           || curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) || curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L)
           || curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, h->env->connect_s) || curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L)
           || curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, h->env->stall_s) || curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    for (int i = 0; i < 3; i++)
        if (getenv(names[i]) && *getenv(names[i])) bad |= curl_easy_setopt(c, CURLOPT_CAINFO, getenv(names[i])) != CURLE_OK;
    return bad;
}

int http_open(Http *h, const HubEnv *v, const atomic_int *stop, Err *e)
{
    *h = (Http){.env = v, .stop = stop, .curl = curl_easy_init()};
    if (!h->curl || setup(h->curl, h)) return err_set(e, FTS_NET, "the HTTP library could not be set up");
    return 0;
}

void http_close(Http *h)
{
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    *h = (Http){0};
}

static void keep(char *to, size_t size, const char *from, size_t n) { snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1), from); }

/* W/ and the quotes of an etag are no part of it. */
static void keep_etag(char *to, size_t size, const char *from, size_t n)
{
    if (n > 2 && !strncmp(from, "W/", 2)) { from += 2; n -= 2; }
    if (n > 1 && *from == '"' && from[n - 1] == '"') { from++; n -= 2; }
    keep(to, size, from, n);
}

static size_t on_header(char *p, size_t size, size_t n, void *user)
{
    Hop *hop = user;
    Reply *r = hop->r;
    const struct { const char *name; char *to; size_t room; } row[] = {
        {"location", hop->location, sizeof hop->location}, {"x-repo-commit", r->commit, sizeof r->commit}, {"content-range", r->range, sizeof r->range},
        {"content-type", r->type, sizeof r->type}, {"retry-after", r->retry_after, sizeof r->retry_after}, {"ratelimit", r->rate, sizeof r->rate},
        {"link", r->link, sizeof r->link}, {"x-error-code", r->code, sizeof r->code}, {"x-error-message", r->said, sizeof r->said}};
    const char *colon = memchr(p, ':', n), *from, *end = p + n;
    if (!colon) return size * n;
    for (from = colon + 1; from < end && (*from == ' ' || *from == '\t'); from++) { }
    while (end > from && strchr(" \t\r\n", end[-1])) end--;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strlen(row[i].name) == (size_t)(colon - p) && !strncasecmp(p, row[i].name, (size_t)(colon - p))) keep(row[i].to, row[i].room, from, (size_t)(end - from));
    if (colon - p == 13 && !strncasecmp(p, "x-linked-etag", 13)) keep_etag(r->etag, sizeof r->etag, from, (size_t)(end - from));
    return size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    Hop *hop = user;
    n *= size;
    curl_easy_getinfo(hop->h->curl, CURLINFO_RESPONSE_CODE, &hop->r->status);
    if (hop->r->status != 200 && hop->r->status != 206) {
        if (hop->said.n < SAID) str_add(&hop->said, p, n);
        return n;
    }
    if (!hop->sink(hop->user, hop->r, p, n, hop->e)) return n;
    hop->failed = 1;
    return 0;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const Hop *hop = user;
    (void)a; (void)b; (void)c; (void)d;
    return hop->h->stop && atomic_load(hop->h->stop);
}

/* Scheme, host and port of the endpoint, to the letter. */
static int same_origin(const char *endpoint, const char *url)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *a = curl_url(), *b = curl_url();
    int same = a && b && !curl_url_set(a, CURLUPART_URL, endpoint, 0) && !curl_url_set(b, CURLUPART_URL, url, 0);
    for (int i = 0; same && i < 3; i++) {
        char *x = NULL, *y = NULL;
        same = !curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) && !curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) && !strcasecmp(x, y);
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

/* The list is made anew for each hop, so that nothing of the last one goes along. */
static int set_headers(Http *h, const char *url, int64_t from)
{
    char line[600];
    struct curl_slist *l = curl_slist_append(NULL, "Accept-Encoding: identity"), *more = l;
    if (l && *h->env->token && same_origin(h->env->endpoint, url)) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", h->env->token);
        more = curl_slist_append(l, line);
    }
    if (more && from > 0) {
        snprintf(line, sizeof line, "Range: bytes=%lld-", (long long)from);
        more = curl_slist_append(l, line);
    }
    curl_slist_free_all(h->headers);
    h->headers = l;
    return !l || !more || curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, l) || curl_easy_setopt(h->curl, CURLOPT_URL, url)
        || curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "foundationts/" FTS_VERSION);
}

/* {"error": "..."} of an answer that is no success, where no header said it. */
static void find_said(Hop *hop)
{
    const char *at = hop->said.p ? strstr(hop->said.p, "\"error\":") : NULL, *from = at ? strchr(at + 8, '"') : NULL;
    if (!*hop->r->said && from) keep(hop->r->said, sizeof hop->r->said, from + 1, strcspn(from + 1, "\""));
}

int http_stopped(const atomic_int *stop, Err *e)
{
    return stop && atomic_load(stop) ? err_set(e, FTS_STOPPED, "stopped; what is there is kept, and the same command goes on") : 0;
}

static int transfer_error(const Hop *hop, CURLcode code, Err *e)
{
    if (hop->failed) return -1;                                     /* the sink said why */
    if (code == CURLE_ABORTED_BY_CALLBACK) return http_stopped(hop->h->stop, e);
    return err_set(e, FTS_NET, "%s", code == CURLE_OPERATION_TIMEDOUT ? "no byte came for too long" : curl_easy_strerror(code));
}

static int one_hop(Hop *hop, int64_t from, Err *e)
{
    CURL *c = hop->h->curl;
    *hop->location = *hop->r->range = *hop->r->type = 0;
    hop->r->status = 0;
    hop->r->at_endpoint = same_origin(hop->h->env->endpoint, hop->r->url);
    if (set_headers(hop->h, hop->r->url, from) || curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) || curl_easy_setopt(c, CURLOPT_HEADERDATA, hop)
        || curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) || curl_easy_setopt(c, CURLOPT_WRITEDATA, hop)
        || curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) || curl_easy_setopt(c, CURLOPT_XFERINFODATA, hop))
        return err_set(e, FTS_NET, "the HTTP library could not be set up for a request");
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &hop->r->status);
    find_said(hop);
    str_free(&hop->said);
    if (code == CURLE_OK) return 0;
    hop->r->broken = !hop->failed && code != CURLE_ABORTED_BY_CALLBACK;
    return transfer_error(hop, code, e);
}

/* Where the location leads; a relative one keeps scheme and host. No way leads from https to http. */
static int follow(Hop *hop, Err *e)
{
    char *to = NULL;
    CURLU *u = curl_url();
    int bad = !u || curl_url_set(u, CURLUPART_URL, hop->r->url, 0) || curl_url_set(u, CURLUPART_URL, hop->location, 0) || curl_url_get(u, CURLUPART_URL, &to, 0);
    if (!bad && !strncmp(hop->r->url, "https:", 6) && strncmp(to, "https:", 6)) bad = 1;
    if (!bad) bad = snprintf(hop->r->url, sizeof hop->r->url, "%s", to) >= (int)sizeof hop->r->url;
    curl_free(to);
    curl_url_cleanup(u);
    return bad ? err_set(e, FTS_NET, "the server redirects to an address that cannot be followed") : 0;
}

static int redirects(long s) { return s == 301 || s == 302 || s == 303 || s == 307 || s == 308; }

int http_get(Http *h, const char *url, int64_t from, HttpSink *sink, void *user, Reply *r, Err *e)
{
    Hop hop = {.h = h, .r = r, .sink = sink, .user = user, .e = e};
    *r = (Reply){0};
    if (snprintf(r->url, sizeof r->url, "%s", url) >= (int)sizeof r->url) return err_set(e, FTS_NET, "an address of more than %zu bytes", sizeof r->url);
    for (int i = 0; i < HOPS; i++) {
        if (one_hop(&hop, from, e)) return -1;
        if (!redirects(r->status) || !*hop.location) return 0;
        if (follow(&hop, e)) return -1;
    }
    return err_set(e, FTS_NET, "more than %d redirects one after the other", HOPS);
}

static int add_text(void *user, const Reply *r, const void *p, size_t n, Err *e)
{
    Str *s = user;
    (void)r;
    if (s->n + n > TEXT_MAX) return err_set(e, FTS_NET, "an answer of more than %d MiB where a list was expected", TEXT_MAX >> 20);
    str_add(s, p, n);
    return str_ok(s, e);
}

int http_text(Http *h, const char *url, Str *body, Reply *r, Err *e)
{
    str_free(body);
    return http_get(h, url, 0, add_text, body, r, e);
}

void http_quote(Str *to, const char *text, const char *safe)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        int plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("_.-~", *p) || strchr(safe, *p);
        str_addf(to, plain ? "%c" : "%%%02X", *p);
    }
}

int http_refused(const Reply *r, const char *what, Err *e)
{
    const char *said = *r->said ? r->said : "", *gap = *said ? ": " : "";
    if (r->status == 404 && !strcmp(r->code, "RevisionNotFound")) return err_set(e, FTS_NET, "%s: there is no such revision (404%s%s)", what, gap, said);
    if ((r->status == 401 || r->status == 403) && !strcmp(r->code, "GatedRepo"))
        return err_set(e, FTS_NET, "%s: the repository is gated: accept its terms on its web page, then set HF_TOKEN (%ld%s%s)", what, r->status, gap, said);
    if (r->status == 401 && strstr(said, "Invalid credentials")) return err_set(e, FTS_NET, "%s: the token in HF_TOKEN or the token file is not valid (401%s%s)", what, gap, said);
    if (r->status == 401 || !strcmp(r->code, "RepoNotFound"))
        return err_set(e, FTS_NET, "%s: not found, or private: then it needs a token in HF_TOKEN (%ld%s%s)", what, r->status, gap, said);
    if (r->status == 404) return err_set(e, FTS_NET, "%s: not found (404%s%s)", what, gap, said);
    return err_set(e, FTS_NET, "%s: the server answers %ld%s%s", what, r->status, gap, said);
}
