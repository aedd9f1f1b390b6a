/* ops_attention_dnn.cu - attention of bf16 runs by cuDNN: q|k|v is copied with q and k rotated, the library reads segments where they
 * lie one behind the other, and writes gradients into dqkv, where q and k are rotated back.
 *
 * A plan takes about a second to make, so that segments and the longest of them are counted up to one of four steps between powers
 * of two: segments that are not there have no tokens. */
#include "kernels/cuda/attention.cuh"

namespace fts_cuda {

constexpr int THREADS = 256, ROWS = 5;

/* The deterministic backward keeps dP: two bytes for every two tokens of a segment and head, so 2 KiB a token and head where
 * segments are full. Longer ones are left to our own kernels. */
constexpr int LONGEST_BACKWARD = 1024;
constexpr size_t LEAST_ROOM = 8 << 20;

/* A copy of q|k|v (N,3Hd), q and k rotated. */
struct TurnAll { Ref qkv; const float *rope; bfloat *to; Shape s; Tables t; };

__global__ void turn_all(TurnAll a)
{
    int d = a.s.d, half = d / 2;
    Spot at = spot_of<1>(thread_of_all(), 3 * a.s.H * d);
    size_t t = at.r;
    if (t >= size_t(a.s.ntok)) return;
    int col = at.c, c = col % d, pos = int(t) - a.t.seg[a.t.seg_of[t]].tok;
    float x = get(a.qkv, t, col);
    if (col < 2 * a.s.H * d) {
        const float *cs = a.rope + size_t(pos) * size_t(d) + c % half;
        float other = get(a.qkv, t, c < half ? col + half : col - half);
        x = c < half ? x * cs[0] - other * cs[half] : x * cs[0] + other * cs[half];
    }
    a.to[thread_of_all()] = stored<bfloat>(x);
}

/* Gradients of rotated q and k, rotated back where they lie. The first token of a segment sees itself alone, so its query has no
 * gradient: exactly none; nor has the key of a single one. */
struct TurnBackHere { Ref dqkv; const float *rope; Shape s; Tables t; };

__global__ void turn_back_here(TurnBackHere a)
{
    int d = a.s.d, half = d / 2, heads = 2 * a.s.H;
    Spot at = spot_of<1>(thread_of_all(), heads * half);
    size_t t = at.r;
    if (t >= size_t(a.s.ntok)) return;
    int h = at.c / half, c = at.c % half;
    const Seg &s = a.t.seg[a.t.seg_of[t]];
    int pos = int(t) - s.tok;
    float x = get(a.dqkv, t, h * d + c), y = get(a.dqkv, t, h * d + half + c), cs = a.rope[size_t(pos) * size_t(d) + size_t(c)], sn = a.rope[size_t(pos) * size_t(d) + size_t(half + c)];
    if (!pos && (h < a.s.H || s.ntok == 1)) x = y = 0;
    set(a.dqkv, t, h * d + c, x * cs + y * sn);
    set(a.dqkv, t, h * d + half + c, y * cs - x * sn);
}

/* Where each segment begins in matrices of ROWS row lengths, and how many tokens it has. */
struct Places { int64_t *at; int *length; int64_t row[ROWS]; int nseg, segs, ntok; const Seg *seg; };

__global__ void make_places(Places a)
{
    int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i > a.segs) return;
    int64_t tok = i < a.nseg ? a.seg[i].tok : a.ntok;
    for (int k = 0; k < ROWS; k++) a.at[size_t(k) * size_t(a.segs + 1) + size_t(i)] = tok * a.row[k];
    if (i < a.segs) a.length[i] = i < a.nseg ? a.seg[i].ntok : 0;
}

/* n, or a little more: one of four steps between powers of two. */
static int stepped(int n)
{
    int step = 1;
    while (n > 8 * step) step *= 2;
    return (n + step - 1) / step * step;
}
static int segments(int nseg) { return stepped(nseg); }
static int length(int longest) { return TILE * stepped((longest + TILE - 1) / TILE); }

struct LibraryWork { const Tables *tables; float *rope_room; const float *rope; bfloat *qkv; int64_t *at; int *length; float *delta; char *room; };

static LibraryWork carve(Carve *m, const Shape &s, int segs, size_t room)
{
    LibraryWork w = {};
    w.rope_room = m->take<float>(size_t(s.longest) * size_t(s.d));
    w.qkv = m->take<bfloat>(size_t(s.ntok) * size_t(3 * s.H * s.d));
    w.at = m->take<int64_t>(ROWS * (size_t(segs) + 1));
    w.length = m->take<int>(size_t(segs));
    w.delta = m->take<float>(size_t(s.ntok) * size_t(s.H));
    w.room = m->take<char>(room);
    return w;
}

/* What the library wants for a forward pass, and for a backward one with dP of so many segments: in tiles of 64 queries and 128 keys. */
static size_t room_of(int segs, int longest, int H, int backward)
{
    size_t queries = size_t(longest), keys = (queries + 127) / 128 * 128;
    return size_t(segs) * 512 + (64 << 10) + (backward ? size_t(segs) * size_t(H) * queries * keys * sizeof(bfloat) : 0);
}

