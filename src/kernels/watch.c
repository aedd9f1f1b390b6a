/* watch.c - see watch.h */
#include "kernels/watch.h"

#include "kernels/cost.h"
#include "util/machine.h"

/* An op may only have been started when it returns: the time ends when the device is done. Its failure stays for the next one who asks. */
static void record(Backend *b, int op, double from, Cost c)
{
    Err e;
    (void)backend_sync(b, &e);
    OpSum *s = &b->watch->sum[op];
    double took = machine_seconds() - from;
    s->calls++;
    s->seconds += took;
    s->flops += c.flops;
    s->bytes += c.bytes;
    spans_add(b->watch->spans, 0, &(Span){.name = op_names[op], .number = -1, .kind = SPAN_OP, .from = from, .took = took, .arg = {1e-9 * c.flops, 1e-6 * c.bytes}});
}

#define OP(name, args, call)                           \
    static void watch_##name args                      \
    {                                                  \
        double began = machine_seconds();              \
        b->watch->inner.name call;                     \
        record(b, AT_##name, began, (Cost)COST_##name); \
    }
#include "kernels/ops.def"
#undef OP

static const Ops watch_ops = {
#define OP(name, args, call) watch_##name,
#include "kernels/ops.def"
#undef OP
};

void watch_begin(Watch *w, Backend *b)
{
    w->inner = b->ops;
    b->ops = watch_ops;
    b->watch = w;
}

void watch_end(Backend *b)
{
    if (!b->watch) return;
    b->ops = b->watch->inner;
    b->watch = NULL;
}

void watch_part(const Backend *b, const char *name, int number, double from)
{
    if (b->watch) spans_add(b->watch->spans, 0, &(Span){.name = name, .number = number, .kind = SPAN_PART, .from = from, .took = machine_seconds() - from});
}
