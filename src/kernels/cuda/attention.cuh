/* attention.cuh - what our own attention and that of a library share: sizes, angles. */
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

struct Shape { int H, Hk, d, ntok, longest; float theta; };
inline Shape shape_of(const Attn *a, const Input *in) { return {a->H, a->Hk, a->d, in->ntok, in->longest, a->theta}; }

/* rope (longest, d): of a position the cos of its d/2 angles, then their sin. As on the CPU, frequency and angle are fp32. */
void fill_rope(Backend *b, const char *what, float *rope, const Shape &s);

/* By cuDNN. 0: not this shape. */
int library_attention(Backend *b, Mat o, float *lse, Mat qkv, const Attn *a, const Input *in);
int library_attention_bwd(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *a, const Input *in);
size_t library_attention_scratch(const Backend *b, const Dims *d);

}

#endif
