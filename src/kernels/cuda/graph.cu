/* graph.cu - passes that come again: what their ops enqueue is recorded as a graph of the device, and started as one launch from then on.
 *
 * The first time a pass runs as it is, and again as often as a library takes to choose its algorithms, so that everything has its memory; then it is
 * recorded. Inputs and what ops send lie at the same addresses in every pass that has a key, and are sent before the launch. */
#include "kernels/cuda/gpu.cuh"

#include <stdlib.h>
#include <string.h>

#include <type_traits>

namespace fts_cuda {

static_assert(std::has_unique_object_representations_v<Key>);

int graphs_wanted()
{
    const char *set = getenv("FTS_GRAPHS");
    return !(set && !strcmp(set, "no"));
}

/* What is under way ends first: the driver keeps it until then. */
static void forget(Graph *g)
{
    if (g->run) (void)cudaGraphExecDestroy(g->run);
    memset(g, 0, sizeof *g);
}

void graphs_drop(Cuda *c)
{
    for (Graph &g : c->graphs.all) forget(&g);
    c->graphs.failed = 1;
}

/* All host numbers that ops take from an input, and where the device has it. */
static void make_key(const Backend *b, Key *k, const void *owner, const Input *in, int n)
{
    memset(k, 0, sizeof *k);
    k->owner = owner;
    k->scratch = b->scratch;
    for (int i = 0; i < n; i++) {
        const Tables *t = static_cast<const Tables *>(in[i].own);
        k->input[i] = KeyInput{{t->points, t->seg, t->chunk, t->seg_of, t->tile}, {in[i].ntok, in[i].nseg, in[i].nchunk, t->ntile, in[i].longest, in[i].P, in[i].S}};
    }
}

/* The graph of this key; a new one takes the place of that which was not asked for the longest. */
static Graph *find(Graphs *s, const Key *k)
{
    Graph *oldest = s->all, *found = nullptr;
    for (Graph &g : s->all) {
        if (g.used && !memcmp(&g.key, k, sizeof *k)) found = &g;
        if (g.used < oldest->used) oldest = &g;
    }
    if (!found) {
        found = oldest;
        forget(found);
        found->key = *k;
    }
    found->used = ++s->passes;
    return found;
}

/* A graph that failed is not tried again; the error was of the graph alone, so nobody is told. */
static int refuse(Graph *g)
{
    if (g->run) (void)cudaGraphExecDestroy(g->run);
    g->run = nullptr;
    g->refused = 1;
    (void)cudaGetLastError();
    return 0;
}

static int start(Backend *b, Graph *g)
{
    for (int i = 0; i < g->nsent; i++)
        if (send_again(b, i, g->sent[i].host, g->sent[i].bytes)) return refuse(g);
    if (cudaGraphLaunch(g->run, cuda_of(b)->stream) != cudaSuccess) return refuse(g);
    return 1;
}

static void record(Backend *b, Graph *g)
{
    Graphs *s = &cuda_of(b)->graphs;
    if (cudaStreamBeginCapture(cuda_of(b)->stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
        refuse(g);
        return;
    }
    g->nsent = s->failed = 0;
    s->recorded = g;
}

/* Copies of weights that have to be made anew are made by ops that run now: a graph must not do it each time, nor leave it out. */
int begin(Backend *b, const void *owner, Input *in, int n, int longest)
{
    Key k;
    Cuda *c = cuda_of(b);
    int keyed = owner && n <= INPUTS && c->graphs.wanted && !b->watch;
    if (keyed) {
        c->next_input = c->next_small = 0;
        in->longest = longest;
    }
    for (int i = 0; i < n; i++) backend_input(b, &in[i]);
    if (!keyed || c->error != cudaSuccess) return 0;
    make_key(b, &k, owner, in, n);
    Graph *g = find(&c->graphs, &k);
    if (g->seen < (c->lt ? lt_rounds(c->lt) : 1) || g->refused || c->copies.stale) {
        g->seen++;
        return 0;
    }
    if (!g->run) record(b, g);
    else if (start(b, g)) {
        c->graphs.replays++;
        return 1;
    }
    return 0;
}

static int make(Backend *b, Graph *g)
{
    cudaGraph_t graph = nullptr;
    int bad = cudaStreamEndCapture(cuda_of(b)->stream, &graph) != cudaSuccess || cuda_of(b)->graphs.failed || cudaGraphInstantiate(&g->run, graph, 0) != cudaSuccess;
    if (graph) (void)cudaGraphDestroy(graph);
    if (bad) g->run = nullptr;
    return bad ? refuse(g) : 1;
}

int end(Backend *b)
{
    Graph *g = cuda_of(b)->graphs.recorded;
    if (!g) return 0;
    cuda_of(b)->graphs.recorded = nullptr;
    return !make(b, g) || !start(b, g);
}

/* Nothing is enqueued: what lies there at the time of the launch is sent before it, once for all ops that asked. The pass that ran plainly made the room. */
const void *graph_sends(Backend *b, const void *host, size_t bytes)
{
    Cuda *c = cuda_of(b);
    Graph *g = c->graphs.recorded;
    int i = 0;
    while (i < g->nsent && (g->sent[i].host != host || g->sent[i].bytes != bytes)) i++;
    if (i == SMALL || c->small[i].size < bytes) {
        c->graphs.failed = 1;
        return nullptr;
    }
    g->sent[i] = Sent{host, bytes};
    if (i == g->nsent) g->nsent++;
    return c->small[i].device;
}

}
