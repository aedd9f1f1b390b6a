/* test_parts.c - what a download is made of, without a server: patterns, hashes, names, pages, patience, the environment. */
#include <stdlib.h>
#include <string.h>

#include "hub/digest.h"
#include "hub/list.h"
#include "hub/pattern.h"
#include "hub/wait.h"
#include "test.h"
#include "util/file.h"

/* As Python's fnmatchcase says (3.11). */
TEST(hub_pattern_is_fnmatchcase)
{
    static const struct { const char *pattern, *path; int yes; } row[] = {
        {"energy/**", "energy/meta.json", 1}, {"energy/**", "energy/bdg-2_bear/meta.json", 1}, {"energy/**/**", "energy/meta.json", 0},
        {"energy/**/**", "energy/bdg-2_bear/meta.json", 1}, {"energy*/**", "energy_x/y", 1}, {"energy", "energy/meta.json", 0},
        {"other/m4_daily/**", "other/m4_daily2/x", 0}, {"other/m4_daily*", "other/m4_daily2/x", 1}, {"**/*.lock", "x.lock", 0}, {"**/*.lock", "a/.x.lock", 1},
        {"a?c", "a/c", 1}, {"a?c", "a\xC3\xBC" "c", 1}, {"[a-c]x", "bx", 1}, {"[!a-c]x", "bx", 0}, {"[^a]x", "^x", 1}, {"[]]x", "]x", 1}, {"[x", "[x", 1},
        {"[!]a]x", "]x", 0}, {"[a-]x", "-x", 1}, {"{a,b}", "a", 0}, {"\\*", "\\x", 1}, {"A", "a", 0}, {"*", "", 1}, {"", "", 1}, {"", "a", 0},
        {"*a*b*c", "xxaxxbxxbxc", 1}, {"*a*b*c", "xxaxxcxxb", 0}, {"[\xC3\xA4-\xC3\xBC]", "\xC3\xB6", 1}, {"**a", "bba", 1}, {"a*", "a\nb", 1},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (pattern_match(row[i].pattern, row[i].path) != row[i].yes) test_fail(__FILE__, __LINE__, "'%s' and '%s': wanted %d", row[i].pattern, row[i].path, row[i].yes);
}

/* Stars must not cost a search of every way to place them. */
TEST(hub_pattern_is_quick_where_it_fails)
{
    char path[4001], pattern[401];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    for (int i = 0; i < 400; i += 2) memcpy(pattern + i, "*a", 2);
    pattern[399] = 'b';
    pattern[400] = 0;
    CHECK(!pattern_match(pattern, path));
}

TEST(hub_digest_knows_both_hashes)
{
    static const struct { const char *etag, *text; } row[] = {
        {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc"},         /* FIPS 180-2 */
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""},
        {"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", ""},                                    /* git hash-object of an empty file */
        {"ce013625030ba8dba906f756967f9e9ca394464a", "hello\n"}};
    Err e = {0};
    for (size_t i = 0; i < 4; i++) {
        Digest d = {NULL};
        int same = 0, n = (int)strlen(row[i].text);
        OK(digest_open(&d, row[i].etag, n, &e));
        for (int k = 0; k < n; k++) OK(digest_add(&d, row[i].text + k, 1, &e));
        OK(digest_matches(&d, row[i].etag, &same, &e));
        CHECK(same && digest_known(row[i].etag));
    }
    CHECK(!digest_known("") && !digest_known("E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391") && !digest_known("e69de29b"));
}

TEST(hub_paths_that_lead_out_are_not_safe)
{
    static const char *const bad[] = {"", "/a", "a/../b", "..", "../x", "a/..", "a\\b", "a//b", "./a", "a/.", ".cache/x", ".cache", "a\nb", "a/", "a\x7f"};
    static const char *const good[] = {"a", "a/b.json", "a/..b", "a/...", "a b/\xC3\xBC&.bin", "x/.cache/y", ".cachet"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (path_is_safe(bad[i])) test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!path_is_safe(good[i])) test_fail(__FILE__, __LINE__, "'%s' was not taken", good[i]);
}

#define BLOB "ce013625030ba8dba906f756967f9e9ca394464a"
#define LARGE "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

TEST(hub_list_page_reads_files_and_ignores_the_rest)
{
    static const char text[] = "[{\"type\":\"directory\",\"oid\":\"" BLOB "\",\"size\":0,\"path\":\"../is no file\"},"
        "{\"type\":\"file\",\"oid\":\"" BLOB "\",\"size\":6,\"path\":\"a/meta.json\",\"securityFileStatus\":{\"x\":[1]},\"lfs\":null},"
        "{\"path\":\"a/\\u00fc.bin\",\"xetHash\":\"x\",\"lfs\":{\"oid\":\"" LARGE "\",\"size\":75000000000,\"pointerSize\":134},\"size\":134,\"oid\":\"" BLOB "\",\"type\":\"file\"}]";
    Err e = {0};
    RepoList l = {0};
    OK(list_page(&l, text, sizeof text - 1, &e));
    CHECK(l.n == 2 && l.file[0].size == 6 && l.file[1].size == 75000000000);
    TEXT(l.file[0].path, "a/meta.json");
    TEXT(l.file[0].etag, BLOB);
    TEXT(l.file[1].path, "a/\xC3\xBC.bin");
    TEXT(l.file[1].etag, LARGE);
    list_free(&l);
}

TEST(hub_list_page_refuses_what_cannot_be_checked)
{
    static const char *const bad[] = {"{}", "[{\"type\":\"file\"}]", "[{\"type\":\"file\",\"oid\":\"" BLOB "\",\"size\":1,\"path\":\"../x\"}]",
        "[{\"type\":\"file\",\"oid\":\"nix\",\"size\":1,\"path\":\"x\"}]", "[{\"type\":\"file\",\"oid\":\"" BLOB "\",\"path\":\"x\"}]",
        "[{\"type\":\"file\",\"oid\":\"" BLOB "\",\"size\":-1,\"path\":\"x\"}]", "[", "[{\"type\":\"file\",\"oid\":\"" BLOB "\",\"size\":1e99,\"path\":\"x\"}]", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Err e = {0};
        RepoList l = {0};
        if (list_page(&l, bad[i], strlen(bad[i]), &e) != -1 || !*e.message) test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        list_free(&l);
    }
}

TEST(hub_wait_does_what_the_server_asks)
{
    Reply r = {.status = 429, .at_endpoint = 1, .rate = "\"resolvers\";r=0;t=55"};
    CHECK(wait_transient(&r) && wait_asked(&r) == 56);
    r = (Reply){.status = 503, .retry_after = "7"};
    CHECK(wait_transient(&r) && wait_asked(&r) == 8);
    r = (Reply){.status = 429, .rate = "\"api\";r=3;t=55"};
    CHECK(wait_asked(&r) == 0);
    r = (Reply){.status = 429, .retry_after = "100000"};
    CHECK(wait_asked(&r) == 600);
    r = (Reply){.status = 429, .retry_after = "Wed, 21 Oct 2015 07:28:00 GMT"};
    CHECK(wait_asked(&r) == 0);
    CHECK(!wait_transient(&(Reply){.status = 404, .at_endpoint = 1}) && !wait_transient(&(Reply){.status = 403, .at_endpoint = 1}));
    CHECK(wait_transient(&(Reply){.status = 403}) && wait_transient(&(Reply){.status = 206, .broken = 1}));
}

/* The environment of this test alone. */
static void environment(const char *home, const char *const *pairs)
{
    static const char *const all[] = {"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME",
        "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_IMPLICIT_TOKEN"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) unsetenv(all[i]);
    setenv("HOME", home, 1);
    for (; *pairs; pairs += 2) setenv(pairs[0], pairs[1], 1);
}
#define ENV(home, ...) environment(home, (const char *const[]){__VA_ARGS__, NULL})

TEST(hub_environment_in_its_order)
{
    Err e = {0};
    HubEnv v;
    char was[4096], path[4096];
    const char *home = test_folder();
    strncpy(was, getenv("HOME") ? getenv("HOME") : "", sizeof was - 1);
    was[sizeof was - 1] = 0;
    ENV(home, "HF_TOKEN", "", "HUGGINGFACE_HUB_TOKEN", "third");
    OK(env_read(&v, &e));
    TEXT(v.endpoint, "https://huggingface.co");
    TEXT(v.token, "third");
    CHECK(!v.offline && v.stall_s == 30 && v.connect_s == 10);
    ENV(home, "HUGGING_FACE_HUB_TOKEN", "second", "HUGGINGFACE_HUB_TOKEN", "third", "HF_HUB_OFFLINE", "yes", "HF_HUB_DOWNLOAD_TIMEOUT", "5", "HF_ENDPOINT", "http://127.0.0.1:80//");
    OK(env_read(&v, &e));
    TEXT(v.token, "second");
    TEXT(v.endpoint, "http://127.0.0.1:80");
    CHECK(v.offline && v.stall_s == 5);
    ENV(home, "HF_TOKEN", " first\r\nX-Evil: 1\n");
    OK(env_read(&v, &e));
    TEXT(v.token, "firstX-Evil: 1");
    OK(path_join(path, sizeof path, home, ".cache/huggingface", &e) || dir_make(path, &e) || path_join(path, sizeof path, home, ".cache/huggingface/token", &e) || file_write(path, "filed\n", 6, &e));
    ENV(home, "X", "1");
    OK(env_read(&v, &e));
    TEXT(v.token, "filed");
    ENV(home, "HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    OK(env_read(&v, &e));
    TEXT(v.token, "");
    ENV(home, "HF_ENDPOINT", "ftp://x");
    CHECK(env_read(&v, &e) == -1 && e.code == FTS_USAGE);
    ENV(was, "X", "1");
}

TEST(hub_quote_is_pythons)
{
    Str s = {0};
    http_quote(&s, "a b/\xC3\xBC+&~_-.()[]=@:,;!$#?%.bin", "/");
    TEXT(s.p, "a%20b/%C3%BC%2B%26~_-.%28%29%5B%5D%3D%40%3A%2C%3B%21%24%23%3F%25.bin");
    str_free(&s);
    http_quote(&s, "refs/pr/1", "");
    TEXT(s.p, "refs%2Fpr%2F1");
    str_free(&s);
}
