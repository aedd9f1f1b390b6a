/* test_safetensors.c - bytes equal to those of the reference writer, every check of the reader, shards, failures of the disk and of memory. */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/safetensors.h"
#include "util/str.h"

#define CORPUS "tests/corpus/safetensors"

static const char *in_folder(const char *dir, const char *name)
{
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

/* A file of a header as text and `data` bytes behind it. */
static const char *put(const char *dir, const char *header, size_t data)
{
    Err e;
    size_t n = strlen(header);
    const char *path = in_folder(dir, "x.safetensors");
    unsigned char *buf = calloc(1, 8 + n + data);
    for (int i = 0; i < 8; i++) buf[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(buf + 8, header, n);
    if (file_write(path, buf, 8 + n + data, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    free(buf);
    return path;
}

static const float two[] = {1.5f, -2}, six[] = {0, 1, 2, 3, 4, 5};
static const int64_t seven = 7;
static const int32_t nine = 9;
static const double tenth = 0.1;
static const uint16_t halves[] = {0x3c00, 0x4000, 0xb800}, brains[] = {0x3f80, 0xc000};
static const unsigned char bytes[] = {1, 2, 3, 4, 5}, flags[] = {0, 1};
#define WEIRD "we\"ird\\ \n\xc3\xa9\x01\x7f"

/* In an order that is not the file's; the file is the reference writer's for the same tensors. */
static const StOut all[] = {
    {"h", "F16", 1, {3}, 3, 2, halves},    {"flag", "BOOL", 1, {2}, 2, 1, flags}, {"b", "F32", 2, {2, 3}, 6, 4, six},
    {"bytes", "U8", 1, {5}, 5, 1, bytes},  {"n", "I64", 0, {0}, 1, 8, &seven},    {"a.weight", "F32", 1, {2}, 2, 4, two},
    {"z", "BF16", 2, {1, 2}, 2, 2, brains}, {"empty", "F32", 2, {0, 4}, 0, 4, six}, {WEIRD, "I32", 1, {1}, 1, 4, &nine},
    {"d", "F64", 1, {1}, 1, 8, &tenth},
};
enum { NALL = sizeof all / sizeof *all };

static int piece(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e)
{
    (void)user; (void)e;
    if (n) memcpy(out, (const char *)t->from + at * t->element_size, n * t->element_size);
    return 0;
}

static void check_bytes(const char *path, const char *want_path)
{
    Err e;
    Map got, want;
    OK(map_open(&got, path, &e));
    OK(map_open(&want, want_path, &e));
    CHECK(got.n == want.n && !memcmp(got.p, want.p, got.n));
    map_close(&got);
    map_close(&want);
}

TEST(st_writes_the_bytes_of_the_reference)
{
    Err e;
    const char *dir = test_folder();
    OK(st_write(in_folder(dir, "a"), all, NALL, "{\"format\":\"pt\"}", NULL, NULL, &e));
    check_bytes(in_folder(dir, "a"), CORPUS "/ok_reference");
    OK(st_write(in_folder(dir, "b"), all, NALL, "{\"format\":\"pt\"}", piece, NULL, &e));
    check_bytes(in_folder(dir, "b"), CORPUS "/ok_reference");
    OK(st_write(in_folder(dir, "c"), NULL, 0, NULL, NULL, NULL, &e));
    check_bytes(in_folder(dir, "c"), CORPUS "/ok_empty");
}

TEST(st_reads_what_the_reference_wrote)
{
    Err e;
    St s;
    float x[6];
    OK(st_open(&s, CORPUS "/ok_reference", &e));
    CHECK(s.n == NALL);
    TEXT(s.metadata, "{\"format\":\"pt\"}");
    for (int i = 0; i < NALL; i++) {
        const StTensor *t = st_find(&s, all[i].name);
        CHECK(t && !strcmp(t->dtype, all[i].dtype) && t->rank == all[i].rank && !memcmp(t->shape, all[i].shape, (size_t)t->rank * 8));
        CHECK(t->bytes == all[i].elements * all[i].element_size && (!t->bytes || !memcmp(t->data, all[i].from, t->bytes)));
    }
    for (int i = 1; i < s.n; i++) CHECK(strcmp(s.tensor[i - 1].name, s.tensor[i].name) < 0);
    OK(st_floats(st_find(&s, "b"), x, &e));
    CHECK(!memcmp(x, six, sizeof six));
    OK(st_floats(st_find(&s, "h"), x, &e));
    CHECK(x[0] == 1 && x[1] == 2 && x[2] == -0.5f);
    OK(st_floats(st_find(&s, "z"), x, &e));
    CHECK(x[0] == 1 && x[1] == -2);
    OK(st_floats(st_find(&s, "d"), x, &e));
    CHECK(x[0] == 0.1f);
    CHECK(st_floats(st_find(&s, "n"), x, &e) == -1);
    TEXT(e.message, "tensor \"n\" is I64: only F32, F16, BF16 and F64 are read as weights");
    CHECK(!st_find(&s, "nobody"));
    st_close(&s);
}

TEST(st_corpus_opens_or_is_refused)
{
    Err e;
    Names l;
    OK(dir_list(&l, CORPUS, &e));
    CHECK(l.n > 10);
    for (int i = 0; i < l.n; i++) {
        St s;
        int bad = st_open(&s, in_folder(CORPUS, l.name[i]), &e);
        if ((bad != 0) != !strncmp(l.name[i], "bad_", 4)) test_fail(__FILE__, __LINE__, "%s: %s", l.name[i], bad ? e.message : "was accepted");
        st_close(&s);
    }
    names_free(&l);
}

#define T(name, rest) "\"" name "\":{\"dtype\":\"F32\"," rest "}"

TEST(st_refuses_what_the_reference_refuses)
{
    static const struct { const char *header; size_t data; const char *why; } bad[] = {
        {"", 0, "expected an object"},
        {"[]", 0, "expected an object"},
        {"{", 0, "ends inside an object"},
        {"{} x", 0, "expected the end"},
        {"\xEF\xBB\xBF{}", 0, "byte order mark"},
        {"{\"a\xff\":1}", 0, "not UTF-8"},
        {"{" T("a", "\"shape\":[1]") "}", 4, "\"data_offsets\" is missing"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" is missing"},
        {"{" T("a", "\"data_offsets\":[0,4]") "}", 4, "\"shape\" is missing"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'F33' is no dtype"},
        {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "expected a string"},
        {"{" T("a", "\"shape\":[1.0],\"data_offsets\":[0,4]") "}", 4, "a whole number"},
        {"{" T("a", "\"shape\":[-1],\"data_offsets\":[0,4]") "}", 4, "a negative dimension"},
        {"{" T("a", "\"shape\":1,\"data_offsets\":[0,4]") "}", 4, "expected an array"},
        {"{" T("a", "\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]") "}", 4, "more than 8 dimensions"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,4,4]") "}", 4, "more than two"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0]") "}", 4, "less than two"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[4,0]") "}", 4, "not in order"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[-4,0]") "}", 4, "not in order"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,18446744073709551619]") "}", 4, "out of range"},
        {"{" T("a", "\"shape\":[2],\"data_offsets\":[0,8]") "}", 4, "the file is cut short"},
        {"{" T("a", "\"shape\":[2],\"data_offsets\":[0,4]") "}", 4, "shape and dtype F32 make 8 bytes, data_offsets 4"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[4,8]") "}", 8, "tensor \"a\" begins at byte 4 of the data, the one before it ends at 0"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,4]") "," T("b", "\"shape\":[1],\"data_offsets\":[8,12]") "}", 12, "tensor \"b\" begins at byte 8"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,4]") "," T("b", "\"shape\":[1],\"data_offsets\":[0,4]") "}", 4, "begins at byte 0"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,4]") "}", 5, "1 bytes behind the last tensor"},
        {"{" T("a", "\"shape\":[1],\"data_offsets\":[0,4]") "," T("a", "\"shape\":[1],\"data_offsets\":[4,8]") "}", 8, "tensor \"a\" stands twice"},
        {"{" T("a", "\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]") "}", 4, "\"shape\" stands twice"},
        {"{" T("a", "\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]") "}", 0, "product of the dimensions"},
        {"{" T("a", "\"shape\":[2305843009213693952],\"data_offsets\":[0,0]") "}", 0, "size in bits"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "stands twice"},
    };
    const char *dir = test_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Err e = {.message = "it was accepted"};
        St s;
        const char *path = put(dir, bad[i].header, bad[i].data);
        if (st_open(&s, path, &e) != -1 || !strstr(e.message, bad[i].why) || strncmp(e.message, path, strlen(path)))
            test_fail(__FILE__, __LINE__, "%s: got '%s', want '%s'", bad[i].header, e.message, bad[i].why);
        st_close(&s);
    }
}

