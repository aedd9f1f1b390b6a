#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/arrow.h"
#include "util/file.h"
#include "util/rng.h"

#define CORPUS "tests/corpus/data/arrow"

static int here(void)
{
    if (path_is_dir(CORPUS)) return 1;
    test_skip("not run from the root of the project");
    return 0;
}

static int64_t length_of(const Arrow *a, int64_t i) { return a->column.levels ? a->length[i] : a->points; }
static int64_t count_of(const Arrow *a) { return a->column.levels ? a->count : 1; }

/* "[1,nan] [2]", read point by point from the end, so that nothing depends on a read before it; cut to fit. */
static void text_of(const Arrow *a, char *out, size_t size)
{
    size_t n = 0;
    *out = 0;
    for (int64_t i = 0; i < count_of(a) && n < size; i++) {
        double x[64];
        int64_t length = length_of(a, i) < 64 ? length_of(a, i) : 64;
        for (int64_t t = length; t-- > 0;) arrow_read(a, i, t, 1, &x[t]);
        n += (size_t)snprintf(out + n, size - n, "%s[", i ? " " : "");
        for (int64_t t = 0; t < length && n < size; t++) n += (size_t)snprintf(out + n, size - n, "%s%g", t ? "," : "", x[t]);
        n += n < size ? (size_t)snprintf(out + n, size - n, "]") : 0;
    }
}

/* From a block that ends where the bytes end, so that a byte too many is seen. The text of the series, or of the error. */
static const char *decode(const void *bytes, size_t n, char *out, size_t size, Err *e)
{
    Arrow a = {0};
    unsigned char *p = malloc(n + !n);
    if (!p) return "no memory for the test";
    if (n) memcpy(p, bytes, n);
    *e = (Err){0};
    if (arrow_add(&a, p, n, e)) snprintf(out, size, "%s", e->message);
    else text_of(&a, out, size);
    arrow_free(&a);
    free(p);
    return out;
}

#define PLAIN "[1,2,nan] [] [] [4]"
#define READ "read are list, large_list and fixed_size_list of bool, int8 to uint64, float16 to float64, and lists of such lists: cast it"
#define PACKED "write it without, as save_to_disk of datasets does, as pyarrow.ipc.new_file(path, table.schema) does, or with to_feather(path, compression=\"uncompressed\")"
#define DAMAGED ": is the file damaged?"
#define BATCH "batch at byte 176: "

