/* device.cu - a CUDA device behind backend.h: memory, transfers, the sticky error, the copies of inputs. */
#include "kernels/cuda/gpu.cuh"

#include <nvtx3/nvToolsExt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace fts_cuda {

/* A profiler sees each op as a range with its name. */
#define OP(name, args, call) static void ranged_##name args { nvtxRangePushA(#name); cuda_##name call; nvtxRangePop(); }
#include "kernels/ops.def"
#undef OP

static const Ops cuda_ops = {
#define OP(name, args, call) ranged_##name,
#include "kernels/ops.def"
#undef OP
};

void note(Backend *b, cudaError_t error, const char *where)
{
    Cuda *c = cuda_of(b);
    if (error == cudaSuccess || c->error != cudaSuccess) return;
    if (c->graphs.recorded) { c->graphs.failed = 1; return; }        /* nothing ran: the ops will be called once more */
    c->error = error;
    c->where = where;
}

static int refuse(Err *e, const char *what, cudaError_t error) { return err_set(e, FTS_DEVICE, "--device cuda: %s: %s", what, cudaGetErrorString(error)); }

static int fast_bf16() { return 2; }

static int count()
{
    int n = 0;
    return cudaGetDeviceCount(&n) == cudaSuccess ? n : 0;
}

/* Why there is no device of this number. */
static int check_number(int number, Err *e)
{
    int n = 0, driver = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    (void)cudaDriverGetVersion(&driver);
    if (!driver) return err_set(e, FTS_DEVICE, "--device cuda: no NVIDIA driver is loaded: install one, or use --device cpu");
    if (error != cudaSuccess) return refuse(e, "no device can be used", error);
    if (!n) return err_set(e, FTS_DEVICE, "--device cuda: this machine has no CUDA device, or CUDA_VISIBLE_DEVICES hides it: use --device cpu");
    if (number >= n) return err_set(e, FTS_USAGE, "--device cuda:%d: this machine has %d CUDA device%s, the first is cuda:0", number, n, n == 1 ? "" : "s");
    return 0;
}

static int start(Cuda *c, int number, Err *e)
{
    cudaError_t error;
    c->number = number;
    if ((error = cudaSetDevice(number)) != cudaSuccess) return refuse(e, "the device cannot be opened", error);
    if ((error = cudaGetDeviceProperties(&c->about, number)) != cudaSuccess) return refuse(e, "the device cannot be asked", error);
    if (c->about.major < 8) return err_set(e, FTS_DEVICE, "--device cuda: %s has compute capability %d.%d, at least 8.0 is needed", c->about.name, c->about.major, c->about.minor);
    if ((error = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking)) != cudaSuccess) return refuse(e, "no stream", error);
    return 0;
}

/* Hopper: only of it is it known which form of cuDNN's attention gives the same bits again, and it alone has wgmma. */
enum { HOPPER = 9 };

/* FTS_WGMMA=yes; wide, narrow: by tiles of one width, to compare them. */
static int wgmma_wanted()
{
    const char *set = getenv("FTS_WGMMA");
    return !set ? 0 : !strcmp(set, "wide") ? WIDE : !strcmp(set, "narrow") ? NARROW : !strcmp(set, "yes");
}

static int open(Backend *b, int number, Err *e)
{
    if (check_number(number, e)) return -1;
    Cuda *c = static_cast<Cuda *>(calloc(1, sizeof *c));
    if (!c) return err_nomem(e, sizeof *c, "the device");
    b->own = c;
    b->tier = "cuda";
    b->ops = cuda_ops;
    c->lt = nullptr;
    c->dnn = nullptr;
    pthread_mutex_init(&c->posting, nullptr);
    c->graphs.wanted = graphs_wanted();
    if (start(c, number, e) || (lt_wanted() && !(c->lt = lt_open(c->stream, e)))) {
        if (c->stream) (void)cudaStreamDestroy(c->stream);
        pthread_mutex_destroy(&c->posting);
        free(c);
        return -1;
    }
    if (b->dtype != BF16 || c->about.major != HOPPER) return 0;
    c->wgmma = wgmma_wanted();
    if (dnn_wanted()) c->dnn = dnn_open(c->stream);
    return 0;
}

static void copies_free(Backend *b);
static void angles_free(Backend *b);

