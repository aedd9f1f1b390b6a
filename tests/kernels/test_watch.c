/* test_watch.c - wrappers around ops: the same results, the calls counted, and what an op costs against counts by hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "kernels/op_help.h"
#include "kernels/watch.h"
#include "util/machine.h"

enum { N = 6, D = 4, O = 3 };

static int equal(double a, double b) { return fabs(a - b) < 1e-9; }

TEST(watch_calls_what_it_stands_in_front_of)
{
    static const Seg seg[] = {{.ntok = N, .npt = N}};
    static const int chunk[] = {0, N};
    Err e = {0};
    Backend *b;
    Spans s;
    Watch *w = calloc(1, sizeof *w);
    float x[N * D], wt[O * D], y[2][N * O], dw[O * D] = {0};
    Input in = {.seg = seg, .chunk = chunk, .nseg = 1, .nchunk = 1, .ntok = N, .longest = N, .P = 1, .S = 1};
    Weight weight = {.w = wt, .dw = dw, .groups = 1, .out = O, .in = D};
    for (int i = 0; i < N * D; i++) x[i] = (float)(i % 5 - 2);
    for (int i = 0; i < O * D; i++) wt[i] = (float)(i % 3 - 1);
    CHECK(w);
    OK(backend_open(&b, "cpu", F32, 1, &e));
    OK(backend_reserve(b, &(Dims){.tokens = N, .chunks = 1, .longest = N, .D = D, .H = 1, .Hk = 1, .d = D, .F = D, .P = 1, .O = O}, &e));
    OK(spans_open(&s, 1, 8, 1, &e));
    Ops own = b->ops;
    w->spans = &s;
    watch_part(b, "nobody watches", 0, 0);
    b->ops.linear(b, (Mat){y[0], N, O, O, F32}, (Mat){x, N, D, D, F32}, &weight, (Vec){0}, SET, &in);
    watch_begin(w, b);
    b->ops.linear(b, (Mat){y[1], N, O, O, F32}, (Mat){x, N, D, D, F32}, &weight, (Vec){0}, SET, &in);
    watch_part(b, "part", 4, 1);
    watch_end(b);
    watch_end(b);
    CHECK(!memcmp(y[0], y[1], sizeof y[0]) && !memcmp(&own, &b->ops, sizeof own));
    b->ops.linear(b, (Mat){y[1], N, O, O, F32}, (Mat){x, N, D, D, F32}, &weight, (Vec){0}, SET, &in);
    const OpSum *sum = &w->sum[AT_linear];
    CHECK(NOPS == nops && sum->calls == 1 && sum->seconds > 0 && sum->flops == 2 * N * D * O && sum->bytes == 4 * (N * D + N * O + D * O));
    CHECK(s.lane[0].n == 2 && !strcmp(s.lane[0].span[0].name, "linear") && s.lane[0].span[0].kind == SPAN_OP && s.lane[0].span[0].took == sum->seconds);
    CHECK(equal(s.lane[0].span[0].arg[0], 1e-9 * sum->flops) && equal(s.lane[0].span[0].arg[1], 1e-6 * sum->bytes));
    CHECK(!strcmp(s.lane[0].span[1].name, "part") && s.lane[0].span[1].number == 4 && s.lane[0].span[1].kind == SPAN_PART);
    backend_close(b);
    spans_close(&s);
    free(w);
}

/* Ops that are only enqueued are timed by the device's clock: their spans follow each other, a part is as long as its ops, and more of
 * them than the device can hold readings lose none. */
static void watched_device(Backend *b, void *p, Watch *w)
{
    double all = machine_seconds(), outer = all, inner;
    b->ops.zero(b, p, 40);
    watch_begin(w, b);
    for (int i = 0; i < 3; i++) {
        inner = machine_seconds();
        b->ops.zero(b, p, 40);
        b->ops.zero(b, p, 80);
        if (i == 1) watch_part(b, "layer", i, inner);
    }
    watch_part(b, "forward", -1, outer);
    watch_part(b, "nothing", -1, machine_seconds());
    for (int i = 0; i < b->device->marks; i++) b->ops.zero(b, p, 40);
    watch_end(b);
    all = machine_seconds() - all;
    CHECK(w->sum[AT_zero].calls == 6 + b->device->marks && w->sum[AT_zero].seconds > 0 && w->sum[AT_zero].seconds < all);
}

