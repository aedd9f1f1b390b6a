/* The downloader against a Hub that does what the real one does, and then misbehaves. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"
#include "test.h"

#include "util/file.h"

#define BIG   "energy/a/data-1-of-2.bin"
#define SMALL "healthcare/hospital"
#define HAS(v, part) (v.all.p && strstr(v.all.p, part))
#define SAYS(v, part) do { if (!strstr(v.e.message, part)) { test_fail(__FILE__, __LINE__, "'%s' has no '%s'", v.e.message, part); return; } } while (0)
#define GOOD(v, call) do { if (call) { test_fail(__FILE__, __LINE__, "%s: %s", #call, v.e.message); return; } } while (0)
#define START() if (!tiny_start()) return

static const char resolve[] = "/resolve/", ranged[] = "\"range\": \"bytes=";

/* A folder to come, valid for 64 calls. */
static const char *fresh(void)
{
    static char path[64][128];
    static int turn;
    char *p = path[turn = (turn + 1) % 64];
    snprintf(p, sizeof path[0], "%s/out", test_folder());
    return p;
}

static int quiet(const char *part) { return !tiny_asked(resolve, part, NULL); }

TEST(hub_fetches_a_set_byte_for_byte)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    tiny_set("gzip=1");
    GOOD(v, VISIT(&v, dir, "partition-set", "train"));
    CHECK(arrived(dir, 0, "energy") && arrived(dir, 0, "finance") && tidy(dir));
    CHECK(!path_exists(in(dir, "other")) && !path_exists(in(dir, "healthcare")) && !path_exists(in(dir, "README.md")));
    CHECK(HAS(v, "nature") && HAS(v, "synthetic") && v.steps > 0 && v.answers.n > 0);       /* a built-in set with folders that are not there */
    CHECK(tiny_asked("\"encoding\": \"identity\"", NULL, NULL) == tiny_asked(NULL, NULL, NULL));
    CHECK(!tiny_asked("\"auth\": \"", NULL, NULL) && !tiny_asked("\"HEAD\"", NULL, NULL));
    CHECK(tiny_asked("/api/", "/revision/", NULL) == 1 && tiny_asked("/tree/", tiny_sha(0), "cursor") >= 3);
    CHECK(tiny_asked(resolve, NULL, NULL) == 7);                                            /* one for each file */
    tiny_clear();
    GOOD(v, VISIT(&v, dir, "partition-set", "train"));
    CHECK(quiet(NULL) && arrived(dir, 0, "energy"));
    dir = fresh();
    GOOD(v, VISIT(&v, dir, "partition-set", "debug"));
    CHECK(arrived(dir, 0, "other/m4_daily") && arrived(dir, 0, SMALL) && arrived(dir, 0, "finance"));
    CHECK(!path_exists(in(dir, "other/m4_daily2")) && !path_exists(in(dir, "energy")) && HAS(v, "sales/dominick"));
    visit_free(&v);
}

TEST(hub_metadata_is_that_of_huggingface_hub)
{
    Visit v = {0};
    Err e;
    Map m;
    char commit[64], etag[80], more[8];
    double when;
    struct stat st;
    START();
    const char *dir = fresh();
    GOOD(v, VISIT(&v, dir, "partitions", SMALL));
    static const char *const file[] = {SMALL "/data-1-of-1.bin", SMALL "/meta.json"};
    for (int i = 0; i < 2; i++) {
        char name[256], text[512];
        snprintf(name, sizeof name, ".cache/huggingface/download/%s.metadata", file[i]);
        OK(map_open(&m, in(dir, name), &e));
        snprintf(text, sizeof text, "%.*s", (int)m.n, (const char *)m.p);
        map_close(&m);
        CHECK(sscanf(text, "%63[^\n]\n%79[^\n]\n%lf%7s", commit, etag, &when, more) == 3 && text[strlen(text) - 1] == '\n');
        TEXT(commit, tiny_sha(0));
        CHECK(strlen(etag) == (i ? 40 : 64) && strspn(etag, "0123456789abcdef") == strlen(etag));
        CHECK(!stat(in(dir, file[i]), &st) && (double)st.st_mtime - 1 <= when && when <= (double)time(NULL) + 1);
    }
    OK(map_open(&m, in(dir, ".cache/huggingface/.gitignore"), &e));
    CHECK(m.n == 1 && *m.p == '*');
    map_close(&m);
    visit_free(&v);
}

