/* config.h - the shape of a model: from options, from and to config.json. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "kernels/backend.h"
#include "util/opt.h"
#include "util/str.h"

typedef struct ModelOpts {
#define X OPT_FIELD
#include "model/model.def"
#undef X
} ModelOpts;
extern const Opt model_opts[];
extern const int nmodel_opts;

typedef struct ModelConfig {
    int D, L, H, Hk;                     /* hidden size, decoder layers, query heads, key/value heads; head size d = D/H */
    int E, K, B;                         /* experts, experts per token, mixtures per layer (num_expert_layers) */
    int F, Fe;                           /* width of the shared expert and of a routed one */
    int P, S;                            /* patch length and stride; 1, 1: point-wise */
    int nh, horizon[MAX_HORIZONS];       /* ascending */
    int dense;                           /* use_dense: one FFN of width F instead of the mixture */
    int max_positions;                   /* written to config.json */
    float eps, theta, init_range;
    double aux_weight;                   /* what a config.json says, for the one that is written from it */
} ModelConfig;

void config_resolve(ModelOpts *o);                                   /* unset options get their value from the preset or the default: what a run writes as its settings */
int  config_from_opts(ModelConfig *c, const ModelOpts *o, Err *e);   /* resolved or not; checked */
int  config_check(const ModelConfig *c, Err *e);                     /* "hidden size 64 is not divisible by 3 heads", ... */
int  config_parse(ModelConfig *c, const void *text, size_t n, Err *e);   /* of a config.json */
int  config_read(ModelConfig *c, const char *path, Err *e);          /* a config.json, published or ours; a value that is not supported is named */
int  config_write(const ModelConfig *c, const char *path, double aux_weight, Dtype type, Err *e);   /* type: of the weights beside it. Fields of the published class, ours only where not the default */
int  config_same(const ModelConfig *a, const ModelConfig *b, Str *difference);   /* 1, or 0 with "hidden_size 64 against 128" */
int  config_outputs(const ModelConfig *c);                           /* O = sum of horizons */
int  config_routers(const ModelConfig *c);                           /* L*B, 0 if dense */
int64_t config_params(const ModelConfig *c);                         /* total */
int64_t config_active(const ModelConfig *c);                         /* used by one token */
int64_t config_tokens(const ModelConfig *c, int64_t points);         /* tokens of a window: 1 + floor((n-1-P)/S), 0 if too short */
double  config_flops(const ModelConfig *c, int64_t tokens, double pairs);   /* of a training step: 6*active per token, plus attention over `pairs` causal (query, key) pairs */

#endif