TEST(watch_takes_the_time_of_a_device)
{
    Err e;
    Backend *b;
    Spans s;
    void *p;
    Watch *w = calloc(1, sizeof *w);
    CHECK(w);
    if (test_device_open(&b, F32, 0, &e)) { test_skip(e.message); free(w); return; }
    OK(backend_alloc(b, 80, &p, "a test", &e));
    OK(spans_open(&s, 1, 16384, 1, &e));
    w->spans = &s;
    watched_device(b, p, w);
    const Span *x = s.lane[0].span;
    double ended = 0;
    int ops = 0, nested = 0;
    for (int i = 0; i < s.lane[0].n; i++) {
        if (x[i].kind == SPAN_PART) continue;
        nested += x[i].from < ended - 1e-6 || x[i].took < 0;
        ended = x[i].from + x[i].took;
        ops++;
    }
    CHECK(!nested && ops == 6 + b->device->marks && s.lane[0].n == ops + 2 && !spans_lost(&s) && !w->ahead);
    CHECK(!strcmp(x[4].name, "layer") && x[4].number == 1 && fabs(x[4].from - x[2].from) < 1e-6 && fabs(x[4].took - (x[3].from + x[3].took - x[2].from)) < 1e-6);
    CHECK(!strcmp(x[7].name, "forward") && fabs(x[7].from - x[0].from) < 1e-6 && fabs(x[7].took - (x[6].from + x[6].took - x[0].from)) < 1e-6);
    backend_free(b, p, 80);
    backend_close(b);
    spans_close(&s);
    free(w);
}

/* The table of wrappers without bodies behind it: costs follow from arguments alone. */
#define OP(name, args, call) static void nothing_##name args { (void)b; }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "kernels/ops.def"
#pragma GCC diagnostic pop
#undef OP
static const Ops nothing = {
#define OP(name, args, call) nothing_##name,
#include "kernels/ops.def"
#undef OP
};

/* Two segments of 3 and 2 tokens, the second behind 4 tokens of its slot; 2 points a token, every second point a new one. */
static const Seg two[] = {{.ntok = 3, .npt = 7}, {.tok = 3, .ntok = 2, .pt = 7, .npt = 5, .past = 4}};
static const int chunks[] = {0, 5};
static const Input in2 = {.seg = two, .chunk = chunks, .nseg = 2, .nchunk = 1, .ntok = 5, .longest = 6, .P = 2, .S = 2};
enum { T = 5, W = 4, E = 3, K = 2, F = 6, PAIRS = 6 + 3 + 2 * 4, POINTS = 12 };

static float numbers[256];
static Mat mat(int rows, int cols) { return (Mat){numbers, rows, cols, cols, F32}; }
static Weight weight(int groups, int out, int in) { return (Weight){.w = numbers, .dw = numbers, .groups = groups, .out = out, .in = in}; }

static void call_all(Backend *b)
{
    Weight dense = weight(1, O, W), embed = weight(1, W, 2);
    Router router = {.gate = weight(1, E, W), .share = weight(1, 1, W)};
    Ffn ffn = {weight(E, F, W), weight(E, F, W), weight(E, W, F)};
    Attn a = {.H = 2, .Hk = 2, .d = 2};
    Route r = {.E = E, .K = K, .routed = {.n = K * T}, .shared = {.n = T}};
    Heads h = {.w = dense, .n = 1};
    Mat none = {0};
    b->ops.zero(b, numbers, 40);
    b->ops.embed(b, mat(T, W), &embed, &embed, &in2);
    b->ops.embed_bwd(b, mat(T, W), &embed, &embed, &in2);
    b->ops.norm(b, mat(T, W), mat(T, W), numbers, mat(T, W), (Vec){0}, 0);
    b->ops.linear(b, mat(T, O), mat(T, W), &dense, (Vec){0}, ADD, &in2);
    b->ops.linear_dx(b, mat(T, W), mat(T, O), &dense, &in2);
    b->ops.linear_dw(b, &dense, (Vec){0}, mat(T, O), mat(T, W), &in2);
    b->ops.attention(b, mat(T, W), numbers, mat(T, 3 * W), &a, &in2);
    b->ops.attention_bwd(b, mat(T, 3 * W), mat(T, W), mat(T, W), numbers, mat(T, 3 * W), &a, &in2);
    b->ops.norm_route(b, &r, NULL, mat(T, W), mat(T, W), numbers, mat(T, W), &router, &in2);
    b->ops.route_bwd(b, mat(T, W), mat(T, W), &router, &r, NULL, 0, &in2);
    b->ops.ffn(b, mat(K * T, W), none, mat(T, W), &ffn, &r.routed, &in2);
    b->ops.ffn_bwd(b, mat(K * T, W), mat(T, W), mat(K * T, 2 * F), mat(T, W), &ffn, &r.routed, &in2);
    b->ops.ffn_bwd(b, mat(K * T, W), mat(T, W), none, mat(T, W), &ffn, &r.routed, &in2);
    b->ops.heads_loss(b, NULL, none, mat(T, W), &h, &in2);
    b->ops.heads_loss(b, NULL, mat(T, W), mat(T, W), &h, &in2);
    b->ops.adamw(b, NULL, &(Flat){.n = 10}, NULL, 0, NULL);
}