/* A pattern, which of the folders it brings, which it does not. */
TEST(hub_patterns)
{
    static const struct { const char *pattern, *brings[3], *not[3]; } row[] = {
        {"energy/b", {"energy/b"}, {"energy/a", "finance"}},
        {"energy/b/", {"energy/b"}, {"energy/a", "finance"}},
        {"other/m4_daily", {"other/m4_daily"}, {"other/m4_daily2"}},
        {"other/m4_*", {"other/m4_daily", "other/m4_daily2"}, {"energy"}},
        {"*/m4_daily?, finance", {"other/m4_daily2", "finance/x"}, {"other/m4_daily"}},
        {"[a-h]ealthcare/[!x]ospital", {SMALL}, {"energy", "finance", "other"}},
        {"odd/with space \xc3\xa9", {"odd/with space \xc3\xa9"}, {"odd/empty.bin"}},
        {"odd", {"odd"}, {"other"}}};
    Visit v = {0};
    START();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *dir = fresh();
        GOOD(v, VISIT(&v, dir, "partitions", row[i].pattern));
        for (int k = 0; k < 3 && row[i].brings[k]; k++) CHECK(arrived(dir, 0, row[i].brings[k]));
        for (int k = 0; k < 3 && row[i].not[k]; k++) CHECK(!path_exists(in(dir, row[i].not[k])));
        CHECK(tidy(dir));
    }
    visit_free(&v);
}

TEST(hub_pattern_without_a_match)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    CHECK(VISIT(&v, dir, "partitions", "finance,energy/c") && v.e.code == FTS_USAGE);
    SAYS(v, "energy/c");
    SAYS(v, "energy/a");
    SAYS(v, "energy/b");
    CHECK(quiet(NULL) && !path_exists(in(dir, "finance")));
    CHECK(VISIT(&v, dir, "partitions", "energ") && strstr(v.e.message, "energy"));
    visit_free(&v);
}

TEST(hub_dry_run_and_nothing_to_do)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    GOOD(v, VISIT(&v, dir, "partitions", "energy", "dry-run", NULL));
    CHECK(strstr(v.answers.p, BIG) && strstr(v.answers.p, "400000") && strstr(v.answers.p, tiny_sha(0)));
    CHECK(quiet(NULL) && !path_exists(dir));
    tiny_clear();
    GOOD(v, VISIT(&v, dir, "no-time300b", NULL));
    setenv("HF_HUB_OFFLINE", "1", 1);
    CHECK(VISIT(&v, dir, "partitions", "energy") && v.e.code == FTS_NET);
    SAYS(v, "HF_HUB_OFFLINE");
    CHECK(!tiny_asked(NULL, NULL, NULL) && !path_exists(dir));
    visit_free(&v);
}

TEST(hub_revisions)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    setenv("HF_ENDPOINT", in(tiny_endpoint(), ""), 1);                   /* a slash at its end does not matter */
    GOOD(v, VISIT(&v, dir, "partitions", "energy/b", "revision", "refs/pr/1"));
    CHECK(arrived(dir, 1, "energy/b") && tiny_asked("/revision/", NULL, NULL) == 1);
    tiny_clear();
    GOOD(v, VISIT(&v, dir, "partitions", "energy/b", "revision", tiny_sha(0)));
    CHECK(arrived(dir, 0, "energy/b") && tidy(dir));
    CHECK(VISIT(&v, dir, "partitions", "energy/b", "revision", "nope"));
    SAYS(v, "nope");
    SAYS(v, "revision");
    visit_free(&v);
}

