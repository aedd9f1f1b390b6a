/* bf16_mm.h - products of packed panels of bf16, by AMX or by AVX512-BF16: operands are rounded to bf16 where they are read, sums are fp32.
 *
 * A weight is packed once per op and direction, panel by panel (32 columns of the product), into memory of
 * bf16_packed_bytes(); rows are packed inside, 32 at a time, whatever they are: bf16 or fp32, gathered by token, scaled. So an op is
 *
 *     linear       item = block of rows:  mm(y, {x, W packed TO_OUT}, bias, acc)
 *     linear_dx    item = block of rows:  mm(dx, {dy, W packed TO_IN})
 *     linear_dw    item = tile of dW:     for each chunk in order: dw(tile, dy of the chunk, x of the chunk)
 *     ffn          item = block of rows of a group:  mlp(y, keep, x by token, gate and up packed alternately, down packed TO_OUT)
 *     ffn_bwd      item = block of rows:  gate_up() if nothing was kept; mm(wide, {scale * dout by token, down packed TO_IN});
 *                  element by element dgate and dup; mm(dx, {dgate, gate packed TO_IN}, {dup, up packed TO_IN}) as two terms of one sum;
 *                  item = tile of a dW:  dw() with the same rows by token, from where they lie
 *     heads_loss   as linear, linear_dx and linear_dw
 *
 * A row's result depends on the row and the weight alone: not on how many rows there are, nor on its place among them. A
 * function that needs the tile registers of its thread sets them up and gives them back. `work` is the thread's own, 64-byte aligned. */
#ifndef KERNELS_CPU_BF16_MM_H
#define KERNELS_CPU_BF16_MM_H

#include "kernels/cpu/cpu.h"
#include "util/num.h"

enum { BF16_PANEL = 32, BF16_DEEP = 512, BF16_SUMS = 32 };    /* columns of a panel; of x packed at a time; panels whose sums are kept when x is wider */

/* Row i is scale[i] * m[token[i]], rounded to bf16. token NULL: row i; scale NULL: 1. How many rows there are, the result says. */
typedef struct Bf16Rows { Mat m; const int *token; const float *scale; } Bf16Rows;
typedef struct Bf16Term { Bf16Rows x; const bf16 *w; } Bf16Term;                /* x (n,K) times a packed weight (K,N) */
typedef enum { TO_OUT, TO_IN } Bf16Way;                                       /* y = x W^T: K = in, N = out; dx = dy W: K = out, N = in */

/* What the items of attention work at: one for each segment and key/value head. */
typedef struct Bf16Attention {
    Mat qkv, o, d_o, dqkv;
    float *lse, *rope;                   /* rope (longest, d): cos of the d/2 angles of a position, then sin */
    const Attn *a;
    const Input *in;
    char *work; size_t each;             /* per worker: attention_bytes() */
} Bf16Attention;

typedef struct Bf16Kernels {
    /* Panel `panel` of the weight of a group (out,in), written where it belongs in `to`: any order, any thread. */
    void (*pack)(bf16 *to, Stored w, int out, int in, Bf16Way way, int panel);
    /* Panel 2p and 2p+1 of `to` from panel p of gate and up (F,D), TO_OUT. */
    void (*pack_gate_up)(bf16 *to, Stored gate, Stored up, int F, int D, int panel);
    /* y (n,N) (=|+=) the sum of the terms + bias. y fp32, or bf16 if SET. bias (N) or NULL */
    void (*mm)(Mat y, const Bf16Term *term, int nterm, const float *bias, Acc acc, void *work);
    /* gate and up of the rows, rounded, into keep (n,2F) bf16 unless absent; silu(gate) * up, rounded, into hidden (n,F) bf16 */
    void (*gate_up)(Mat hidden, Mat keep, Bf16Rows x, const bf16 *w, void *work);
    /* y (n,D) = W_down hidden, 256 rows at a time */
    void (*mlp)(Mat y, Mat keep, Bf16Rows x, const bf16 *gate_up, const bf16 *down, int F, void *work);
    /* Rows [r,+rows), columns [c,+cols) of dw (..,in) += dy^T x over n rows: 32 at a time, in order from the first */
    void (*dw)(float *dw, int in, int r, int rows, int c, int cols, Bf16Rows dy, Bf16Rows x, int n, void *work);
    size_t (*attention_bytes)(int longest, int d, int backward);
    ParItem *attention, *attention_bwd;  /* arg: a Bf16Attention */
} Bf16Kernels;

extern const Bf16Kernels amx_kernels;      /* only where amx_here() */
extern const Bf16Kernels dot_kernels;      /* only where dot_here() */
int dot_here(void);                       /* 1 if processor and kernel have AVX512-BF16 and AVX-512 */
int amx_here(void);                       /* 1 if processor and kernel have AMX for bf16 and AVX-512; asks the kernel for the process's right to use it */

static inline int bf16_panels(int N) { return pieces(N, BF16_PANEL); }
static inline size_t bf16_packed_bytes(int K, int N) { return (size_t)bf16_panels(N) * BF16_PANEL * (size_t)pieces(K, 32) * 32 * sizeof(bf16); }

/* Of `work`. */
static inline size_t bf16_mm_bytes(void) { return (size_t)BF16_PANEL * BF16_DEEP * sizeof(bf16) + (size_t)BF16_SUMS * BF16_PANEL * BF16_PANEL * sizeof(float); }
static inline size_t bf16_mlp_bytes(int F) { return bf16_mm_bytes() + ((size_t)BLOCK * (size_t)F * sizeof(bf16) + 63) / 64 * 64; }
static inline size_t bf16_dw_bytes(int rows, int cols)
{
    return (size_t)(bf16_panels(rows) + bf16_panels(cols)) * BF16_PANEL * BF16_DEEP * sizeof(bf16) + (size_t)BF16_PANEL * BF16_PANEL * sizeof(float);
}

#endif