/* tools/golden/make_arrow.py writes them. */
static const struct { const char *name, *series; } files[] = {
    {"type_int8.arrow", PLAIN}, {"type_int16.arrow", PLAIN}, {"type_int32.arrow", PLAIN}, {"type_int64.arrow", PLAIN}, {"type_uint8.arrow", PLAIN}, {"type_uint16.arrow", PLAIN},
    {"type_uint32.arrow", PLAIN}, {"type_uint64.arrow", PLAIN}, {"type_float16.arrow", PLAIN}, {"type_float32.arrow", PLAIN}, {"type_float64.arrow", PLAIN},
    {"type_bool.arrow", "[1,0,nan] [] [] [1,1,1,1,1,1,1,1,1]"}, {"batches.arrow", PLAIN}, {"file.arrow", PLAIN}, {"file.feather", PLAIN}, {"large.arrow", PLAIN}, {"old.arrow", PLAIN},
    {"padded.arrow", PLAIN}, {"others.arrow", PLAIN}, {"others_file.arrow", PLAIN}, {"others_old.arrow", PLAIN}, {"fixed.arrow", "[1,2] [] [nan,4]"},
    {"no_rows.arrow", ""}, {"no_batches.arrow", ""}, {"lists.arrow", "[1,2] [3] [] [nan,5]"}, {"fixed_lists.arrow", "[1,2] [3] [4] []"},
    {"lists_fixed.arrow", "[1,2] [3,4] [5,6]"}, {"sequence.arrow", "[3]"}, {"column.arrow", "[1,2,nan,4,5]"}, {"sliced.arrow", "[2,nan] [] [] [4]"},
    {"bad_beyond.arrow", BATCH "lists that go back, or beyond the 4 items that there are" DAMAGED}, {"bad_offsets.arrow", BATCH "lists that go back, or beyond the 4 items that there are" DAMAGED},
    {"bad_big_endian.arrow", "big-endian numbers: write it again on a little-endian machine"}, {"bad_body.arrow", "byte 176: the file ends inside a message: is it complete?"},
    {"bad_buffer.arrow", BATCH "buffer 3 lies outside the body" DAMAGED}, {"bad_short.arrow", BATCH "buffer 3 has 3 bytes, expected 16" DAMAGED},
    {"bad_coded.arrow", "column \"target\" is list<dictionary>: " READ}, {"bad_deep.arrow", "column \"target\" is list<list<list<float32>>>: " READ},
    {"bad_view.arrow", "column \"target\" is list_view<float32>: " READ}, {"bad_text.arrow", "column \"target\" is list<string>: " READ},
    {"bad_cut.arrow", "byte 176: the file ends inside a message: is it complete?"}, {"bad_cut_file.arrow", "the file does not end with its footer: is it complete?"},
    {"bad_empty_lists.arrow", "column \"target\" has lists of 0 items each, so no series has a point"}, {"bad_feather.arrow", "Feather of version 1: write version 2, as pyarrow.feather.write_feather(table, path, compression=\"uncompressed\")"},
    {"bad_parquet.arrow", "a file of Parquet, not of Arrow"}, {"bad_other.arrow", "neither a file nor a stream of Arrow: it begins with neither ARROW1 nor a message"}, {"bad_none_at_all.arrow", "the file is empty"},
    {"bad_flattened.arrow", "column \"target\" is flattened, there is \"target._np_shape\": write each dimension as a row, or a list of lists, with flatten_arrays=False"},
    {"bad_long.arrow", "column \"target\" is plain numbers of several series, told apart by an id: write the table as .csv, or make a list of each series"},
    {"bad_several.arrow", "columns \"a\", \"b\" hold lists of numbers: call the one with the series \"sequence\" or \"target\""},
    {"bad_numbers.arrow", "columns \"a\", \"b\" are plain numbers and none holds lists: write the table as .csv, where each column is a series, or leave one of them in"},
    {"bad_none.arrow", "no column holds numbers: expected a column \"sequence\" or \"target\" whose rows are lists of numbers"},
    {"bad_laughs.arrow", "column \"\": types nested too deep or too often"}, {"bad_unknown.arrow", "column \"target\": type 27, which is not known: leave this column out, or cast it"},
    {"bad_lz4.arrow", "byte 176: the data is compressed with LZ4: " PACKED}, {"bad_zstd.arrow", "byte 176: the data is compressed with ZSTD: " PACKED},
    {"bad_message.arrow", "byte 176: no batch of records, where one was expected" DAMAGED}, {"bad_no_schema.arrow", "the stream does not begin with a schema: is it complete?"},
    {"bad_node.arrow", BATCH "node 1 has 1152921504606846976 items, 1 of them null" DAMAGED}, {"bad_nulls.arrow", BATCH "node 1 has 4 items, 99 of them null" DAMAGED},
    {"bad_nodes.arrow", BATCH "1 nodes and 4 buffers, the schema has 2 and 4" DAMAGED}, {"bad_rows.arrow", BATCH "4 rows, 3 were announced" DAMAGED},
    {"bad_overlap.arrow", "footer: batch 1 at byte 240, expected 480 to 696" DAMAGED}, {"bad_pointer.arrow", "the metadata points outside itself" DAMAGED},
    {"bad_version.arrow", "byte 0: metadata of version V3, V4 and V5 can be read: write it again with a present pyarrow"},
};
enum { NFILES = sizeof files / sizeof *files };

TEST(arrow_reads_files_or_says_why_not)
{
    Err e = {0};
    char got[1024];
    if (!here()) return;
    for (int i = 0; i < NFILES; i++) {
        const char *path = path_to(CORPUS, files[i].name);
        Map m;
        CHECK(source_sniff(path) == &format_arrow);
        OK(map_open(&m, path, &e));
        decode(m.p, m.n, got, sizeof got, &e);
        map_close(&m);
        TEXT(got, files[i].series);
        CHECK(e.code == (strncmp(files[i].name, "bad_", 4) ? 0 : FTS_FORMAT));
    }
}