/* A body that ends early goes on where it ended, each time with a new address. */
TEST(hub_resumes_what_broke)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    tiny_set("truncate=3&only=data-1-of-2");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(tiny_asked("\"cdn\"", "bytes=200000-\"", NULL) == 1 && tiny_asked("\"cdn\"", "bytes=300000-\"", NULL) == 1 && tiny_asked("\"cdn\"", "bytes=350000-\"", NULL) == 1);
    CHECK(tiny_asked(resolve, BIG, NULL) == 4 && arrived(dir, 0, "energy/a") && tidy(dir));
    START();
    dir = fresh();
    tiny_set("reset=3");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(tiny_asked("\"cdn\"", ranged, NULL) >= 1 && arrived(dir, 0, "energy/a") && tidy(dir));
    visit_free(&v);
}

TEST(hub_ranges_that_are_not_honoured)
{
    static const char *const way[] = {"truncate=1&ignore_range=1", "truncate=1&range_416=1", "truncate=1&bad_range=1", "truncate=2&range_416=1&bad_range=1"};
    Visit v = {0};
    for (int i = 0; i < 4; i++) {
        START();
        const char *dir = fresh();
        tiny_set(way[i]);
        tiny_set("only=data-1-of-2");
        GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
        CHECK(tiny_asked("\"cdn\"", ranged, NULL) >= 1 && arrived(dir, 0, "energy/a") && tidy(dir));
    }
    visit_free(&v);
}

/* Half, then 416, then half again: bytes come all the time, and yet there is no headway. */
TEST(hub_gives_up_without_headway)
{
    Visit v = {.stop_after_s = 6};
    START();
    const char *dir = fresh();
    tiny_set("truncate=-1&range_416=-1&only=data-1-of-2");
    CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_NET);
    SAYS(v, BIG);
    CHECK(!path_exists(in(dir, BIG)));
    visit_free(&v);
}

TEST(hub_wrong_bytes)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    tiny_set("wrong=1&only=data-1-of-2");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(arrived(dir, 0, "energy/a") && tiny_asked(resolve, BIG, NULL) == 2);
    START();
    dir = fresh();
    tiny_set("wrong=-1&only=data-1-of-2");
    CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_NET);
    SAYS(v, BIG);
    CHECK(!path_exists(in(dir, BIG)) && tiny_asked(resolve, BIG, NULL) <= 4);
    tiny_set("wrong=0");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(arrived(dir, 0, "energy/a") && tidy(dir));
    START();
    dir = fresh();
    tiny_set("wrong=-1&only=energy/b/meta");                             /* a git blob is checked too */
    CHECK(VISIT(&v, dir, "partitions", "energy/b") && !path_exists(in(dir, "energy/b/meta.json")));
    SAYS(v, "energy/b/meta.json");
    visit_free(&v);
}

TEST(hub_sizes_that_lie)
{
    static const char *const lie[] = {"7", "-7", "-100001"};
    Visit v = {.stop_after_s = 10};
    char set[64];
    for (int i = 0; i < 3; i++) {
        START();
        const char *dir = fresh();
        snprintf(set, sizeof set, "lie=%s&only=data-1-of-2", lie[i]);
        tiny_set(set);
        CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_NET);
        SAYS(v, BIG);
        CHECK(!path_exists(in(dir, BIG)));
    }
    START();
    const char *dir = fresh();
    tiny_set("lie=1000000000000000&only=data-1-of-2");
    CHECK(VISIT(&v, dir, "partitions", "energy/a", "yes", NULL) && v.e.code == FTS_IO);
    SAYS(v, "room");
    CHECK(quiet(NULL));
    visit_free(&v);
}

TEST(hub_waits_and_asks_again)
{
    static const char *const way[] = {"resolve=429:2&ratelimit=%22resolvers%22;r=0;t=2", "resolve=429:2&retry_after=2", "resolve=503:2&date_after=1", "resolve=500:3",
        "api=503:2", "api=429:3&retry_after=1", "cdn=500:2", "cdn=403:2", "cdn=400:1&only=data-1", "resolve=408:1", "resolve=504:1", "html=2"};
    Visit v = {0};
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        START();
        const char *dir = fresh();
        tiny_set(way[i]);
        GOOD(v, VISIT(&v, dir, "partitions", SMALL));
        CHECK(arrived(dir, 0, SMALL) && tidy(dir));
    }
    START();
    v.pause_s = 0.1;                                                     /* scales what the server asks for as well: (2 + 1) s, a tenth of it */
    tiny_set("resolve=429:1&retry_after=2");
    GOOD(v, VISIT(&v, fresh(), "partitions", SMALL));
    CHECK(v.took_s > 0.25);
    CHECK(strstr(v.notices.p, "the server answered 429; asking again in 1 s\n"));
    visit_free(&v);
}

