/* dnn_graph.h - attention as the graph of operations that cuDNN's C interface takes, and the numbers of its tensors. */
#ifndef KERNELS_CUDA_DNN_GRAPH_H
#define KERNELS_CUDA_DNN_GRAPH_H

#include <cudnn.h>

#include "kernels/cuda/dnn.h"

/* Every function of the library that is used. */
#define DNN_FUNCTIONS(X) X(Create) X(Destroy) X(SetStream) X(GetVersion) X(BackendCreateDescriptor) X(BackendDestroyDescriptor) X(BackendSetAttribute) \
                         X(BackendGetAttribute) X(BackendFinalize) X(BackendExecute)

typedef struct DnnFunctions {
#define X(name) __typeof__(&cudnn##name) name;
    DNN_FUNCTIONS(X)
#undef X
} DnnFunctions;

/* Numbers of tensors: a part, where its segments begin, lengths, scalars; above them what is between operations. */
enum { DNN_ID = 1, DNN_AT_ID = 21, DNN_LENGTH_ID = 41, DNN_SCALE_ID = 51, DNN_MASKED_ID, DNN_ONE_ID, DNN_VALUE_END, DNN_BETWEEN_ID = 101, DNN_IDS = 2 * DNN_PARTS + 4 };

/* A graph in the making. Its descriptors live until dnn_graph_free(), longer than the plan's making needs them. */
enum { DNN_MADE = 160, DNN_OPS = 40 };
typedef struct DnnGraph {
    const DnnFunctions *f;
    const DnnAttention *a;
    cudnnBackendDescriptor_t made[DNN_MADE], op[DNN_OPS], line[DNN_BETWEEN_ID];      /* line: by number, those that several operations read */
    int nmade, nop;
    int64_t next;                        /* number of the next tensor that is only between two operations */
    int bad;                             /* something was refused: nothing more is asked */
} DnnGraph;

cudnnBackendDescriptor_t dnn_make(DnnGraph *g, cudnnBackendDescriptorType_t type);
void dnn_put(DnnGraph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t n, const void *p);
void dnn_finish(DnnGraph *g, cudnnBackendDescriptor_t d);
cudnnBackendDescriptor_t dnn_graph(DnnGraph *g, const DnnFunctions *f, cudnnHandle_t handle, const DnnAttention *a);
void dnn_graph_free(DnnGraph *g);

int  dnn_pointers(const DnnAttention *a, int64_t id[DNN_IDS], void *p[DNN_IDS]);     /* of an execution, scalars on the host; how many */

#endif
