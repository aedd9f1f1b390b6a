/* config.c - see config.h; config.json is in config_json.c */
#include "model/config.h"

#include <stdlib.h>
#include <string.h>

const Opt model_opts[] = {
#define X(...) OPT_ROW(ModelOpts, __VA_ARGS__),
#include "model/model.def"
#undef X
};
const int nmodel_opts = sizeof model_opts / sizeof *model_opts;

/* The published sizes and, first, what applies without a preset; in the order of model.def's choices. */
static const struct Shape { int D, L, E, B, K, H; } presets[] = {
    {256, 4, 4, 1, 2, 8}, {384, 12, 8, 1, 2, 12}, {768, 12, 8, 1, 2, 12}, {1024, 36, 8, 1, 2, 16},
};

static void fill(int64_t *x, int64_t value)
{
    if (*x == OPT_UNSET) *x = value;
}

void config_resolve(ModelOpts *o)
{
    const struct Shape *s = &presets[o->preset];
    fill(&o->hidden_size, s->D);
    fill(&o->n_decoder_layers, s->L);
    fill(&o->num_experts, s->E);
    fill(&o->num_expert_layers, s->B);
    fill(&o->k, s->K);
    fill(&o->n_head, s->H);
    fill(&o->d_ff, 4 * o->hidden_size);
    fill(&o->d_expert, o->d_ff / o->k);
}

int config_from_opts(ModelConfig *c, const ModelOpts *opts, Err *e)
{
    ModelOpts o = *opts;
    config_resolve(&o);
    *c = (ModelConfig){
        .D = (int)o.hidden_size, .L = (int)o.n_decoder_layers, .H = (int)o.n_head, .Hk = (int)o.n_head,
        .E = (int)o.num_experts, .K = (int)o.k, .B = (int)o.num_expert_layers, .F = (int)o.d_ff, .Fe = (int)o.d_expert,
        .P = o.patch ? (int)o.patch_len : 1, .S = o.patch ? (int)o.patch_stride : 1,
        .nh = 4, .horizon = {1, 8, 32, 64}, .max_positions = 4096, .eps = 1e-6f, .theta = 10000, .init_range = 0.02f,
    };
    return config_check(c, e);
}

int config_check(const ModelConfig *c, Err *e)
{
    if (c->H < 1 || c->D % c->H)
        return err_set(e, FTS_USAGE, "hidden size %d is not divisible by %d heads", c->D, c->H);
    if (c->D / c->H % 2)
        return err_set(e, FTS_USAGE, "head size %d (hidden size %d / %d heads) is odd: rotary positions need pairs", c->D / c->H, c->D, c->H);
    if (c->Hk < 1 || c->H % c->Hk)
        return err_set(e, FTS_USAGE, "%d heads are not divisible by %d key/value heads", c->H, c->Hk);
    if (!c->dense && (c->K < 1 || c->K > c->E))
        return err_set(e, FTS_USAGE, "k is %d but there are %d experts: each token needs k different ones", c->K, c->E);
    if (c->F < 1 || (!c->dense && c->Fe < 1))
        return err_set(e, FTS_USAGE, "expert width %d (shared %d) must be at least 1: raise --d-ff or --d-expert", c->Fe, c->F);
    if (c->P < 1 || c->S < 1 || c->L < 1 || c->B < 1 || c->nh < 1 || c->nh > MAX_HORIZONS)
        return err_set(e, FTS_USAGE, "patch length, stride, layers and horizons must be at least 1 (at most %d horizons)", MAX_HORIZONS);
    for (int j = 0; j < c->nh; j++)
        if (c->horizon[j] < 1 || c->horizon[j] > 4096 || (j && c->horizon[j] <= c->horizon[j - 1]))
            return err_set(e, FTS_USAGE, "horizon %d is out of order or out of range: horizons ascend from 1 to 4096", c->horizon[j]);
    return 0;
}

int config_outputs(const ModelConfig *c)
{
    int sum = 0;
    for (int j = 0; j < c->nh; j++) sum += c->horizon[j];
    return sum;
}

int config_routers(const ModelConfig *c) { return c->dense ? 0 : c->L * c->B; }

/* Formula of the specification, with key/value heads and mixtures counted. */
int64_t config_params(const ModelConfig *c)
{
    int64_t D = c->D, kv = (int64_t)c->Hk * (c->D / c->H);
    int64_t attention = 2 * D * D + 2 * kv * D + D + 2 * kv + D;
    int64_t shared = 3 * D * c->F, experts = c->dense ? 0 : c->E * D + 3 * (int64_t)c->E * D * c->Fe + D;
    return 2 * c->P * D + c->L * (attention + c->B * (D + shared + experts)) + D + D * config_outputs(c);
}

int64_t config_active(const ModelConfig *c)
{
    return config_params(c) - (c->dense ? 0 : (int64_t)c->L * c->B * (c->E - c->K) * 3 * c->D * c->Fe);
}

int64_t config_tokens(const ModelConfig *c, int64_t points)
{
    return points < c->P + 1 ? 0 : 1 + (points - 1 - c->P) / c->S;
}

double config_flops(const ModelConfig *c, int64_t tokens, double pairs)
{
    return 6.0 * (double)config_active(c) * (double)tokens + 12.0 * c->D * c->L * pairs;
}

static int differs(Str *s, const char *name, int a, int b)
{
    if (a == b) return 0;
    str_addf(s, "%s%s %d against %d", s->n ? ", " : "", name, a, b);
    return 1;
}

int config_same(const ModelConfig *a, const ModelConfig *b, Str *d)
{
    int n = differs(d, "hidden_size", a->D, b->D) + differs(d, "n_decoder_layers", a->L, b->L) + differs(d, "n_head", a->H, b->H)
          + differs(d, "num_key_value_heads", a->Hk, b->Hk) + differs(d, "use_dense", a->dense, b->dense)
          + differs(d, "d_ff", a->F, b->F) + differs(d, "patch_len", a->P, b->P) + differs(d, "patch_stride", a->S, b->S)
          + differs(d, "num_expert_layers", a->B, b->B) + differs(d, "horizons", a->nh, b->nh);
    if (!a->dense && !b->dense)
        n += differs(d, "num_experts", a->E, b->E) + differs(d, "k", a->K, b->K) + differs(d, "d_expert", a->Fe, b->Fe);
    for (int j = 0; j < a->nh && j < b->nh; j++) n += differs(d, "horizon", a->horizon[j], b->horizon[j]);
    return n == 0;
}
