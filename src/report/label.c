/* label.c - see label.h */
#include "report/label.h"

#include <string.h>

#include "util/str.h"

#define ELLIPSIS    "\xE2\x80\xA6"
#define REPLACEMENT "\xEF\xBF\xBD"

/* Of a character in em, as in a wide font such as DejaVu Sans: most fonts need less, and text that is narrower than its place does no harm. */
static double char_width(const char *p, size_t n)
{
    if (n == 1 && strchr("ijl|'", *p)) return 0.29;
    if (n == 1 && strchr(" .,:;!I()[]/\\-ftr\"`", *p)) return 0.38;
    if (n == 1 && strchr("mwMW@%&", *p)) return 0.95;
    if (n == 1 && *p >= 'A' && *p <= 'Z') return 0.70;
    return n < 3 ? 0.62 : 1;           /* three bytes and more: scripts whose characters are square, and symbols */
}

double label_width(const char *text, double size)
{
    double em = 0;
    for (size_t left = strlen(text), n; left; text += n, left -= n) {
        n = str_utf8(text, left);
        if (!n) n = 1;
        em += char_width(text, n);
    }
    return em * size;
}

const char *label_char(const char *p, size_t *n)
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c == 0x7F || (*n == 2 && c == 0xC2 && (unsigned char)p[1] < 0xA0)) { *n = 1; return " "; }
    if (*n && !(*n == 3 && (!memcmp(p, "\xEF\xBF\xBE", 3) || !memcmp(p, "\xEF\xBF\xBF", 3)))) return p;
    *n = 3;
    return REPLACEMENT;
}

void label_fit(char *out, size_t room, const char *text, double size, double width)
{
    double ellipsis = char_width(ELLIPSIS, 3), em = 0;
    size_t to = 0, cut = 0;            /* cut: as much of out as leaves room for an ellipsis */
    size_t left = text ? strlen(text) : 0;
    while (left) {
        size_t used = str_utf8(text, left), n = used;
        const char *p = label_char(text, &n);
        em += char_width(p, n);
        if (em * size > width || to + n + sizeof ELLIPSIS > room) {
            memcpy(out + cut, ELLIPSIS, sizeof ELLIPSIS);
            return;
        }
        memcpy(out + to, p, n);
        to += n;
        if ((em + ellipsis) * size <= width) cut = to;
        text += used ? used : 1;
        left -= used ? used : 1;
    }
    out[to] = 0;
}
