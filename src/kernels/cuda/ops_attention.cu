/* ops_attention.cu - causal attention inside segments, tile by tile with a running maximum and sum: no buffer grows with T squared.
 *
 * Queries and keys are rotated once, into scratch memory or the cache. Tiles of keys begin at the segment's first token, so a
 * row has the same bits alone, behind a cache, and in any company. Backward makes dq in one pass over keys, dk and dv in one
 * over queries: each tile has one owner, who adds in order. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/tile.cuh"

#include <string.h>

namespace fts_cuda {

constexpr int THREADS = 256;

__global__ void make_rope(float *rope, Shape s)
{
    int i = int(blockIdx.x * blockDim.x + threadIdx.x), half = s.d / 2;
    if (i >= s.longest * half) return;
    int pos = i / half, c = i % half;
    float freq = float(1 / pow(double(s.theta), 2.0 * c / s.d)), angle = float(pos) * freq;
    rope[pos * s.d + c] = float(cos(double(angle)));
    rope[pos * s.d + half + c] = float(sin(double(angle)));
}

static void fill_rope(Backend *b, const char *what, float *rope, Shape s, int longest)
{
    s.longest = longest;
    launch(b, what, make_rope, dim3(blocks(size_t(longest) * size_t(s.d / 2), THREADS)), THREADS, rope, s);
}

/* The table is made once and never again, so graphs may read it; while one is recorded it is not made. */
const float *angles_of(Backend *b, const char *what, float *room, const Shape &s)
{
    Cuda *c = cuda_of(b);
    Angles *a = &c->angles;
    int fits = a->table && a->d == s.d && s.longest <= a->longest;
    if (fits && !a->made && !c->graphs.recorded) {
        fill_rope(b, what, a->table, s, a->longest);
        a->theta = s.theta;
        a->made = 1;
    }
    if (fits && a->made && memcmp(&a->theta, &s.theta, sizeof s.theta) == 0) return a->table;
    fill_rope(b, what, room, s, s.longest);
    return room;
}

/* What is rotated: queries into (N,H,d) and keys into (N,Hk,d), or with values into the cache. */
template <class O> struct Turn {
    Ref qkv;
    const float *rope;
    O *q, *k, *ck, *cv;                  /* k NULL: keys and values go into ck, cv: of the layer's slot 0, head 0 */
    size_t head, slot;                   /* of the cache */
    Shape s;
    Tables t;
};

/* Numbers j of a head and half a head on, by the angles of their position, or back. */
template <int W> __device__ static void rotate_run(Run<W> &x, Run<W> &y, const float *rope, int pos, int d, int j, float way)
{
    const Ref table = {const_cast<float *>(rope), d, 0};
    Run<W> cs = get_run<W>(table, size_t(pos), j), sn = get_run<W>(table, size_t(pos), d / 2 + j);
    for (int i = 0; i < W; i++) {
        float a = x.x[i], b = y.x[i], s = way * sn.x[i];
        x.x[i] = a * cs.x[i] - b * s;
        y.x[i] = b * cs.x[i] + a * s;
    }
}
template <class O> __device__ static Ref numbers_at(O *p) { return {p, 0, sizeof(O) == 2}; }

template <class O, int W> __global__ void turn(Turn<O> a)
{
    int d = a.s.d, half = d / 2;
    Spot at = spot_of<W>(thread_of_all(), (a.s.H + a.s.Hk) * half);
    if (at.r >= size_t(a.s.ntok)) return;
    int h = at.c / half, j = at.c % half;
    const Seg &s = a.t.seg[a.t.seg_of[at.r]];
    int pos = s.past + int(at.r) - s.tok;
    Run<W> x = get_run<W>(a.qkv, at.r, h * d + j), y = get_run<W>(a.qkv, at.r, h * d + half + j);
    rotate_run(x, y, a.rope, pos, d, j, 1);
    O *to = h < a.s.H ? a.q + (at.r * size_t(a.s.H) + size_t(h)) * size_t(d)
          : a.k ? a.k + (at.r * size_t(a.s.Hk) + size_t(h - a.s.H)) * size_t(d)
                : a.ck + size_t(s.slot) * a.slot + size_t(h - a.s.H) * a.head + size_t(pos) * size_t(d);
    set_run<W>(numbers_at(to), 0, j, x);
    set_run<W>(numbers_at(to), 0, half + j, y);
}

