/* list.c - see list.h */
#include "hub/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/digest.h"
#include "hub/wait.h"
#include "util/hash.h"
#include "util/json.h"

/* A text of JSON from the Hub, asked for again while that may help. */
static int get_json(Hub *h, const char *url, const char *what, Str *body, Reply *r, Err *e)
{
    for (int attempt = 1;; attempt++) {
        int bad = wait_turn(h->wait, e) || http_text(&h->http, url, body, r, e);
        if (!bad && r->status == 200) break;
        if (!wait_transient(r) || attempt == ATTEMPTS) return bad ? err_wrap(e, "%s", what) : http_refused(r, what, e);
        if (wait_again(h->wait, r, attempt, h->pause_s, e)) return -1;
    }
    const char *first = body->p ? body->p + strspn(body->p, " \t\r\n") : "";
    if (*first == '[' || *first == '{') return 0;
    return err_set(e, FTS_NET, "%s: the answer (%s) is no list: is there a proxy or a log-in page on the way?", what, *r->type ? r->type : "of no type");
}

static int is_commit(const char *text) { return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40; }

static int read_sha(const Str *body, char commit[41], Err *e)
{
    Json j;
    char key[32];
    int more;
    json_init(&j, body->p, body->n);
    if (json_open(&j, '{', e)) return -1;
    while ((more = json_more(&j, e)) > 0) {
        if (json_key(&j, key, sizeof key, e)) return -1;
        if (strcmp(key, "sha") ? json_skip(&j, e) : json_string(&j, commit, 41, e)) return -1;
    }
    return more;
}

int hub_resolve(Hub *h, const char *revision, Err *e)
{
    Str url = {0}, body = {0};
    Reply r;
    char what[700];
    if (is_commit(revision)) {
        memcpy(h->commit, revision, 41);
        return 0;
    }
    snprintf(what, sizeof what, "%.300s at revision %.200s", h->repo, revision);
    str_addf(&url, "%s/api/datasets/%s/revision/", h->env->endpoint, h->repo);
    http_quote(&url, revision, "");
    str_addf(&url, "?expand=sha");
    int bad = str_ok(&url, e) || get_json(h, url.p, what, &body, &r, e) || read_sha(&body, h->commit, e);
    if (!bad && !is_commit(h->commit)) bad = err_set(e, FTS_NET, "%s: the answer names no commit", what);
    str_free(&url);
    str_free(&body);
    return bad ? -1 : 0;
}

int path_is_safe(const char *path)
{
    if (!*path || *path == '/' || strchr(path, '\\') || !strncmp(path, ".cache/", 7) || !strcmp(path, ".cache")) return 0;
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t n = strcspn(part, "/");
        if (!n || (n == 1 && *part == '.') || (n == 2 && !strncmp(part, "..", 2))) return 0;
    }
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) return 0;
    return 1;
}

typedef struct Item { char type[16], oid[65], lfs[80], path[4096]; int64_t size, lfs_size; } Item;

static int read_lfs(Json *j, Item *x, Err *e)
{
    char key[32];
    int more;
    if (json_peek(j) == 'n') return json_skip(j, e);
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        if (!strcmp(key, "oid") ? json_string(j, x->lfs, sizeof x->lfs, e) : !strcmp(key, "size") ? json_int(j, &x->lfs_size, e) : json_skip(j, e)) return -1;
    }
    return more;
}

static int read_item(Json *j, Item *x, Err *e)
{
    char key[32];
    int more;
    *x = (Item){.size = -1, .lfs_size = -1};
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        int bad = !strcmp(key, "type") ? json_string(j, x->type, sizeof x->type, e) : !strcmp(key, "oid") ? json_string(j, x->oid, sizeof x->oid, e)
                : !strcmp(key, "size") ? json_int(j, &x->size, e) : !strcmp(key, "path") ? json_string(j, x->path, sizeof x->path, e)
                : !strcmp(key, "lfs") ? read_lfs(j, x, e) : json_skip(j, e);
        if (bad) return -1;
    }
    return more;
}