TEST(arrow_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    int refused = 0;
    if (!here()) return;
    OK(dir_list(&names, CORPUS, &e));
    CHECK(names.n == NFILES + 1);                   /* and saved/ */
    for (int i = 0; i < names.n; i++) {
        Source s;
        const char *path = path_to(CORPUS, names.name[i]);
        CHECK(source_sniff(path) == &format_arrow);
        if (source_open(&s, &format_arrow, path, NULL, &e)) refused += e.code == FTS_FORMAT;
        else source_close(&s);
    }
    CHECK(refused > 30 && refused < names.n - 25);
    names_free(&names);
}

static void torment(const char *path, int cut_is_refused)
{
    Map m;
    Err e = {0};
    char got[256];
    OK(map_open(&m, path, &e));
    for (size_t n = 0; n < m.n; n++) {
        decode(m.p, n, got, sizeof got, &e);
        CHECK(e.code == FTS_FORMAT || (!e.code && !cut_is_refused));
    }
    unsigned char *now = malloc(m.n);
    CHECK(now);
    memcpy(now, m.p, m.n);
    for (size_t k = 0; k < 4 * m.n; k++) {
        unsigned char was = now[k / 4];
        now[k / 4] = (unsigned char)(k % 4 == 0 ? 0 : k % 4 == 1 ? 255 : k % 4 == 2 ? was ^ 4 : rng_hash(6, RNG_TEST, k));
        decode(now, m.n, got, sizeof got, &e);
        CHECK(!e.code || e.code == FTS_FORMAT);
        now[k / 4] = was;
    }
    free(now);
    map_close(&m);
}

/* A stream may end behind any of its messages, a file may not. */
TEST(arrow_cut_and_damaged_bytes_are_refused_or_read)
{
    static const struct { const char *name; int cut_is_refused; } row[] = {
        {"batches.arrow", 0}, {"file.arrow", 1}, {"padded.arrow", 1}, {"lists.arrow", 0}, {"lists_fixed.arrow", 0}, {"type_bool.arrow", 0}, {"column.arrow", 0}, {"old.arrow", 0},
        {"others.arrow", 0}, {"others_file.arrow", 1}, {"bad_lz4.arrow", 0}, {"bad_laughs.arrow", 0},
    };
    if (!here()) return;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) torment(path_to(CORPUS, row[i].name), row[i].cut_is_refused);
}

TEST(arrow_no_memory_is_an_error)
{
    static const char *const name[] = {"batches.arrow", "lists.arrow", "column.arrow", "saved"};
    Err e = {0};
    if (!here()) return;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        int64_t count = -1;
        for (long n = 1; count < 0; n++) {
            Source s;
            test_alloc_fail(n);
            int bad = source_open(&s, &format_arrow, path_to(CORPUS, name[i]), NULL, &e);
            test_alloc_fail(0);
            if (!bad) count = s.count;
            if (!bad) source_close(&s);
            CHECK(bad ? e.code == FTS_NOMEM && n < 100 : n > 4);
        }
    }
}

/* Shards in the order of state.json, here the last first; a column of plain numbers goes on from one to the next. */
TEST(arrow_saved_folder_is_one_dataset)
{
    static const double want[] = {3, 1, 2};
    Err e = {0};
    Source s;
    double x[3];
    DataOpts o = data_settings(8, 8);
    Dataset *d;
    if (!here()) return;
    OK(source_open(&s, &format_arrow, path_to(CORPUS, "saved"), NULL, &e));
    CHECK(s.count == 1 && s.length[0] == 3 && s.bytes > 0);
    TEXT(s.dtype, "float64");
    OK(s.format->read(&s, 0, 0, 3, x, &e));
    CHECK(!memcmp(x, want, sizeof want));
    OK(s.format->read(&s, 0, 1, 2, x, &e));
    CHECK(!memcmp(x, want + 1, 2 * sizeof *want));
    source_close(&s);
    OK(open_at(&d, path_to(CORPUS, "saved"), &o, 2, &e));           /* the walk does not go into it */
    CHECK(dataset_sources(d) == 1);
    dataset_close(d);
}

static void copy_to(const char *dir, const char *from, const char *name)
{
    Map m;
    Err e;
    if (map_open(&m, path_to(CORPUS, from), &e)) abort();
    put_file(dir, name, m.p, m.n);
    map_close(&m);
}

