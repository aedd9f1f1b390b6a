/* ops_attention_half.cu - attention of bf16 runs with heads of 32 or 64 numbers: as in ops_attention.cu, but tiles come by copies that go on while
 * the one before is worked at, and lie as halves, which ldmatrix reads along or across; exponents are powers of 2. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/copies.cuh"

namespace fts_cuda {

constexpr float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;

/* A tile: TILE rows, their pieces of 16 bytes exchanged, so that the same piece of eight rows is in eight different places among the banks. */
template <int DH> struct Half {
    enum { PIECES = DH / 8, SIZE = TILE * DH * 2, STEP = 2 * SIZE + 2 * TILE * int(sizeof(float)) };       /* STEP: queries, their gradients, lse and delta */
    enum { FORWARD = SIZE + 2 * 2 * SIZE, DQ = 2 * SIZE + 2 * 2 * SIZE, DKV = 2 * SIZE + 2 * STEP };       /* shared memory of the three kernels */
    static __device__ char *at(char *tile, int row, int piece) { return tile + row * DH * 2 + 16 * (piece ^ (DH == 64 ? row % 8 : row / 2 % 4)); }
};
template <int DH> using Sums = Held<1, DH / 8>;

/* Rows 0 .. n-1 of a tile, `pitch` numbers from one to the next, and zeros behind them. A thread has one piece of every STEP-th row, which all lie alike. */
template <int DH> __device__ inline void copy_tile(char *to, int n, int wide, const bfloat *first, size_t pitch)
{
    typedef Half<DH> T;
    const int STEP = TILE_THREADS / T::PIECES, r = int(threadIdx.x) / T::PIECES, c = int(threadIdx.x) % T::PIECES;
    char *place = T::at(to, r, c);
    const bfloat *from = first + size_t(r) * pitch + 8 * c;
    if (wide) {
#pragma unroll
        for (int i = 0; i < TILE / STEP; i++) {
            int there = r + i * STEP < n;
            copy_16(place + i * STEP * DH * 2, there ? from + size_t(i * STEP) * pitch : first, there ? 16 : 0);
        }
        return;
    }
    for (int i = 0; i < TILE / STEP; i++)
        for (int e = 0; e < 8; e++)
            reinterpret_cast<bfloat *>(place + i * STEP * DH * 2)[e] = r + i * STEP < n ? from[size_t(i * STEP) * pitch + size_t(e)] : stored<bfloat>(0);
}

/* The 16 rows of this warp, as first operand. */
template <int DH> __device__ inline void own_rows(unsigned (&x)[DH / 16][4], char *tile)
{
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int k = 0; k < DH / 16; k++) load_matrices(x[k], Half<DH>::at(tile, 16 * warp_of() + lane % 16, 2 * k + lane / 16));
}

/* p = x w^T with all rows of w. */
template <int DH> __device__ inline void score(Scores &p, const unsigned (&x)[DH / 16][4], char *w)
{
    const int lane = int(threadIdx.x) % 32;
    clear(p);
#pragma unroll
    for (int k = 0; k < DH / 16; k++)
#pragma unroll
        for (int j = 0; j < TILE / 8; j += 2) {
            unsigned b[4];
            load_matrices(b, Half<DH>::at(w, 8 * j + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
            mma_bf16(p.c[0][j], x[k], b);
            mma_bf16(p.c[0][j + 1], x[k], b + 2);
        }
}

/* o += p w, p rounded. */
template <int DH> __device__ inline void weigh(Sums<DH> &o, const Scores &p, char *w)
{
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int k = 0; k < TILE / 16; k++) {
        const float *lo = p.c[0][2 * k], *hi = p.c[0][2 * k + 1];
        unsigned x[4] = {pack_halves(lo[0], lo[1]), pack_halves(lo[2], lo[3]), pack_halves(hi[0], hi[1]), pack_halves(hi[2], hi[3])};
#pragma unroll
        for (int j = 0; j < DH / 8; j += 2) {
            unsigned b[4];
            load_matrices_turned(b, Half<DH>::at(w, 16 * k + lane % 16, j + lane / 16));
            mma_bf16(o.c[0][j], x, b);
            mma_bf16(o.c[0][j + 1], x, b + 2);
        }
    }
}

/* Scores become what they add to the sums; what was summed before shrinks to the new maximum. scale: to powers of 2; last: the last key of each row. */
template <int DH> __device__ inline void soften(Scores &p, Sums<DH> &o, float (&high)[2], float (&sum)[2], const int (&last)[2], int k0, float scale)
{
#pragma unroll
    for (int e = 0; e < 2; e++) {
        float top = -INFINITY, all = 0;
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int x = 0; x < 2; x++) {
                float &s = p.c[0][j][2 * e + x];
                if (k0 + column_in_tile(j, x) > last[e]) s = -INFINITY;
                top = fmaxf(top, s);
            }
        float now = fmaxf(high[e], scale * row_max(top)), shrink = quick_exp2(high[e] - now);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int x = 0; x < 2; x++) all += p.c[0][j][2 * e + x] = quick_exp2(fmaf(p.c[0][j][2 * e + x], scale, -now));
        sum[e] = sum[e] * shrink + row_sum(all);
        high[e] = now;
#pragma unroll
        for (int j = 0; j < DH / 8; j++) {
            o.c[0][j][2 * e] *= shrink;
            o.c[0][j][2 * e + 1] *= shrink;
        }
    }
}