static void stage_free(Cuda *c, Stage *s)
{
    if (!s->size) return;
    graphs_drop(c);
    (void)cudaFreeHost(s->host);
    (void)cudaFree(s->device);
    (void)cudaEventDestroy(s->sent);
    c->used -= int64_t(s->size);
    *s = Stage{};
}

static void close(Backend *b)
{
    Cuda *c = cuda_of(b);
    (void)cudaStreamSynchronize(c->stream);
    graphs_drop(c);
    copies_free(b);
    angles_free(b);
    for (Stage &s : c->input) stage_free(c, &s);
    for (Stage &s : c->small) stage_free(c, &s);
    for (Stage &s : c->post) stage_free(c, &s);
    for (cudaEvent_t m : c->mark)
        if (m) (void)cudaEventDestroy(m);
    dnn_close(c->dnn);
    lt_close(c->lt);
    (void)cudaStreamDestroy(c->stream);
    pthread_mutex_destroy(&c->posting);
    free(c);
}

static int sync(Backend *b, Err *e)
{
    Cuda *c = cuda_of(b);
    note(b, cudaStreamSynchronize(c->stream), "waiting for the device");
    if (c->error == cudaSuccess) return 0;
    return err_set(e, FTS_DEVICE, "--device cuda:%d: %s: %s", c->number, c->where, cudaGetErrorString(c->error));
}

static int alloc(Backend *b, size_t bytes, void **p, const char *what, Err *e)
{
    size_t left = 0, all = 0, n = bytes ? bytes : 1;
    *p = nullptr;
    (void)cudaSetDevice(cuda_of(b)->number);
    cudaError_t error = cudaMalloc(p, n);
    if (error != cudaSuccess) {
        *p = nullptr;
        (void)cudaGetLastError();
        (void)cudaMemGetInfo(&left, &all);
        return err_set(e, FTS_NOMEM, "%s: %zu bytes are needed on the device, %zu of its %zu are free: %s", what, bytes, left, all, cudaGetErrorString(error));
    }
    cuda_of(b)->used += int64_t(n);
    note(b, cudaMemsetAsync(*p, 0, n, cuda_of(b)->stream), "clearing memory");
    return 0;
}

static void release(Backend *b, void *p, size_t bytes)
{
    if (!p) return;
    cuda_of(b)->used -= int64_t(bytes ? bytes : 1);
    (void)cudaStreamSynchronize(cuda_of(b)->stream);
    graphs_drop(cuda_of(b));
    (void)cudaFree(p);
}

void weights_changed(Backend *b, const void *p)
{
    Copies *c = &cuda_of(b)->copies;
    if (p >= c->from && p < c->from + c->end) c->stale = 1;
}

static void upload(Backend *b, void *device, const void *host, size_t bytes);

static void copies_free(Backend *b)
{
    Copies *c = &cuda_of(b)->copies;
    release(b, c->to, c->all * sizeof *c->to);
    release(b, c->device, size_t(c->n) * sizeof *c->device);
    free(c->host);
    *c = Copies{};
}

static size_t copies_bytes(const Backend *b, size_t dense, size_t all)
{
    size_t n = cuda_of(b)->wgmma ? all : cuda_of(b)->lt ? dense : 0;
    return b->dtype == BF16 ? n * sizeof(bfloat) : 0;
}

/* Each copy begins at a multiple of 16 numbers. */
static int copies(Backend *b, const float *p, const Range *r, int n, Err *e)
{
    Copies *c = &cuda_of(b)->copies;
    if (n || c->from == p) copies_free(b);
    if (!n || !copies_bytes(b, 1, 1)) return 0;
    *c = Copies{};
    c->host = static_cast<Copied *>(calloc(size_t(n), sizeof *c->host));
    if (!c->host) return err_nomem(e, size_t(n) * sizeof *c->host, "the list of matrices");
    for (int i = 0; i < n; i++) {
        c->host[i] = Copied{r[i].at, c->all, r[i].n};
        c->all += (r[i].n + 15) / 16 * 16;
    }
    void *to = nullptr, *list = nullptr;
    c->n = n;
    if (alloc(b, c->all * sizeof *c->to, &to, "copies of weights", e)) { copies_free(b); return -1; }
    c->to = static_cast<bfloat *>(to);
    if (alloc(b, size_t(n) * sizeof *c->device, &list, "copies of weights", e)) { copies_free(b); return -1; }
    c->device = static_cast<Copied *>(list);
    upload(b, c->device, c->host, size_t(n) * sizeof *c->host);
    c->from = p;
    c->end = r[n - 1].at + r[n - 1].n;
    c->stale = 1;
    return 0;
}

