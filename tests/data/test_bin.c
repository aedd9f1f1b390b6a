#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/bin_meta.h"
#include "util/rng.h"

#define META(count, dtype, files, scales) "{\"num_sequences\": " count ", \"dtype\": " dtype ", \"files\": " files ", \"scales\": " scales "}"
#define ONE "{\"data-1-of-1.bin\": 4}"
#define SPAN "[{\"offset\": 0, \"length\": 4}]"
#define TYPES "float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool"

static const struct { const char *text, *message; } broken[] = {
    {"", "line 1, column 1: the text ends, expected an object"},
    {"[]", "line 1, column 1: found '[', expected an object"},
    {"{\"num_sequences\": 1", "line 1, column 20: the text ends inside an object"},
    {"{}", "\"num_sequences\" is missing"},
    {"{\"num_sequences\": 1}", "\"dtype\" is missing"},
    {"{\"num_sequences\": 1, \"dtype\": \"float32\"}", "\"files\" is missing"},
    {"{\"num_sequences\": 1, \"dtype\": \"float32\", \"files\": {}}", "\"scales\" is missing"},
    {META("1", "\"float32\"", ONE, SPAN) " x", "line 1, column 115: found 'x', expected the end"},
    {META("1", "\"complex64\"", ONE, SPAN), "\"dtype\" is \"complex64\", not a number type that can be read (" TYPES ")"},
    {META("1", "\">f4\"", ONE, SPAN), "\"dtype\" is \">f4\": big-endian numbers cannot be read"},
    {META("1", "4", ONE, SPAN), "\"dtype\": line 1, column 31: found '4', expected a string"},
    {META("1", "\"\"", ONE, SPAN), "\"dtype\" is \"\", not a number type that can be read (" TYPES ")"},
    {META("\"1\"", "\"float32\"", ONE, SPAN), "\"num_sequences\": line 1, column 19: found '\"', expected a whole number"},
    {META("1.0", "\"float32\"", ONE, SPAN), "\"num_sequences\": line 1, column 20: found '.', expected a whole number"},
    {META("-1", "\"float32\"", ONE, SPAN), "\"num_sequences\" is -1, but cannot be negative"},
    {META("99999999999999999999", "\"float32\"", ONE, SPAN), "\"num_sequences\": line 1, column 39: a whole number out of range"},
    {META("2", "\"float32\"", ONE, SPAN), "\"num_sequences\" is 2, but \"scales\" has 1 entries"},
    {"{\"num_sequences\": 1, \"num_sequences\": 1}", "line 1, column 38: \"num_sequences\" stands there twice"},
    {META("1", "\"float32\"", "[]", SPAN), "\"files\": line 1, column 51: found '[', expected an object"},
    {META("1", "\"float32\"", "{\"data-1-of-1.bin\": \"4\"}", SPAN), "\"files\": \"data-1-of-1.bin\": line 1, column 71: found '\"', expected a whole number"},
    {META("1", "\"float32\"", "{\"data-1-of-1.bin\": -4}", SPAN), "\"files\": \"data-1-of-1.bin\" is -4, but cannot be negative"},
    {META("1", "\"float32\"", "{\"../../etc/passwd-1\": 4}", SPAN), "\"files\": \"../../etc/passwd-1\" is not the name of a file in this folder"},
    {META("1", "\"float32\"", "{\"..\": 4}", SPAN), "\"files\": \"..\" is not the name of a file in this folder"},
    {META("1", "\"float32\"", "{\"\": 4}", SPAN), "\"files\": \"\" is not the name of a file in this folder"},
    {META("1", "\"float32\"", "{\"a-1.bin\": 4, \"b.bin\": 4}", SPAN), "\"files\": \"b.bin\" has no number after its first '-', so its place is unknown"},
    {META("1", "\"float32\"", "{\"b-1.bin\": 4, \"a-1.bin\": 4}", SPAN), "\"files\": \"a-1.bin\" and \"b-1.bin\" have the same number"},
    {META("1", "\"float32\"", "{\"a-1.bin\": 1152921504606846975, \"a-2.bin\": 1}", SPAN), "\"files\": \"a-2.bin\" with 1 numbers is larger than any file"},
    {META("1", "\"float32\"", "{\"a-1.bin\": 9223372036854775807}", SPAN), "\"files\": \"a-1.bin\" with 9223372036854775807 numbers is larger than any file"},
    {META("1", "\"float32\"", ONE, "{}"), "\"scales\": line 1, column 85: found '{', expected an array"},
    {META("1", "\"float32\"", ONE, "[7]"), "\"scales\": entry 0: line 1, column 86: found '7', expected an object"},
    {META("1", "\"float32\"", ONE, "[{\"length\": 4}]"), "\"scales\": entry 0: \"offset\" is missing"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0}]"), "\"scales\": entry 0: \"length\" is missing"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": null, \"length\": 4}]"), "\"scales\": entry 0: \"offset\": line 1, column 97: found 'n', expected a whole number"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": -4}]"), "\"scales\": entry 0: \"length\" is -4, but cannot be negative"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": -1, \"length\": 4}]"), "\"scales\": entry 0: \"offset\" is -1, but cannot be negative"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": 4, \"mean\": 1}]"), "\"scales\": entry 0: \"std\" is missing: \"mean\" and \"std\" go together"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": 4, \"std\": 1}]"), "\"scales\": entry 0: \"mean\" is missing: \"mean\" and \"std\" go together"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": 4, \"mean\": NaN, \"std\": 1}]"), "\"scales\": entry 0: \"mean\" is not a finite number"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": 4, \"mean\": 0, \"std\": 1e999}]"), "\"scales\": entry 0: \"std\" is not a finite number"},
    {META("2", "\"float32\"", ONE, "[{\"offset\": 0, \"length\": 4}, {\"offset\": 1, \"length\": 4}]"), "\"scales\": entry 1: 4 numbers from offset 1 end past the 4 of all files"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 5, \"length\": 0}]"), "\"scales\": entry 0: 0 numbers from offset 5 end past the 4 of all files"},
    {META("1", "\"float32\"", ONE, "[{\"offset\": 9223372036854775807, \"length\": 9223372036854775807}]"),
     "\"scales\": entry 0: 9223372036854775807 numbers from offset 9223372036854775807 end past the 4 of all files"},
};

