/* cli.c - see cli.h */
#include "cli.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"

const char *cli_program(void)
{
    static char path[4096];
    const char *name = getenv("FTS_PROGRAM");
    if (!*path && (!name || !realpath(name, path) || access(path, X_OK))) {
        *path = 0;
        test_skip("no program to run: FTS_PROGRAM names it");
        return NULL;
    }
    setenv("P", path, 1);
    return path;
}

static void read_back(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, size - 1, f) : 0;
    to[n] = 0;
    if (f) fclose(f);
}

const Said *cli(const char *command, ...)
{
    static Said s;
    static char dir[256];
    char text[8192], out[300], err[300];
    va_list ap;
    if (!*dir) snprintf(dir, sizeof dir, "%s", test_folder());
    snprintf(out, sizeof out, "%s/out", dir);
    snprintf(err, sizeof err, "%s/err", dir);
    int n = snprintf(text, sizeof text, "{ ");
    va_start(ap, command);
    n += vsnprintf(text + n, sizeof text - (size_t)n, command, ap);
    va_end(ap);
    snprintf(text + n, sizeof text - (size_t)n, "\n} >%s 2>%s </dev/null", out, err);
    int status = system(text);
    s.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_back(out, s.out, sizeof s.out);
    read_back(err, s.err, sizeof s.err);
    return &s;
}

int cli_fails(const Said *s, int status, const char *last_line)
{
    size_t n = strlen(s->err), w = strlen(last_line);
    int same = n > w && s->err[n - 1] == '\n' && !strncmp(s->err + n - 1 - w, last_line, w) && (n == w + 1 || s->err[n - 2 - w] == '\n');
    if (s->status == status && !*s->out && same) return 1;
    test_fail(__FILE__, __LINE__, "status %d, wanted %d; stdout '%s'; stderr '%s', wanted '%s'", s->status, status, s->out, s->err, last_line);
    return 0;
}

int cli_match(const char *text, const char *pattern)
{
    regex_t r;
    char whole[2048];
    snprintf(whole, sizeof whole, "^(%s)$", pattern);
    if (regcomp(&r, whole, REG_EXTENDED | REG_NOSUB)) return 0;
    int found = !regexec(&r, text, 0, NULL, 0);
    regfree(&r);
    return found;
}

/* Copies the line at *text and moves on; 0 at the end. */
static int next_line(const char **text, char *line, size_t size)
{
    const char *stop = strchr(*text, '\n');
    if (!**text) return 0;
    size_t n = stop ? (size_t)(stop - *text) : strlen(*text);
    snprintf(line, size, "%.*s", (int)n, *text);
    *text += n + (stop != NULL);
    return 1;
}

int cli_lines(const char *text, const char *const *pattern, int n)
{
    char line[4096];
    const char *at = text;
    int i = 0;
    for (; next_line(&at, line, sizeof line); i++)
        if (i >= n || !cli_match(line, pattern[i])) {
            test_fail(__FILE__, __LINE__, "line %d is '%s', wanted '%s'", i + 1, line, i < n ? pattern[i] : "the end");
            return 0;
        }
    if (i < n) test_fail(__FILE__, __LINE__, "%d lines, wanted %d: '%s'", i, n, text);
    return i == n;
}

int cli_line(const char *text, const char *pattern)
{
    char line[4096];
    for (const char *at = text; next_line(&at, line, sizeof line);)
        if (cli_match(line, pattern)) return 1;
    test_fail(__FILE__, __LINE__, "no line matches '%s' in '%s'", pattern, text);
    return 0;
}

const char *cli_data(void)
{
    static char dir[256];
    if (*dir) return dir;
    snprintf(dir, sizeof dir, "%s/series", test_folder());
    const Said *s = cli("$P data synth %s --series 60 --length 300 --seed 7", dir);
    if (s->status) test_fail(__FILE__, __LINE__, "data synth: %s", s->err);
    return dir;
}

int cli_same_file(const char *a, const char *b)
{
    Map x, y;
    Err e;
    if (map_open(&x, a, &e) || map_open(&y, b, &e)) {
        test_fail(__FILE__, __LINE__, "%s", e.message);
        return 0;
    }
    int same = x.n == y.n && x.n && !memcmp(x.p, y.p, x.n);
    if (!same) test_fail(__FILE__, __LINE__, "%s and %s differ", a, b);
    map_close(&x);
    map_close(&y);
    return same;
}
