/* source_jsonl.c - see jsonl.h. Decoded once at open: text has no places to jump to. */
#include "data/jsonl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Writers of GluonTS put these in quotes, and not always in the same spelling. */
int json_word(const char *p, size_t n, double *x)
{
    static const struct { const char *text; float x; } words[] = {
        {"nan", NAN}, {"inf", INFINITY}, {"infinity", INFINITY}, {"-inf", -INFINITY}, {"-infinity", -INFINITY},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (n != strlen(words[i].text) || strncasecmp(p, words[i].text, n)) continue;
        *x = (double)words[i].x;
        return 1;
    }
    return 0;
}

static int quoted_number(Json *j, double *x, Err *e)
{
    char word[16];
    if (json_string(j, word, sizeof word, e)) return -1;
    return json_word(word, strlen(word), x) ? 0 : json_error(j, e, "found \"%s\", expected a number", word);
}

static int number(Json *j, double *x, Err *e)
{
    switch (json_peek(j)) {
    case 'n': *x = (double)NAN; return json_skip(j, e);            /* how orjson writes NaN */
    case '"': return quoted_number(j, x, e);
    case '[': return json_error(j, e, "a list inside a series: a series has one dimension");
    default:  return json_number(j, x, e);
    }
}

static int numbers(Decoded *d, Json *j, Err *e)
{
    double x;
    int more;
    if (decoded_series(d, e) || json_open(j, '[', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (number(j, &x, e) || decoded_point(d, x, e)) return -1;
    return more;
}

static int other_key(const JsonOther *other, const char *key, Json *j, Err *e)
{
    int read = other ? other->key(other->user, key, j, e) : 0;
    return read ? (read < 0 ? -1 : 0) : json_skip(j, e);
}

static int object(Decoded *d, Json *j, const JsonOther *other, Err *e)
{
    char key[16];
    int more, found = 0;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        int series = !strcmp(key, "sequence") || !strcmp(key, "target");
        if (series && found++) return json_error(j, e, "a second series in one object");
        if (series ? numbers(d, j, e) : other_key(other, key, j, e)) return -1;
    }
    if (!more && !found) return json_error(j, e, "an object without \"sequence\" or \"target\"");
    return more;
}

int json_series(Decoded *d, Json *j, Err *e) { return json_series_and(d, j, NULL, e); }

int json_series_and(Decoded *d, Json *j, const JsonOther *other, Err *e)
{
    char kind = json_peek(j);
    if (kind != '[' && kind != '{') return json_error(j, e, "expected a list of numbers or an object with \"sequence\"");
    return kind == '[' ? numbers(d, j, e) : object(d, j, other, e);
}

static int line(Decoded *d, Json *j, Err *e)
{
    if (!json_peek(j)) return 0;                                    /* blank */
    return json_series(d, j, e) || json_end(j, e) ? -1 : 0;
}

/* What ends before its line does is cut off; what goes on in the next was laid out for people. */
static int unfinished(Err *e)
{
    size_t n = strlen(e->message);
    snprintf(e->message + n, sizeof e->message - n, ": a line holds a whole value");
    return -1;
}

/* Each line gets a parser of its own that ends with it, but starts with the text, so that errors count lines. */
int jsonl_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    Json all, one;
    json_init(&all, text, n);
    while (all.p < all.end) {
        const char *stop = memchr(all.p, '\n', (size_t)(all.end - all.p));
        if (!stop) stop = all.end;
        one = all;
        one.end = stop;
        if (line(d, &one, e)) return stop < all.end && strstr(e->message, ": the text ends") ? unfinished(e) : -1;
        all.p = stop + (stop < all.end);
    }
    return 0;
}

static int jsonl_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".jsonl"); }
static int jsonl_open(Source *s, Err *e) { return decoded_open(s, jsonl_decode, e); }

const Format format_jsonl = {"jsonl", ".jsonl", jsonl_sniff, jsonl_open, decoded_read, decoded_close};