TEST(bin_every_lie_in_meta_has_its_message)
{
    Err e = {0};
    Meta m;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        CHECK(meta_read(&m, broken[i].text, strlen(broken[i].text), NULL, &e) == -1);
        CHECK(e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
    }
}

TEST(bin_every_cut_of_meta_is_an_error)
{
    static const char text[] = META("1", "\"float32\"", ONE, SPAN);
    Err e = {0};
    Meta m;
    for (size_t n = 0; n < sizeof text - 1; n++) CHECK(meta_read(&m, text, n, NULL, &e) == -1);
    OK(meta_read(&m, text, sizeof text - 1, NULL, &e));
    meta_free(&m);
}

TEST(bin_meta_takes_keys_in_any_order_and_extra_ones)
{
    static const char text[] = "{\"scales\": [{\"x\": [1, {}], \"length\": 3, \"offset\": 2}, {\"offset\": 0, \"length\": 6, \"std\": 2, \"mean\": -1}],\n"
        " \"note\": {\"files\": 7}, \"files\": {\"d-10-of-3.bin\": 1, \"d-9-of-3.bin\": 0, \"d-2-of-3.bin\": 5}, \"dtype\": \"<f8\", \"num_sequences\": 2}\n";
    Err e = {0};
    Meta m;
    OK(meta_read(&m, text, sizeof text - 1, NULL, &e));
    CHECK(m.count == 2 && m.entries == 2 && m.nshard == 3 && !strcmp(m.type->name, "float64"));
    CHECK(!strcmp(m.shard[0].name, "d-2-of-3.bin") && !strcmp(m.shard[2].name, "d-10-of-3.bin") && m.shard[2].first == 5);
    CHECK(m.offset[0] == 2 && m.length[0] == 3 && m.length[1] == 6);
    CHECK(m.mean[0] == 0 && m.std[0] == 1 && m.mean[1] == -1 && m.std[1] == 2);
    meta_free(&m);
}

TEST(bin_errors_name_the_folder_and_the_shard)
{
    Err e = {0};
    Dataset *d;
    DataOpts o = data_settings(4, 4);
    const char *dir = test_folder();
    char want[512];
    float x[4] = {1, 2, 3, 4};
    put_text(dir, "a/meta.json", META("1", "\"float32\"", ONE, SPAN));
    CHECK(open_at(&d, path_to(dir, "a"), &o, 2, &e) == -1 && e.code == FTS_FORMAT && !d);
    snprintf(want, sizeof want, "%s/a (bin): meta.json names data-1-of-1.bin, which is not there: is the download complete?", dir);
    TEXT(e.message, want);
    put_file(dir, "a/data-1-of-1.bin", x, 15);
    CHECK(open_at(&d, path_to(dir, "a"), &o, 2, &e) == -1 && e.code == FTS_FORMAT);
    snprintf(want, sizeof want, "%s/a (bin): data-1-of-1.bin has 15 bytes, but meta.json promises 4 numbers of 4 bytes: is the download complete?", dir);
    TEXT(e.message, want);
    put_file(dir, "a/data-1-of-1.bin", x, 16);
    OK(open_at(&d, path_to(dir, "a"), &o, 2, &e));
    dataset_close(d);
    put_text(dir, "a/meta.json", META("1", "\"complex64\"", ONE, SPAN));
    CHECK(open_at(&d, path_to(dir, "a"), &o, 2, &e) == -1);
    snprintf(want, sizeof want, "%s/a (bin): meta.json: \"dtype\" is \"complex64\", not a number type that can be read (" TYPES ")", dir);
    TEXT(e.message, want);
}

