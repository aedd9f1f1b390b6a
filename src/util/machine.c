/* machine.c - see machine.h */
#include "util/machine.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A file of /proc or /sys as text; 0 if it is not there. */
static int read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    size_t have = 0;
    if (fd < 0) return 0;
    while (have < size - 1 && (n = read(fd, text + have, size - 1 - have)) > 0) have += (size_t)n;
    close(fd);
    text[have] = 0;
    return n >= 0;
}

/* The number a file begins with; -1 if it is not there or is a word ("max"). */
static double read_number(const char *dir, const char *name)
{
    char path[4352], text[64], *end;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || !read_text(path, text, sizeof text)) return -1;
    long long x = strtoll(text, &end, 10);
    return end == text ? -1 : (double)x;
}

/* cpu.max is "quota period" or "max period" (v2). v1 has a file for each, and -1 for no quota. */
static double cpu_limit(const char *dir)
{
    char path[4352], text[64];
    double quota, period;
    if (snprintf(path, sizeof path, "%s/cpu.max", dir) < (int)sizeof path && read_text(path, text, sizeof text)) {
        long long q, t;
        return sscanf(text, "%lld %lld", &q, &t) == 2 && q > 0 && t > 0 ? (double)q / (double)t : INFINITY;
    }
    quota = read_number(dir, "cpu.cfs_quota_us");
    period = read_number(dir, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* memory.high is no limit but a brake, and stays out. */
static double memory_limit(const char *dir)
{
    double v2 = read_number(dir, "memory.max"), v1 = read_number(dir, "memory.limit_in_bytes");
    return v2 > 0 ? v2 : v1 > 0 ? v1 : INFINITY;
}

/* The number behind a word at the begin of a line; -1: there is no such line. */
static double number_after(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, word, n) && (p[n] == ' ' || p[n] == '\t')) return strtod(p + n, NULL);
    return -1;
}

/* Pages of files that nobody has touched lately are given up without harm, and of the others about half, as the kernel reckons too. */
static double memory_free(const char *dir)
{
    char path[4352], text[16384] = "";
    double limit = memory_limit(dir), v2 = read_number(dir, "memory.current"), used = v2 >= 0 ? v2 : read_number(dir, "memory.usage_in_bytes");
    if (isinf(limit) || used < 0) return INFINITY;
    if (snprintf(path, sizeof path, "%s/memory.stat", dir) >= (int)sizeof path || !read_text(path, text, sizeof text)) return limit - used;
    const char *idle = v2 >= 0 ? "inactive_file" : "total_inactive_file", *warm = v2 >= 0 ? "active_file" : "total_active_file";
    return fmax(0, limit - used + fmax(0, number_after(text, idle)) + fmax(0, number_after(text, warm)) / 2);
}

/* A limit of a parent binds too. In a container the path may be the host's, not there at all, but the way up ends at the root,
 * which then is the container's own group. */
static double least_upwards(const char *root, const char *group, double (*limit)(const char *dir))
{
    char dir[4224];
    double least = INFINITY;
    size_t keep = strlen(root);
    if (snprintf(dir, sizeof dir, "%s%s", root, group) >= (int)sizeof dir) dir[keep] = 0;
    for (;;) {
        least = fmin(least, limit(dir));
        char *slash = strrchr(dir + keep, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

static int has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, word, n) && (p[n] == ',' || !p[n])) return 1;
    return 0;
}

/* Lines are "number:controllers:path"; no controllers: version 2. */
static double cgroup_limit(const char *controller, double (*limit)(const char *dir))
{
    char text[16384], root[64], *rest = text, *line;
    double least = INFINITY;
    if (!read_text("/proc/self/cgroup", text, sizeof text)) return least;
    while ((line = strsep(&rest, "\n"))) {
        char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        list++;
        if (*list && !has_word(list, controller)) continue;
        snprintf(root, sizeof root, "/sys/fs/cgroup%s%s", *list ? "/" : "", *list ? controller : "");
        least = fmin(least, least_upwards(root, group, limit));
    }
    return least;
}

/* "4", or "4,2" for nested levels, of which the first is ours; 0 if unset or nonsense. */
static int wanted_threads(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    char *end;
    if (!text) return 0;
    long n = strtol(text, &end, 10);
    while (end > text && (*end == ' ' || *end == '\t')) end++;
    return end > text && (!*end || *end == ',') && n >= 1 && n <= 4096 ? (int)n : 0;
}

static int allowed_cores(void)
{
    cpu_set_t set[8];                               /* one is 1024 cores, and the call fails if the machine has more */
    if (!sched_getaffinity(0, sizeof set, set)) return CPU_COUNT_S(sizeof set, set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int machine_threads(void)
{
    int n = wanted_threads();
    if (n) return n;
    n = allowed_cores();
    double quota = ceil(cgroup_limit("cpu", cpu_limit));
    if (quota < n) n = (int)quota;
    return n < 1 ? 1 : n;
}

int64_t machine_memory(void)
{
    double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return (int64_t)fmin(all, cgroup_limit("memory", memory_limit));
}

int64_t machine_free_memory(void)
{
    char text[8192] = "";
    double all = read_text("/proc/meminfo", text, sizeof text) ? 1024 * number_after(text, "MemAvailable:") : -1;
    if (all < 0) all = (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return (int64_t)fmin(all, cgroup_limit("memory", memory_free));
}

/* VmRSS would count mapped files too, and those pages are not ours to pay for. */
int64_t machine_own_memory(void)
{
    char text[8192];
    return read_text("/proc/self/status", text, sizeof text) ? (int64_t)fmax(0, 1024 * number_after(text, "RssAnon:")) : 0;
}

/* The peak belongs to the process, as the kernel's own counters do, so it may be kept beside them and not with a caller. */
int64_t machine_peak_memory(void)
{
    static _Atomic int64_t peak;
    int64_t now = machine_own_memory(), old = atomic_load(&peak);
    while (now > old && !atomic_compare_exchange_weak(&peak, &old, now)) { }
    return atomic_load(&peak);
}

double machine_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
