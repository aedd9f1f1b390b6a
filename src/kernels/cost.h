/* cost.h - what each op of ops.def has to do, in the names of its arguments: COST_op is a Cost. An op without one does not compile.
 *
 * Products count 2 operations for each multiply-add; elsewhere a number counts what a reader of its equation would count.
 * Bytes: operands and results once each, twice where they are added to, weights and their gradients too. Blocks that
 * are read again, packed copies and scratch memory are not counted: that is what a share of the peak shows. */
#ifndef KERNELS_COST_H
#define KERNELS_COST_H

#include "kernels/watch.h"

static inline double mat_numbers(Mat m) { return m.p ? (double)m.rows * m.cols : 0; }
static inline double mat_bytes(Mat m) { return mat_numbers(m) * (double)dtype_size(m.type); }
static inline double weight_numbers(const Weight *w) { return (double)w->groups * w->out * w->in; }
static inline double ffn_numbers(const Ffn *w) { return weight_numbers(&w->gate) + weight_numbers(&w->up) + weight_numbers(&w->down); }
static inline double router_numbers(const Router *w) { return weight_numbers(&w->gate) + weight_numbers(&w->share); }
static inline double seg_points(const Input *in)
{
    double n = 0;
    for (int i = 0; i < in->nseg; i++) n += in->seg[i].npt;
    return n;
}
/* (query, key) pairs: a token attends to itself and to all before it. */
static inline double seg_pairs(const Input *in)
{
    double n = 0;
    for (int i = 0; i < in->nseg; i++) n += in->seg[i].ntok * (0.5 * (in->seg[i].ntok + 1.0) + in->seg[i].past);
    return n;
}
/* Rows times the multiply-adds of one row through the three products of a gated MLP, which is groups of equal size. */
static inline double ffn_madds(const Ffn *w, const Rows *r) { return (double)r->n * ffn_numbers(w) / w->gate.groups; }
static inline double attn_madds(const Attn *a, const Input *in) { return (double)a->H * a->d * seg_pairs(in); }

#define COST(flops, bytes) {flops, bytes}
#define COST_zero          COST(0, (double)bytes)
#define COST_rows          COST(0, 2 * mat_bytes(y))
#define COST_embed         COST(2 * in->ntok * (weight_numbers(g) + weight_numbers(e)), mat_bytes(h) + 4 * (seg_points(in) + weight_numbers(g) + weight_numbers(e)))
#define COST_embed_bwd     COST(4 * in->ntok * (weight_numbers(g) + weight_numbers(e)), mat_bytes(dh) + 4 * (seg_points(in) + 3 * weight_numbers(g) + 3 * weight_numbers(e)))
#define COST_norm          COST(4 * mat_numbers(h), mat_bytes(h) + mat_bytes(keep) + mat_bytes(y))
#define COST_norm_bwd      COST(9 * mat_numbers(dh), 2 * mat_bytes(dh) + mat_bytes(dy) + mat_bytes(keep))
#define COST_linear        COST(2 * x.rows * weight_numbers(w), mat_bytes(x) + (acc == ADD ? 2 : 1) * mat_bytes(y) + 4 * weight_numbers(w))
#define COST_linear_dx     COST(2 * dy.rows * weight_numbers(w), mat_bytes(dx) + mat_bytes(dy) + 4 * weight_numbers(w))
#define COST_linear_dw     COST(2 * dy.rows * weight_numbers(w), mat_bytes(x) + mat_bytes(dy) + 8 * weight_numbers(w))
#define COST_attention     COST(4 * attn_madds(a, in), mat_bytes(qkv) + mat_bytes(o) + 4.0 * in->ntok * a->H)
#define COST_attend_cache  COST(4 * attn_madds(a, in), mat_bytes(qkv) + mat_bytes(o))
#define COST_attention_bwd COST(10 * attn_madds(a, in), mat_bytes(qkv) + mat_bytes(dqkv) + mat_bytes(o) + mat_bytes(d_o) + 4.0 * in->ntok * a->H)
#define COST_norm_route    COST(4 * mat_numbers(h) + 2 * h.rows * router_numbers(w), mat_bytes(h) + mat_bytes(keep) + mat_bytes(y) + 4.0 * h.rows * (r->E + 1) + 4 * router_numbers(w))
#define COST_dispatch      COST(0, 4.0 * r->routed.n * 5)
#define COST_route_bwd     COST(4 * x.rows * router_numbers(w), mat_bytes(x) + 2 * mat_bytes(dx) + 4.0 * x.rows * (r->E + 1) + 12 * router_numbers(w))
#define COST_ffn           COST(2 * ffn_madds(w, r), mat_bytes(y) + mat_bytes(keep) + mat_bytes(x) + 4 * ffn_numbers(w))
#define COST_ffn_bwd       COST((keep.p ? 4 : 16.0 / 3) * ffn_madds(w, r), mat_bytes(dx) + mat_bytes(dout) + mat_bytes(keep) + mat_bytes(x) + 12 * ffn_numbers(w))
#define COST_combine       COST(2 * (mat_numbers(y) + mat_numbers(ys)), 2 * mat_bytes(h) + mat_bytes(y) + mat_bytes(ys))
#define COST_combine_bwd   COST(mat_numbers(dy) + mat_numbers(dys), mat_bytes(dx) + mat_bytes(dy) + mat_bytes(dys))
#define COST_heads_loss    COST((dx.p ? 6 : 2) * x.rows * weight_numbers(&h->w), mat_bytes(x) + mat_bytes(dx) + 4 * seg_points(in) + (dx.p ? 12 : 4) * weight_numbers(&h->w))
#define COST_sumsq         COST(2 * (double)n, 4 * (double)n)
#define COST_adamw         COST(14 * (double)f->n, 28 * (double)f->n)
#define COST_balance       COST(4.0 * routers * E, 20.0 * routers * E)

#endif
