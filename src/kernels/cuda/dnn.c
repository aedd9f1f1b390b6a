/* dnn.c - see dnn.h. The plan is the first that the library's own rule offers without calling it nondeterministic, so it follows
 * from shape, device and version alone. What is computed is said in dnn_graph.c. */
#include "kernels/cuda/dnn.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/dnn_graph.h"

/* What a shape needs again and again. plan NULL: the library has none for it. */
typedef struct Known { DnnAttention shape; int used; cudnnBackendDescriptor_t plan; int64_t room; } Known;
enum { KNOWN = 64, OFFERS = 8, NOTES = 16, OLDEST = 91000 };

struct Dnn {
    void *library;
    DnnFunctions f;
    cudnnHandle_t handle;                /* NULL: of a device that is only described */
    cudnnBackendDescriptor_t about;      /* the description, or NULL */
    char text[48];
    Known known[KNOWN];
    int next;                            /* the place that is given up for a new shape */
};

int dnn_wanted(void)
{
    const char *set = getenv("FTS_CUDNN");
    return set && !strcmp(set, "yes");
}

static int load(Dnn *d, Err *e)
{
    d->library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!d->library) return err_set(e, FTS_DEVICE, "libcudnn.so.9 was not found");
#define X(name) { void *p = dlsym(d->library, "cudnn" #name); memcpy(&d->f.name, &p, sizeof p); if (!p) return err_set(e, FTS_DEVICE, "libcudnn.so.9 lacks cudnn" #name); }
    DNN_FUNCTIONS(X)
#undef X
    size_t v = d->f.GetVersion();
    snprintf(d->text, sizeof d->text, "cuDNN %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    return v >= OLDEST ? 0 : err_set(e, FTS_DEVICE, "%s is too old, 9.10 is needed", d->text);
}

Dnn *dnn_open(void *stream)
{
    Err e;
    Dnn *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    if (!load(d, &e) && d->f.Create(&d->handle) == CUDNN_STATUS_SUCCESS && d->f.SetStream(d->handle, stream) == CUDNN_STATUS_SUCCESS) return d;
    dnn_close(d);
    return NULL;
}

Dnn *dnn_open_described(const char *json, Err *e)
{
    Dnn *d = calloc(1, sizeof *d);
    if (!d) { err_nomem(e, sizeof *d, "cuDNN"); return NULL; }
    int bad = load(d, e);
    if (!bad && (d->f.BackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d->about)
              || d->f.BackendSetAttribute(d->about, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)strlen(json), json)
              || d->f.BackendFinalize(d->about)))
        bad = err_set(e, FTS_DEVICE, "%s takes no description of a device", d->text);
    if (!bad) return d;
    dnn_close(d);
    return NULL;
}

static void forget(Dnn *d, Known *k)
{
    if (k->plan) d->f.BackendDestroyDescriptor(k->plan);
    *k = (Known){0};
}

void dnn_close(Dnn *d)
{
    if (!d) return;
    for (int i = 0; i < KNOWN; i++) forget(d, &d->known[i]);
    if (d->about) d->f.BackendDestroyDescriptor(d->about);
    if (d->handle) d->f.Destroy(d->handle);
    if (d->library) dlclose(d->library);
    free(d);
}

const char *dnn_text(const Dnn *d) { return d->text; }

/* Whether an engine says that it may give other bits the next time. */
static int wavers(Dnn *d, cudnnBackendDescriptor_t config)
{
    cudnnBackendNumericalNote_t note[NOTES];
    cudnnBackendDescriptor_t engine;
    int64_t n = 0;
    if (d->f.BackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine)) return 1;
    int bad = d->f.BackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine)
           || d->f.BackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, NOTES, &n, note);
    for (int64_t i = 0; !bad && i < n && i < NOTES; i++) bad = note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    d->f.BackendDestroyDescriptor(engine);
    return bad;
}

static int plan_of(Dnn *d, Known *k, cudnnBackendDescriptor_t config)
{
    cudnnBackendDescriptor_t plan;
    int64_t n = 0;
    if (d->f.BackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan)) return -1;
    int bad = (d->handle && d->f.BackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &d->handle))
           || (d->about && d->f.BackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d->about))
           || d->f.BackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config)
           || d->f.BackendFinalize(plan)
           || d->f.BackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &k->room);
    if (bad) d->f.BackendDestroyDescriptor(plan);
    else k->plan = plan;
    return bad ? -1 : 0;
}

/* Of what the library's rule offers, best first. */
static void choose(Dnn *d, Known *k, cudnnBackendDescriptor_t rule)
{
    cudnnBackendDescriptor_t offer[OFFERS];
    int64_t made = 0, n = 0;
    while (made < OFFERS && !d->f.BackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &offer[made])) made++;
    if (made && !d->f.BackendGetAttribute(rule, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &n, offer))
        for (int64_t i = 0; i < n && i < made && !k->plan; i++)
            if (!wavers(d, offer[i])) (void)plan_of(d, k, offer[i]);
    while (made) d->f.BackendDestroyDescriptor(offer[--made]);
}

static void plan(Dnn *d, Known *k)
{
    cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    DnnGraph g;
    cudnnBackendDescriptor_t all = dnn_graph(&g, &d->f, d->handle, &k->shape), rule = dnn_make(&g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    dnn_put(&g, rule, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &all);
    dnn_put(&g, rule, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (d->about) dnn_put(&g, rule, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d->about);
    dnn_finish(&g, rule);
    if (!g.bad) choose(d, k, rule);
    dnn_graph_free(&g);
}

static int same(const Known *k, const DnnAttention *a)
{
    const DnnAttention *s = &k->shape;
    if (!k->used || s->segs != a->segs || s->longest != a->longest || s->H != a->H || s->d != a->d || s->backward != a->backward) return 0;
    for (int i = 0; i < DNN_PARTS; i++)
        if (s->part[i].row != a->part[i].row) return 0;
    return 1;
}

static Known *find(Dnn *d, const DnnAttention *a)
{
    for (int i = 0; i < KNOWN; i++)
        if (same(&d->known[i], a)) return &d->known[i];
    Known *k = &d->known[d->next++ % KNOWN];
    forget(d, k);
    *k = (Known){.shape = *a, .used = 1};
    plan(d, k);
    return k;
}

int64_t dnn_room(Dnn *d, const DnnAttention *a)
{
    const Known *k = find(d, a);
    return k->plan ? k->room : -1;
}

int dnn_attention(Dnn *d, const DnnAttention *a)
{
    int64_t id[DNN_IDS];
    void *p[DNN_IDS];
    cudnnBackendDescriptor_t pack;
    void *room = a->room;
    Known *k = find(d, a);
    if (!k->plan || k->room > (int64_t)a->room_size || d->f.BackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack)) return -1;
    int n = dnn_pointers(a, id, p);
    int bad = d->f.BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id)
           || d->f.BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, p)
           || d->f.BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &room)
           || d->f.BackendFinalize(pack)
           || d->f.BackendExecute(d->handle, k->plan, pack);
    d->f.BackendDestroyDescriptor(pack);
    return bad ? -1 : 0;
}