static int read_all(Source *s, const char *path, int64_t series, double *out, Err *e)
{
    if (source_open(s, &format_bin, path, NULL, e)) return -1;
    return s->format->read(s, series, 0, s->length[series], out, e);
}

TEST(bin_every_number_type_is_read)
{
    static const struct { const char *name; int size; unsigned char bytes[16]; double want[2]; } type[] = {
        {"float16", 2, {0x00, 0x3e, 0xff, 0xfb}, {1.5, -65504}}, {"<f2", 2, {0x01, 0x00, 0x00, 0x80}, {0x1p-24, -0.0}},
        {"bfloat16", 2, {0xc0, 0x3f, 0x80, 0xff}, {1.5, -INFINITY}}, {"=f4", 4, {0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0x7f}, {1.5, INFINITY}},
        {"<f8", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1, 0, 0, 0, 0, 0, 0xf0, 0x3f}, {1.5, 1 + 0x1p-52}},
        {"|i1", 1, {0x80, 0x7f}, {-128, 127}}, {"uint8", 1, {0x80, 0xff}, {128, 255}},
        {"int16", 2, {0, 0x80, 0xff, 0x7f}, {-32768, 32767}}, {"u2", 2, {0, 0x80, 0xff, 0xff}, {32768, 65535}},
        {"<i4", 4, {0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0x7f}, {-2147483648.0, 2147483647.0}}, {"uint32", 4, {0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff}, {2147483648.0, 4294967295.0}},
        {"int64", 8, {0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0xca, 0x9a, 0x3b}, {-0x1p63, 1000000001}}, {"<u8", 8, {0, 0, 0, 0, 0, 0, 0, 0x80, 7}, {0x1p63, 7}},
    };
    Err e = {0};
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        const char *dir = test_folder();
        char meta[256];
        double got[2];
        Source s;
        snprintf(meta, sizeof meta, META("1", "\"%s\"", "{\"data.bin\": 2}", "[{\"offset\": 0, \"length\": 2}]"), type[i].name);
        put_text(dir, "meta.json", meta);
        put_file(dir, "data.bin", type[i].bytes, (size_t)(2 * type[i].size));
        OK(read_all(&s, dir, 0, got, &e));
        source_close(&s);
        if (got[0] != type[i].want[0] || got[1] != type[i].want[1]) test_fail(__FILE__, __LINE__, "%s: got %.17g %.17g", type[i].name, got[0], got[1]);
    }
}

/* 23 numbers in shards of 5, 0, 7, 1 and 10; every stretch of them is a series. */
TEST(bin_a_series_may_span_shards)
{
    static const int64_t size[] = {5, 0, 7, 1, 10};
    Err e = {0};
    const char *dir = test_folder();
    Str meta = {0};
    double got[23];
    float x[23];
    Source s;
    for (int i = 0; i < 23; i++) x[i] = (float)i;
    str_addf(&meta, "{\"num_sequences\": 276, \"dtype\": \"float32\", \"files\": {");
    for (int64_t i = 4, at = 23; i >= 0; i--) {                     /* in no order; shard 10 comes after 9 */
        char name[64];
        at -= size[i];
        snprintf(name, sizeof name, "data-%d-of-12.bin", (int)i + 8);
        put_file(dir, name, x + at, (size_t)size[i] * sizeof *x);
        str_addf(&meta, "%s\"%s\": %d", i < 4 ? ", " : "", name, (int)size[i]);
    }
    str_addf(&meta, "}, \"scales\": [");
    for (int from = 0; from < 23; from++)
        for (int n = 1; n <= 23 - from; n++) str_addf(&meta, "%s{\"offset\": %d, \"length\": %d, \"mean\": 100, \"std\": 0.5}", from || n > 1 ? ", " : "", from, n);
    str_addf(&meta, "]}");
    put_file(dir, "meta.json", meta.p, meta.n);
    str_free(&meta);
    OK(source_open(&s, &format_bin, dir, NULL, &e));
    CHECK(s.count == 276);
    for (int64_t from = 0, i = 0; from < 23; from++)
        for (int64_t n = 1; n <= 23 - from; n++, i++) {
            CHECK(s.length[i] == n);
            OK(s.format->read(&s, i, n / 3, n - n / 3, got, &e));
            for (int64_t k = n / 3; k < n; k++) CHECK(got[k - n / 3] == (double)(from + k) * 0.5 + 100);
        }
    source_close(&s);
}

