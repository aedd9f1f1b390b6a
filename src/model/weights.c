/* weights.c - see weights.h */
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 16, NAME_SIZE = sizeof ((Entry *)0)->name + 4 };
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

static void list_add(List *l, const Model *m, const char *prefix, const float *flat)
{
    for (int i = 0; i < m->plan.n; i++, l->n++) {
        const Entry *x = &m->plan.entry[i];
        snprintf(l->name[l->n], NAME_SIZE, "%s%s", prefix, x->name);
        l->out[l->n] = (StOut){.name = l->name[l->n], .dtype = "F32", .rank = x->cols ? 2 : 1, .shape = {x->rows, x->cols ? x->cols : 1},
                               .elements = length(x), .element_size = sizeof(float), .from = flat + x->at};
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

static int get(void *user, const StOut *t, size_t at, size_t n, void *out, Err *e)
{
    const List *l = user;
    const float *from = (const float *)t->from + at;
    (void)e;
    if (t->from == l->share) memcpy(out, from, n * sizeof *from);
    else backend_download(l->b, out, from, n * sizeof *from);
    return 0;
}

int weights_save(const char *path, const Model *m, Err *e)
{
    List l;
    int bad = list_open(&l, m, 1, e);
    if (!bad) {
        list_add(&l, m, "", m->flat.p);
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
        list_add(&l, m, "m.", m->flat.m);
        list_add(&l, m, "v.", m->flat.v);
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

/* To fp32 and to the device piece by piece. */
static int upload(Backend *b, float *to, const StTensor *t, float *piece, Err *e)
{
    int bits = 32;
    st_dtype(t->dtype, &bits);
    size_t size = (size_t)bits / 8, n = t->bytes / size;
    for (size_t at = 0; at < n; at += PIECE) {
        StTensor part = *t;
        size_t k = n - at < PIECE ? n - at : PIECE;
        part.data += at * size;
        part.bytes = k * size;
        if (st_floats(&part, piece, e)) return -1;
        backend_upload(b, to + at, piece, k * sizeof *piece);
    }
    return 0;
}

static int missing(Err *e, const char *prefix, const char *name) { return err_set(e, FTS_FORMAT, "tensor \"%s%s\" is missing", prefix, name); }

static int load_vector(const Model *m, float *flat, const StSet *w, const char *prefix, Err *e)
{
    char name[NAME_SIZE];
    int bad = 0;
    float *piece = malloc(PIECE * sizeof *piece);
    if (!piece) return err_nomem(e, PIECE * sizeof *piece, "reading weights");
    for (int i = 0; i < m->plan.n && !bad; i++) {
        const Entry *x = &m->plan.entry[i];
        snprintf(name, sizeof name, "%s%s", prefix, x->name);
        const StTensor *t = st_set_find(w, name);
        bad = !t ? missing(e, prefix, x->name) : check_shape(t, x->rows, x->cols, e) || upload(m->b, flat + x->at, t, piece, e) ? -1 : 0;
    }
    free(piece);
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
    int bad = load_vector(m, m->flat.p, &w, "", e) || refuse_others(m, &w, m->plan.n, e) ? err_wrap(e, "%s", dir) : 0;
    st_set_close(&w);
    return bad;
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
    int bad = load_vector(m, m->flat.m, &one, "m.", e) || load_vector(m, m->flat.v, &one, "v.", e) || load_share(m, &s, e);
    st_close(&s);
    return bad ? err_wrap(e, "%s", path) : 0;
}
