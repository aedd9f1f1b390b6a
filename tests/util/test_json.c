#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "util/json.h"
#include "util/rng.h"

/* Text that ends where memory ends: one byte too far is a crash. */
typedef struct Edge { char *page, *end; size_t bytes; } Edge;

static int edge_open(Edge *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->bytes = 3 * page;
    g->page = mmap(NULL, g->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->page == MAP_FAILED) return -1;
    g->end = g->page + 2 * page;
    return mprotect(g->end, page, PROT_NONE);
}

static const char *edge_put(Edge *g, const char *text, size_t n) { return n ? memcpy(g->end - n, text, n) : g->end; }
static void edge_close(Edge *g) { munmap(g->page, g->bytes); }

static int reads(Edge *g, const char *text, size_t n, Err *e)
{
    Json j;
    json_init(&j, edge_put(g, text, n), n);
    return json_skip(&j, e) || json_end(&j, e) ? -1 : 0;
}

static const char sample[] = "\xEF\xBB\xBF {\"a\" : [1, -2.5e+3, 0, true, false, null, NaN, -Infinity, Infinity],\r\n\t\"b\\n\\u00e4\\ud83d\\ude00\": "
                             "{\"\": \"\\\"\\\\\\/\\b\\f\\r\\t\\u0041 \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\"}, \"c\":[], \"d\":{}, \"e\":1E-7}";

TEST(json_every_cut_of_a_document_is_an_error_and_stays_inside)
{
    Err e = {0};
    Edge g;
    CHECK(!edge_open(&g));
    OK(reads(&g, sample, sizeof sample - 1, &e));
    for (size_t n = 0; n < sizeof sample - 1; n++) {
        e = (Err){0};
        CHECK(reads(&g, sample, n, &e) == -1 && e.code == FTS_FORMAT && !strncmp(e.message, "line ", 5));
    }
    edge_close(&g);
}

/* Any byte anywhere: an error or not, but never outside the text. */
TEST(json_damaged_documents_stay_inside)
{
    Err e = {0};
    Edge g;
    char text[sizeof sample];
    CHECK(!edge_open(&g));
    for (size_t i = 0; i < sizeof sample - 1; i++)
        for (unsigned c = 0; c < 256; c += 3) {
            memcpy(text, sample, sizeof sample);
            text[i] = (char)c;
            reads(&g, text, sizeof sample - 1, &e);
        }
    edge_close(&g);
}

