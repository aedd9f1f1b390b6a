/* config_json.c - config.json: the fields of the published class, and ours where they are not the default. */
#include "model/config.h"

#include <string.h>

#include "util/file.h"
#include "util/json.h"

static void put_horizons(Str *s, const ModelConfig *c)
{
    for (int j = 0; j < c->nh; j++) str_addf(s, "%s%d", j ? ", " : "", c->horizon[j]);
}

static int write_text(Str *s, const ModelConfig *c, double aux_weight, Dtype type)
{
    str_addf(s, "{\n  \"architectures\": [\"TimeMoeForPrediction\"],\n  \"model_type\": \"time_moe\",\n"
        "  \"auto_map\": {\n    \"AutoConfig\": \"configuration_time_moe.TimeMoeConfig\",\n"
        "    \"AutoModelForCausalLM\": \"modeling_time_moe.TimeMoeForPrediction\"\n  },\n");
    str_addf(s, "  \"input_size\": 1,\n  \"hidden_size\": %d,\n  \"intermediate_size\": %d,\n  \"num_hidden_layers\": %d,\n"
        "  \"num_attention_heads\": %d,\n  \"num_key_value_heads\": %d,\n", c->D, c->F, c->L, c->H, c->Hk);
    str_addf(s, "  \"num_experts\": %d,\n  \"num_experts_per_tok\": %d,\n  \"horizon_lengths\": [", c->E, c->K);
    put_horizons(s, c);
    str_addf(s, "],\n  \"max_position_embeddings\": %d,\n  \"rms_norm_eps\": %g,\n  \"rope_theta\": %g,\n", c->max_positions, (double)c->eps, (double)c->theta);
    str_addf(s, "  \"router_aux_loss_factor\": ");
    json_put_number(s, aux_weight);
    str_addf(s, ",\n  \"apply_aux_loss\": %s,\n  \"use_dense\": %s,\n  \"hidden_act\": \"silu\",\n  \"initializer_range\": %g,\n",
             c->dense ? "false" : "true", c->dense ? "true" : "false", (double)c->init_range);
    if (c->P != 1 || c->S != 1) str_addf(s, "  \"patch_len\": %d,\n  \"patch_stride\": %d,\n", c->P, c->S);
    if (c->B != 1) str_addf(s, "  \"num_expert_layers\": %d,\n", c->B);
    if (!c->dense && c->Fe != c->F / c->K) str_addf(s, "  \"moe_intermediate_size\": %d,\n", c->Fe);
    str_addf(s, "  \"torch_dtype\": \"%s\",\n  \"attention_dropout\": 0.0,\n  \"use_cache\": true,\n  \"tie_word_embeddings\": false\n}\n", type == F32 ? "float32" : "bfloat16");
    return 0;
}

int config_write(const ModelConfig *c, const char *path, double aux_weight, Dtype type, Err *e)
{
    Str s = {0};
    write_text(&s, c, aux_weight, type);
    int bad = str_ok(&s, e) || file_write(path, s.p, s.n, e);
    str_free(&s);
    return bad ? -1 : 0;
}

/* Every key that is read: where it goes, or what it must be. */
typedef struct Key { const char *name; enum { K_INT, K_FLOAT, K_DOUBLE, K_BOOL, K_IS_INT, K_IS_TEXT, K_HORIZONS } kind; size_t at; const char *must; } Key;
#define AT(f) offsetof(ModelConfig, f)
static const Key keys[] = {
    {"hidden_size", K_INT, AT(D), NULL}, {"intermediate_size", K_INT, AT(F), NULL}, {"num_hidden_layers", K_INT, AT(L), NULL},
    {"num_attention_heads", K_INT, AT(H), NULL}, {"num_key_value_heads", K_INT, AT(Hk), NULL}, {"num_experts", K_INT, AT(E), NULL},
    {"num_experts_per_tok", K_INT, AT(K), NULL}, {"horizon_lengths", K_HORIZONS, AT(horizon), NULL},
    {"max_position_embeddings", K_INT, AT(max_positions), NULL}, {"rms_norm_eps", K_FLOAT, AT(eps), NULL},
    {"rope_theta", K_FLOAT, AT(theta), NULL}, {"initializer_range", K_FLOAT, AT(init_range), NULL}, {"use_dense", K_BOOL, AT(dense), NULL},
    {"patch_len", K_INT, AT(P), NULL}, {"patch_stride", K_INT, AT(S), NULL}, {"num_expert_layers", K_INT, AT(B), NULL},
    {"moe_intermediate_size", K_INT, AT(Fe), NULL},
    {"input_size", K_IS_INT, 0, "1"}, {"hidden_act", K_IS_TEXT, 0, "silu"}, {"model_type", K_IS_TEXT, 0, "time_moe"},
    {"router_aux_loss_factor", K_DOUBLE, AT(aux_weight), NULL},
};
enum { NKEYS = sizeof keys / sizeof *keys };

