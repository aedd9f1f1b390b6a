/* dense.cuh - products that the library makes, and copies of operands that it can take. */
#ifndef KERNELS_CUDA_DENSE_CUH
#define KERNELS_CUDA_DENSE_CUH

#include "kernels/cuda/gpu.cuh"

namespace fts_cuda {

int by_library(const Backend *b, const Weight *w);       /* whether there is one, and scratch memory is made for copies of this kind */
void copy_rows(Backend *b, const char *what, Mat to, Mat from);         /* of any type */
/* What the library multiplies: m itself, or a copy in scratch memory in the type of operands, its rows a multiple of 16 bytes apart. */
Mat operand(Backend *b, Carve *k, Mat m, int round);
Mat weight(Backend *b, Carve *k, const Weight *w, int round);          /* likewise, but a copy that was made once a step where there is one */
bfloat *copy_of(Backend *b, const float *w, size_t n);    /* that copy, which may have been made just now; NULL: there is none */
size_t operand_bytes(const Backend *b, size_t rows, size_t cols);
/* p: shape, transpositions and acc. 1: the library has done it. A bias that it does not add itself is added to the rounded product. */
int dense(Backend *b, LtProduct p, Mat left, Mat right, Mat y, const float *bias);

/* The gated MLP over one row per token. 0: not this shape. */
int dense_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r);
int dense_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r);
size_t dense_ffn_scratch(const Backend *b, const Dims *d);

/* Products by Hopper's instructions, of bf16 runs. 0: not this shape, or nobody asked for them. */
int piped_linear(Backend *b, Carve k, Mat y, Mat x, const Weight *w, const float *bias, Acc acc);
int piped_linear_dx(Backend *b, Carve k, Mat dx, Mat dy, const Weight *w);
int piped_linear_dw(Backend *b, Carve k, const Weight *w, Mat dy, Mat x, const Input *in);
int piped_ffn(Backend *b, Mat y, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in);
int piped_ffn_bwd(Backend *b, Mat dx, Mat dout, Mat keep, Mat x, const Ffn *w, const Rows *r, const Input *in);
size_t piped_scratch(const Backend *b, const Dims *d);

/* dscale of rows from the parts of <wide, hidden>, (rows, tiles). */
void scale_grads_of(Backend *b, const Rows *r, const float *part, int tiles);

}

#endif