TEST(json_malformed_texts_say_where_and_what)
{
    static const struct { const char *text, *want; } c[] = {
        {"", "line 1, column 1: the text ends, expected a value"},
        {" \n ", "line 2, column 2: the text ends, expected a value"},
        {"{", "line 1, column 2: the text ends inside an object"},
        {"[1", "line 1, column 3: the text ends inside an array"},
        {"[1,", "line 1, column 4: the text ends, expected a value"},
        {"[1,]", "line 1, column 4: a comma before ']'"},
        {"{\"a\":1,}", "line 1, column 8: a comma before '}'"},
        {"[,1]", "line 1, column 2: found ',', expected a value"},
        {"[1 2]", "line 1, column 4: found '2', expected ',' or ']'"},
        {"[1}", "line 1, column 3: found '}', expected ',' or ']'"},
        {"[}", "line 1, column 2: found '}', expected a value"},
        {"{]", "line 1, column 2: found ']', expected a key in quotes"},
        {"{1:2}", "line 1, column 2: found '1', expected a key in quotes"},
        {"{\"a\" 1}", "line 1, column 6: found '1', expected ':'"},
        {"{\"a\":}", "line 1, column 6: found '}', expected a value"},
        {"{\"a\":1 \"b\":2}", "line 1, column 8: found '\"', expected ',' or '}'"},
        {"1 2", "line 1, column 3: found '2', expected the end"},
        {"[1]]", "line 1, column 4: found ']', expected the end"},
        {"tru", "line 1, column 1: found 't', expected true or false"},
        {"fals!", "line 1, column 1: found 'f', expected true or false"},
        {"nul", "line 1, column 1: found 'n', expected null"},
        {"truex", "line 1, column 5: found 'x', expected the end"},
        {"hello", "line 1, column 1: found 'h', expected a value"},
        {"'a'", "line 1, column 1: found ''', expected a value"},
        {"\x01", "line 1, column 1: found byte 0x01, expected a value"},
        {"\xC3\xA4", "line 1, column 1: found byte 0xc3, expected a value"},
        {"// no", "line 1, column 1: found '/', expected a value"},
        {"01", "line 1, column 3: a number that begins with 0"},
        {"-", "line 1, column 2: a digit is missing in a number"},
        {"-x", "line 1, column 2: a digit is missing in a number"},
        {"+1", "line 1, column 1: found '+', expected a value"},
        {".5", "line 1, column 1: found '.', expected a value"},
        {"1.", "line 1, column 3: a digit is missing in a number"},
        {"1.e3", "line 1, column 3: a digit is missing in a number"},
        {"1e", "line 1, column 3: a digit is missing in a number"},
        {"1e+", "line 1, column 4: a digit is missing in a number"},
        {"Nan", "line 1, column 1: a digit is missing in a number"},
        {"-Inf", "line 1, column 2: a digit is missing in a number"},
        {"\"a", "line 1, column 3: the text ends inside a string"},
        {"\"a\\", "line 1, column 4: the text ends inside a string"},
        {"\"a\\x\"", "line 1, column 4: an unknown escape in a string"},
        {"\"\\u12g4\"", "line 1, column 6: \\u needs four hexadecimal digits"},
        {"\"\\u12", "line 1, column 6: \\u needs four hexadecimal digits"},
        {"\"\\ud800\"", "line 1, column 8: half of a surrogate pair"},
        {"\"\\udc00\"", "line 1, column 8: half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "line 1, column 14: half of a surrogate pair"},
        {"\"\\ud800\\n\"", "line 1, column 8: half of a surrogate pair"},
        {"\"a\nb\"", "line 1, column 3: a control character in a string"},
        {"\"a\tb\"", "line 1, column 3: a control character in a string"},
        {"[\"\xC3\xA4\xC3\xA4\",\n\"\xE2\x82\xAC\", x]", "line 2, column 6: found 'x', expected a value"}};
    Err e = {0};
    Edge g;
    CHECK(!edge_open(&g));
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        e = (Err){0};
        CHECK(reads(&g, c[i].text, strlen(c[i].text), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, c[i].want);
    }
    edge_close(&g);
}

TEST(json_strings_are_strict_utf8)
{
    static const char *bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3\x28", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF"};
    static const char *good[] = {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    Err e = {0};
    Edge g;
    char text[16];
    CHECK(!edge_open(&g));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int n = snprintf(text, sizeof text, "\"%s\"", bad[i]);
        CHECK(reads(&g, text, (size_t)n, &e) == -1 && strstr(e.message, "not UTF-8"));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int n = snprintf(text, sizeof text, "\"%s\"", good[i]);
        OK(reads(&g, text, (size_t)n, &e));
    }
    edge_close(&g);
}

