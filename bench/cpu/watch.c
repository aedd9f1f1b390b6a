/* watch.c - runs a program that trains and looks on from outside: its lines, its memory, and what others do meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "util/machine.h"

enum { LOOK_MS = 20 };                   /* between looks at the memory: it is taken at the start and stays */

/* Anonymous memory alone: mapped files, such as shards and libraries, can be dropped at any time. */
static double resident(pid_t pid)
{
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8)) kb = strtod(line + 8, NULL);
    fclose(f);
    return 1024 * kb;
}

/* The number behind "key=", which may have commas; 0 if it is not there. */
static double field(const char *line, const char *key)
{
    char text[32];
    size_t n = 0;
    const char *p = strstr(line, key);
    if (!p) return 0;
    for (p += strlen(key); (*p >= '0' && *p <= '9') || *p == '.' || *p == ','; p++)
        if (*p != ',' && n < sizeof text - 1) text[n++] = *p;
    text[n] = 0;
    return strtod(text, NULL);
}

static void take_line(Trained *t, const char *line, int warm)
{
    if (!strncmp(line, "total ", 6)) t->planned = field(line + strspn(line, "total "), "");
    if (strncmp(line, "step=", 5) || field(line, "step=") <= warm || t->n == MAX_STEPS) return;
    t->tokens[t->n] = field(line, "toks/s=");
    t->points[t->n] = field(line, "points/s=");
    t->ms[t->n++] = field(line, "step_ms=");
}

/* Standard output to the pipe; errors go to a file that is shown when it fails. */
static pid_t start(char *const *argv, int out[2], const char *errors)
{
    pid_t pid = pipe(out) ? -1 : fork();
    if (pid) return pid;
    int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(out[1], 1) < 0 || dup2(fd, 2) < 0) _exit(126);
    close(out[0]);
    close(out[1]);
    close(fd);
    execvp(argv[0], argv);
    _exit(127);
}

static void follow(Trained *t, pid_t pid, int fd, int warm)
{
    char text[4096];
    size_t have = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        double now = resident(pid);
        if (now > t->peak) t->peak = now;
        if (poll(&p, 1, LOOK_MS) <= 0) continue;
        ssize_t n = read(fd, text + have, sizeof text - 1 - have);
        if (n <= 0) return;
        have += (size_t)n;
        text[have] = 0;
        char *line = text, *end;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            take_line(t, line, warm);
        }
        have = strlen(line);
        if (have == sizeof text - 1) have = 0;
        memmove(text, line, have);
    }
}

static void last_line(const char *path, char *text, size_t size)
{
    char line[512];
    FILE *f = fopen(path, "r");
    *text = 0;
    while (f && fgets(line, sizeof line, f))
        if (line[0] != '\n') snprintf(text, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (f) fclose(f);
}

int train_watch(const Bench *b, Trained *t, char *const *argv, int warm, Err *e)
{
    char errors[300], said[512];
    int out[2], status, before = t->n;
    struct rusage own;
    double busy = cpu_busy(), began = machine_seconds();
    snprintf(errors, sizeof errors, "%s/errors", b->work);
    pid_t pid = start(argv, out, errors);
    if (pid < 0) return err_errno(e, errno, argv[0]);
    close(out[1]);
    follow(t, pid, out[0], warm);
    close(out[0]);
    if (wait4(pid, &status, 0, &own) < 0) return err_errno(e, errno, argv[0]);
    double used = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) + 1e-6 * (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec);
    double others = (cpu_busy() - busy - used) / (machine_seconds() - began) / b->threads;
    if (others > t->others) t->others = others;
    if (!WIFEXITED(status) || WEXITSTATUS(status) || (t->n == before && !(t->planned > 0))) {
        last_line(errors, said, sizeof said);
        return err_set(e, FTS_IO, "%s %s: failed or told no steps: %s", argv[0], argv[1], said);
    }
    return 0;
}