/* Multiply-adds counted one by one, as loops would make them. */
static double madds(int rows, int out, int in)
{
    double n = 0;
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++)
            for (int i = 0; i < in; i++) n++;
    return n;
}

TEST(watch_costs_by_hand)
{
    Err e = {0};
    Spans s;
    Backend b = {.device = &cpu_device, .ops = nothing};
    Watch *w = calloc(1, sizeof *w);
    CHECK(w);
    OK(spans_open(&s, 1, 64, 1, &e));
    w->spans = &s;
    watch_begin(w, &b);
    call_all(&b);
    watch_end(&b);
    double row = madds(1, F, W) + madds(1, F, W) + madds(1, W, F);
    const struct { int op; double flops, bytes; } want[] = {
        {AT_zero, 0, 40},
        {AT_embed, 2 * 2 * madds(T, W, 2), 4 * (T * W + POINTS + 2 * 2 * W)},
        {AT_embed_bwd, 2 * 4 * madds(T, W, 2), 4 * (T * W + POINTS + 6 * 2 * W)},           /* rebuilt, then a gradient for each */
        {AT_norm, 4 * T * W, 4 * 3 * T * W},
        {AT_linear, 2 * madds(T, O, W), 4 * (T * W + 2 * T * O + O * W)},
        {AT_linear_dx, 2 * madds(T, W, O), 4 * (T * W + T * O + O * W)},
        {AT_linear_dw, 2 * madds(O, W, T), 4 * (T * W + T * O + 2 * O * W)},
        {AT_attention, 2 * 2 * (2 * PAIRS * 2), 4 * (3 * T * W + T * W + 2 * T)},            /* scores and values; 2 heads of size 2 */
        {AT_attention_bwd, 2 * 5 * (2 * PAIRS * 2), 4 * (6 * T * W + 2 * T * W + 2 * T)},    /* scores again, dP, dV, dQ, dK */
        {AT_norm_route, 4 * T * W + 2 * madds(T, E + 1, W), 4 * (3 * T * W + T * (E + 1) + (E + 1) * W)},
        {AT_route_bwd, 4 * madds(T, E + 1, W), 4 * (3 * T * W + T * (E + 1) + 3 * (E + 1) * W)},
        {AT_ffn, 2 * K * T * row, 4 * (K * T * W + T * W + 3 * E * F * W)},
        {AT_ffn_bwd, K * T * (4 * row + 4 * row + 4 * madds(1, F, W)), 4 * (2 * (K * T * W + T * W + 9 * E * F * W) + 2 * K * T * F + 2 * T * W)},
        {AT_heads_loss, (2 + 6) * madds(T, O, W), 4 * (2 * T * W + T * W + 2 * POINTS + 4 * O * W)},
        {AT_adamw, 140, 4 * 7 * 10},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const OpSum *got = &w->sum[want[i].op];
        if (!equal(got->flops, want[i].flops) || !equal(got->bytes, want[i].bytes))
            test_fail(__FILE__, __LINE__, "%s: %g operations, want %g; %g bytes, want %g", op_names[want[i].op], got->flops, want[i].flops, got->bytes, want[i].bytes);
    }
    spans_close(&s);
    free(w);
}