TEST(json_reads_values)
{
    static const char text[] = "{\"name\":\"x\\u00e4\\ud83d\\ude00\\n\",\"n\":-12,\"list\":[1.5,NaN,-Infinity,1e400,true,false,null],\"last\":{}}";
    Err e = {0};
    Json j;
    char key[16], s[16];
    int64_t n = 0;
    double x = 0;
    int b = 0;
    json_init(&j, text, sizeof text - 1);
    CHECK(json_peek(&j) == '{');
    OK(json_open(&j, '{', &e));
    CHECK(json_more(&j, &e) == 1 && !json_key(&j, key, sizeof key, &e) && !strcmp(key, "name") && json_peek(&j) == '"');
    OK(json_string(&j, s, sizeof s, &e));
    TEXT(s, "x\xC3\xA4\xF0\x9F\x98\x80\n");
    CHECK(json_more(&j, &e) == 1 && !json_key(&j, key, sizeof key, &e) && json_peek(&j) == '0');
    OK(json_int(&j, &n, &e));
    CHECK(n == -12 && json_more(&j, &e) == 1 && !json_key(&j, key, sizeof key, &e) && json_peek(&j) == '[');
    OK(json_open(&j, '[', &e));
    CHECK(json_more(&j, &e) == 1 && !json_number(&j, &x, &e) && x == 1.5);
    CHECK(json_more(&j, &e) == 1 && json_peek(&j) == '0' && !json_number(&j, &x, &e) && isnan(x));
    CHECK(json_more(&j, &e) == 1 && !json_number(&j, &x, &e) && x == -INFINITY);
    CHECK(json_more(&j, &e) == 1 && !json_number(&j, &x, &e) && x == INFINITY);
    CHECK(json_more(&j, &e) == 1 && json_peek(&j) == 't' && !json_bool(&j, &b, &e) && b == 1);
    CHECK(json_more(&j, &e) == 1 && json_peek(&j) == 'f' && !json_bool(&j, &b, &e) && b == 0);
    CHECK(json_more(&j, &e) == 1 && json_peek(&j) == 'n' && !json_skip(&j, &e));
    CHECK(json_more(&j, &e) == 0 && json_more(&j, &e) == 1 && !json_key(&j, key, sizeof key, &e) && !json_open(&j, '{', &e));
    CHECK(json_more(&j, &e) == 0 && json_more(&j, &e) == 0 && json_peek(&j) == 0);
    OK(json_end(&j, &e));
}

TEST(json_wrong_kinds_are_named)
{
    Err e = {0};
    Json j;
    char s[16];
    int64_t n;
    double x;
    int b;
    json_init(&j, "[]", 2);
    CHECK(json_open(&j, '{', &e) == -1);
    TEXT(e.message, "line 1, column 1: found '[', expected an object");
    CHECK(json_string(&j, s, sizeof s, &e) == -1 && strstr(e.message, "expected a string"));
    CHECK(json_number(&j, &x, &e) == -1 && strstr(e.message, "expected a number"));
    CHECK(json_int(&j, &n, &e) == -1 && strstr(e.message, "expected a whole number"));
    CHECK(json_bool(&j, &b, &e) == -1 && strstr(e.message, "expected true or false"));
    json_init(&j, "]", 1);
    CHECK(json_peek(&j) == '?' && json_open(&j, '[', &e) == -1);
    json_init(&j, "[1", 2);
    CHECK(!json_open(&j, '[', &e) && json_more(&j, &e) == 1 && !json_int(&j, &n, &e) && json_end(&j, &e) == -1);
    json_init(&j, NULL, 0);
    CHECK(json_peek(&j) == 0 && json_end(&j, &e) == 0);
    CHECK(json_error(&j, &e, "%d experts", 3) == -1);
    TEXT(e.message, "line 1, column 1: 3 experts");
}

TEST(json_whole_numbers)
{
    static const struct { const char *text; int64_t want; int bad; } c[] = {{"0", 0, 0}, {"-0", 0, 0}, {"9223372036854775807", INT64_MAX, 0},
        {"-9223372036854775808", INT64_MIN, 0}, {"9223372036854775808", 0, 1}, {"-9223372036854775809", 0, 1}, {"99999999999999999999999", 0, 1},
        {"1.0", 0, 1}, {"1e3", 0, 1}, {"1E3", 0, 1}, {"NaN", 0, 1}, {"-Infinity", 0, 1}, {"01", 0, 1}, {"\"1\"", 0, 1}, {"12 ", 12, 0}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        Err e = {0};
        Json j;
        int64_t n = 0;
        json_init(&j, c[i].text, strlen(c[i].text));
        CHECK((json_int(&j, &n, &e) != 0) == c[i].bad && n == c[i].want);
    }
}

TEST(json_depth_is_limited)
{
    char text[200];
    Err e = {0};
    Edge g;
    CHECK(!edge_open(&g));
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    OK(reads(&g, text, 128, &e));
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CHECK(reads(&g, text, 130, &e) == -1);
    TEXT(e.message, "line 1, column 65: nested deeper than 64");
    edge_close(&g);
}