TEST(arrow_saved_folders_that_are_refused)
{
    static const struct { const char *state, *message; } broken[] = {
        {"{\"_data_files\": [{\"filename\": \"a.arrow\"}, {\"filename\": \"b.arrow\"}]}", "state.json names b.arrow, which is not there: is the download complete?"},
        {"{\"_data_files\": [{\"filename\": \"a.arrow\"}, {\"filename\": \"c.arrow\"}]}", "c.arrow: column \"y\" is int32, in the first file it is \"target\" and list<float32>"},
        {"{\"_data_files\": [{\"filename\": \"d.arrow\"}]}", "d.arrow: the file is empty"},
        {"{\"_data_files\": [{\"filename\": \"a/b.arrow\"}]}", "state.json: \"a/b.arrow\" is not the name of a file in this folder"},
        {"{\"_data_files\": [{\"filename\": \"..\"}]}", "state.json: \"..\" is not the name of a file in this folder"},
        {"{\"_data_files\": [{\"filename\": \"\"}]}", "state.json: \"\" is not the name of a file in this folder"},
        {"{\"_data_files\": []}", "state.json: \"_data_files\" names no file"},
        {"{\"_data_files\": [{\"name\": 1}]}", "state.json: line 1, column 29: \"filename\" is missing"},
        {"{\"_data_files\": [{\"filename\": \"a\", \"filename\": \"b\"}]}", "state.json: line 1, column 47: \"filename\" stands there twice"},
        {"{\"_data_files\": [{\"filename\": \"a\"}], \"_data_files\": []}", "state.json: line 1, column 52: \"_data_files\" stands there twice"},
        {"{\"_data_files\": {}}", "state.json: line 1, column 17: found '{', expected an array"},
        {"{\"_data_files\": [{\"filename\": \"a\"}]", "state.json: line 1, column 36: the text ends inside an object"},
        {"{\"_data_files\": [{\"filename\": \"a\"}], \"_indices_data_files\": [{\"filename\": \"i\"}]}",
         "state.json: line 1, column 61: \"_indices_data_files\": rows are chosen by indices, which are not read: save it again with flatten_indices().save_to_disk(path)"},
        {"{\"_data_files\": [{\"filename\": \"a\"}], \"_indices_files\": \"i\"}",
         "state.json: line 1, column 56: \"_indices_files\": rows are chosen by indices, which are not read: save it again with flatten_indices().save_to_disk(path)"},
    };
    const char *dir = test_folder();
    Err e = {0};
    Source s;
    if (!here()) return;
    copy_to(dir, "batches.arrow", "a.arrow");
    copy_to(dir, "column.arrow", "c.arrow");
    put_text(dir, "d.arrow", "");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        put_text(dir, "state.json", broken[i].state);
        CHECK(source_sniff(dir) == &format_arrow);
        CHECK(source_open(&s, &format_arrow, dir, NULL, &e) == -1 && e.code == FTS_FORMAT);
        CHECK(strstr(e.message, " (arrow): "));
        TEXT(strstr(e.message, " (arrow): ") + 10, broken[i].message);
    }
    put_text(dir, "state.json", "{\"_data_files\": [{\"filename\": \"a.arrow\", \"skip\": null}], \"_indices_files\": [], \"_indices\": null}");
    OK(source_open(&s, &format_arrow, dir, NULL, &e));
    CHECK(s.count == 4);
    source_close(&s);
}

/* Other folders with a state.json, and feathers of version 1, are nobody's. */
TEST(arrow_sniffs_what_is_its_own)
{
    const char *dir = test_folder();
    if (!here()) return;
    CHECK(!source_sniff(dir));
    put_text(dir, "state.json", "{\"files\": [{\"_data_files\": 1}]}");
    CHECK(!source_sniff(dir));
    CHECK(!source_sniff(put_text(dir, "one.feather", "FEA1 FEA1")));
    CHECK(!source_sniff(put_text(dir, "two.feather", "ARR")));
    CHECK(!source_sniff(put_text(dir, "state.json", "{\"_data_files\": []}")));
    CHECK(source_sniff(dir) == &format_arrow);
}