TEST(hub_refusals_say_what_to_do)
{
    static const struct { const char *set, *says[3]; int most; } row[] = {      /* most: requests for a file; 0: none */
        {"api=401:-1", {"org/tiny", "HF_TOKEN", "401"}, 0},
        {"api=404:-1&error_code=RepoNotFound", {"org/tiny", "404", "HF_TOKEN"}, 0},
        {"api=403:-1&error_code=GatedRepo", {"org/tiny", "gated", "403"}, 0},
        {"api=401:-1&error_code=GatedRepo", {"org/tiny", "gated", "401"}, 0},
        {"api=403:-1&error_message=Access%20to%20this%20resource%20is%20disabled.", {"org/tiny", "disabled", "403"}, 0},
        {"api=404:-1&error_code=RevisionNotFound", {"main", "revision", "404"}, 0},
        {"api=500:-1", {"org/tiny", "500"}, 0},
        {"resolve=404:-1&error_code=EntryNotFound", {SMALL, "404"}, 2},
        {"resolve=403:-1&only=data", {SMALL "/data-1-of-1.bin", "403"}, 1},
        {"resolve=503:-1&only=data", {SMALL "/data-1-of-1.bin", "503"}, 10},
        {"cdn=403:-1", {SMALL "/data-1-of-1.bin", "403"}, 10},
        {"html=-1&only=data", {SMALL "/data-1-of-1.bin"}, 10},
        {"loop=1&only=data", {SMALL "/data-1-of-1.bin", "redirect"}, 90},
        {"token=good", {"HF_TOKEN", "valid"}, 0}};
    Visit v = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        START();
        const char *dir = fresh();
        tiny_set(row[i].set);
        setenv("HF_TOKEN", SECRET, 1);
        if (!VISIT(&v, dir, "partitions", SMALL) || v.e.code != FTS_NET) test_fail(__FILE__, __LINE__, "%s: code %d, '%s'", row[i].set, v.e.code, v.e.message);
        for (int k = 0; k < 3 && row[i].says[k]; k++) SAYS(v, row[i].says[k]);
        CHECK(!path_exists(in(dir, SMALL "/data-1-of-1.bin")) && tiny_asked(resolve, "/data-1", NULL) <= row[i].most && !HAS(v, SECRET));
    }
    START();
    CHECK(VISIT(&v, fresh(), "repo-id", "org/none", "partitions", "x"));
    SAYS(v, "org/none");
    SAYS(v, "HF_TOKEN");
    visit_free(&v);
}

TEST(hub_bad_names_and_dead_endpoints)
{
    static const char *const bad[] = {"tiny", "a/b/c", "a/..", "/tiny", "org/", "org/a?b", "org/a b", "../x"};
    Visit v = {0};
    START();
    const char *dir = fresh();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(VISIT(&v, dir, "repo-id", bad[i]) && v.e.code == FTS_USAGE);
    setenv("HF_ENDPOINT", "ftp://127.0.0.1", 1);
    CHECK(VISIT(&v, dir, "partitions", "energy") && v.e.code == FTS_USAGE);
    SAYS(v, "HF_ENDPOINT");
    CHECK(!tiny_asked(NULL, NULL, NULL));
    setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
    CHECK(VISIT(&v, dir, "partitions", "energy") && v.e.code == FTS_NET && !path_exists(in(dir, "energy")));
    visit_free(&v);
}

static int leaks(const Visit *v)
{
    return tiny_asked(SECRET, "\"port\": \"cdn\"", NULL) + tiny_asked(SECRET, "\"port\": \"evil\"", NULL) + tiny_asked(SECRET, "\"host\": \"localhost", NULL)
         + (v->all.p && strstr(v->all.p, SECRET) != NULL);
}