static const char *key_of(const char *text, char *key, size_t size)
{
    Err e = {0};
    Json j;
    json_init(&j, text, strlen(text));
    if (json_open(&j, '{', &e) || json_more(&j, &e) != 1 || json_key(&j, key, size, &e)) return e.message[0] ? "error" : "?";
    return key;
}

TEST(json_a_cut_key_equals_no_other)
{
    char key[8];
    TEXT(key_of("{\"1234567\":0}", key, sizeof key), "1234567");
    TEXT(key_of("{\"12345678\":0}", key, sizeof key), "1234\xE2\x80\xA6");
    TEXT(key_of("{\"123\xC3\xA4xyz\":0}", key, sizeof key), "123\xE2\x80\xA6");
    TEXT(key_of("{\"123456\xE2\x82\xAC\":0}", key, sizeof key), "1234\xE2\x80\xA6");
    TEXT(key_of("{\"\\u0000\":0}", key, sizeof key), "error");
    TEXT(key_of("{\"\" : 0}", key, sizeof key), "");
}

TEST(json_strings_must_fit_and_hold_no_zero)
{
    Err e = {0};
    Json j;
    char s[5];
    json_init(&j, "\"1234\" \"12345\"", 14);
    OK(json_string(&j, s, sizeof s, &e));
    TEXT(s, "1234");
    CHECK(json_string(&j, s, sizeof s, &e) == -1);
    TEXT(e.message, "line 1, column 15: a string of 5 bytes, at most 4");
    json_init(&j, "\"a\\u0000b\"", 10);
    CHECK(json_string(&j, s, sizeof s, &e) == -1 && strstr(e.message, "a zero byte"));
    json_init(&j, "\"a\\u0000b\"", 10);
    OK(json_skip(&j, &e));
}

TEST(json_puts_strings)
{
    Str s = {0};
    Err e = {0};
    json_put_string(&s, "a\"b\\c\n\t\r\b\f\x01\x1f/\x7f \xC3\xA4\xE2\x82\xAC bad \xFF\xC3");
    OK(str_ok(&s, &e));
    TEXT(s.p, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u001f/\x7f \xC3\xA4\xE2\x82\xAC bad \xEF\xBF\xBD\xEF\xBF\xBD\"");
    Json j;
    json_init(&j, s.p, s.n);
    OK(json_skip(&j, &e));
    OK(json_end(&j, &e));
    str_free(&s);
}

TEST(json_puts_numbers_as_short_as_can_be)
{
    static const struct { double x; const char *want; } c[] = {{0, "0"}, {-0.0, "-0"}, {1, "1"}, {-1.5, "-1.5"}, {0.1, "0.1"}, {1e-3, "0.001"}, {1e-4, "0.0001"}, {1e-5, "1e-05"},
        {123456789, "123456789"}, {1e15, "1000000000000000"}, {9007199254740993.0, "9007199254740992"}, {1e16, "1e+16"}, {1.25e22, "1.25e+22"}, {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"}, {0.1 + 0.2, "0.30000000000000004"}, {1.0 / 3, "0.3333333333333333"}, {100, "100"}, {1e-100, "1e-100"},
        {NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"}, {12.5, "12.5"}, {0.00025, "0.00025"}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        Str s = {0};
        json_put_number(&s, c[i].x);
        CHECK(s.p);
        TEXT(s.p, c[i].want);
        str_free(&s);
    }
}

TEST(json_numbers_come_back_to_the_bit)
{
    Str s = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        Err e = {0};
        uint64_t r = rng_hash(2, RNG_TEST, i);
        double x, back = 0;
        Json j;
        memcpy(&x, &r, 8);
        if (i % 10 == 0) x *= 0x1p-1000;                       /* some subnormal ones too */
        if (!isfinite(x)) continue;
        s.n = 0;
        json_put_number(&s, x);
        json_init(&j, s.p, s.n);
        OK(json_number(&j, &back, &e));
        OK(json_end(&j, &e));
        CHECK(!memcmp(&x, &back, 8));
    }
    str_free(&s);
}

/* The bits come back, through a double too, and no text of fewer digits brings them back. */