static void download(Backend *b, void *host, const void *device, size_t bytes)
{
    Cuda *c = cuda_of(b);
    if (!bytes) return;
    (void)cudaSetDevice(c->number);
    note(b, cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, c->stream), "fetching from the device");
    note(b, cudaStreamSynchronize(c->stream), "fetching from the device");
}

/* Room for `bytes`; what it held before has left the host. */
static int stage_ready(Backend *b, Stage *s, size_t bytes)
{
    if (s->size >= bytes) {
        note(b, cudaEventSynchronize(s->sent), "sending to the device");
        return 0;
    }
    (void)cudaStreamSynchronize(cuda_of(b)->stream);
    stage_free(cuda_of(b), s);
    void *host, *device;
    cudaError_t error = cudaMallocHost(&host, bytes);
    if (error == cudaSuccess && (error = cudaMalloc(&device, bytes)) != cudaSuccess) (void)cudaFreeHost(host);
    if (error == cudaSuccess && (error = cudaEventCreateWithFlags(&s->sent, cudaEventDisableTiming)) != cudaSuccess) {
        (void)cudaFreeHost(host);
        (void)cudaFree(device);
    }
    note(b, error, "memory for inputs");
    if (error != cudaSuccess) return -1;
    s->host = static_cast<char *>(host);
    s->device = static_cast<char *>(device);
    s->size = bytes;
    cuda_of(b)->used += int64_t(bytes);
    note(b, cudaEventRecord(s->sent, cuda_of(b)->stream), "sending to the device");
    return 0;
}

static void stage_send(Backend *b, Stage *s, size_t bytes)
{
    if (bytes) note(b, cudaMemcpyAsync(s->device, s->host, bytes, cudaMemcpyHostToDevice, cuda_of(b)->stream), "sending to the device");
    note(b, cudaEventRecord(s->sent, cuda_of(b)->stream), "sending to the device");
}

enum { POST_BYTES = 256 };

/* By way of page-locked memory, so that nobody waits for the stream. Threads that load a model come at the same time. */
static void upload_small(Backend *b, void *device, const void *host, size_t bytes)
{
    Cuda *c = cuda_of(b);
    (void)cudaSetDevice(c->number);
    pthread_mutex_lock(&c->posting);
    Stage *s = &c->post[c->next_post++ % SMALL];
    if (!stage_ready(b, s, POST_BYTES)) {
        memcpy(s->host, host, bytes);
        note(b, cudaMemcpyAsync(device, s->host, bytes, cudaMemcpyHostToDevice, c->stream), "sending to the device");
        note(b, cudaEventRecord(s->sent, c->stream), "sending to the device");
    }
    pthread_mutex_unlock(&c->posting);
}

static void upload(Backend *b, void *device, const void *host, size_t bytes)
{
    weights_changed(b, device);
    if (bytes && bytes <= POST_BYTES) upload_small(b, device, host, bytes);
    else if (bytes) note(b, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, cuda_of(b)->stream), "sending to the device");
}

enum { SMALL_BYTES = 64 << 10 };

int send_again(Backend *b, int place, const void *host, size_t bytes)
{
    Stage *s = &cuda_of(b)->small[place % SMALL];
    if (stage_ready(b, s, bytes > SMALL_BYTES ? bytes : size_t(SMALL_BYTES))) return -1;
    if (bytes) memcpy(s->host, host, bytes);
    stage_send(b, s, bytes);
    return 0;
}

const void *send(Backend *b, const void *host, size_t bytes)
{
    Cuda *c = cuda_of(b);
    if (c->graphs.recorded) return graph_sends(b, host, bytes);
    int place = c->next_small++ % SMALL;
    return send_again(b, place, host, bytes) ? nullptr : c->small[place].device;
}

/* One table behind the other in both memories. */
struct Parts { float *points; Seg *seg; int *chunk, *seg_of; Tile *tile; };

static Parts carve(Carve *k, size_t points, size_t nseg, size_t nchunk, size_t ntok, size_t ntile)
{
    Parts p;
    p.points = k->take<float>(points);
    p.seg = k->take<Seg>(nseg);
    p.chunk = k->take<int>(nchunk + 1);
    p.seg_of = k->take<int>(ntok);
    p.tile = k->take<Tile>(ntile);
    return p;
}