/* Two numbers side by side. */
__device__ inline void set_pair(const Ref &m, int pairs, size_t r, int c, float x, float y)
{
    if (pairs && m.half_size) *reinterpret_cast<unsigned *>(static_cast<bfloat *>(m.p) + r * size_t(m.ld) + size_t(c)) = pack_halves(x, y);
    else {
        set(m, r, c, x);
        set(m, r, c + 1, y);
    }
}

/* f(row, column, x, y) for the pairs of numbers that this thread holds. */
template <int DH, class F> __device__ inline void each_pair(const Sums<DH> &o, F f)
{
#pragma unroll
    for (int j = 0; j < DH / 8; j++)
#pragma unroll
        for (int e = 0; e < 2; e++) f(row_in_tile<1>(0, 2 * e), column_in_tile(j, 0), o.c[0][j][2 * e], o.c[0][j][2 * e + 1]);
}

/* What a block of queries and head, or of keys and theirs, works at. */
struct Block {
    Seg s;
    int at, n, head, kv;                 /* rows [at, +n) of the segment */
    __device__ Block(const Attend<bfloat> &a)
    {
        Tile tile = a.t.tile[blockIdx.x];
        s = a.t.seg[tile.seg];
        at = tile.at;
        n = s.ntok - at < TILE ? s.ntok - at : TILE;
        head = int(blockIdx.y);
        kv = head / (a.s.H / a.s.Hk);
    }
    __device__ size_t token(int r) const { return size_t(s.tok + at + r); }
};

template <int DH> __device__ inline void copy_queries(char *to, const Attend<bfloat> &a, const Block &w, int head, int at, int n)
{
    copy_tile<DH>(to, n, a.wide, a.q + (size_t(w.s.tok + at) * size_t(a.s.H) + size_t(head)) * size_t(DH), size_t(a.s.H * DH));
}
template <int DH> __device__ inline void copy_slopes(char *to, const Attend<bfloat> &a, const Block &w, int head, int at, int n)
{
    copy_tile<DH>(to, n, a.wide, a.d_o + size_t(w.s.tok + at) * a.d_o_row + size_t(head * DH), a.d_o_row);
}
/* Keys, and values behind them. */
template <int DH> __device__ inline void copy_keys(char *to, const Attend<bfloat> &a, const Block &w, int k0, int n)
{
    copy_tile<DH>(to, n, a.wide, a.keys.key(w.s, w.kv, k0), a.keys.k_row);
    copy_tile<DH>(to + Half<DH>::SIZE, n, a.wide, a.keys.value(w.s, w.kv, k0), a.keys.v_row);
}