template <class O, int W> __global__ void cache_values(Turn<O> a)
{
    int d = a.s.d;
    Spot at = spot_of<W>(thread_of_all(), a.s.Hk * d);
    if (at.r >= size_t(a.s.ntok)) return;
    const Seg &s = a.t.seg[a.t.seg_of[at.r]];
    O *to = a.cv + size_t(s.slot) * a.slot + size_t(at.c / d) * a.head + (size_t(s.past) + at.r - size_t(s.tok)) * size_t(d);
    set_run<W>(numbers_at(to), 0, at.c % d, get_run<W>(a.qkv, at.r, (a.s.H + a.s.Hk) * d + at.c));
}

/* A tile of attention in shared memory: rows of DH numbers, and such with tokens along the rows. */
template <class O, int DH> struct Room {
    enum { ROW = DH + (sizeof(O) == 2 ? 8 : 1), ACROSS = TILE + (sizeof(O) == 2 ? 8 : 1), ROWS_SIZE = TILE * ROW, ACROSS_SIZE = DH * ACROSS, P_SIZE = sizeof(O) == 2 ? 8 : TILE * ACROSS };
    static size_t bytes(int rows, int across) { return (size_t(rows) * ROWS_SIZE + size_t(across) * ACROSS_SIZE + P_SIZE) * sizeof(O) + 2 * TILE * sizeof(float); }
};

/* Rows 0 .. n-1 of d numbers, row(r) each; wide: at multiples of 16 bytes. */
template <class O, int DH, class F> __device__ inline void load_rows(O *to, int n, int d, int wide, F row)
{
    fill_wide<TILE, DH, true>(to, [&](int r, int c) { return r < n && c < d ? number(row(r)[c]) : 0.0f; }, [&](int r, int c, float (&x)[8]) {
        bool inside = wide && r < n && c + 7 < d;
        if (inside) eight(x, row(r) + c);
        return inside;
    });
}
template <class O, int DH, class F> __device__ inline void load_across(O *to, int n, int d, int wide, F row)
{
    fill_wide<DH, TILE, false>(to, [&](int c, int r) { return r < n && c < d ? number(row(r)[c]) : 0.0f; }, [&](int c, int r, float (&x)[8]) {
        bool inside = wide && r < n && c + 7 < d;
        if (inside) eight(x, row(r) + c);
        return inside;
    });
}

/* Scores become what they add to the sums; what was summed before shrinks to the new maximum. Half e of a thread's numbers is one row. */
template <int NJ> __device__ inline void soften(Scores &p, Held<1, NJ> &o, float high[2], float sum[2], const int last[2], int k0, float scale)
{
    for (int e = 0; e < 2; e++) {
        float top = -INFINITY, all = 0;
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int x = 0; x < 2; x++) {
                float &s = p.c[0][j][2 * e + x];
                s = k0 + column_in_tile(j, x) <= last[e] ? s * scale : -INFINITY;
                top = fmaxf(top, s);
            }
        float now = fmaxf(high[e], row_max(top)), shrink = expf(high[e] - now);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int x = 0; x < 2; x++) all += p.c[0][j][2 * e + x] = expf(p.c[0][j][2 * e + x] - now);
        sum[e] = sum[e] * shrink + row_sum(all);
        high[e] = now;
#pragma unroll
        for (int j = 0; j < NJ; j++) {
            o.c[0][j][2 * e] *= shrink;
            o.c[0][j][2 * e + 1] *= shrink;
        }
    }
}

