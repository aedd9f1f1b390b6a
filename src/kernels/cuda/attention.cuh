/* attention.cuh - what the kinds of attention share: sizes, angles, where keys lie, sums of a row. */
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/tile.cuh"

namespace fts_cuda {

struct Shape { int H, Hk, d, ntok, longest; float theta; };
inline Shape shape_of(const Attn *a, const Input *in) { return {a->H, a->Hk, a->d, in->ntok, in->longest, a->theta}; }

/* (longest, d): of a position the cos of its d/2 angles, then their sin. As on the CPU, frequency and angle are fp32. The table that stays, or `room` filled. */
const float *angles_of(Backend *b, const char *what, float *room, const Shape &s);

/* Where keys and values of a segment lie: behind each other from its first token on, or in a slot of the cache. */
template <class O> struct Keys {
    const O *k, *v;                      /* k: rotated; of token 0, or of slot 0 and head 0 */
    size_t k_row, v_row, k_head, v_head, slot;      /* numbers from one row, head, slot to the next */
    int in_cache;
    __device__ const O *key(const Seg &s, int head, int pos) const { return k + size_t(in_cache ? 0 : s.tok) * k_row + size_t(in_cache ? s.slot : 0) * slot + size_t(head) * k_head + size_t(pos) * k_row; }
    __device__ const O *value(const Seg &s, int head, int pos) const { return v + size_t(in_cache ? 0 : s.tok) * v_row + size_t(in_cache ? s.slot : 0) * slot + size_t(head) * v_head + size_t(pos) * v_row; }
};

template <class O> struct Attend {
    const O *q;                          /* (N,H,d) rotated */
    Keys<O> keys;
    Ref o;
    const O *d_o; size_t d_o_row;
    int wide;                            /* rows of all operands begin at multiples of 16 bytes */
    int pairs;                           /* pairs of numbers of o or dqkv lie at multiples of 4 bytes */
    float *lse; const float *delta;      /* (N,H); lse NULL: not asked for */
    float *dq, *dk; Ref dqkv;            /* backward: gradients of the rotated (N,H,d) and (N,Hk,d); of v in its place */
    Shape s;
    float scale;
    Tables t;
};

/* Of bf16 numbers in heads of 32 or 64, whatever lies where: one shape is always computed by one kernel. 0: another shape. */
int attend_halves(Backend *b, const char *what, const Attend<bfloat> &a, int backward);
size_t halves_shared(int d, int backward);                   /* bytes of a block, or 0 */

typedef Held<1, TILE / 8> Scores;

/* Of the four lanes that share a row. */
__device__ inline float row_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ inline float row_sum(float x)
{
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/* By cuDNN. 0: not this shape. */
int library_attention(Backend *b, Mat o, float *lse, Mat qkv, const Attn *a, const Input *in);
int library_attention_bwd(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *a, const Input *in);
size_t library_attention_scratch(const Backend *b, const Dims *d);

}

#endif