static int read_int(Json *j, const char *name, int *out, Err *e)
{
    int64_t x;
    if (json_int(j, &x, e)) return err_wrap(e, "\"%s\"", name);
    if (x < 1 || x > 1 << 28) return json_error(j, e, "\"%s\" is %lld, outside 1..%d", name, (long long)x, 1 << 28);
    *out = (int)x;
    return 0;
}

static int read_horizons(Json *j, ModelConfig *c, Err *e)
{
    int more;
    c->nh = 0;
    if (json_open(j, '[', e)) return err_wrap(e, "\"horizon_lengths\"");
    while ((more = json_more(j, e)) > 0) {
        if (c->nh == MAX_HORIZONS) return json_error(j, e, "\"horizon_lengths\" has more than %d entries", MAX_HORIZONS);
        if (read_int(j, "horizon_lengths", &c->horizon[c->nh++], e)) return -1;
    }
    return more;
}

static int must_be_text(Json *j, const Key *k, Err *e)
{
    char text[64] = "";
    if (json_string(j, text, sizeof text, e)) return err_wrap(e, "\"%s\"", k->name);
    if (strcmp(text, k->must)) return json_error(j, e, "\"%s\" is \"%s\": only \"%s\" is supported", k->name, text, k->must);
    return 0;
}

static int must_be_int(Json *j, const Key *k, Err *e)
{
    int x;
    if (read_int(j, k->name, &x, e)) return -1;
    if (x != k->must[0] - '0') return json_error(j, e, "\"%s\" is %d: only %s is supported", k->name, x, k->must);
    return 0;
}

static int read_value(Json *j, const Key *k, ModelConfig *c, Err *e)
{
    double x;
    void *to = (char *)c + k->at;
    switch (k->kind) {
    case K_INT: return read_int(j, k->name, to, e);
    case K_BOOL: return json_bool(j, to, e);
    case K_DOUBLE: return json_number(j, to, e);
    case K_HORIZONS: return read_horizons(j, c, e);
    case K_IS_INT: return must_be_int(j, k, e);
    case K_IS_TEXT: return must_be_text(j, k, e);
    case K_FLOAT:
        if (json_number(j, &x, e)) return -1;
        *(float *)to = (float)x;
        return 0;
    }
    return -1;
}

static int read_key(Json *j, ModelConfig *c, unsigned *seen, Err *e)
{
    char name[64];
    if (json_key(j, name, sizeof name, e)) return -1;
    for (int i = 0; i < NKEYS; i++)
        if (!strcmp(name, keys[i].name)) {
            *seen |= 1u << i;
            return read_value(j, &keys[i], c, e);
        }
    return json_skip(j, e);
}

static int read_text(ModelConfig *c, Json *j, Err *e)
{
    unsigned seen = 0;
    int more;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0)
        if (read_key(j, c, &seen, e)) return -1;
    if (more < 0 || json_end(j, e)) return -1;
    for (int i = 0; i < 4; i++)
        if (!(seen >> i & 1)) return err_set(e, FTS_FORMAT, "\"%s\" is missing", keys[i].name);
    if (!(seen >> 4 & 1)) c->Hk = c->H;
    if (!(seen >> 16 & 1)) c->Fe = c->K > 0 ? c->F / c->K : 0;
    if (!config_check(c, e)) return 0;
    e->code = FTS_FORMAT;                /* the same rules as for options, but it is the file that is wrong */
    return -1;
}

int config_parse(ModelConfig *c, const void *text, size_t n, Err *e)
{
    Json j;
    *c = (ModelConfig){.E = 8, .K = 2, .B = 1, .P = 1, .S = 1, .nh = 4, .horizon = {1, 8, 32, 64}, .max_positions = 4096,
                       .eps = 1e-6f, .theta = 10000, .init_range = 0.02f, .aux_weight = 0.02};
    json_init(&j, text, n);
    return read_text(c, &j, e);
}

int config_read(ModelConfig *c, const char *path, Err *e)
{
    Map m;
    if (map_open(&m, path, e)) return -1;
    int bad = config_parse(c, m.p, m.n, e);
    map_close(&m);
    return bad ? err_wrap(e, "%s", path) : 0;
}