template <int DH> __global__ void __launch_bounds__(TILE_THREADS, DH == 64 ? 3 : 4) attend_half(Attend<bfloat> a)
{
    enum { SIZE = Half<DH>::SIZE };
    char *q = static_cast<char *>(launch_memory()), *room = q + SIZE;
    Block w(a);
    int row = row_in_tile<1>(0, 0), first = w.s.past + w.at, keys = first + w.n, last[2] = {first + row, first + row + 8};
    float high[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
    unsigned x[DH / 16][4];
    Sums<DH> o;
    clear(o);
    copy_queries<DH>(q, a, w, w.head, w.at, w.n);
    copy_keys<DH>(room, a, w, 0, keys);
    copies_end();
    for (int k0 = 0, turn = 0; k0 < keys; k0 += TILE, turn ^= 1) {
        char *k = room + turn * 2 * SIZE;
        Scores p;
        if (k0 + TILE < keys) copy_keys<DH>(room + (turn ^ 1) * 2 * SIZE, a, w, k0 + TILE, keys - k0 - TILE);
        copies_end();
        copies_wait<1>();
        __syncthreads();
        if (!k0) own_rows<DH>(x, q);
        score<DH>(p, x, k);
        soften<DH>(p, o, high, sum, last, k0, a.scale * LOG2E);
        weigh<DH>(o, p, k + SIZE);
        __syncthreads();
    }
    each_pair<DH>(o, [&](int r, int c, float u, float v) {
        float s = r == row ? sum[0] : sum[1];
        if (r < w.n) set_pair(a.o, a.pairs, w.token(r), w.head * DH + c, u / s, v / s);
    });
    if (!a.lse || threadIdx.x % 4) return;
    for (int e = 0; e < 2; e++)
        if (row + 8 * e < w.n) a.lse[w.token(row + 8 * e) * size_t(a.s.H) + size_t(w.head)] = LN2 * high[e] + logf(sum[e]);
}

/* Scores and dp become p and ds; lse in powers of 2. The first token has one key, so its softmax has no slope: exactly none. */
__device__ inline void slope_half(float &p, float &ds, float scale, float lse, float delta, int query, int key)
{
    p = key <= query ? quick_exp2(fmaf(p, scale, -lse)) : 0;
    ds = query ? p * (ds - delta) : 0;
}

template <int DH> __global__ void __launch_bounds__(TILE_THREADS, DH == 64 ? 2 : 3) attend_dq_half(Attend<bfloat> a)
{
    enum { SIZE = Half<DH>::SIZE };
    char *q = static_cast<char *>(launch_memory()), *g = q + SIZE, *room = g + SIZE;
    Block w(a);
    int row = row_in_tile<1>(0, 0), keys = w.at + w.n;
    float lse[2], delta[2], scale = a.scale * LOG2E;
    unsigned x[DH / 16][4], y[DH / 16][4];
    for (int e = 0; e < 2; e++) {
        size_t i = w.token(row + 8 * e) * size_t(a.s.H) + size_t(w.head);
        lse[e] = row + 8 * e < w.n ? LOG2E * a.lse[i] : 0;
        delta[e] = row + 8 * e < w.n ? a.delta[i] : 0;
    }
    Sums<DH> dq;
    clear(dq);
    copy_queries<DH>(q, a, w, w.head, w.at, w.n);
    copy_slopes<DH>(g, a, w, w.head, w.at, w.n);
    copy_keys<DH>(room, a, w, 0, keys);
    copies_end();
    for (int k0 = 0, turn = 0; k0 < keys; k0 += TILE, turn ^= 1) {
        char *k = room + turn * 2 * SIZE;
        Scores p, ds;
        if (k0 + TILE < keys) copy_keys<DH>(room + (turn ^ 1) * 2 * SIZE, a, w, k0 + TILE, keys - k0 - TILE);
        copies_end();
        copies_wait<1>();
        __syncthreads();
        if (!k0) {
            own_rows<DH>(x, q);
            own_rows<DH>(y, g);
        }
        score<DH>(p, x, k);
        score<DH>(ds, y, k + SIZE);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                slope_half(p.c[0][j][e], ds.c[0][j][e], scale, lse[e / 2], delta[e / 2], w.at + row + e / 2 * 8, k0 + column_in_tile(j, e));
        weigh<DH>(dq, ds, k);
        __syncthreads();
    }
    each_pair<DH>(dq, [&](int r, int c, float u, float v) {
        float *to = a.dq + (w.token(r) * size_t(a.s.H) + size_t(w.head)) * size_t(DH) + size_t(c);
        if (r >= w.n) return;
        to[0] = u * a.scale;
        to[1] = v * a.scale;
    });
}

/* Of a tile of queries: rows, their gradients, and lse and delta of each. */
template <int DH> __device__ inline void copy_step(char *to, const Attend<bfloat> &a, const Block &w, int step, int tiles)
{
    int head = w.kv * (a.s.H / a.s.Hk) + step / tiles, at = w.at + step % tiles * TILE, n = w.s.ntok - at, i = int(threadIdx.x) % TILE, there = i < n;
    float *sums = reinterpret_cast<float *>(to + 2 * Half<DH>::SIZE);
    copy_queries<DH>(to, a, w, head, at, n);
    copy_slopes<DH>(to + Half<DH>::SIZE, a, w, head, at, n);
    const float *from = (threadIdx.x < TILE ? a.lse : a.delta) + size_t(w.s.tok + at + (there ? i : 0)) * size_t(a.s.H) + size_t(head);
    copy_4(sums + threadIdx.x, from, there ? 4 : 0);
}

/* A tile of keys: over all query heads of theirs, and the tiles of queries from its own on. Queries that are not there have no gradient, so they add nothing. */
template <int DH> __global__ void __launch_bounds__(TILE_THREADS, 2) attend_dkv_half(Attend<bfloat> a)
{
    enum { SIZE = Half<DH>::SIZE, STEP = Half<DH>::STEP };
    char *k = static_cast<char *>(launch_memory()), *room = k + 2 * SIZE;
    Block w(a);
    w.kv = int(blockIdx.y);
    int row = row_in_tile<1>(0, 0), tiles = (w.s.ntok - w.at + TILE - 1) / TILE, steps = a.s.H / a.s.Hk * tiles;
    unsigned x[DH / 16][4], y[DH / 16][4];
    float scale = a.scale * LOG2E;
    Sums<DH> dk, dv;
    clear(dk);
    clear(dv);
    copy_keys<DH>(k, a, w, w.at, w.n);
    copy_step<DH>(room, a, w, 0, tiles);
    copies_end();
    for (int step = 0, turn = 0; step < steps; step++, turn ^= 1) {
        char *q = room + turn * STEP, *g = q + SIZE;
        const float *lse = reinterpret_cast<const float *>(g + SIZE), *delta = lse + TILE;
        int q0 = w.at + step % tiles * TILE;
        Scores p, ds;
        if (step + 1 < steps) copy_step<DH>(room + (turn ^ 1) * STEP, a, w, step + 1, tiles);
        copies_end();
        copies_wait<1>();
        __syncthreads();
        if (!step) {
            own_rows<DH>(x, k);
            own_rows<DH>(y, k + SIZE);
        }
        score<DH>(p, x, q);
        score<DH>(ds, y, g);
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int i = column_in_tile(j, e);
                slope_half(p.c[0][j][e], ds.c[0][j][e], scale, LOG2E * lse[i], delta[i], q0 + i, w.at + row + e / 2 * 8);
            }
        weigh<DH>(dv, p, g);
        weigh<DH>(dk, ds, q);
        __syncthreads();
    }
    each_pair<DH>(dv, [&](int r, int c, float u, float v) {
        if (r < w.n) set_pair(a.dqkv, a.pairs, w.token(r), (a.s.H + a.s.Hk + w.kv) * DH + c, u, v);
    });
    each_pair<DH>(dk, [&](int r, int c, float u, float v) {
        float *to = a.dk + (w.token(r) * size_t(a.s.Hk) + size_t(w.kv)) * size_t(DH) + size_t(c);
        if (r >= w.n) return;
        to[0] = u * a.scale;
        to[1] = v * a.scale;
    });
}

template <int DH> static void run_halves(Backend *b, const char *what, const Attend<bfloat> &a, int backward)
{
    dim3 queries(unsigned(a.t.ntile), unsigned(a.s.H)), keys(unsigned(a.t.ntile), unsigned(a.s.Hk));
    if (!backward) { launch_with(b, what, Half<DH>::FORWARD, attend_half<DH>, queries, TILE_THREADS, a); return; }
    launch_with(b, what, Half<DH>::DQ, attend_dq_half<DH>, queries, TILE_THREADS, a);
    launch_with(b, what, Half<DH>::DKV, attend_dkv_half<DH>, keys, TILE_THREADS, a);
}

size_t halves_shared(int d, int backward)
{
    if (d == 32) return backward ? Half<32>::DKV : Half<32>::FORWARD;
    return d != 64 ? 0 : backward ? Half<64>::DKV : Half<64>::FORWARD;
}

int attend_halves(Backend *b, const char *what, const Attend<bfloat> &a, int backward)
{
    if (a.s.d == 32) run_halves<32>(b, what, a, backward);
    else if (a.s.d == 64) run_halves<64>(b, what, a, backward);
    return a.s.d == 32 || a.s.d == 64;
}

}
