#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/weights.h"
#include "util/json.h"

static int read_horizons(Golden *g, Json *j, Err *e)
{
    int more;
    int64_t x;
    g->c.nh = 0;
    if (json_open(j, '[', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_int(j, &x, e)) return -1;
        g->c.horizon[g->c.nh++] = (int)x;
    }
    return more;
}

static int read_config(Golden *g, const char *text, Err *e)
{
    Json j;
    char key[64];
    int more, x;
    struct { const char *name; int *to; } ints[] = {
        {"hidden_size", &g->c.D}, {"n_decoder_layers", &g->c.L}, {"n_head", &g->c.H}, {"n_kv_head", &g->c.Hk}, {"num_experts", &g->c.E},
        {"num_expert_layers", &g->c.B}, {"k", &g->c.K}, {"d_ff", &g->c.F}, {"d_expert", &g->c.Fe}, {"patch_len", &g->c.P}, {"patch_stride", &g->c.S}, {"max_positions", &g->c.max_positions},
    };
    g->c = (ModelConfig){.nh = 4, .horizon = {1, 8, 32, 64}, .eps = 1e-6f, .theta = 10000, .init_range = 0.02f, .max_positions = 4096};
    json_init(&j, text, strlen(text));
    if (json_open(&j, '{', e)) return -1;
    while ((more = json_more(&j, e)) > 0) {
        int known = 0;
        if (json_key(&j, key, sizeof key, e)) return -1;
        for (size_t i = 0; i < sizeof ints / sizeof *ints && !known; i++)
            if (!strcmp(key, ints[i].name)) {
                int64_t v;
                if (json_int(&j, &v, e)) return -1;
                *ints[i].to = (int)v;
                known = 1;
            }
        if (known) continue;
        if (!strcmp(key, "aux_loss_weight")) { if (json_number(&j, &g->aux_weight, e)) return -1; }
        else if (!strcmp(key, "use_dense")) { if (json_bool(&j, &x, e)) return -1; g->c.dense = x; }
        else if (!strcmp(key, "horizons")) { if (read_horizons(g, &j, e)) return -1; }
        else if (json_skip(&j, e)) return -1;
    }
    return more;
}

static int metadata_config(Golden *g, Err *e)
{
    Json j;
    char key[64], text[2048];
    int more, found = 0;
    json_init(&j, g->st.metadata, strlen(g->st.metadata));
    if (json_open(&j, '{', e)) return -1;
    while ((more = json_more(&j, e)) > 0) {
        if (json_key(&j, key, sizeof key, e) || json_string(&j, text, sizeof text, e)) return -1;
        if (!strcmp(key, "config")) { found = 1; if (read_config(g, text, e)) return -1; }
    }
    return more ? more : found ? 0 : err_set(e, FTS_FORMAT, "no config in the metadata");
}

const StTensor *golden_tensor(const Golden *g, const char *prefix, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return st_find(&g->st, full);
}

float *golden_floats(const StTensor *t)
{
    Err e;
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
    float *x = malloc((n + 1) * sizeof *x);
    if (!strcmp(t->dtype, "I32")) memcpy(x, t->data, n * 4);
    else if (st_floats(t, x, &e)) { free(x); return NULL; }
    return x;
}

static void segments(Golden *g, int at_least)
{
    int tok = 0, open = 0;
    g->pt = malloc((size_t)g->nseg * sizeof *g->pt);
    g->seg = malloc((size_t)g->nseg * sizeof *g->seg);
    for (int i = 0, pt = 0; i < g->nseg; pt += g->npt[i++]) {
        int n = (int)config_tokens(&g->c, g->npt[i]);
        g->pt[i] = pt;
        g->seg[i] = (Seg){.tok = tok, .ntok = n, .pt = pt, .npt = g->npt[i]};
        tok += n;
        open += n;
        if (n > g->longest) g->longest = n;
        if (open >= at_least) { g->chunk[++g->nchunk] = tok; open = 0; }
        loss_valid(&g->c, g->npt[i], g->valid);
    }
    if (open) g->chunk[++g->nchunk] = tok;
    g->ntok = tok;
}

int golden_open(Golden *g, const char *name, int at_least, Err *e)
{
    char path[256];
    *g = (Golden){0};
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", name);
    if (st_open(&g->st, path, e) || metadata_config(g, e)) return -1;
    const StTensor *p = st_find(&g->st, "input.points"), *n = st_find(&g->st, "input.npt");
    if (!p || !n) return err_set(e, FTS_FORMAT, "%s: no input", path);
    g->points = golden_floats(p);
    g->npt = (int *)(void *)golden_floats(n);
    g->npoints = (int)p->shape[0];
    g->nseg = (int)n->shape[0];
    segments(g, at_least);
    return 0;
}

void golden_close(Golden *g)
{
    st_close(&g->st);
    free(g->points);
    free(g->npt);
    free(g->pt);
    free(g->seg);
}

int golden_model(Model **m, const Golden *g, Backend *b, Recompute r, Err *e)
{
    if (model_open(m, &g->c, b, 1, e)) return -1;
    for (int i = 0; i < (*m)->plan.n; i++) {
        const Entry *x = &(*m)->plan.entry[i];
        const StTensor *t = golden_tensor(g, "param.", x->name);
        if (!t) return err_set(e, FTS_FORMAT, "no param.%s", x->name);
        if (t->shape[0] != x->rows || (x->cols && t->shape[1] != x->cols)) return err_set(e, FTS_FORMAT, "shape of %s", x->name);
        float *w = golden_floats(t);
        backend_upload(b, (*m)->flat.p + x->at, w, (size_t)x->rows * (size_t)(x->cols ? x->cols : 1) * sizeof *w);
        free(w);
    }
    return model_reserve(*m, g->ntok, g->nchunk, g->longest, r, e);
}

int golden_save(const Golden *g, const char *dir, Err *e)
{
    char path[512];
    Backend *b = NULL;
    Model *m = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    int bad = backend_open(&b, "cpu", F32, 1, e) || golden_model(&m, g, b, FORWARD_ONLY, e) || weights_save(path, m, F32, e);
    snprintf(path, sizeof path, "%s/config.json", dir);
    bad = bad || config_write(&g->c, path, 0.02, F32, e);
    model_close(m);
    backend_close(b);
    return bad ? -1 : 0;
}

Input golden_input(const Golden *g, int first, int nchunk, Seg *seg, int *chunk)
{
    int from = g->chunk[first], to = g->chunk[first + nchunk], n = 0;
    for (int i = 0; i < g->nseg; i++)
        if (g->seg[i].tok >= from && g->seg[i].tok < to) {
            seg[n] = g->seg[i];
            seg[n++].tok -= from;
        }
    for (int c = 0; c <= nchunk; c++) chunk[c] = g->chunk[first + c] - from;
    return (Input){.points = g->points, .seg = seg, .chunk = chunk, .nseg = n, .nchunk = nchunk, .ntok = to - from,
                   .longest = g->longest, .P = g->c.P, .S = g->c.S};
}

double golden_distance(const float *got, const float *want, size_t n)
{
    double diff = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= 1e30)) return INFINITY;
        if (d > diff) diff = d;
        if (fabs((double)want[i]) > size) size = fabs((double)want[i]);
    }
    return diff == 0 ? 0 : size > 0 ? diff / size : INFINITY;
}