/* A block per tile of queries and head. */
template <class O, int DH> __global__ void __launch_bounds__(TILE_THREADS) attend(Attend<O> a)
{
    typedef Room<O, DH> R;
    O *q = static_cast<O *>(launch_memory()), *k = q + R::ROWS_SIZE, *v = k + R::ROWS_SIZE, *room = v + R::ACROSS_SIZE;
    Tile tile = a.t.tile[blockIdx.x];
    Seg s = a.t.seg[tile.seg];
    int head = int(blockIdx.y), kv = head / (a.s.H / a.s.Hk), d = a.s.d, n = s.ntok - tile.at < TILE ? s.ntok - tile.at : TILE;
    int row = row_in_tile<1>(0, 0), first = s.past + tile.at, keys = first + n, last[2] = {first + row, first + row + 8};
    float high[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
    Held<1, DH / 8> o;
    clear(o);
    load_rows<O, DH>(q, n, d, a.wide, [&](int r) { return a.q + (size_t(s.tok + tile.at + r) * size_t(a.s.H) + size_t(head)) * size_t(d); });
    for (int k0 = 0; k0 < keys; k0 += TILE) {
        Scores p;
        clear(p);
        __syncthreads();
        load_rows<O, DH>(k, keys - k0, d, a.wide, [&](int r) { return a.keys.key(s, kv, k0 + r); });
        load_across<O, DH>(v, keys - k0, d, a.wide, [&](int r) { return a.keys.value(s, kv, k0 + r); });
        __syncthreads();
        multiply(p, q, R::ROW, k, R::ROW, d);
        soften(p, o, high, sum, last, k0, a.scale);
        multiply_on(o, p, room, v, R::ACROSS);
    }
    each(o, [&](int r, int c, float x) { if (r < n && c < d) set(a.o, size_t(s.tok + tile.at + r), head * d + c, x / (r == row ? sum[0] : sum[1])); });
    if (!a.lse || threadIdx.x % 4) return;
    for (int e = 0; e < 2; e++)
        if (row + 8 * e < n) a.lse[size_t(s.tok + tile.at + row + 8 * e) * size_t(a.s.H) + size_t(head)] = high[e] + logf(sum[e]);
}

/* <do, o> of each token and head: what the softmax subtracts from each dP. */
template <int W> __global__ void make_delta(float *delta, Ref o, Ref d_o, Shape s)
{
    int i = int(blockIdx.x * blockDim.x + threadIdx.x), from = i % s.H * s.d;
    if (i >= s.ntok * s.H) return;
    float sum = 0;
    for (int c = from; c < from + s.d; c += W) {
        Run<W> x = get_run<W>(d_o, size_t(i / s.H), c), y = get_run<W>(o, size_t(i / s.H), c);
        for (int k = 0; k < W; k++) sum = fmaf(x.x[k], y.x[k], sum);
    }
    delta[i] = sum;
}

/* p and ds of a score. The first token has one key, so its softmax has no slope: exactly none. */
__device__ inline void slope(float &p, float &ds, float score, float dp, float lse, float delta, int query, int key, int last)
{
    p = key <= query && query < last ? expf(score - lse) : 0;
    ds = query ? p * (dp - delta) : 0;
}

/* dq of a tile of queries and head. */
template <class O, int DH> __global__ void __launch_bounds__(TILE_THREADS) attend_dq(Attend<O> a)
{
    typedef Room<O, DH> R;
    O *q = static_cast<O *>(launch_memory()), *g = q + R::ROWS_SIZE, *k = g + R::ROWS_SIZE, *v = k + R::ROWS_SIZE, *kt = v + R::ROWS_SIZE, *room = kt + R::ACROSS_SIZE;
    Tile tile = a.t.tile[blockIdx.x];
    Seg s = a.t.seg[tile.seg];
    int head = int(blockIdx.y), kv = head / (a.s.H / a.s.Hk), d = a.s.d, n = s.ntok - tile.at < TILE ? s.ntok - tile.at : TILE;
    int row = row_in_tile<1>(0, 0), keys = tile.at + n;
    size_t tok = size_t(s.tok + tile.at);
    float lse[2], delta[2];
    for (int e = 0; e < 2; e++) {
        size_t at = (tok + size_t(row + 8 * e)) * size_t(a.s.H) + size_t(head);
        lse[e] = row + 8 * e < n ? a.lse[at] : 0;
        delta[e] = row + 8 * e < n ? a.delta[at] : 0;
    }
    Held<1, DH / 8> dq;
    clear(dq);
    load_rows<O, DH>(q, n, d, a.wide, [&](int r) { return a.q + ((tok + size_t(r)) * size_t(a.s.H) + size_t(head)) * size_t(d); });
    load_rows<O, DH>(g, n, d, a.wide, [&](int r) { return a.d_o + (tok + size_t(r)) * a.d_o_row + size_t(head * d); });
    for (int k0 = 0; k0 < keys; k0 += TILE) {
        Scores p, dp;
        clear(p);
        clear(dp);
        __syncthreads();
        load_rows<O, DH>(k, keys - k0, d, a.wide, [&](int r) { return a.keys.key(s, kv, k0 + r); });
        load_rows<O, DH>(v, keys - k0, d, a.wide, [&](int r) { return a.keys.value(s, kv, k0 + r); });
        load_across<O, DH>(kt, keys - k0, d, a.wide, [&](int r) { return a.keys.key(s, kv, k0 + r); });
        __syncthreads();
        multiply(p, q, R::ROW, k, R::ROW, d);
        multiply(dp, g, R::ROW, v, R::ROW, d);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                slope(p.c[0][j][e], dp.c[0][j][e], p.c[0][j][e] * a.scale, dp.c[0][j][e], lse[e / 2], delta[e / 2], tile.at + row + e / 2 * 8, k0 + column_in_tile(j, e), keys);
        multiply_on(dq, dp, room, kt, R::ACROSS);
    }
    each(dq, [&](int r, int c, float x) { if (r < n && c < d) a.dq[((tok + size_t(r)) * size_t(a.s.H) + size_t(head)) * size_t(d) + size_t(c)] = x * a.scale; });
}

/* dk and dv of a tile of keys and their head: over all its query heads, and the tiles of queries from its own on. */
template <class O, int DH> __global__ void __launch_bounds__(TILE_THREADS) attend_dkv(Attend<O> a)
{
    typedef Room<O, DH> R;
    O *k = static_cast<O *>(launch_memory()), *v = k + R::ROWS_SIZE, *q = v + R::ROWS_SIZE, *g = q + R::ROWS_SIZE, *qt = g + R::ROWS_SIZE, *gt = qt + R::ACROSS_SIZE, *room = gt + R::ACROSS_SIZE;
    float *lse = reinterpret_cast<float *>(room + R::P_SIZE), *delta = lse + TILE;
    Tile tile = a.t.tile[blockIdx.x];
    Seg s = a.t.seg[tile.seg];
    int kv = int(blockIdx.y), group = a.s.H / a.s.Hk, d = a.s.d, n = s.ntok - tile.at < TILE ? s.ntok - tile.at : TILE, row = row_in_tile<1>(0, 0);
    Held<1, DH / 8> dk, dv;
    clear(dk);
    clear(dv);
    load_rows<O, DH>(k, n, d, a.wide, [&](int r) { return a.keys.key(s, kv, tile.at + r); });
    load_rows<O, DH>(v, n, d, a.wide, [&](int r) { return a.keys.value(s, kv, tile.at + r); });
    for (int step = 0, tiles = (s.ntok - tile.at + TILE - 1) / TILE; step < group * tiles; step++) {
        int head = kv * group + step / tiles, q0 = tile.at + step % tiles * TILE, m = s.ntok - q0 < TILE ? s.ntok - q0 : TILE;
        size_t tok = size_t(s.tok + q0);
        Scores p, dp;
        clear(p);
        clear(dp);
        __syncthreads();
        load_rows<O, DH>(q, m, d, a.wide, [&](int r) { return a.q + ((tok + size_t(r)) * size_t(a.s.H) + size_t(head)) * size_t(d); });
        load_across<O, DH>(qt, m, d, a.wide, [&](int r) { return a.q + ((tok + size_t(r)) * size_t(a.s.H) + size_t(head)) * size_t(d); });
        load_rows<O, DH>(g, m, d, a.wide, [&](int r) { return a.d_o + (tok + size_t(r)) * a.d_o_row + size_t(head * d); });
        for (int x = int(threadIdx.x); x < TILE; x += TILE_THREADS) {
            lse[x] = x < m ? a.lse[(tok + size_t(x)) * size_t(a.s.H) + size_t(head)] : 0;
            delta[x] = x < m ? a.delta[(tok + size_t(x)) * size_t(a.s.H) + size_t(head)] : 0;
        }
        __syncthreads();
        for (int x = int(threadIdx.x); x < TILE * DH; x += TILE_THREADS) gt[x % DH * R::ACROSS + x / DH] = g[x / DH * R::ROW + x % DH];
        multiply(p, k, R::ROW, q, R::ROW, d);
        multiply(dp, v, R::ROW, g, R::ROW, d);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int x = column_in_tile(j, e);
                slope(p.c[0][j][e], dp.c[0][j][e], p.c[0][j][e] * a.scale, dp.c[0][j][e], lse[x], delta[x], q0 + x, tile.at + row + e / 2 * 8, s.ntok);
            }
        __syncthreads();
        multiply_on(dv, p, room, gt, R::ACROSS);
        multiply_on(dk, dp, room, qt, R::ACROSS);
    }
    each(dv, [&](int r, int c, float x) { if (r < n && c < d) set(a.dqkv, size_t(s.tok + tile.at + r), (a.s.H + a.s.Hk + kv) * d + c, x); });
    each(dk, [&](int r, int c, float x) { if (r < n && c < d) a.dk[(size_t(s.tok + tile.at + r) * size_t(a.s.Hk) + size_t(kv)) * size_t(d) + size_t(c)] = x * a.scale; });
}

