/* pattern.c - see pattern.h */
#include "hub/pattern.h"

#include <stdint.h>
#include <string.h>

/* The code point at *s, which moves on; a byte that is no UTF-8 stands for itself. */
static uint32_t next(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    int more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) { more = 0; c = p[0]; break; }
        c = c << 6 | (p[i] & 0x3f);
    }
    *s += 1 + more;
    return c;
}

/* The ']' that closes the set behind '['; one that stands first, or behind '!', belongs to it. NULL: '[' is an ordinary character. */
static const char *set_end(const char *p)
{
    if (*p == '!') p++;
    if (*p == ']') p++;
    return strchr(p, ']');
}

static int in_set(const char *p, const char *end, uint32_t c)
{
    int negated = *p == '!', found = 0;
    if (negated) p++;
    while (p < end) {
        uint32_t low = next(&p), high = low;
        if (p + 1 < end && *p == '-') {
            p++;
            high = next(&p);
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

/* One character of both, or 0. */
static int step(const char **pattern, const char **path)
{
    const char *p = *pattern, *end = *p == '[' ? set_end(p + 1) : NULL;
    if (!*p || !**path) return 0;
    uint32_t c = next(path);
    if (end) {
        *pattern = end + 1;
        return in_set(p + 1, end, c);
    }
    uint32_t want = next(pattern);
    return want == '?' || want == c;
}

/* A later '*' makes going back to an earlier one pointless: whatever that could still eat, this one can. */
int pattern_match(const char *pattern, const char *path)
{
    const char *star = NULL, *from = NULL;
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            from = path;
        } else if (!*pattern && !*path) return 1;
        else if (!step(&pattern, &path)) {
            if (!star || !*from) return 0;
            next(&from);
            pattern = star;
            path = from;
        }
    }
}
