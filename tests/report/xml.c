/* xml.c - see xml.h */
#include "xml.h"

#include <stdio.h>
#include <string.h>

#include "test.h"
#include "util/str.h"

const char *wrong_xml(const char *p, const char *end)
{
    char open[16][24];
    int depth = 0, roots = 0;
    while (p < end) {
        if (*p == '&' && strncmp(p, "&lt;", 4) && strncmp(p, "&gt;", 4) && strncmp(p, "&amp;", 5) && strncmp(p, "&quot;", 6) && strncmp(p, "&#39;", 5)) return "a bare &";
        if ((unsigned char)*p < 0x20 && *p != '\n') return "a control character";
        size_t bytes = str_utf8(p, (size_t)(end - p));
        if (!bytes) return "not UTF-8";
        p += bytes;
        if (p[-1] != '<') continue;
        if (*p == '/') {
            size_t n = strcspn(++p, ">");
            if (!depth || strlen(open[depth - 1]) != n || strncmp(open[depth - 1], p, n)) return "a tag that closes another";
            depth--;
            p += n + 1;
            continue;
        }
        size_t n = strcspn(p, " >/\n");
        if (depth == 16 || n >= sizeof open[0]) return "too deep, or a long name";
        if (!depth && roots++) return "two roots";
        snprintf(open[depth++], sizeof open[0], "%.*s", (int)n, p);
        p += n;
        while (p < end && *p == ' ') {
            size_t name = strspn(++p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789");
            if (!name || p[name] != '=' || p[name + 1] != '"') return "an attribute without a quoted value";
            p += name + 2;
            size_t value = strcspn(p, "\"<");
            if (p[value] != '"') return "an open quote";
            p += value + 1;
        }
        if (*p == '/') { depth--; p++; }
        if (*p++ != '>') return "a tag without its end";
    }
    return depth || !roots ? "a tag that is left open" : NULL;
}

TEST(report_xml_checker_can_fail)
{
    static const char *const bad[] = {"", "<a>", "<a></b>", "<a b=c/>", "<a b=\"<\"/>", "<a>&x;</a>", "<a/><b/>", "<a>\x01</a>", "<a>\xFF</a>", "<a b=\"c\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(wrong_xml(bad[i], bad[i] + strlen(bad[i])));
    static const char good[] = "<a b=\"c\">x &lt; <d/></a>";
    CHECK(!wrong_xml(good, good + sizeof good - 1));
}