static int takes(const Backend *b, int H, int Hk, int d) { return b->dtype == BF16 && cuda_of(b)->dnn && H == Hk && (d == 32 || d == 64); }

/* As if all segments were full; with more of them, dP of a micro-batch may not fit, and our own kernels take it. */
size_t library_attention_scratch(const Backend *b, const Dims *d)
{
    if (!takes(b, d->H, d->Hk, d->d) || !d->tokens || d->forecast) return 0;
    int most = segments(d->tokens), full = segments((d->tokens + d->longest - 1) / d->longest);
    size_t forward = room_of(most, length(d->longest), d->H, 0), backward = d->longest <= LONGEST_BACKWARD ? room_of(full, length(d->longest), d->H, 1) : 0;
    Carve k = {nullptr, 0};
    size_t room = forward > backward ? forward : backward;
    carve(&k, Shape{d->H, d->Hk, d->d, d->tokens, d->longest, 0}, most, room > LEAST_ROOM ? room : LEAST_ROOM);
    return k.at;
}

static int fits(Mat m) { return m.type == BF16 && is_wide(m.p, size_t(m.ld)); }

/* The copy of q|k|v, and all that is known of the parts; 0: not this shape. */
static int prepare(Backend *b, const char *what, DnnAttention *a, LibraryWork *w, Mat o, const float *lse, Mat qkv, Mat d_o, Mat dqkv, const Attn *at, const Input *in)
{
    Shape s = shape_of(at, in);
    const Tables *t = tables_of(b, in);
    int segs = segments(in->nseg), H = s.H, d = s.d;
    size_t column = size_t(H * d);
    Carve k = scratch_of(b);
    *w = carve(&k, s, segs, 0);
    w->tables = t;
    if (k.at > b->scratch_size) return 0;
    *a = DnnAttention{.segs = segs, .longest = length(in->longest), .H = H, .d = d, .backward = dqkv.p != nullptr, .scale = 1 / sqrtf(float(d)), .length = w->length};
    a->room = w->room;
    a->room_size = b->scratch_size - k.at;
    Places p = {w->at, w->length, {int64_t(3 * column), o.ld, H, d_o.ld, dqkv.ld}, in->nseg, segs, in->ntok, t->seg};
    bfloat *g = static_cast<bfloat *>(dqkv.p);
    const struct { int part, row; void *from; } all[DNN_PARTS] = {
        {DNN_Q, 0, w->qkv}, {DNN_K, 0, w->qkv + column}, {DNN_V, 0, w->qkv + 2 * column}, {DNN_O, 1, o.p}, {DNN_LSE, 2, const_cast<float *>(lse)}, {DNN_DO, 3, d_o.p},
        {DNN_DELTA, 2, w->delta}, {DNN_DQ, 4, g}, {DNN_DK, 4, g ? g + column : g}, {DNN_DV, 4, g ? g + 2 * column : g}};
    for (auto &x : all) a->part[x.part] = DnnPart{x.from, w->at + size_t(x.row) * size_t(segs + 1), p.row[x.row]};
    int64_t room = dnn_room(cuda_of(b)->dnn, a);
    if (room < 0 || size_t(room) > a->room_size) return 0;
    w->rope = angles_of(b, what, w->rope_room, s);
    launch(b, what, turn_all, dim3(blocks(size_t(s.ntok) * 3 * column, THREADS)), THREADS, TurnAll{ref(qkv), w->rope, w->qkv, s, *t});
    launch(b, what, make_places, dim3(blocks(size_t(segs) + 1, THREADS)), THREADS, p);
    return 1;
}

/* Values are read from the copy, so qkv itself may lie anywhere. Without lse, a forecast's, there is nothing to write it to. */
int library_attention(Backend *b, Mat o, float *lse, Mat qkv, const Attn *at, const Input *in)
{
    DnnAttention a;
    LibraryWork w;
    if (!takes(b, at->H, at->Hk, at->d) || !in->ntok || !lse || !fits(o)) return 0;
    return prepare(b, "attention", &a, &w, o, lse, qkv, Mat{}, Mat{}, at, in) && !dnn_attention(cuda_of(b)->dnn, &a);
}

int library_attention_bwd(Backend *b, Mat dqkv, Mat d_o, Mat o, const float *lse, Mat qkv, const Attn *at, const Input *in)
{
    DnnAttention a;
    LibraryWork w;
    Shape s = shape_of(at, in);
    if (!takes(b, at->H, at->Hk, at->d) || !in->ntok || in->longest > LONGEST_BACKWARD || !fits(o) || !fits(d_o) || !fits(dqkv)) return 0;
    if (!prepare(b, "attention_bwd", &a, &w, o, lse, qkv, d_o, dqkv, at, in) || dnn_attention(cuda_of(b)->dnn, &a)) return 0;
    TurnBackHere back = {ref(dqkv), w.rope, s, *w.tables};
    launch(b, "attention_bwd", turn_back_here, dim3(blocks(size_t(s.ntok) * size_t(s.H * s.d), THREADS)), THREADS, back);
    return 1;
}

}