TEST(hub_token_stays_at_the_endpoint)
{
    static const char *const way[] = {"evil=0", "evil=1", "evil=2", "evil=3", "link_out=1", "cdn=500:1", "resolve=500:-1", "cdn=403:-1"};
    Visit v = {0};
    for (int i = 0; i < 8; i++) {
        START();
        const char *dir = fresh();
        setenv("HF_TOKEN", SECRET, 1);
        tiny_set("token=" SECRET);
        if (i) tiny_set(way[i]);
        int bad = VISIT(&v, dir, "partitions", SMALL);
        CHECK(tiny_asked("Bearer " SECRET "\"", "/api/", NULL) >= 2);
        if (leaks(&v)) test_fail(__FILE__, __LINE__, "%s: the token got away", way[i]);
        if (i < 3 || i == 5) CHECK(!bad && arrived(dir, 0, SMALL) && tiny_asked(SECRET, resolve, NULL) >= 2);
        if (i == 4) CHECK(!tiny_asked("\"evil\"", NULL, NULL));
        if (i == 6) CHECK(bad);
    }
    visit_free(&v);
}

/* Where it comes from, and that a line end in it adds no header. */
TEST(hub_token_sources)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"};
    Visit v = {0};
    Err e;
    char home[512];
    for (int i = 0; i < 4; i++) {
        START();
        tiny_set("token=" SECRET);
        snprintf(home, sizeof home, "%s", test_folder());
        if (i < 3) setenv(names[i], " hf_Nobody\r\nElseMaySeeThis\n", 1);
        else {
            setenv("HOME", home, 1);
            OK(dir_make(in(home, ".cache/huggingface"), &e));
            OK(file_write(in(home, ".cache/huggingface/token"), SECRET "\n", sizeof SECRET, &e));
        }
        GOOD(v, VISIT(&v, fresh(), "partitions", SMALL));
        CHECK(!leaks(&v));
    }
    visit_free(&v);
}

TEST(hub_names_that_lead_out)
{
    static const char *const name[] = {"../x", "/abs", "a/../../x", "a\\..\\b", "..", ".", "a/..", "a//b", "./a", ".cache/huggingface/x", "C:\\x", "a%00b", ""};
    Visit v = {0};
    Err e;
    Names l;
    char set[128];
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        START();
        const char *top = test_folder(), *dir = in(top, "out");
        snprintf(set, sizeof set, "traversal=%s", name[i]);
        tiny_set(set);
        int bad = VISIT(&v, dir, "partitions", "*");
        OK(dir_list(&l, top, &e));
        if (!bad || !quiet(NULL) || l.n > 1 || path_exists("/abs")) test_fail(__FILE__, __LINE__, "'%s' was not refused", name[i]);
        names_free(&l);
    }
    visit_free(&v);
}

TEST(hub_list_that_never_ends)
{
    Visit v = {.stop_after_s = 4};
    START();
    tiny_set("repeat_link=1");
    CHECK(VISIT(&v, fresh(), "partitions", SMALL) && v.e.code == FTS_NET && tiny_asked("/tree/", NULL, NULL) < 50);
    visit_free(&v);
}

TEST(hub_stalls_end)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    tiny_set("stall=8:1&only=data-1-of-2");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(v.took_s < 6 && tiny_asked("\"cdn\"", ranged, NULL) == 1 && arrived(dir, 0, "energy/a"));
    visit_free(&v);
}

TEST(hub_another_commit)
{
    Visit v = {0};
    Err e;
    Map m;
    START();
    const char *dir = fresh();
    GOOD(v, VISIT(&v, dir, "partitions", "energy"));
    tiny_clear();
    tiny_set("changed=1&cdn=500:-1");
    CHECK(VISIT(&v, dir, "partitions", "energy"));
    CHECK(arrived(dir, 0, BIG) && tiny_asked(resolve, "energy/a/data-2", NULL) == 0);       /* the old one is there until the new one is */
    tiny_set("cdn=500:0&wrong=-1");
    CHECK(VISIT(&v, dir, "partitions", "energy") && arrived(dir, 0, BIG));
    tiny_set("wrong=0");
    tiny_clear();
    GOOD(v, VISIT(&v, dir, "partitions", "energy"));
    CHECK(arrived(dir, 1, "energy") && tidy(dir) && tiny_asked(resolve, NULL, NULL) <= 2);
    OK(map_open(&m, in(dir, ".cache/huggingface/download/" BIG ".metadata"), &e));
    CHECK(m.n > 40 && !memcmp(m.p, tiny_sha(1), 40));
    map_close(&m);
    visit_free(&v);
}