static int add_file(RepoList *l, const Item *x, Err *e)
{
    const char *hash = *x->lfs ? !strncmp(x->lfs, "sha256:", 7) ? x->lfs + 7 : x->lfs : x->oid;
    int64_t size = *x->lfs && x->lfs_size >= 0 ? x->lfs_size : x->size;
    if (!path_is_safe(x->path)) return err_set(e, FTS_NET, "the repository lists a file named '%.200s', which could lead out of the folder: nothing was fetched", x->path);
    if (size < 0 || !digest_known(hash)) return err_set(e, FTS_NET, "the repository lists '%.200s' without a size and a hash that can be checked", x->path);
    if (l->n == l->cap) {
        size_t bytes = (size_t)(2 * l->cap + 64) * sizeof *l->file;
        RepoFile *grown = realloc(l->file, bytes);
        if (!grown) return err_nomem(e, bytes, "the list of files");
        l->file = grown;
        l->cap = 2 * l->cap + 64;
    }
    RepoFile *f = &l->file[l->n];
    *f = (RepoFile){.path = strdup(x->path), .size = size};
    if (!f->path) return err_nomem(e, strlen(x->path) + 1, "the list of files");
    memcpy(f->etag, hash, strlen(hash) + 1);
    l->n++;
    return 0;
}

int list_page(RepoList *l, const char *text, size_t n, Err *e)
{
    Json j;
    Item *x = malloc(sizeof *x);
    int more = -1, bad = !x ? err_nomem(e, sizeof *x, "the list of files") : 0;
    json_init(&j, text, n);
    bad = bad || json_open(&j, '[', e);
    while (!bad && (more = json_more(&j, e)) > 0) bad = read_item(&j, x, e) || (!strcmp(x->type, "file") && add_file(l, x, e));
    bad = bad || more || json_end(&j, e);
    free(x);
    return bad ? -1 : 0;
}

/* <URL>; rel="next" among the links. A mirror may name the Hub itself there: only what follows the host counts. */
static int next_url(const Hub *h, const char *link, Str *url)
{
    const char *rel = strstr(link, "rel=\"next\""), *from = rel, *path;
    while (from && from > link && *from != '<') from--;
    size_t n = from && *from == '<' ? strcspn(++from, ">") : 0;
    if (!n || !(path = strstr(from, "://")) || path > from + n || !(path = strchr(path + 3, '/')) || path > from + n) return 0;
    str_free(url);
    str_addf(url, "%s%.*s", h->env->endpoint, (int)(from + n - path), path);
    return 1;
}

/* A page that was asked for before. seen: hashes of the addresses so far. */
static int asked_before(Str *seen, const char *url)
{
    uint64_t h = hash_add(HASH_START, url, strlen(url)), old;
    for (size_t at = 0; at < seen->n; at += sizeof old) {
        memcpy(&old, seen->p + at, sizeof old);
        if (old == h) return 1;
    }
    str_add(seen, &h, sizeof h);
    return 0;
}

static int all_pages(Hub *h, RepoList *l, Str *url, Str *body, Err *e)
{
    Reply *r = malloc(sizeof *r);
    Str seen = {0};
    int bad = r ? 0 : err_nomem(e, sizeof *r, "a request"), more = 1;
    while (!bad && more) {
        if (str_ok(url, e) || str_ok(&seen, e)) bad = -1;
        else if (asked_before(&seen, url->p)) bad = err_set(e, FTS_NET, "%s: the list of files goes round in circles", h->repo);
        else bad = get_json(h, url->p, h->repo, body, r, e) || list_page(l, body->p, body->n, e);
        more = !bad && next_url(h, r->link, url);
    }
    str_free(&seen);
    free(r);
    return bad;
}

int hub_list(Hub *h, RepoList *l, Err *e)
{
    Str url = {0}, body = {0};
    str_addf(&url, "%s/api/datasets/%s/tree/%s?recursive=true&expand=false", h->env->endpoint, h->repo, h->commit);
    int bad = all_pages(h, l, &url, &body, e);
    str_free(&url);
    str_free(&body);
    return bad ? -1 : 0;
}

void list_free(RepoList *l)
{
    for (int i = 0; i < l->n; i++) free(l->file[i].path);
    free(l->file);
    *l = (RepoList){0};
}