/* A segment has at least one token, and S points to each but the last, which has P and those that are its targets. */
size_t table_bytes(const Dims *d)
{
    size_t n = size_t(d->tokens), S = size_t(d->S ? d->S : 1);
    Carve k = {nullptr, 0};
    carve(&k, n * (2 * S + size_t(d->P)), n, size_t(d->chunks), n, n);
    return k.at;
}

static size_t angles_bytes(const Dims *d) { return size_t(d->longest) * size_t(d->d) * sizeof(float); }

static size_t input_bytes(const Dims *d) { return INPUTS * table_bytes(d) + angles_bytes(d); }

static void fill_tables(const Parts *p, const Input *in)
{
    size_t pt = 0;
    int tiles = 0;
    for (int i = 0; i < in->nseg; i++) {
        Seg s = in->seg[i];
        if (in->points) memcpy(p->points + pt, in->points + s.pt, size_t(s.npt) * sizeof(float));
        s.pt = int(pt);
        pt += size_t(s.npt);
        p->seg[i] = s;
        for (int t = 0; t < s.ntok; t++) p->seg_of[s.tok + t] = i;
        for (int t = (s.ntok - 1) / TILE * TILE; t >= 0; t -= TILE) p->tile[tiles++] = Tile{i, t};      /* those with most keys first */
    }
    memcpy(p->chunk, in->chunk, size_t(in->nchunk + 1) * sizeof(int));
}

static const Tables *make_tables(Backend *b, const Input *in)
{
    static const Tables none = {};
    Cuda *c = cuda_of(b);
    if (c->graphs.recorded) { c->graphs.failed = 1; return &none; }  /* nothing is sent while a pass is recorded */
    (void)cudaSetDevice(c->number);              /* this may be another thread than that which opened it */
    Stage *s = &c->input[c->next_input++ % INPUTS];
    size_t points = 0, tiles = 0;
    for (int i = 0; i < in->nseg; i++) {
        points += size_t(in->seg[i].npt);
        tiles += size_t((in->seg[i].ntok + TILE - 1) / TILE);
    }
    Carve size = {nullptr, 0};
    carve(&size, points, size_t(in->nseg), size_t(in->nchunk), size_t(in->ntok), tiles);
    if (stage_ready(b, s, size.at)) return &none;
    Carve host = {s->host, 0}, device = {s->device, 0};
    Parts from = carve(&host, points, size_t(in->nseg), size_t(in->nchunk), size_t(in->ntok), tiles);
    Parts to = carve(&device, points, size_t(in->nseg), size_t(in->nchunk), size_t(in->ntok), tiles);
    fill_tables(&from, in);
    stage_send(b, s, size.at);
    s->tables = Tables{to.points, to.seg, to.chunk, to.seg_of, to.tile, int(tiles)};
    return &s->tables;
}

const Tables *tables_of(Backend *b, const Input *in) { return in->own ? static_cast<const Tables *>(in->own) : make_tables(b, in); }

static void input(Backend *b, Input *in) { in->own = make_tables(b, in); }

static size_t cache_bytes(const Backend *b, const KvCache *kv)
{
    return size_t(kv->layers) * size_t(kv->slots) * size_t(kv->Hk) * 2 * size_t(kv->cap) * size_t(kv->d) * dtype_size(b->dtype);
}

static size_t scratch_bytes(const Backend *b, const Dims *d)
{
    size_t (*const family[])(const Backend *, const Dims *) = {linear_scratch, elements_scratch, norm_scratch, attention_scratch, route_scratch, ffn_scratch,
                                                               loss_scratch, optimizer_scratch};
    size_t most = 0;
    for (auto bytes : family) most = bytes(b, d) > most ? bytes(b, d) : most;
    return most;
}

enum { MOST_HEAD = 128 };

static void angles_free(Backend *b)
{
    Angles *a = &cuda_of(b)->angles;
    release(b, a->table, size_t(a->longest) * size_t(a->d) * sizeof *a->table);
    *a = Angles{};
}