/* Files that somebody else put there, cut, or changed. */
TEST(hub_files_that_are_there)
{
    Visit v = {0};
    char command[1100];
    struct timespec later[2] = {{.tv_sec = time(NULL) + 100}, {.tv_sec = time(NULL) + 100}};
    START();
    const char *dir = fresh();
    snprintf(command, sizeof command, "mkdir -p '%s/energy' && cp -r '%s' '%s/energy/'", dir, plain(0, "energy/a"), dir);
    CHECK(!system(command));
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(quiet(NULL) && tidy(dir) && files_ending(in(dir, ".cache"), ".metadata", NULL) == 3);
    CHECK(!truncate(in(dir, BIG), 1000));
    overwrite(in(dir, "energy/a/data-2-of-2.bin"), "other bytes");
    CHECK(!utimensat(AT_FDCWD, in(dir, "energy/a/data-2-of-2.bin"), later, 0));
    CHECK(!unlink(in(dir, "energy/a/meta.json")));
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(tiny_asked(resolve, NULL, NULL) == 3 && arrived(dir, 0, "energy/a"));
    overwrite(in(dir, ".cache/huggingface/download/" BIG ".metadata"), "\n\n\n nonsense");
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(arrived(dir, 0, "energy/a"));
    visit_free(&v);
}

TEST(hub_stop_and_go_on)
{
    Visit v = {.stop_after_s = 0.4};
    char part[512];
    START();
    const char *dir = fresh();
    tiny_set("slow=20&piece=4096");
    CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_STOPPED && v.took_s < 4);
    CHECK(!path_exists(in(dir, BIG)));
    tiny_set("slow=0&piece=65536");
    tiny_clear();
    v.stop_after_s = 0;
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(tiny_asked("\"cdn\"", ranged, NULL) >= 1 && arrived(dir, 0, "energy/a") && tidy(dir));
    dir = fresh();
    tiny_set("slow=20&piece=4096");
    v.stop_after_s = 0.4;
    CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_STOPPED);
    CHECK(files_ending(in(dir, ".cache"), ".part", part) >= 1);
    overwrite(part, "rotten");                                           /* what lies there is not trusted */
    tiny_set("slow=0&piece=65536");
    v.stop_after_s = 0;
    GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
    CHECK(arrived(dir, 0, "energy/a") && tidy(dir));
    v.stop_after_s = 0.3;                                                /* while it waits */
    v.pause_s = 30;
    tiny_set("api=503:-1");
    CHECK(VISIT(&v, dir, "partitions", "energy/a") && v.e.code == FTS_STOPPED && v.took_s < 4);
    visit_free(&v);
}

static pid_t visit_in_child(const char *dir, const char *partitions)
{
    pid_t child = fork();
    if (child) return child;
    Visit v = {0};
    _exit(VISIT(&v, dir, "partitions", partitions) != 0);
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

TEST(hub_survives_kill_9)
{
    static const char *const file[] = {BIG, "energy/a/data-2-of-2.bin", "energy/a/meta.json", "energy/b/data-1-of-1.bin", "energy/b/meta.json"};
    Visit v = {0};
    unsigned dice = 7;
    int status;
    START();
    const char *dir = fresh();
    tiny_set("slow=25&piece=4096");
    for (int round = 0; round < 20; round++) {
        pid_t child = visit_in_child(dir, "energy");
        CHECK(child > 0);
        dice = dice * 1103515245u + 12345u;
        sleep_ms(20 + dice / 65536 % 180);
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child);
        for (int i = 0; i < 5; i++) CHECK(!path_exists(in(dir, file[i])) || arrived(dir, 0, file[i]));
    }
    tiny_set("slow=0&piece=65536");
    GOOD(v, VISIT(&v, dir, "partitions", "energy"));
    CHECK(tiny_asked("\"cdn\"", ranged, NULL) >= 1 && arrived(dir, 0, "energy") && tidy(dir));
    visit_free(&v);
}

