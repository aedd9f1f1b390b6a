/* driver.c - a libcuda.so.1 that says yes to everything and does nothing: with it cuDNN makes plans for a device that is only described. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#define SHOWN __attribute__((visibility("default")))

/* What the library looks for by name; the arguments do not matter to who ignores them. */
#define ALL(X) X(cuCtxGetCurrent) X(cuCtxGetDevice) X(cuCtxGetLimit) X(cuCtxPopCurrent) X(cuCtxPushCurrent) X(cuDeviceGet) X(cuDeviceGetAttribute) X(cuDeviceGetCount) \
    X(cuDevicePrimaryCtxRelease) X(cuDevicePrimaryCtxReset) X(cuDevicePrimaryCtxRetain) X(cuFuncSetAttribute) X(cuGetErrorName) X(cuGetErrorString) X(cuInit) \
    X(cuKernelGetAttribute) X(cuKernelSetAttribute) X(cuLaunchCooperativeKernel) X(cuLaunchKernel) X(cuLaunchKernelEx) X(cuLibraryLoadFromFile) X(cuLibraryUnload) \
    X(cuLinkAddData) X(cuLinkAddData_v2) X(cuLinkAddFile_v2) X(cuLinkComplete) X(cuLinkCreate) X(cuLinkCreate_v2) X(cuLinkDestroy) X(cuMemcpyDtoH_v2) \
    X(cuModuleGetGlobal_v2) X(cuModuleUnload) X(cuOccupancyMaxPotentialClusterSize) X(cuStreamGetCtx) X(cuStreamSynchronize) X(cuTensorMapEncodeTiled)
/* Those that give a handle, or a number, in their first argument. */
#define HANDLES(X) X(cuLibraryLoadData) X(cuLibraryGetKernel) X(cuModuleLoadData) X(cuModuleLoadDataEx) X(cuModuleLoadFatBinary) X(cuModuleGetFunction) X(cuKernelGetFunction)
#define NUMBERS(X) X(cuDriverGetVersion, 13000) X(cuFuncGetAttribute, 0) X(cuOccupancyMaxActiveBlocksPerMultiprocessor, 1)

#define X(name) SHOWN int name(void); int name(void) { return 0; }
ALL(X)
#undef X
#define X(name) SHOWN int name(uintptr_t *p); int name(uintptr_t *p) { *p = 0x1000; return 0; }
HANDLES(X)
#undef X
#define X(name, n) SHOWN int name(int *p); int name(int *p) { *p = n; return 0; }
NUMBERS(X)
#undef X

/* Functions of its own that NVIDIA's compiler looks for: it does without. */
SHOWN int cuGetExportTable(void);
int cuGetExportTable(void) { return 500; }

static int fine(void) { return 0; }

SHOWN int cuGetProcAddress_v2(const char *name, void **p, int version, uint64_t flags, int *status);
int cuGetProcAddress_v2(const char *name, void **p, int version, uint64_t flags, int *status)
{
    void *self = dlopen("libcuda.so.1", RTLD_LAZY);
    (void)version;
    (void)flags;
    *p = self ? dlsym(self, name) : NULL;
    if (!*p) *(int (**)(void))p = fine;
    if (status) *status = 0;
    return 0;
}

SHOWN int cuGetProcAddress(const char *name, void **p, int version, uint64_t flags);
int cuGetProcAddress(const char *name, void **p, int version, uint64_t flags) { return cuGetProcAddress_v2(name, p, version, flags, NULL); }
