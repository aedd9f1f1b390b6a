/* weights.h - flat vectors of a model to and from safetensors files, tensor by tensor, by the names of its plan. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "model/model.h"
#include "model/safetensors.h"

int weights_save(const char *path, const Model *m, Dtype type, Err *e);        /* the parameters */
int weights_load(Model *m, const char *dir, Err *e);               /* model.safetensors or shards; all tensors, no others, in these shapes */
/* The same for inference, but most matrices stay where they are, in the mapped file, which the model then holds: no copy, and other processes share it. */
int weights_map(Model *m, const char *dir, Err *e);

/* The folder with config.json: dir, or the latest checkpoint in the folder of a run. Fills c as config_read does. */
int weights_folder(char *folder, size_t size, ModelConfig *c, const char *dir, Err *e);

int moments_save(const char *path, Model *m, Err *e);              /* m.<name>, v.<name> and balance.share (routers, experts) */
int moments_load(Model *m, const char *path, Err *e);

#endif
