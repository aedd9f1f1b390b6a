/* quiet.c - is the machine quiet? Cores must be idle before we start, each must do as much as the other, and always the same. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { PROBES = 8, TRIES = 10 };
static const double IDLE = 0.97, SCALING = 0.8, STEADY = 0.9;             /* turbo clocks may fall a little when all cores work; siblings of one core do half */

/* user, nice, system, idle, iowait, irq, softirq, steal: what is neither idle nor waiting for a disk is work, and stolen time is somebody's too. */
double cpu_busy(void)
{
    char line[512];
    cpu_set_t allowed;
    double busy = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (!f) return 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) memset(&allowed, 0xff, sizeof allowed);
    while (fgets(line, sizeof line, f)) {
        unsigned long long t[8];
        int cpu;
        if (sscanf(line, "cpu%d %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) != 9) continue;
        if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed)) busy += (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]);
    }
    fclose(f);
    return busy / (double)sysconf(_SC_CLK_TCK);
}

static double idle_share(const Bench *b)
{
    double before = cpu_busy();
    usleep(b->extent == SMOKE ? 20000 : 1000000);
    double share = 1 - (cpu_busy() - before) / (b->extent == SMOKE ? 0.02 : 1) / b->threads;
    return share > 0 ? share : 0;
}

static int look(const Bench *b, char *why, size_t size)
{
    double one[PROBES], all[PROBES], seconds = b->extent == SMOKE ? 0.001 : 0.04, idle = idle_share(b);
    for (int i = 0; i < PROBES; i++) {
        one[i] = team_rate(1, isa_best()->work, NULL, seconds);
        all[i] = team_rate(b->threads, isa_best()->work, NULL, seconds);
    }
    Sample o = sample_of(one, PROBES), a = sample_of(all, PROBES);
    double scaling = a.median / o.median / b->threads, steady = a.low / a.high;
    snprintf(why, size, "%sidle %.0f %%, %d threads do %.2f times the work of one, %d probes within %.0f %% of the best%s%s%s",
             idle < IDLE || scaling < SCALING || steady < STEADY ? "NOT quiet: " : "quiet: ", 100 * idle, b->threads, scaling * b->threads, PROBES, 100 * (1 - steady),
             idle < IDLE ? "; other programs run" : "", scaling < SCALING ? "; threads share cores" : "", steady < STEADY ? "; the speed varies" : "");
    return idle < IDLE || scaling < SCALING || steady < STEADY;
}

int quiet_check(const Bench *b, char *why, size_t size)
{
    int busy = 1;
    for (int i = 0; i < (b->anyway || b->extent == SMOKE ? 1 : TRIES) && busy; i++) {
        if (i) usleep(3000000);
        busy = look(b, why, size);
        progress("%s", why);
    }
    return busy;
}
