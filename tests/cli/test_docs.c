/* test_docs.c - the commands of the pages, as a reader would type them. */
#include <stdio.h>
#include <string.h>

#include "../hub/support.h"
#include "cli.h"
#include "util/file.h"

enum { FEWEST = 9 };

/* A command ends where three blanks set off what is said about it. 0: not a command line of a page. */
static int command_of(const char *line, size_t n, char *command, size_t size)
{
    static const char begins[] = "    foundationts ";
    if (n < sizeof begins || strncmp(line, begins, sizeof begins - 1)) return 0;
    snprintf(command, size, "%.*s", (int)n - 4, line + 4);
    char *end = strstr(command, "   ");
    if (end) *end = 0;
    return 1;
}

TEST(docs_data_commands_run)
{
    char command[512];
    Map m;
    Err e = {0};
    int ran = 0, downloads = 0;
    if (!cli_program() || !tiny_start()) return;
    OK(map_open(&m, "docs/data.md", &e));
    const char *dir = test_folder(), *p = (const char *)m.p, *end = p + m.n, *line;
    cli("printf '[1, 2, 3, 4]\n[5, 6, 7.5]\n' >%s/sales.jsonl", dir);
    for (; (line = p) < end; p++) {
        p = memchr(line, '\n', (size_t)(end - line));
        if (!command_of(line, (size_t)(p - line), command, sizeof command)) continue;
        int download = strstr(command, " download ") != NULL;
        const Said *s = cli("cd %s; foundationts() { \"$P\" \"$@\"%s; }; %s", dir, download ? " --repo-id org/tiny" : "", command);
        if (s->status) test_fail(__FILE__, __LINE__, "%s: status %d, %s", command, s->status, s->err);
        ran++;
        downloads += download;
    }
    map_close(&m);
    CHECK(ran >= FEWEST && downloads == 2);
}
