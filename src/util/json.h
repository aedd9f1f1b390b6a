/* json.h - a pull parser over text in memory, no allocation, and a writer onto a Str.
 *
 * Reads RFC 8259 plus what Python's json writes (NaN, Infinity, -Infinity). Depth is limited to 64;
 * numbers are parsed without a locale. Errors name line and column.
 *
 *     Json j; json_init(&j, text, n);
 *     json_open(&j, '{', &e);  while ((more = json_more(&j, &e)) > 0) { json_key(&j, key, sizeof key, &e); ... value ... } */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "util/err.h"
#include "util/str.h"

typedef struct Json {
    const char *p, *end, *start;
    int  depth;                        /* open brackets */
    char bracket[64];                  /* '{' or '[' of each */
    char fresh[64];                    /* 1: nothing read inside it yet */
} Json;

void json_init(Json *j, const void *text, size_t n);
/* The kind of the next value without reading it: '{' '[' '"' '0' (number, NaN and infinities too) 't' 'f' 'n', 0 at the end, '?' if it is none. */
char json_peek(Json *j);
int  json_open(Json *j, char bracket, Err *e);                      /* expects '{' or '[' */
int  json_more(Json *j, Err *e);                                    /* in an object or array: 1 another item follows (the comma is read), 0 closed, -1 error */
int  json_key(Json *j, char *key, size_t size, Err *e);             /* "key": ; a longer key is cut (it then matches nothing) */
int  json_string(Json *j, char *out, size_t size, Err *e);          /* unescaped UTF-8; an error if it does not fit */
int  json_number(Json *j, double *x, Err *e);                       /* correctly rounded */
int  json_int(Json *j, int64_t *x, Err *e);                         /* a whole number in range, "1.0" is none */
int  json_bool(Json *j, int *x, Err *e);
int  json_skip(Json *j, Err *e);                                    /* any value */
int  json_end(Json *j, Err *e);                                     /* nothing but white space may follow */
int  json_has_key(const void *text, size_t n, const char *key);     /* 1: an object with this key at its top; what is no JSON up to there has none */
int  json_error(const Json *j, Err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));  /* "line 3, column 7: ..."; always -1 */

void json_put_string(Str *s, const char *text);                     /* with quotes and escapes */
void json_put_number(Str *s, double x);                             /* shortest text that reads back the same; null if not finite */

#endif
