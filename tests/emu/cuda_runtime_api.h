/* cuda_runtime_api.h - what the C files of src/kernels/cuda use of the runtime, for the emulator; emu.cpp has the bodies. */
#ifndef EMU_CUDA_RUNTIME_API_H
#define EMU_CUDA_RUNTIME_API_H

#include <stddef.h>

typedef enum { cudaSuccess } cudaError_t;
typedef struct CUstream_st *cudaStream_t;

/* Other names than the real ones, which a build with CUDA has too. */
#define cudaMalloc emu_malloc
#define cudaFree   emu_free
cudaError_t emu_malloc(void **p, size_t n);
cudaError_t emu_free(void *p);

#endif
