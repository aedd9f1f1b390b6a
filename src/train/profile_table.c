/* profile_table.c - where the time of the recorded steps went: a row an op, the longest first. */
#include <inttypes.h>

#include "train/profile.h"

/* Places of the ops that were called, by falling time; how many. */
static int sort_ops(const OpSum *sum, int at[NOPS])
{
    int n = 0;
    for (int op = 0; op < NOPS; op++) {
        if (!sum[op].calls) continue;
        int i = n++;
        for (; i && sum[at[i - 1]].seconds < sum[op].seconds; i--) at[i] = at[i - 1];
        at[i] = op;
    }
    return n;
}

static double per(double x, double y) { return y > 0 ? x / y : 0; }

/* An op is held up by arithmetic or by memory: the one of which it needs the larger share. */
static void put_peak(Str *out, const OpSum *s, double peak, double copy)
{
    double flops = per(per(s->flops, s->seconds), peak), bytes = per(per(s->bytes, s->seconds), copy);
    if (flops > 0 || bytes > 0) str_addf(out, "  %4.0f %% of %s", 100 * (flops > bytes ? flops : bytes), flops > bytes ? "arithmetic" : "memory");
}

static void put_op(Str *out, const Profile *p, const char *name, const OpSum *s)
{
    str_addf(out, "%-15s %8" PRId64 " %10.3f %6.1f %% %10.2f %9.2f", name, s->calls, 1e3 * s->seconds / (double)p->steps, 100 * per(s->seconds, p->seconds),
             1e-9 * per(s->flops, s->seconds), 1e-9 * per(s->bytes, s->seconds));
    put_peak(out, s, p->peak, p->copy);
    str_addf(out, "\n");
}

static void put_time(Str *out, const Profile *p, const char *what, double seconds)
{
    str_addf(out, "%-24s %10.3f %6.1f %%\n", what, 1e3 * seconds / (double)p->steps, 100 * per(seconds, p->seconds));
}

static void put_loader(Str *out, const Profile *p)
{
    int workers = p->spans.nlane - 1;
    double all = (p->ended - p->spans.start) * workers;
    const LoaderTime *t = &p->data;
    str_addf(out, "%d loader thread%s: %.2f %% of their time reading, %.2f %% normalising, %.2f %% else making batches; the rest waiting for room\n", workers, workers == 1 ? "" : "s",
             100 * per(t->read, all), 100 * per(t->normalise, all), 100 * per(t->busy - t->read - t->normalise, all));
}

static void put_head(Str *out, const Profile *p)
{
    str_addf(out, "steps %" PRId64 " to %" PRId64 "; peaks here:", p->first, p->now);
    if (p->peak > 0) str_addf(out, " %.4g GFLOP/s in a product,", 1e-9 * p->peak);
    str_addf(out, " %.4g GB/s in a copy of memory (more comes from caches)\n", 1e-9 * p->copy);
    str_addf(out, "%-15s %8s %10s %8s %10s %9s  share of the peak\n", "op", "calls", "ms a step", "time", "GFLOP/s", "GB/s");
}

void profile_table(const Profile *p, Str *out)
{
    int at[NOPS], n = sort_ops(p->watch.sum, at);
    double ops = 0;
    put_head(out, p);
    for (int i = 0; i < n; i++) {
        put_op(out, p, op_names[at[i]], &p->watch.sum[at[i]]);
        ops += p->watch.sum[at[i]].seconds;
    }
    put_time(out, p, "all ops", ops);
    put_time(out, p, "waiting for data", p->waited);
    put_time(out, p, "between them", p->seconds - ops - p->waited);
    put_time(out, p, "a step", p->seconds);
    put_loader(out, p);
    if (spans_lost(&p->spans)) str_addf(out, "%" PRId64 " spans did not fit into the trace\n", spans_lost(&p->spans));
}
