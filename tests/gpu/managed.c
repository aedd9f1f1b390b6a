/* managed.c - memory that host and device both see, for the tests of ops on a real device. */
#include <cuda_runtime_api.h>

void *gpu_managed(size_t bytes);
void gpu_managed_free(void *p);

void *gpu_managed(size_t bytes)
{
    void *p = NULL;
    return cudaMallocManaged(&p, bytes ? bytes : 1, cudaMemAttachGlobal) == cudaSuccess ? p : NULL;
}

void gpu_managed_free(void *p)
{
    if (p) cudaFree(p);
}