/* Gradients of rotated rows, rotated back into the columns of q and k. */
struct TurnBack { const float *dq, *dk, *rope; Ref dqkv; Shape s; Tables t; };

template <int W> __global__ void turn_back(TurnBack a)
{
    int d = a.s.d, half = d / 2;
    Spot at = spot_of<W>(thread_of_all(), (a.s.H + a.s.Hk) * half);
    if (at.r >= size_t(a.s.ntok)) return;
    int h = at.c / half, j = at.c % half, pos = int(at.r) - a.t.seg[a.t.seg_of[at.r]].tok;
    const float *from = h < a.s.H ? a.dq + (at.r * size_t(a.s.H) + size_t(h)) * size_t(d) : a.dk + (at.r * size_t(a.s.Hk) + size_t(h - a.s.H)) * size_t(d);
    Ref m = numbers_at(const_cast<float *>(from));
    Run<W> x = get_run<W>(m, 0, j), y = get_run<W>(m, 0, half + j);
    rotate_run(x, y, a.rope, pos, d, j, -1);
    set_run<W>(a.dqkv, at.r, h * d + j, x);
    set_run<W>(a.dqkv, at.r, h * d + half + j, y);
}

template <class O> struct Work { float *rope_room; const float *rope; O *q, *k; float *delta, *dq, *dk; };

