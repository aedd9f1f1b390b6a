/* watch.c - see watch.h */
#include "kernels/watch.h"

#include <stdlib.h>

#include "kernels/cost.h"
#include "util/machine.h"

static void tell(Watch *w, const char *name, int op, int number, double from, double took, Cost c)
{
    Span x = {.name = name, .number = number, .kind = op < 0 ? SPAN_PART : SPAN_OP, .from = from, .took = took};
    if (op >= 0) {
        OpSum *s = &w->sum[op];
        s->calls++;
        s->seconds += took;
        s->flops += c.flops;
        s->bytes += c.bytes;
        x.arg[0] = 1e-9 * c.flops;
        x.arg[1] = 1e-6 * c.bytes;
    }
    spans_add(w->spans, 0, &x);
}

/* Both clocks at the same moment: nothing is under way. A failure of the device stays for the next one who asks. */
static void set_zero(Backend *b)
{
    Err e;
    Watch *w = b->watch;
    (void)backend_sync(b, &e);
    b->device->mark(b, 0);
    (void)backend_sync(b, &e);
    w->zero = machine_seconds();
    w->nmark = 1;
    w->nahead = 0;
}

static void settle(Backend *b)
{
    Err e;
    Watch *w = b->watch;
    (void)backend_sync(b, &e);
    for (int i = 0; i < w->nahead; i++) {
        const Ahead *a = &w->ahead[i];
        tell(w, a->name, a->op, a->number, w->zero + b->device->between(b, 0, a->from), b->device->between(b, a->from, a->to), a->cost);
    }
}

static void enter(Backend *b)
{
    Watch *w = b->watch;
    if (!w->ahead) return;
    if (w->nmark + 2 > b->device->marks || w->nahead == b->device->marks) {
        settle(b);
        set_zero(b);
    }
    b->device->mark(b, w->nmark++);
}

/* Without a clock of the device an op may only have been started when it returns: the time ends when the device is done. */
static void leave(Backend *b, int op, double began, Cost c)
{
    Err e;
    Watch *w = b->watch;
    if (w->ahead) {
        b->device->mark(b, w->nmark);
        w->ahead[w->nahead++] = (Ahead){op_names[op], op, -1, w->nmark - 1, w->nmark, began, c};
        w->nmark++;
        return;
    }
    (void)backend_sync(b, &e);
    tell(w, op_names[op], op, -1, began, machine_seconds() - began, c);
}

#define OP(name, args, call)                           \
    static void watch_##name args                      \
    {                                                  \
        double began = machine_seconds();              \
        enter(b);                                      \
        b->watch->inner.name call;                     \
        leave(b, AT_##name, began, (Cost)COST_##name); \
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
    w->ahead = b->device->marks ? malloc((size_t)b->device->marks * sizeof *w->ahead) : NULL;
    if (w->ahead) set_zero(b);
}

void watch_end(Backend *b)
{
    Watch *w = b->watch;
    if (!w) return;
    if (w->ahead) settle(b);
    free(w->ahead);
    w->ahead = NULL;
    b->ops = w->inner;
    b->watch = NULL;
}

/* On the device's clock a part is as long as its ops. */
static void part_ahead(Watch *w, const Backend *b, const char *name, int number, double from)
{
    int i = w->nahead, first = -1, last = 0;
    while (i && w->ahead[i - 1].began >= from) {
        const Ahead *a = &w->ahead[--i];
        if (a->to > last) last = a->to;
        first = a->from;
    }
    if (first > 0 && w->nahead < b->device->marks) w->ahead[w->nahead++] = (Ahead){.name = name, .op = -1, .number = number, .from = first, .to = last, .began = from};
}

void watch_part(const Backend *b, const char *name, int number, double from)
{
    Watch *w = b->watch;
    if (w && w->ahead) part_ahead(w, b, name, number, from);
    else if (w) tell(w, name, -1, number, from, machine_seconds() - from, (Cost){0});
}