/* They may refuse one another, but what has a name is right, and stays right. */
TEST(hub_two_at_once)
{
    static const char *const file[] = {BIG, "energy/a/data-2-of-2.bin", "energy/a/meta.json"};
    Visit v = {0};
    for (int round = 0; round < 5; round++) {
        START();
        const char *dir = fresh();
        tiny_set("slow=2&piece=16384&wrong=1&only=data-1-of-2");
        pid_t a = visit_in_child(dir, "energy/a"), b = visit_in_child(dir, "energy/a");
        int x, y;
        CHECK(waitpid(a, &x, 0) == a && waitpid(b, &y, 0) == b && WIFEXITED(x) && WIFEXITED(y));
        for (int i = 0; i < 3; i++) CHECK(!path_exists(in(dir, file[i])) || arrived(dir, 0, file[i]));
        GOOD(v, VISIT(&v, dir, "partitions", "energy/a"));
        CHECK(arrived(dir, 0, "energy/a") && tidy(dir));
    }
    visit_free(&v);
}

TEST(hub_folder_that_cannot_be_written)
{
    Visit v = {0};
    Err e;
    START();
    const char *top = test_folder(), *dir = in(top, "out");
    OK(file_write(in(top, "file"), "x", 1, &e));
    CHECK(VISIT(&v, in(top, "file/out"), "partitions", SMALL) && v.e.code == FTS_IO);
    SAYS(v, "file");
    CHECK(quiet(NULL));
    OK(dir_make(in(dir, SMALL "/meta.json"), &e));                       /* a folder where a file should be */
    CHECK(VISIT(&v, dir, "partitions", SMALL) && v.e.code == FTS_IO);
    SAYS(v, "meta.json");
    OK(dir_make(in(top, "locked"), &e));
    CHECK(!chmod(in(top, "locked"), 0500));
    int bad = VISIT(&v, in(top, "locked/out"), "partitions", SMALL);
    CHECK(geteuid() ? bad && v.e.code == FTS_IO : !bad);                 /* root may write anywhere */
    visit_free(&v);
}

TEST(hub_no_memory_and_no_room)
{
    Visit v = {0};
    START();
    const char *dir = fresh();
    for (long n = 1;; n += 1 + n / 6) {
        Err e = {0};
        OptSet set = {hub_opts, nhub_opts, &v.opts};
        OK(opt_defaults(&set, 1, &e) || opt_set(&set, 1, "repo-id", "org/tiny", &e) || opt_set(&set, 1, "time300b-dir", dir, &e) || opt_set(&set, 1, "partitions", SMALL, &e));
        HubSpec spec = {.opts = &v.opts, .stop = &v.stop, .pause_s = 0.001};
        test_alloc_fail(n);
        int bad = hub_download(&spec, &e);
        test_alloc_fail(0);
        opt_free(&set, 1);
        if (!bad) break;
        if (e.code != FTS_NOMEM) { test_fail(__FILE__, __LINE__, "allocation %ld: code %d, '%s'", n, e.code, e.message); return; }
        CHECK(n < 5000);
    }
    CHECK(arrived(dir, 0, SMALL));
    dir = fresh();
    for (long n = 1;; n++) {
        test_write_fail(n);
        int bad = VISIT(&v, dir, "partitions", SMALL);
        test_write_fail(0);
        if (!bad) break;
        CHECK(v.e.code == FTS_IO && n < 40);
        if (path_exists(in(dir, SMALL "/data-1-of-1.bin"))) CHECK(arrived(dir, 0, SMALL "/data-1-of-1.bin"));
    }
    CHECK(arrived(dir, 0, SMALL) && tidy(dir));
    visit_free(&v);
}
