/* weights.h - flat vectors of a model to and from safetensors files, tensor by tensor, by the names of its plan. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "model/model.h"
#include "model/safetensors.h"

int weights_save(const char *path, const Model *m, Err *e);        /* the parameters, as fp32 */
int weights_load(Model *m, const char *dir, Err *e);               /* model.safetensors or shards; all tensors, no others, in these shapes */

int moments_save(const char *path, Model *m, Err *e);              /* m.<name>, v.<name> and balance.share (routers, experts) */
int moments_load(Model *m, const char *path, Err *e);

#endif
