/* weights.c - see weights.h */
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/num.h"

enum { PIECE = 1 << 14, NAME_SIZE = sizeof ((Entry *)0)->name + 4 };
#define METADATA "{\"format\":\"pt\"}"
#define SHARE    "balance.share"

static size_t length(const Entry *x) { return (size_t)x->rows * (size_t)(x->cols ? x->cols : 1); }

/* Tensors to be written and their names: one for each entry of the plan and each flat vector, and perhaps the routers' shares. */
typedef struct List { StOut *out; char (*name)[NAME_SIZE]; int n; Backend *b; float *share; } List;

static int list_open(List *l, const Model *m, int vectors, Err *e)
{
    size_t n = (size_t)m->plan.n * (size_t)vectors + 1;
    *l = (List){.b = m->b, .out = calloc(n, sizeof *l->out), .name = calloc(n, NAME_SIZE)};
    return l->out && l->name ? 0 : err_nomem(e, n * (sizeof *l->out + NAME_SIZE), "the list of tensors");
}

static void list_close(List *l)
{
    free(l->out);
    free(l->name);
    free(l->share);
}

static void list_add(List *l, const Model *m, const char *prefix, const float *flat, Dtype type)
{
    for (int i = 0; i < m->plan.n; i++, l->n++) {
        const Entry *x = &m->plan.entry[i];
        snprintf(l->name[l->n], NAME_SIZE, "%s%s", prefix, x->name);
        l->out[l->n] = (StOut){.name = l->name[l->n], .dtype = type == F32 ? "F32" : "BF16", .rank = x->cols ? 2 : 1, .shape = {x->rows, x->cols ? x->cols : 1},
                               .elements = length(x), .element_size = dtype_size(type), .from = flat + x->at};
    }
}

static int list_add_share(List *l, Model *m, Err *e)
{
    size_t n = (size_t)config_routers(&m->c) * (size_t)m->c.E;
    double *f = malloc((n + 1) * sizeof *f);
    l->share = malloc((n + 1) * sizeof *l->share);
    if (!f || !l->share) {
        free(f);
        return err_nomem(e, n * (sizeof *f + sizeof *l->share), "the shares of the experts");
    }
    model_share(m, &m->train, f);
    for (size_t i = 0; i < n; i++) l->share[i] = (float)f[i];
    free(f);
    l->out[l->n++] = (StOut){.name = SHARE, .dtype = "F32", .rank = 2, .shape = {config_routers(&m->c), m->c.E}, .elements = n,
                             .element_size = sizeof(float), .from = l->share};
    return 0;
}

static void get_bf16(const List *l, const float *from, size_t n, bf16 *out)
{
    float piece[1024];
    for (size_t at = 0, k; at < n; at += k) {
        k = n - at < 1024 ? n - at : 1024;
        backend_download(l->b, piece, from + at, k * sizeof *piece);
        for (size_t i = 0; i < k; i++) out[at + i] = f32_to_bf16(piece[i]);
    }
}

static int get(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e)
{
    const List *l = user;
    const float *from = (const float *)t->from + at;
    (void)e;
    if (t->from == l->share) memcpy(out, from, n * sizeof *from);
    else if (t->element_size == 2) get_bf16(l, from, n, out);
    else backend_download(l->b, out, from, n * sizeof *from);
    return 0;
}

int weights_save(const char *path, const Model *m, Dtype type, Err *e)
{
    List l;
    int bad = list_open(&l, m, 1, e);
    if (!bad) {
        list_add(&l, m, "", m->flat.p, type);
        bad = st_write(path, l.out, l.n, METADATA, get, &l, e);
    }
    list_close(&l);
    return bad;
}

int moments_save(const char *path, Model *m, Err *e)
{
    List l;
    int bad = list_open(&l, m, 2, e);
    if (!bad) {
        list_add(&l, m, "m.", m->flat.m, F32);
        list_add(&l, m, "v.", m->flat.v, F32);
        bad = (config_routers(&m->c) && list_add_share(&l, m, e)) || st_write(path, l.out, l.n, METADATA, get, &l, e) ? -1 : 0;
    }
    list_close(&l);
    return bad;
}

