#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "util/err.h"
#include "util/event.h"
#include "util/hash.h"
#include "util/str.h"

TEST(err_set_and_wrap_tell_the_place_first)
{
    Err e = {0};
    CHECK(err_set(&e, FTS_FORMAT, "dtype is %s", "int8") == -1);
    CHECK(e.code == FTS_FORMAT);
    CHECK(err_wrap(&e, "line %d", 3) == -1 && err_wrap(&e, "meta.json") == -1);
    TEXT(e.message, "meta.json: line 3: dtype is int8");
    CHECK(e.code == FTS_FORMAT);
}

TEST(err_long_messages_are_cut)
{
    Err e = {0};
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&e, FTS_IO, "%s", text);
    CHECK(strlen(e.message) == sizeof e.message - 1);
    err_wrap(&e, "place");
    CHECK(strlen(e.message) == sizeof e.message - 1 && !strncmp(e.message, "place: xxx", 10));
    err_wrap(&e, "%s", text);
    CHECK(strlen(e.message) == sizeof e.message - 1);
}

TEST(err_errno_and_nomem)
{
    Err e = {0};
    CHECK(err_errno(&e, ENOENT, "/a/b") == -1 && e.code == FTS_IO);
    TEXT(e.message, "/a/b: No such file or directory");
    CHECK(err_nomem(&e, 2500000, "weights") == -1 && e.code == FTS_NOMEM);
    TEXT(e.message, "no memory for weights (2.5 MB)");
}

static void hear(void *user, const FtsEvent *e) { *(FtsCode *)user = e->kind == FTS_EVENT_NOTICE && !strcmp(e->text, "7 of 9") ? FTS_STOPPED : FTS_OK; }

TEST(event_say_reaches_the_listener)
{
    FtsCode heard = FTS_OK;
    event_say(&(Events){0}, FTS_EVENT_NOTICE, "nobody listens");
    event_say(&(Events){hear, &heard}, FTS_EVENT_NOTICE, "%d of %d", 7, 9);
    CHECK(heard == FTS_STOPPED);
}

TEST(str_grows_and_is_always_ended)
{
    Err e = {0};
    Str s = {0};
    size_t bad = 0;
    for (int i = 0; i < 1000; i++) {
        str_addf(&s, "%03d", i);
        str_add(&s, ",", 1);
        bad += s.p[s.n] != 0;
    }
    OK(str_ok(&s, &e));
    CHECK(s.n == 4000 && !bad && !memcmp(s.p + 3996, "999,", 5));
    str_add(&s, "a\0b", 3);
    CHECK(s.n == 4003 && !memcmp(s.p + 4000, "a\0b", 4));
    str_free(&s);
    CHECK(!s.p && !s.n && !s.cap);
}

TEST(str_remembers_that_memory_ran_out)
{
    Err e = {0};
    Str s = {0};
    str_add(&s, "kept", 4);
    test_alloc_fail(1);
    for (int i = 0; i < 100; i++) str_addf(&s, "%d %d", i, i);
    str_add(&s, "more", 4);
    test_alloc_fail(0);
    str_add(&s, "x", 1);
    CHECK(s.failed && str_ok(&s, &e) == -1 && e.code == FTS_NOMEM);
    CHECK(!strncmp(s.p, "kept", 4) && s.p[s.n] == 0);
    str_free(&s);
    CHECK(!str_ok(&s, &e));
}

TEST(hash_differs_and_repeats)
{
    CHECK(hash_add(HASH_START, "abc", 3) == hash_add(HASH_START, "abc", 3));
    CHECK(hash_add(HASH_START, "abc", 3) != hash_add(HASH_START, "abd", 3));
    CHECK(hash_add(HASH_START, "", 0) != hash_add(hash_add(HASH_START, "", 0), "", 0));
}
