/* amx_ops.c - ops of a bf16 run made of the kernels of amx_mm.h over tiles in plain C, as amx_mm.h says, so that the op tests
 * run over them. Weights are packed in each op. A weight that is `full` is left to the reference. */
#define TIER emulated
#include "kernels/amx_help.h"
#include "kernels/op_help.h"

#include <stdlib.h>

#include "kernels/cpu/tier.h"

enum { TILE_OUT = 96, TILE_IN = 64 };

static void *memory(size_t n)
{
    void *p = aligned_alloc(64, (n + 64) / 64 * 64);
    if (!p) abort();
    memset(p, 0xff, n);
    return p;
}

static Mat rows_from(Mat m, int row, int n)
{
    m = mat_at_row(m, row);
    m.rows = n;
    return m;
}

/* All groups of a weight, one behind the other. */
static bf16 *packed(const Weight *w, AmxWay way)
{
    int N = way == TO_OUT ? w->out : w->in;
    size_t each = amx_packed_bytes(w->in + w->out - N, N) / sizeof(bf16);
    bf16 *p = memory((size_t)w->groups * each * sizeof *p);
    for (int g = 0; g < w->groups; g++)
        for (int i = 0; i < amx_panels(N); i++)
            emulated_kernels.pack(p + (size_t)g * each, weight_group(w, g), w->out, w->in, way, i);
    return p;
}

typedef struct Op {
    Mat y, keep, x;
    const Weight *w;
    Vec bias;
    Acc acc;
    const Ffn *ffn;
    const Rows *r;
    const Input *in;
    bf16 *packed, *down;
    Block *block;
    char *work; size_t each;             /* per worker */
} Op;

static void op_run(Op *a, Backend *b, int n, ParItem *item)
{
    a->work = memory((size_t)par_threads(b->par) * a->each);
    par_for(b->par, n, item, a);
    free(a->work);
    free(a->block);
    free(a->packed);
    free(a->down);
}

static void linear_item(void *arg, int item, int worker)
{
    const Op *a = arg;
    Block k = a->block[item];
    AmxTerm term = {{.m = rows_from(a->x, k.at, k.n)}, a->packed};
    emulated_kernels.mm(rows_from(a->y, k.at, k.n), &term, 1, a->bias.w, a->acc, a->work + (size_t)worker * a->each);
}

static void product(Backend *b, Op *a, AmxWay way)
{
    a->block = memory((size_t)most_blocks(a->in->ntok, a->in->nchunk) * sizeof *a->block);
    a->packed = packed(a->w, way);
    a->each = (amx_mm_bytes() + 63) / 64 * 64;
    op_run(a, b, cut_chunks(a->block, a->in), linear_item);
}

static void linear(Backend *b, Mat y, Mat x, const Weight *w, Vec bias, Acc acc, const Input *in)
{
    if (w->full) ref_linear(b, y, x, w, bias, acc, in);
    else product(b, &(Op){.y = y, .x = x, .w = w, .bias = bias, .acc = acc, .in = in}, TO_OUT);
}

static void linear_dx(Backend *b, Mat dx, Mat dy, const Weight *w, const Input *in)
{
    if (w->full) ref_linear_dx(b, dx, dy, w, in);
    else product(b, &(Op){.y = dx, .x = dy, .w = w, .in = in}, TO_IN);
}

static void dw_item(void *arg, int item, int worker)
{
    const Op *a = arg;
    int across = pieces(a->w->in, TILE_IN), r = item / across * TILE_OUT, c = item % across * TILE_IN;
    int rows = imin(TILE_OUT, a->w->out - r), cols = imin(TILE_IN, a->w->in - c);
    for (int i = 0; i < a->in->nchunk; i++) {
        int first = a->in->chunk[i], n = a->in->chunk[i + 1] - first;
        AmxRows dy = {.m = mat_at_row(a->y, first)}, x = {.m = mat_at_row(a->x, first)};
        emulated_kernels.dw(a->w->dw, a->w->in, r, rows, c, cols, dy, x, n, a->work + (size_t)worker * a->each);
        for (int o = r; a->bias.w && !c && o < r + rows; o++) {
            double sum = 0;
            for (int t = 0; t < n; t++) sum += (double)at(dy.m, t, o);
            a->bias.dw[o] = (float)((double)a->bias.dw[o] + sum);
        }
    }
}

static void linear_dw(Backend *b, const Weight *w, Vec bias, Mat dy, Mat x, const Input *in)
{
    Op a = {.y = dy, .x = x, .w = w, .bias = bias, .in = in, .each = amx_dw_bytes(TILE_OUT, TILE_IN)};
    if (w->full) ref_linear_dw(b, w, bias, dy, x, in);
    else op_run(&a, b, pieces(w->out, TILE_OUT) * pieces(w->in, TILE_IN), dw_item);
}

static void ffn_item(void *arg, int item, int worker)
{
    const Op *a = arg;
    Block k = a->block[item];
    int D = a->ffn->gate.in, F = a->ffn->gate.out;
    AmxRows x = a->r->token ? (AmxRows){.m = a->x, .token = a->r->token + k.at} : (AmxRows){.m = rows_from(a->x, k.at, k.n)};
    const bf16 *gate_up = a->packed + (size_t)k.group * 2 * amx_packed_bytes(D, F) / sizeof(bf16);
    const bf16 *down = a->down + (size_t)k.group * amx_packed_bytes(F, D) / sizeof(bf16);
    emulated_kernels.mlp(rows_from(a->y, k.at, k.n), rows_from(a->keep, k.at, k.n), x, gate_up, down, F, a->work + (size_t)worker * a->each);
}

static void ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in)
{
    Op a = {.y = y, .keep = keep, .x = x, .ffn = w, .r = r, .in = in, .each = amx_mlp_bytes(w->gate.out)};
    int D = w->gate.in, F = w->gate.out, groups = w->gate.groups, n = 0;
    size_t each = 2 * amx_packed_bytes(D, F) / sizeof(bf16);
    a.block = memory((size_t)most_blocks(r->n, groups * in->nchunk) * sizeof *a.block);
    a.packed = memory((size_t)groups * each * sizeof(bf16));
    a.down = packed(&w->down, TO_OUT);
    for (int g = 0; g < groups; g++) {
        for (int i = 0; i < amx_panels(F); i++)
            emulated_kernels.pack_gate_up(a.packed + (size_t)g * each, weight_group(&w->gate, g), weight_group(&w->up, g), F, D, i);
        for (int c = 0, p = g * in->nchunk; c < in->nchunk; c++, p++) {
            int at = r->start ? r->start[p] : in->chunk[c], rows = r->start ? r->count[p] : in->chunk[c + 1] - in->chunk[c];
            n += cut(a.block + n, at, rows, g, 0);
        }
    }
    op_run(&a, b, n, ffn_item);
}

void emulated_override(Ops *o)
{
    o->linear = linear;
    o->linear_dx = linear_dx;
    o->linear_dw = linear_dw;
    o->ffn = ffn;
}
