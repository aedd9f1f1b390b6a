/* test_pairs.c - series of two files are brought together by their ids. */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "eval/evaluate.h"
#include "util/file.h"

static int rules(Evaluation *v, const char *dir, const char *past_name, const char *past, const char *future_name, const char *future, Err *e)
{
    char a[512], b[512];
    snprintf(a, sizeof a, "%s/%s", dir, past_name);
    snprintf(b, sizeof b, "%s/%s", dir, future_name);
    if (file_write(a, past, strlen(past), e) || file_write(b, future, strlen(future), e)) return -1;
    EvalOpts o = eval_settings(a, b, NULL);
    return eval_rules(v, &o, e);
}

/* Each series goes on as it ended, so repeating the last value is right, if it is of the same series. */
TEST(pairs_have_one_id)
{
    static const struct { const char *past_name, *past, *future_name, *future; } pairs[] = {
        {"a.csv", "V1,V2,V3,V4\nH1,1,2,3\nH2,4,5\nH3,1,9\n", "b.csv", "V1,V2\nH3,9\nH1,3\nH2,5\n"},
        {"a.csv", "unique_id,ds,y\nu,2,4\nv,2016-07-05,7\nu,1,5\n", "b.csv", "unique_id,ds,y\nv,soon,7\nu,never,5\n"},
        {"a.csv", "date,p,q\n2016-07-01,1,8\n2016-07-09,2,9\n", "b.csv", "q,p\n9,2\n"},
        {"a.jsonl", "{\"item_id\": \"x\", \"target\": [1, 2]}\n{\"item_id\": 7, \"target\": [3]}\n", "b.json", "[{\"item_id\": \"7\", \"target\": [3]}, {\"item_id\": \"x\", \"target\": [2]}]"},
        {"a.csv", "id,y\n\"n,1\",4\nm,5\n", "b.jsonl", "{\"id\": \"m\", \"target\": [5]}\n{\"id\": \"n,1\", \"target\": [4]}\n"},
        {"a.csv", "id,y\nm,5\nn,4\n", "b.jsonl", "[5]\n[4]\n"}, {"a.csv", "5\n", "b.csv", "sales\n5\n"}, {"a.jsonl", "[2]\n{\"id\": 1, \"target\": [3]}\n", "b.csv", "id,y\n1,2\nx,3\n"},
    };
    Err e = {0};
    Evaluation v;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        OK(rules(&v, test_folder(), pairs[i].past_name, pairs[i].past, pairs[i].future_name, pairs[i].future, &e));
        if (v.row[0].metrics.mae != 0) test_fail(__FILE__, __LINE__, "%s: mae %g", pairs[i].past, v.row[0].metrics.mae);
    }
}

TEST(pairs_that_cannot_be_made_are_named)
{
    static const struct { const char *past, *future, *says; } pairs[] = {
        {"V1,V2\nH1,1\nH2,2\n", "V1,V2\nH2,2\n", "1 series of %/a.csv are not continued in %/b.csv: \"H1\": leave them out"},
        {"V1,V2\nH1,1\n", "V1,V2\nH2,2\n", "1 series of %/a.csv are not continued in %/b.csv: \"H1\"; 1 series of %/b.csv have no beginning in %/a.csv: \"H2\": leave them out"},
        {"V1,V2\nH1,1\n", "a,b,H1,c,d,e\n1,1,1,1,1,1\n", "5 series of %/b.csv have no beginning in %/a.csv: \"a\", \"b\", \"c\" and 2 more: leave them out"},
        {"V1,V2\nH1,1\nH2,2\nH1,2\n", "V1,V2\nH2,2\n", "%/a.csv (csv): series 1 and 3 are both called \"H1\": what comes after them is found by that"},
        {"V1,V2\nH1,1\nH2,2\n", "2\n", "%/a.csv has 2 series, %/b.csv has 1: each needs its continuation"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        Err e = {0};
        Evaluation v;
        char want[2048] = "";
        const char *dir = test_folder();
        CHECK(rules(&v, dir, "a.csv", pairs[i].past, "b.csv", pairs[i].future, &e) && e.code == FTS_FORMAT);
        for (const char *p = pairs[i].says; *p; p++) snprintf(want + strlen(want), sizeof want - strlen(want), "%.*s", *p == '%' ? (int)strlen(dir) : 1, *p == '%' ? dir : p);
        TEXT(e.message, want);
    }
}

TEST(pairs_without_memory)
{
    Err e = {0};
    Evaluation v;
    const char *dir = test_folder();
    char a[512], b[512];
    snprintf(a, sizeof a, "%s/a.csv", dir);
    snprintf(b, sizeof b, "%s/b.csv", dir);
    OK(file_write(a, "V1,V2\nH1,1\nH2,2\n", 16, &e) || file_write(b, "V1,V2\nH2,2\nH1,1\n", 16, &e));
    EvalOpts o = eval_settings(a, b, NULL);
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = eval_rules(&v, &o, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 200);
    }
}