TEST(st_accepts_scalars_empty_tensors_and_null_metadata)
{
    Err e;
    St s;
    const char *path = put(test_folder(), "{\"__metadata__\":null," T("x", "\"shape\":[],\"data_offsets\":[0,4]") "," T("y", "\"shape\":[0],\"data_offsets\":[0,0]") ","
                           T("z", "\"shape\":[3,0],\"data_offsets\":[4,4]") "}", 4);
    OK(st_open(&s, path, &e));
    CHECK(s.n == 3 && !s.metadata && !st_find(&s, "x")->rank && !st_find(&s, "z")->bytes);
    st_close(&s);
}

TEST(st_a_name_that_is_too_long_is_refused)
{
    Err e;
    St s;
    char header[6000];
    memset(header, 'a', sizeof header);
    memcpy(header, "{\"", 2);
    strcpy(header + 5000, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    CHECK(st_open(&s, put(test_folder(), header, 0), &e) == -1);
    CHECK(strstr(e.message, "a tensor's name of more than"));
}

/* Not by file_write(), which waits for the disk each time. */
static void put_bytes(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f)) test_fail(__FILE__, __LINE__, "%s cannot be written", path);
}

/* Whatever the cut, it is noticed. */
TEST(st_a_file_cut_anywhere_is_refused)
{
    Err e;
    Map m;
    const char *path = in_folder(test_folder(), "cut");
    OK(map_open(&m, CORPUS "/ok_reference", &e));
    for (size_t n = 0; n < m.n; n++) {
        St s;
        put_bytes(path, m.p, n);
        CHECK(st_open(&s, path, &e) == -1);
    }
    map_close(&m);
}

