/* str.c - see str.h */
#include "util/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int room(Str *s, size_t n)
{
    if (s->failed) return -1;
    if (s->n + n + 1 <= s->cap) return 0;
    size_t cap = 2 * (s->n + n) + 64;
    char *grown = realloc(s->p, cap);
    if (!grown) { s->failed = 1; return -1; }
    s->p = grown;
    s->cap = cap;
    return 0;
}

void str_add(Str *s, const void *bytes, size_t n)
{
    if (room(s, n)) return;
    if (n) memcpy(s->p + s->n, bytes, n);
    s->n += n;
    s->p[s->n] = 0;
}

void str_addf(Str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || room(s, (size_t)n)) return;
    va_start(ap, fmt);
    vsnprintf(s->p + s->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->n += (size_t)n;
}

int str_ok(const Str *s, Err *e) { return s->failed ? err_nomem(e, s->cap, "text") : 0; }

void str_free(Str *s)
{
    free(s->p);
    *s = (Str){0};
}

size_t str_utf8(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xBF;
    size_t n;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4) return 0;
    n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0) low = 0xA0;
    if (p[0] == 0xED) high = 0x9F;
    if (p[0] == 0xF0) low = 0x90;
    if (p[0] == 0xF4) high = 0x8F;
    if (left < n || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

const char *str_shown(const char *p, size_t all, char out[32])
{
    size_t n = all < 28 ? all : 24;
    while (n && n < all && ((unsigned char)p[n] & 0xC0) == 0x80) n--;         /* not through a character of UTF-8 */
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)p[i] < 32 || p[i] == 127 ? '?' : p[i];
    memcpy(out + n, n < all ? "..." : "", n < all ? 4 : 1);
    return out;
}

enum { LONGEST = 128 };

/* Levenshtein's distance, one row at a time; texts of more than LONGEST are nobody's neighbour. */
int str_distance(const char *a, const char *b)
{
    int row[LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t k = 0; k <= m; k++) row[k] = (int)k;
    for (size_t i = 1; i <= n; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t k = 1; k <= m; k++) {
            int best = corner + (a[i - 1] != b[k - 1]);
            if (row[k] + 1 < best) best = row[k] + 1;
            if (row[k - 1] + 1 < best) best = row[k - 1] + 1;
            corner = row[k];
            row[k] = best;
        }
    }
    return row[m];
}
