/* support.c - see support.h */
#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "util/file.h"

static const char script[] = "tests/hub/server.py";
static char folder[256], endpoint[64], commits[2][41];
static int port, state;                                  /* state 0: not tried yet, 1: it serves, -1: there is no Python, -2: no script, -3: it failed */

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *in(const char *dir, const char *name)
{
    static char path[16][512];
    static int turn;
    char *p = path[turn = (turn + 1) % 16];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

const char *plain(int changed, const char *name)
{
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", folder, changed ? "changed" : "base");
    return in(dir, name);
}

/* Its stdin closes when we end, however that happens, and then it ends too. */
static int launch(void)
{
    int to[2], from[2], status;
    char line[64] = "";
    if (access(script, R_OK)) return -2;
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) return -3;
    snprintf(folder, sizeof folder, "%s/served", test_folder());
    pid_t child = fork();
    if (!child) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        setenv("PYTHONUTF8", "1", 1);
        execlp("python3", "python3", script, folder, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    FILE *f = fdopen(from[0], "r");
    if (f && fgets(line, sizeof line, f) && sscanf(line, "%d", &port) == 1) return 1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -1 : -3;
}

/* GET of a control page by hand: the tests should not trust the code that they test. */
static void ask(const char *path, Str *body)
{
    char block[65536], line[1024];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    Str whole = {0};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n = snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    ssize_t got;
    if (connect(s, (struct sockaddr *)&at, sizeof at) || send(s, line, (size_t)n, 0) != n) test_fail(__FILE__, __LINE__, "the server does not answer to %s", path);
    while ((got = recv(s, block, sizeof block, 0)) > 0) str_add(&whole, block, (size_t)got);
    close(s);
    const char *end = whole.p ? strstr(whole.p, "\r\n\r\n") : NULL;
    if (!end || strncmp(whole.p + 9, "200", 3)) test_fail(__FILE__, __LINE__, "the server answers '%.100s' to %s", whole.p ? whole.p : "", path);
    if (end && body) str_add(body, end + 4, whole.n - (size_t)(end + 4 - whole.p));
    str_free(&whole);
}

static void set_environment(void)
{
    static const char *const unset[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_ETAG_TIMEOUT", "XDG_CACHE_HOME", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *home;
    if (!home) home = test_folder();
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++) unsetenv(unset[i]);
    setenv("HF_ENDPOINT", endpoint, 1);
    setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1", 1);
    setenv("HOME", home, 1);
}

int tiny_start(void)
{
    Str shas = {0};
    if (!state) {
        state = launch();
        snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", port);
    }
    if (state == -1) test_skip("no python3");
    if (state == -2) test_skip("tests/hub/server.py is not there: run the tests from the top folder");
    if (state == -3) test_fail(__FILE__, __LINE__, "%s does not start", script);
    if (state != 1) return 0;
    ask("/_reset", NULL);
    ask("/_sha", &shas);
    int n = sscanf(shas.p ? shas.p : "", "%40s %40s", commits[0], commits[1]);
    str_free(&shas);
    set_environment();
    return n == 2;
}

const char *tiny_endpoint(void) { return endpoint; }
const char *tiny_sha(int changed) { return commits[changed]; }
void tiny_clear(void) { ask("/_clear", NULL); }

void tiny_set(const char *settings)
{
    char path[900];
    snprintf(path, sizeof path, "/_set?%s", settings);
    ask(path, NULL);
}

int tiny_asked(const char *a, const char *b, const char *c)
{
    Str text = {0};
    int n = 0;
    ask("/_log", &text);
    char *save = NULL;
    for (char *line = text.n ? strtok_r(text.p, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
        n += (!a || strstr(line, a)) && (!b || strstr(line, b)) && (!c || strstr(line, c));
    str_free(&text);
    return n;
}

/* One thread at a time calls us, or the test is right to fail under a sanitizer. */
static void hear(void *user, const Event *ev)
{
    Visit *v = user;
    if (ev->kind == FTS_EVENT_ANSWER) str_addf(&v->answers, "%s\n", ev->text);
    if (ev->kind == FTS_EVENT_NOTICE) str_addf(&v->notices, "%s\n", ev->text);
    if (ev->kind == FTS_EVENT_STEP && ev->name && !strcmp(ev->name, "download")) v->steps++;
    str_addf(&v->all, "%s %s %s\n", ev->text ? ev->text : "", ev->name ? ev->name : "", ev->dir ? ev->dir : "");
}

static void *stop_later(void *user)
{
    Visit *v = user;
    double end = seconds_now() + v->stop_after_s;
    for (struct timespec t = {0, 10000000}; seconds_now() < end && !atomic_load(&v->stop);) nanosleep(&t, NULL);
    atomic_store(&v->stop, 1);
    return NULL;
}

int visit(Visit *v, const char *dir, const char *const *pairs)
{
    OptSet set = {hub_opts, nhub_opts, &v->opts};
    pthread_t waits;
    visit_free(v);
    str_add(&v->answers, "", 0);
    str_add(&v->notices, "", 0);
    str_add(&v->all, "", 0);
    int bad = opt_defaults(&set, 1, &v->e) || opt_set(&set, 1, "repo-id", "org/tiny", &v->e) || opt_set(&set, 1, "time300b-dir", dir, &v->e)
           || opt_set(&set, 1, "max-workers", "4", &v->e);
    for (; !bad && *pairs; pairs += 2) bad = opt_set(&set, 1, pairs[0], pairs[1], &v->e);
    if (bad) { test_fail(__FILE__, __LINE__, "%s", v->e.message); return -1; }
    HubSpec spec = {.opts = &v->opts, .events = {hear, v}, .stop = &v->stop, .pause_s = v->pause_s > 0 ? v->pause_s : 0.01};
    atomic_store(&v->stop, 0);
    if (v->stop_after_s > 0 && pthread_create(&waits, NULL, stop_later, v)) abort();
    double start = seconds_now();
    bad = hub_download(&spec, &v->e);
    v->took_s = seconds_now() - start;
    if (v->stop_after_s > 0) { atomic_store(&v->stop, 1); pthread_join(waits, NULL); }
    if (bad) str_addf(&v->all, "%s\n", v->e.message);
    opt_free(&set, 1);
    return bad;
}

void visit_free(Visit *v)
{
    str_free(&v->answers);
    str_free(&v->notices);
    str_free(&v->all);
    v->e = (Err){0};
    v->steps = 0;
}

static int same_bytes(const char *a, const char *b)
{
    Err e;
    Map x, y;
    if (map_open(&x, a, &e)) { printf("# %s\n", e.message); return 0; }
    if (map_open(&y, b, &e)) { printf("# %s\n", e.message); map_close(&x); return 0; }
    int equal = x.n == y.n && (!x.n || !memcmp(x.p, y.p, x.n));
    if (!equal) printf("# %s and %s differ\n", a, b);
    map_close(&x);
    map_close(&y);
    return equal;
}

int same(const char *a, const char *b)
{
    Err e;
    Names x, y;
    char one[512], two[512];
    if (!path_is_dir(a)) return same_bytes(a, b);
    if (dir_list(&x, a, &e)) { printf("# %s\n", e.message); return 0; }
    if (dir_list(&y, b, &e)) { printf("# %s\n", e.message); names_free(&x); return 0; }
    int equal = x.n == y.n;
    if (!equal) printf("# %s has %d entries, %s has %d\n", a, x.n, b, y.n);
    for (int i = 0; equal && i < x.n; i++) {
        snprintf(one, sizeof one, "%.250s/%.250s", a, x.name[i]);
        snprintf(two, sizeof two, "%.250s/%.250s", b, x.name[i]);
        equal = same(one, two);
    }
    names_free(&x);
    names_free(&y);
    return equal;
}

int arrived(const char *dir, int changed, const char *name)
{
    char want[512], got[512];
    snprintf(want, sizeof want, "%s", plain(changed, name));
    snprintf(got, sizeof got, "%s", in(dir, name));
    return same(want, got);
}

static const char *walk_ending;
static char walk_last[512];
static int walk_found;

static int look(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    size_t n = strlen(path), m = strlen(walk_ending);
    (void)st; (void)at;
    if (flag == FTW_D || n < m || strcmp(path + n - m, walk_ending)) return 0;
    walk_found++;
    snprintf(walk_last, sizeof walk_last, "%s", path);
    return 0;
}

int files_ending(const char *dir, const char *ending, char last[512])
{
    walk_ending = ending;
    walk_found = 0;
    *walk_last = 0;
    nftw(dir, look, 16, FTW_PHYS);
    if (last) memcpy(last, walk_last, sizeof walk_last);
    return walk_found;
}

int tidy(const char *dir)
{
    const char *cache = in(dir, ".cache");
    int all = files_ending(cache, "", NULL), known = files_ending(cache, ".metadata", NULL) + files_ending(cache, "/.gitignore", NULL)
          + files_ending(cache, "/CACHEDIR.TAG", NULL) + files_ending(cache, ".lock", NULL);
    if (all != known) printf("# %s has %d files, %d of them known\n", cache, all, known);
    return all == known && !files_ending(cache, ".json", NULL);
}

void overwrite(const char *path, const char *text)
{
    FILE *f = fopen(path, "r+");
    if (!f || fwrite(text, 1, strlen(text), f) != strlen(text) || fclose(f)) test_fail(__FILE__, __LINE__, "%s cannot be written", path);
}