template <class O> static Work<O> carve(Carve *m, const Shape &s, int backward)
{
    size_t n = size_t(s.ntok), d = size_t(s.d), H = size_t(s.H), Hk = size_t(s.Hk);
    Work<O> w = {};
    w.rope_room = m->take<float>(size_t(s.longest) * d);
    w.q = m->take<O>(n * H * d);
    w.k = m->take<O>(n * Hk * d);
    if (!backward) return w;
    w.delta = m->take<float>(n * H);
    w.dq = m->take<float>(n * H * d);
    w.dk = m->take<float>(n * Hk * d);
    return w;
}

size_t attention_scratch(const Backend *b, const Dims *d)
{
    size_t library = library_attention_scratch(b, d);
    Carve k = {nullptr, 0};
    carve<float>(&k, Shape{d->H, d->Hk, d->d, d->tokens, d->longest, 0}, 1);
    return k.at > library ? k.at : library;
}

template <class O, int DH> static size_t room_of(int backward) { return backward ? Room<O, DH>::bytes(4, 2) : Room<O, DH>::bytes(2, 1); }
template <class O> static size_t room_of_width(int d, int backward) { return (d <= 32 ? room_of<O, 32> : d <= 64 ? room_of<O, 64> : room_of<O, 128>)(backward); }