TEST(bin_sniff_wants_meta_that_names_files_or_shards)
{
    const char *dir = test_folder();
    put_text(dir, "a/meta.json", "{\"x\": {\"files\": 1}, \"files\": {}}");
    put_text(dir, "b/meta.json", "{\"x\": {\"files\": 1}}");
    put_text(dir, "c/meta.json", "not json");
    put_text(dir, "c/x.bin", "");
    put_text(dir, "d/meta.json", "not json");
    put_text(dir, "e/data-1-of-1.bin", "");
    put_text(dir, "f/meta.json/files", "");
    CHECK(source_sniff(path_to(dir, "a")) == &format_bin);
    CHECK(source_sniff(path_to(dir, "c")) == &format_bin);
    CHECK(!source_sniff(path_to(dir, "b")) && !source_sniff(path_to(dir, "d")) && !source_sniff(path_to(dir, "e")) && !source_sniff(path_to(dir, "f")));
    CHECK(!source_sniff(path_to(dir, "nowhere")) && !source_sniff(path_to(dir, "a/meta.json")));
}

/* Whatever the bytes are: an error or not, but nothing else. What is accepted is walked through. */
TEST(bin_damaged_meta_is_refused_or_read)
{
    static const char text[] = META("2", "\"float32\"", "{\"data-1-of-2.bin\": 40, \"data-2-of-2.bin\": 24}",
                                    "[{\"offset\": 0, \"length\": 60}, {\"offset\": 32, \"length\": 32, \"mean\": 1.5, \"std\": 2e3}]");
    static const char bits[] = "{}[],:\"0123456789-.eE \\\n\x80tfnN";
    Err e = {0};
    Meta m;
    uint64_t used = 0;
    for (int round = 0; round < 2000; round++) {
        char now[sizeof text];
        size_t n = sizeof text - 1;
        memcpy(now, text, sizeof text);
        for (int k = (int)(rng_hash(1, RNG_TEST, used++) % 3); k >= 0; k--) {
            uint64_t r = rng_hash(1, RNG_TEST, used++), at = r % n, kind = r >> 32 & 3;
            if (kind == 0) now[at] = (char)(r >> 40);
            else if (kind == 1) now[at] = bits[(r >> 40) % (sizeof bits - 1)];
            else if (kind == 2) memmove(now + at, now + at + 1, n - at - 1), n--;
            else now[at] ^= (char)(1 << (r >> 40) % 8);
        }
        if (meta_read(&m, now, n, NULL, &e)) continue;
        for (int64_t i = 0; i < m.count; i++) CHECK(m.offset[i] >= 0 && m.length[i] >= 0 && m.offset[i] + m.length[i] <= m.shard[m.nshard - 1].first + m.shard[m.nshard - 1].count);
        meta_free(&m);
    }
}

TEST(bin_meta_without_memory)
{
    static const char text[] = META("1", "\"float32\"", "{\"a-1.bin\": 2, \"a-2.bin\": 2}", "[{\"offset\": 0, \"length\": 4}, {\"offset\": 0, \"length\": 4, \"mean\": 1, \"std\": 1}]");
    Err e = {0};
    Meta m;
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = meta_read(&m, text, sizeof text - 1, NULL, &e);
        test_alloc_fail(0);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 100);
    }
    meta_free(&m);
}

/* Seeds of the fuzz target: whatever they hold, reading them ends. */
TEST(bin_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    if (!path_is_dir("tests/corpus/data/meta")) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, "tests/corpus/data/meta", &e));
    for (int i = 0; i < names.n; i++) {
        Map text;
        Meta m;
        OK(map_open(&text, path_to("tests/corpus/data/meta", names.name[i]), &e));
        if (!meta_read(&m, text.p, text.n, NULL, &e)) meta_free(&m);
        else CHECK(e.code == FTS_FORMAT);
        map_close(&text);
    }
    CHECK(names.n >= 3);
    names_free(&names);
}
