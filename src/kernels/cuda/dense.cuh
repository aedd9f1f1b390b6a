/* dense.cuh - products that the library makes, and copies of operands that it can take. */
#ifndef KERNELS_CUDA_DENSE_CUH
#define KERNELS_CUDA_DENSE_CUH

#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

int by_library(const Backend *b, const Weight *w);       /* whether there is one, and scratch memory is made for copies of this kind */
/* What the library multiplies: m itself, or a copy in scratch memory in the type of operands, its rows a multiple of 16 bytes apart. */
Mat operand(Backend *b, Carve *k, Mat m, int round);
Mat weight(Backend *b, Carve *k, const Weight *w, int round);          /* likewise, but a copy that was made once a step where there is one */
size_t operand_bytes(const Backend *b, size_t rows, size_t cols);
/* p: shape, transpositions and acc. 1: the library has done it. A bias that it does not add itself is added to the rounded product. */
int dense(Backend *b, LtProduct p, Mat left, Mat right, Mat y, const float *bias);

/* The gated MLP over one row per token. 0: not this shape. */
int dense_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r);
int dense_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r);
size_t dense_ffn_scratch(const Backend *b, const Dims *d);

}

#endif