size_t attention_shared(const Backend *b, const Dims *d)
{
    if (b->dtype == F32) return room_of_width<float>(d->d, !d->forecast);
    size_t halves = halves_shared(d->d, !d->forecast);
    return halves ? halves : room_of_width<bfloat>(d->d, !d->forecast);
}

template <class O> static void rotate(Backend *b, const char *what, Work<O> &w, Mat qkv, const Shape &s, const Tables *t, O *ck, O *cv, const KvCache *kv)
{
    size_t head = kv ? 2 * size_t(kv->cap) * size_t(kv->d) : 0;
    w.rope = angles_of(b, what, w.rope_room, s);
    Turn<O> a = {ref(qkv), w.rope, w.q, kv ? nullptr : w.k, ck, cv, head, kv ? head * size_t(kv->Hk) : 0, s, *t};
    int wide = s.d % 16 == 0 && is_wide(a.qkv) && (!kv || is_wide(kv->p, size_t(s.d)));
    launch_runs(b, what, wide, turn<O, 8>, turn<O, 1>, size_t(s.ntok), (s.H + s.Hk) * (s.d / 2), a);
    if (kv) launch_runs(b, what, wide, cache_values<O, 8>, cache_values<O, 1>, size_t(s.ntok), s.Hk * s.d, a);
}

/* Values as they lie in qkv, keys as rotated. */
template <class O> static Keys<O> keys_of(const Work<O> &w, Mat qkv, const Shape &s)
{
    const O *v = static_cast<const O *>(qkv.p) + size_t(s.H + s.Hk) * size_t(s.d);
    return {w.k, v, size_t(s.Hk * s.d), size_t(qkv.ld), size_t(s.d), size_t(s.d), 0, 0};
}

static int attend_halves(Backend *, const char *, const Attend<float> &, int) { return 0; }
static int is_paired(Mat m) { return reinterpret_cast<uintptr_t>(m.p) % 4 == 0 && m.ld % 2 == 0; }

template <class O, int DH> static void run_attend(Backend *b, const char *what, const Attend<O> &a)
{
    launch_with(b, what, Room<O, DH>::bytes(2, 1), attend<O, DH>, dim3(unsigned(a.t.ntile), unsigned(a.s.H)), TILE_THREADS, a);
}

template <class O, int DH> static void run_attend_bwd(Backend *b, const char *what, const Attend<O> &a)
{
    launch_with(b, what, Room<O, DH>::bytes(4, 1), attend_dq<O, DH>, dim3(unsigned(a.t.ntile), unsigned(a.s.H)), TILE_THREADS, a);
    launch_with(b, what, Room<O, DH>::bytes(4, 2), attend_dkv<O, DH>, dim3(unsigned(a.t.ntile), unsigned(a.s.Hk)), TILE_THREADS, a);
}

template <class O> static void any_width(Backend *b, const char *what, const Attend<O> &a, int backward)
{
    if (attend_halves(b, what, a, backward)) return;
    if (a.s.d <= 32) (backward ? run_attend_bwd<O, 32> : run_attend<O, 32>)(b, what, a);
    else if (a.s.d <= 64) (backward ? run_attend_bwd<O, 64> : run_attend<O, 64>)(b, what, a);
    else (backward ? run_attend_bwd<O, 128> : run_attend<O, 128>)(b, what, a);
}

template <class O> static Attend<O> attend_of(const Work<O> &w, const Shape &s, const Tables *t)
{
    Attend<O> a = {};
    a.q = w.q;
    a.s = s;
    a.scale = 1 / sqrtf(float(s.d));
    a.t = *t;
    return a;
}