/* All bits of the header flipped one by one: accepted or refused, never out of bounds. */
TEST(st_a_damaged_header_does_no_harm)
{
    Err e;
    Map m;
    const char *path = in_folder(test_folder(), "flip");
    OK(map_open(&m, CORPUS "/ok_reference", &e));
    unsigned char *copy = malloc(m.n);
    memcpy(copy, m.p, m.n);
    for (size_t bit = 0; bit < 8 * 640; bit += 3) {
        St s;
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put_bytes(path, copy, m.n);
        if (!st_open(&s, path, &e)) st_close(&s);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(copy);
    map_close(&m);
}

/* The tensors of the published 50M model in BF16: 12 layers of 8 experts. */
enum { NPUBLISHED = 463 };
typedef struct Published { StOut t[NPUBLISHED]; char name[NPUBLISHED][96]; int n; } Published;

static void add(Published *p, int rank, int64_t rows, int64_t cols, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void add(Published *p, int rank, int64_t rows, int64_t cols, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->name[p->n], sizeof p->name[p->n], fmt, ap);
    va_end(ap);
    p->t[p->n] = (StOut){p->name[p->n], "BF16", rank, {rows, cols}, (size_t)(rows * (rank > 1 ? cols : 1)), 2, NULL};
    p->n++;
}

static void add_layer(Published *p, int l)
{
    static const char *const qkv[] = {"q", "k", "v"};
    add(p, 1, 384, 0, "model.layers.%d.input_layernorm.weight", l);
    add(p, 1, 384, 0, "model.layers.%d.post_attention_layernorm.weight", l);
    for (int i = 0; i < 3; i++) {
        add(p, 2, 384, 384, "model.layers.%d.self_attn.%s_proj.weight", l, qkv[i]);
        add(p, 1, 384, 0, "model.layers.%d.self_attn.%s_proj.bias", l, qkv[i]);
    }
    add(p, 2, 384, 384, "model.layers.%d.self_attn.o_proj.weight", l);
    add(p, 2, 8, 384, "model.layers.%d.ffn_layer.gate.weight", l);
    for (int x = 0; x <= 8; x++) {
        char who[32] = "shared_expert";
        int64_t width = x < 8 ? 768 : 1536;
        if (x < 8) snprintf(who, sizeof who, "experts.%d", x);
        add(p, 2, width, 384, "model.layers.%d.ffn_layer.%s.gate_proj.weight", l, who);
        add(p, 2, width, 384, "model.layers.%d.ffn_layer.%s.up_proj.weight", l, who);
        add(p, 2, 384, width, "model.layers.%d.ffn_layer.%s.down_proj.weight", l, who);
    }
    add(p, 2, 1, 384, "model.layers.%d.ffn_layer.shared_expert_gate.weight", l);
}

static int zeros(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e)
{
    (void)user; (void)at; (void)e;
    memset(out, 0, n * t->element_size);
    return 0;
}

TEST(st_the_published_model_in_bf16_has_its_size)
{
    static const int h[] = {1, 8, 32, 64};
    Err e;
    struct stat st;
    Published *p = calloc(1, sizeof *p);
    const char *path = in_folder(test_folder(), "model.safetensors");
    add(p, 2, 384, 1, "model.embed_layer.emb_layer.weight");
    add(p, 2, 384, 1, "model.embed_layer.gate_layer.weight");
    for (int l = 0; l < 12; l++) add_layer(p, l);
    add(p, 1, 384, 0, "model.norm.weight");
    for (int j = 0; j < 4; j++) add(p, 2, h[j], 384, "lm_heads.%d.out_layer.weight", j);
    CHECK(p->n == NPUBLISHED);
    OK(st_write(path, p->t, p->n, "{\"format\":\"pt\"}", zeros, NULL, &e));
    CHECK(!stat(path, &st) && st.st_size == 226760264);
    free(p);
}

TEST(st_a_full_disk_leaves_the_old_file)
{
    Err e;
    St s;
    const char *dir = test_folder(), *path = in_folder(dir, "model.safetensors");
    OK(st_write(path, all, NALL, NULL, NULL, NULL, &e));
    for (long n = 1;; n++) {
        test_write_fail(n);
        int bad = st_write(path, all, NALL - 1, NULL, piece, NULL, &e);
        test_write_fail(0);
        if (!bad) break;
        CHECK(n < 100 && strstr(e.message, "model.safetensors: No space left on device"));
        OK(st_open(&s, path, &e));
        CHECK(s.n == NALL);
        st_close(&s);
    }
    Names l;
    OK(dir_list(&l, dir, &e));
    CHECK(l.n == 1);
    names_free(&l);
}

TEST(st_no_memory_is_an_error)
{
    Err e;
    St s;
    const char *path = in_folder(test_folder(), "m");
    OK(st_write(path, all, NALL, NULL, NULL, NULL, &e));
    for (long n = 1;; n++) {
        test_alloc_fail(n);
        int bad = st_open(&s, path, &e) || st_write(path, all, NALL, NULL, piece, NULL, &e);
        test_alloc_fail(0);
        st_close(&s);
        if (!bad) break;
        CHECK(e.code == FTS_NOMEM && n < 1000);
    }
}

static int put_index(const char *dir, const char *text, Err *e) { return file_write(in_folder(dir, "model.safetensors.index.json"), text, strlen(text), e); }

TEST(st_shards_are_one_set)
{
    Err e;
    StSet w;
    const char *dir = test_folder();
    OK(st_write(in_folder(dir, "model-00001-of-00002.safetensors"), all, 4, NULL, NULL, NULL, &e));
    OK(st_write(in_folder(dir, "model-00002-of-00002.safetensors"), all + 4, 2, NULL, NULL, NULL, &e));
    OK(put_index(dir, "{\"metadata\": {\"total_size\": 99}, \"weight_map\": {\"h\": \"model-00001-of-00002.safetensors\", \"n\": \"model-00002-of-00002.safetensors\"}}", &e));
    OK(st_set_open(&w, dir, &e));
    CHECK(w.n == 2 && st_set_find(&w, "h") && st_set_find(&w, "a.weight") && !st_set_find(&w, "z"));
    st_set_close(&w);
    OK(st_write(in_folder(dir, "model.safetensors"), all, 1, NULL, NULL, NULL, &e));
    OK(st_set_open(&w, dir, &e));
    CHECK(w.n == 1 && w.st[0].n == 1);
    st_set_close(&w);
}

TEST(st_a_bad_index_is_refused)
{
    static const struct { const char *text, *why; } bad[] = {
        {"{\"weight_map\": {\"h\": \"../x.safetensors\"}}", "is not the name of a file"},
        {"{\"weight_map\": {\"h\": \".\"}}", "is not the name of a file"},
        {"{\"weight_map\": {\"h\": \"other.safetensors\"}}", "No such file"},
        {"{\"weight_map\": {\"z\": \"a.safetensors\"}}", "tensor \"z\" is not in a.safetensors"},
        {"{\"weight_map\": {\"h\": \"a.safetensors\", \"b\": \"b.safetensors\"}}", "tensor \"b\" is in two shards"},
        {"{\"weight_map\": {\"h\": 1}}", "expected a string"},
        {"{}", "\"weight_map\" is missing"},
    };
    Err e;
    StSet w;
    const char *dir = test_folder();
    CHECK(st_set_open(&w, dir, &e) == -1 && strstr(e.message, "neither model.safetensors nor"));
    OK(st_write(in_folder(dir, "a.safetensors"), all, 4, NULL, NULL, NULL, &e));
    OK(st_write(in_folder(dir, "b.safetensors"), all + 2, 1, NULL, NULL, NULL, &e));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        OK(put_index(dir, bad[i].text, &e));
        if (st_set_open(&w, dir, &e) != -1 || !strstr(e.message, bad[i].why)) test_fail(__FILE__, __LINE__, "%s: got '%s'", bad[i].text, e.message);
    }
}