/* Room for the longest segment so far, of heads as the first ones were. */
static int angles_ready(Backend *b, const Dims *d, Err *e)
{
    Angles *a = &cuda_of(b)->angles;
    void *p;
    if (a->table && (a->d != d->d || a->longest >= d->longest)) return 0;
    angles_free(b);
    if (alloc(b, angles_bytes(d), &p, "angles of positions", e)) return -1;
    a->table = static_cast<float *>(p);
    a->longest = d->longest;
    a->d = d->d;
    return 0;
}

static int reserve(Backend *b, const Dims *d, Err *e)
{
    if (d->d > MOST_HEAD) return err_set(e, FTS_USAGE, "--device cuda: heads of %d numbers are too wide, at most %d: use more heads", d->d, int(MOST_HEAD));
    const cudaDeviceProp *about = &cuda_of(b)->about;
    if (attention_shared(b, d) > about->sharedMemPerBlockOptin)
        return err_set(e, FTS_DEVICE, "--device cuda: attention in %s with heads of %d numbers takes %zu bytes of shared memory, a block of %s may have %zu: use %s", b->dtype == F32 ? "fp32" : "bf16",
                       d->d, attention_shared(b, d), about->name, about->sharedMemPerBlockOptin, b->dtype == F32 ? "bf16, or more heads" : "more heads");
    if (angles_ready(b, d, e)) return -1;
    for (Stage &s : cuda_of(b)->input)
        if (stage_ready(b, &s, table_bytes(d))) return err_set(e, FTS_NOMEM, "inputs: %zu bytes are needed on the device", table_bytes(d));
    return 0;
}

static int64_t memory(const Backend *b) { return int64_t(cuda_of(b)->about.totalGlobalMem); }

static int64_t unused(const Backend *b)
{
    size_t left = 0, all = 0;
    (void)cudaSetDevice(cuda_of(b)->number);
    return cudaMemGetInfo(&left, &all) == cudaSuccess ? int64_t(left) : 0;
}

static int64_t used(const Backend *b) { return cuda_of(b)->used; }

static void mark(Backend *b, int i)
{
    Cuda *c = cuda_of(b);
    if (!c->mark[i]) note(b, cudaEventCreateWithFlags(&c->mark[i], cudaEventDefault), "reading the clock");
    if (c->mark[i]) note(b, cudaEventRecord(c->mark[i], c->stream), "reading the clock");
}

static double between(Backend *b, int from, int to)
{
    float ms = 0;
    const Cuda *c = cuda_of(b);
    if (!c->mark[from] || !c->mark[to] || from == to || cudaEventElapsedTime(&ms, c->mark[from], c->mark[to]) != cudaSuccess) return 0;
    return 1e-3 * double(ms);
}

static void copy(Backend *b, void *to, const void *from, size_t bytes)
{
    note(b, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_of(b)->stream), "copying");
}

static int64_t replays(const Backend *b) { return cuda_of(b)->graphs.replays; }

static int text(const Backend *b, char *to, size_t size)
{
    const Cuda *c = cuda_of(b);
    return snprintf(to, size, "cuda:%d (%s, %s%s, %s)", c->number, c->about.name, c->lt ? lt_text(c->lt) : "own products", c->wgmma ? " and wgmma" : "",
                    c->dnn ? dnn_text(c->dnn) : "own attention");
}

}

extern "C" {
extern const Device cuda_device;
const Device cuda_device = {
    .name = "cuda", .on_host = 0, .fast_bf16 = fts_cuda::fast_bf16, .count = fts_cuda::count, .open = fts_cuda::open, .close = fts_cuda::close, .sync = fts_cuda::sync,
    .alloc = fts_cuda::alloc, .free = fts_cuda::release, .upload = fts_cuda::upload, .download = fts_cuda::download, .input = fts_cuda::input,
    .cache_bytes = fts_cuda::cache_bytes, .scratch_bytes = fts_cuda::scratch_bytes, .input_bytes = fts_cuda::input_bytes, .reserve = fts_cuda::reserve,
    .memory = fts_cuda::memory, .unused = fts_cuda::unused, .used = fts_cuda::used, .copies_bytes = fts_cuda::copies_bytes, .copies = fts_cuda::copies,
    .marks = fts_cuda::MARKS, .mark = fts_cuda::mark, .between = fts_cuda::between, .copy = fts_cuda::copy, .begin = fts_cuda::begin, .end = fts_cuda::end,
    .replays = fts_cuda::replays, .text = fts_cuda::text,
};
}
