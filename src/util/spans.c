/* spans.c - see spans.h */
#include "util/spans.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/file.h"
#include "util/json.h"

static const struct { const char *category, *arg[SPAN_ARGS]; } kinds[] = {
    [SPAN_PART]  = {"part", {NULL}},
    [SPAN_OP]    = {"op", {"gflop", "megabytes"}},
    [SPAN_BATCH] = {"data", {"windows", "points", "read_ms", "normalise_ms"}},
    [SPAN_WAIT]  = {"wait", {NULL}},
};

static int lane_open(Lane *l, int cap)
{
    *l = (Lane){.cap = cap, .span = malloc((size_t)cap * sizeof *l->span)};
    return l->span ? 0 : -1;
}

int spans_open(Spans *s, int lanes, int first, int others, Err *e)
{
    assert(lanes > 0 && first > 0 && others > 0);
    *s = (Spans){.nlane = lanes, .lane = calloc((size_t)lanes, sizeof *s->lane)};
    int bad = !s->lane;
    for (int i = 0; !bad && i < lanes; i++) bad = lane_open(&s->lane[i], i ? others : first);
    if (!bad) return 0;
    spans_close(s);
    return err_nomem(e, ((size_t)first + (size_t)(lanes - 1) * (size_t)others) * sizeof(Span), "a profile");
}

void spans_close(Spans *s)
{
    for (int i = 0; s->lane && i < s->nlane; i++) free(s->lane[i].span);
    free(s->lane);
    *s = (Spans){.lane = NULL};
}

void spans_add(Spans *s, int lane, const Span *x)
{
    Lane *l = &s->lane[lane];
    if (l->n == l->cap) {
        l->lost++;
        return;
    }
    Span *y = &l->span[l->n++];
    *y = *x;
    if (y->from >= s->start) return;
    y->took = y->from + y->took > s->start ? y->from + y->took - s->start : 0;
    y->from = s->start;
}

int64_t spans_lost(const Spans *s)
{
    int64_t n = 0;
    for (int i = 0; i < s->nlane; i++) n += s->lane[i].lost;
    return n;
}

/* What encloses others comes first. */
static int by_begin(const void *a, const void *b)
{
    const Span *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->took != y->took) return x->took > y->took ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

static void put_args(Str *out, const Span *x)
{
    for (int i = 0; i < SPAN_ARGS && kinds[x->kind].arg[i]; i++) {
        str_addf(out, "%s\"%s\":", i ? "," : ",\"args\":{", kinds[x->kind].arg[i]);
        json_put_number(out, x->arg[i]);
    }
    if (kinds[x->kind].arg[0]) str_addf(out, "}");
}

/* Whole nanoseconds, begin and end each rounded: what lay inside another span still does. */
static void put_time(Str *out, const Span *x, double start)
{
    long long from = llround(1e9 * (x->from - start)), took = llround(1e9 * (x->from + x->took - start)) - from;
    str_addf(out, "\"ts\":%lld.%03lld,\"dur\":%lld.%03lld", from / 1000, from % 1000, took / 1000, took % 1000);
}

static void put_span(Str *out, const Span *x, int lane, double start)
{
    char name[64];
    snprintf(name, sizeof name, x->number < 0 ? "%s" : "%s %d", x->name, x->number);
    str_addf(out, ",\n{\"name\":");
    json_put_string(out, name);
    str_addf(out, ",\"cat\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,", kinds[x->kind].category, lane + 1);
    put_time(out, x, start);
    put_args(out, x);
    str_addf(out, "}");
}

static void put_lane(Str *out, const Lane *l, int lane)
{
    str_addf(out, ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":", lane + 1);
    json_put_string(out, l->name);
    str_addf(out, "}},\n{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"sort_index\":%d}}", lane + 1, lane);
}

/* Writes what has gathered, and makes the text empty again. */
static int flush(Out *to, Str *text, Err *e)
{
    int bad = str_ok(text, e) || out_write(to, text->p, text->n, e);
    text->n = 0;
    return bad ? -1 : 0;
}

static int write_all(Spans *s, const char *process, Out *to, Str *text, Err *e)
{
    str_addf(text, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":");
    json_put_string(text, process);
    str_addf(text, "}}");
    for (int i = 0; i < s->nlane; i++) {
        Lane *l = &s->lane[i];
        qsort(l->span, (size_t)l->n, sizeof *l->span, by_begin);
        put_lane(text, l, i);
        for (int k = 0; k < l->n; k++) {
            put_span(text, &l->span[k], i, s->start);
            if (flush(to, text, e)) return -1;
        }
    }
    str_addf(text, "\n]}\n");
    return flush(to, text, e);
}

int spans_write(Spans *s, const char *process, const char *path, Err *e)
{
    Out to;
    Str text = {0};
    if (out_open(&to, path, e)) return -1;
    int bad = write_all(s, process, &to, &text, e);
    str_free(&text);
    if (!bad) return out_commit(&to, e);
    out_drop(&to);
    return -1;
}