template <class O> static void forward(Backend *b, Mat o, float *lse, Mat qkv, const Attn *at, const Input *in)
{
    Shape s = shape_of(at, in);
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    Work<O> w = carve<O>(&k, s, 0);
    rotate<O>(b, "attention", w, qkv, s, t, nullptr, nullptr, nullptr);
    Attend<O> a = attend_of(w, s, t);
    a.keys = keys_of(w, qkv, s);
    a.wide = s.d % 8 == 0 && is_wide(a.keys.v, size_t(qkv.ld));
    a.o = ref(o);
    a.pairs = is_paired(o);
    a.lse = lse;
    any_width(b, "attention", a, 0);
}

template <class O> static void cached(Backend *b, Mat o, KvCache *kv, int layer, Mat qkv, const Attn *at, const Input *in)
{
    Shape s = shape_of(at, in);
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    Work<O> w = carve<O>(&k, s, 0);
    size_t half = size_t(kv->cap) * size_t(kv->d), head = 2 * half, slot = head * size_t(kv->Hk);
    O *ck = static_cast<O *>(kv->p) + size_t(layer) * size_t(kv->slots) * slot;
    rotate<O>(b, "attend_cache", w, qkv, s, t, ck, ck + half, kv);
    Attend<O> a = attend_of(w, s, t);
    a.wide = is_wide(kv->p, size_t(kv->d));
    a.keys = {ck, ck + half, size_t(kv->d), size_t(kv->d), head, head, slot, 1};
    a.o = ref(o);
    a.pairs = is_paired(o);
    any_width(b, "attend_cache", a, 0);
}

template <class O> static void backward(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *at, const Input *in)
{
    Shape s = shape_of(at, in);
    const Tables *t = tables_of(b, in);
    Carve k = scratch_of(b);
    Work<O> w = carve<O>(&k, s, 1);
    rotate<O>(b, "attention_bwd", w, qkv, s, t, nullptr, nullptr, nullptr);
    int wide = s.d % 8 == 0 && is_wide(ref(o)) && is_wide(ref(d_o));
    launch(b, "attention_bwd", wide ? make_delta<8> : make_delta<1>, dim3(blocks(size_t(s.ntok) * size_t(s.H), THREADS)), THREADS, w.delta, ref(o), ref(d_o), s);
    Attend<O> a = attend_of(w, s, t);
    a.keys = keys_of(w, qkv, s);
    a.wide = s.d % 8 == 0 && is_wide(a.keys.v, size_t(qkv.ld));
    a.d_o = static_cast<const O *>(d_o.p);
    a.d_o_row = size_t(d_o.ld);
    a.wide = a.wide && is_wide(d_o.p, size_t(d_o.ld));
    a.lse = const_cast<float *>(lse);
    a.delta = w.delta;
    a.dq = w.dq;
    a.dk = w.dk;
    a.dqkv = ref(dqkv);
    a.pairs = is_paired(dqkv);
    any_width(b, "attention_bwd", a, 1);
    TurnBack back = {w.dq, w.dk, w.rope, ref(dqkv), s, *t};
    launch_runs(b, "attention_bwd", s.d % 16 == 0 && is_wide(back.dqkv), turn_back<8>, turn_back<1>, size_t(s.ntok), (s.H + s.Hk) * (s.d / 2), back);
}

void cuda_attention(Backend *b, Mat o, float *lse, Mat qkv, const Attn *a, const Input *in)
{
    if (library_attention(b, o, lse, qkv, a, in)) return;
    (qkv.type == BF16 ? forward<bfloat> : forward<float>)(b, o, lse, qkv, a, in);
}

void cuda_attend_cache(Backend *b, Mat o, KvCache *kv, int layer, Mat qkv, const Attn *a, const Input *in)
{
    (qkv.type == BF16 ? cached<bfloat> : cached<float>)(b, o, kv, layer, qkv, a, in);
}

void cuda_attention_bwd(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *a, const Input *in)
{
    if (library_attention_bwd(b, dqkv, d_o, o, lse, qkv, a, in)) return;
    (qkv.type == BF16 ? backward<bfloat> : backward<float>)(b, dqkv, d_o, o, lse, qkv, a, in);
}

}