static int check_shape(const StTensor *t, int rows, int cols, Err *e)
{
    char have[128] = "", want[64];
    int n = 0;
    if (t->rank == (cols ? 2 : 1) && t->shape[0] == rows && (!cols || t->shape[1] == cols)) return 0;
    for (int i = 0; i < t->rank && n >= 0 && n < (int)sizeof have; i++)
        n += snprintf(have + n, sizeof have - (size_t)n, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    snprintf(want, sizeof want, cols ? "%d, %d" : "%d", rows, cols);
    return err_set(e, FTS_FORMAT, "tensor \"%s\" has the shape [%s], this model needs [%s]", t->name, have, want);
}

static int missing(Err *e, const char *prefix, const char *name) { return err_set(e, FTS_FORMAT, "tensor \"%s%s\" is missing", prefix, name); }

/* Tensors are large and many, and what is done with a number is little: pieces of all of them are spread over the threads. */
typedef struct Part { const StTensor *t; float *to; size_t at, n; } Part;          /* elements [at, +n) of t */
typedef struct Load { Backend *b; Part *part; int n; } Load;

static size_t element_size(const StTensor *t)
{
    int bits = 32;
    st_dtype(t->dtype, &bits);
    return (size_t)bits / 8;
}

static void load_item(void *arg, int item, int worker)
{
    const Load *l = arg;
    const Part *p = &l->part[item];
    float piece[PIECE];
    Err checked;
    StTensor t = *p->t;
    size_t size = element_size(&t);
    (void)worker;
    t.data += p->at * size;
    t.bytes = p->n * size;
    if (!st_floats(&t, piece, &checked)) backend_upload(l->b, p->to + p->at, piece, p->n * sizeof *piece);
}

/* Whether it can be read at all is asked with nothing of it. */
static int check_tensor(const StTensor *t, const Entry *x, Err *e)
{
    StTensor none = *t;
    float unused;
    none.bytes = 0;
    return check_shape(t, x->rows, x->cols, e) || st_floats(&none, &unused, e) ? -1 : 0;
}

static void cut_tensor(Load *l, const StTensor *t, float *to)
{
    size_t n = t->bytes / element_size(t);
    for (size_t at = 0; at < n; at += PIECE) l->part[l->n++] = (Part){t, to, at, n - at < PIECE ? n - at : PIECE};
}

/* Whether ops can use a tensor where it lies. */
static int usable(const Model *m, const Entry *x, const StTensor *t, Stored *s)
{
    *s = (Stored){t->data, strcmp(t->dtype, "BF16") ? F32 : BF16};
    return x->whole && backend_on_host(m->b) && (s->type == BF16 || !strcmp(t->dtype, "F32")) && (uintptr_t)t->data % dtype_size(s->type) == 0;
}

/* stored (plan.n): takes what can stay in the file; NULL: everything is copied. */
static int load_vector(const Model *m, float *flat, const StSet *w, const char *prefix, Stored *stored, Err *e)
{
    char name[NAME_SIZE];
    int bad = 0;
    size_t most = m->flat.n / PIECE + (size_t)m->plan.n;
    Load l = {.b = m->b, .part = malloc(most * sizeof *l.part)};
    if (!l.part) return err_nomem(e, most * sizeof *l.part, "reading weights");
    for (int i = 0; i < m->plan.n && !bad; i++) {
        const Entry *x = &m->plan.entry[i];
        snprintf(name, sizeof name, "%s%s", prefix, x->name);
        const StTensor *t = st_set_find(w, name);
        bad = !t ? missing(e, prefix, x->name) : check_tensor(t, x, e);
        if (bad || (stored && usable(m, x, t, &stored[i]))) continue;
        if (stored) stored[i] = (Stored){0};
        cut_tensor(&l, t, flat + x->at);
    }
    if (!bad) par_for(m->b->par, l.n, load_item, &l);
    free(l.part);
    return bad;
}

/* All that were asked for have been found, so more than those means that some are not of this model. */
static int refuse_others(const Model *m, const StSet *w, int wanted, Err *e)
{
    int n = 0;
    for (int i = 0; i < w->n; i++) n += w->st[i].n;
    for (int i = 0; i < w->n && n > wanted; i++)
        for (int k = 0; k < w->st[i].n; k++) {
            int x = 0;
            while (x < m->plan.n && strcmp(m->plan.entry[x].name, w->st[i].tensor[k].name)) x++;
            if (x == m->plan.n) return err_set(e, FTS_FORMAT, "tensor \"%.200s\" is not part of this model", w->st[i].tensor[k].name);
        }
    return 0;
}

int weights_load(Model *m, const char *dir, Err *e)
{
    StSet w;
    if (st_set_open(&w, dir, e)) return -1;
    int bad = load_vector(m, m->flat.p, &w, "", NULL, e) || refuse_others(m, &w, m->plan.n, e) ? err_wrap(e, "%s", dir) : 0;
    st_set_close(&w);
    return bad;
}

int weights_map(Model *m, const char *dir, Err *e)
{
    m->stored = calloc((size_t)m->plan.n, sizeof *m->stored);
    if (!m->stored) return err_nomem(e, (size_t)m->plan.n * sizeof *m->stored, "the places of the weights");
    if (st_set_open(&m->file, dir, e)) return -1;
    backend_sparse(m->b, m->flat.p, m->flat.n * sizeof *m->flat.p);
    if (load_vector(m, m->flat.p, &m->file, "", m->stored, e) || refuse_others(m, &m->file, m->plan.n, e)) return err_wrap(e, "%s", dir);
    m->flat.stored = m->stored;
    return 0;
}

static int load_share(Model *m, const St *s, Err *e)
{
    int n = config_routers(&m->c) * m->c.E;
    const StTensor *t = st_find(s, SHARE);
    if (!config_routers(&m->c)) return 0;
    if (!t) return missing(e, "", SHARE);
    if (check_shape(t, config_routers(&m->c), m->c.E, e)) return -1;
    double *f = malloc((size_t)n * sizeof *f);
    float *x = malloc((size_t)n * sizeof *x);
    int bad = !f || !x ? err_nomem(e, (size_t)n * (sizeof *f + sizeof *x), "the shares of the experts") : st_floats(t, x, e);
    for (int i = 0; i < n && !bad; i++) f[i] = (double)x[i];
    if (!bad) model_set_share(m, f);
    free(f);
    free(x);
    return bad;
}

int moments_load(Model *m, const char *path, Err *e)
{
    St s;
    if (st_open(&s, path, e)) return -1;
    StSet one = {&s, 1};
    int bad = load_vector(m, m->flat.m, &one, "m.", NULL, e) || load_vector(m, m->flat.v, &one, "v.", NULL, e) || load_share(m, &s, e);
    st_close(&s);
    return bad ? err_wrap(e, "%s", path) : 0;
}

int weights_folder(char *folder, size_t size, ModelConfig *c, const char *dir, Err *e)
{
    char config[4096];
    if (!path_is_dir(dir)) return err_set(e, FTS_IO, "%s: no folder of a model, which has config.json and model.safetensors", dir);
    for (int latest = 0; latest < 2; latest++) {
        if ((latest ? path_join(folder, size, dir, "latest", e) : path_join(folder, size, "", dir, e)) || path_join(config, sizeof config, folder, "config.json", e)) return -1;
        if (path_exists(config)) return config_read(c, config, e);
    }
    return err_set(e, FTS_FORMAT, "%s: no model in this folder: neither config.json nor a checkpoint called latest", dir);
}
