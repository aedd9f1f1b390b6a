/* rows, attend_cache. What a cache gives is, bit for bit, what attention gives for the whole segment, however it came in pieces. */
#include "device.h"
#include "kernels/op_help.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 3, MOST_PASSES = 4 };
static const int slots[SEGMENTS] = {2, 0, 1};                            /* of segments of 3, 300 and 77 tokens */

typedef struct Cached {
    Rig     r;
    Attn    a;
    Mat     qkv, want, got;
    KvCache kv;
    int     done[SEGMENTS];
} Cached;

static void open_cached(Cached *k, const int *hs, Dtype type)
{
    static const int shape[] = {3, 300, 77, 0, -1};
    *k = (Cached){.a = {hs[0], hs[1], hs[2], 10000}};
    rig_open(&k->r, shape, 1, 1, type, 1);
    int n = k->r.c.in.ntok, H = hs[0], Hk = hs[1], d = hs[2];
    k->r.dims.H = H;
    k->r.dims.Hk = Hk;
    k->r.dims.d = d;
    k->r.dims.D = H * d;
    k->qkv = rig_mat(&k->r, n, (H + 2 * Hk) * d, type, 0.9);
    k->want = rig_mat(&k->r, n, H * d, type, 0);
    k->got = rig_mat(&k->r, n, H * d, type, 0);
    k->kv = (KvCache){.layers = 2, .slots = SEGMENTS, .cap = 301, .Hk = Hk, .d = d};
}

/* Moves rows between a matrix of the segments and one of a pass. */
static void move_rows(Mat all, Mat part, const Case *whole, const Input *in, int back)
{
    for (int i = 0; i < in->nseg; i++)
        for (int t = 0; t < in->seg[i].ntok; t++)
            for (int s = 0; s < SEGMENTS; s++) {
                if (slots[s] != in->seg[i].slot) continue;
                void *a = mat_at_row(all, whole->seg[s].tok + in->seg[i].past + t).p, *b = mat_at_row(part, in->seg[i].tok + t).p;
                memcpy(back ? a : b, back ? b : a, (size_t)all.cols * dtype_size(all.type));
            }
}

/* The next tokens of each segment, up to `to` of them; segments in the opposite order of the whole. */
static void pass(Cached *k, Backend *b, int layer, const int *to)
{
    Seg seg[SEGMENTS];
    int chunk[SEGMENTS + 1] = {0};
    Input in = {.seg = seg, .chunk = chunk, .P = 1, .S = 1};
    for (int s = SEGMENTS; s-- > 0;) {
        int n = to[s] - k->done[s];
        if (!n) continue;
        seg[in.nseg++] = (Seg){.tok = in.ntok, .ntok = n, .past = k->done[s], .slot = slots[s]};
        chunk[in.nseg] = in.ntok += n;
        if (to[s] > in.longest) in.longest = to[s];
        k->done[s] = to[s];
    }
    in.nchunk = in.nseg;
    Mat qkv = {test_device_memory((size_t)in.ntok * (size_t)k->qkv.cols * 4), in.ntok, k->qkv.cols, k->qkv.cols, k->r.type};
    Mat o = {test_device_memory((size_t)in.ntok * (size_t)k->got.cols * 4), in.ntok, k->got.cols, k->got.cols, k->r.type};
    move_rows(k->qkv, qkv, &k->r.c, &in, 0);
    tier_soil(b, 0x5a);
    b->ops.attend_cache(b, o, &k->kv, layer, qkv, &k->a, &in);
    Err e;
    OK(backend_sync(b, &e));
    move_rows(k->got, o, &k->r.c, &in, 1);
    test_device_free(qkv.p);
    test_device_free(o.p);
}

static void in_passes(const char *tier, const int *hs, Dtype type, int threads, const int to[MOST_PASSES][SEGMENTS])
{
    Cached k;
    open_cached(&k, hs, type);
    Backend *b = tier_open(tier, type, threads, &k.r.dims);
    if (b) {
        k.kv.p = rig_mem(&k.r, backend_cache_bytes(b, &k.kv));           /* garbage: what is not written is not read */
        float *lse = rig_mem(&k.r, (size_t)k.want.rows * (size_t)k.a.H * sizeof *lse);
        b->ops.attention(b, k.want, lse, k.qkv, &k.a, &k.r.c.in);
        for (int layer = 0; layer < 2; layer++) {                        /* the second finds the scratch and the first as they are */
            memset(k.done, 0, sizeof k.done);
            for (int i = 0; i < k.got.rows; i++) memset(mat_at_row(k.got, i).p, 0x7f, (size_t)k.got.cols * dtype_size(type));
            for (int p = 0; p < MOST_PASSES; p++) pass(&k, b, layer, to[p]);
            for (int t = 0; t < k.want.rows; t++)
                if (memcmp(mat_at_row(k.want, t).p, mat_at_row(k.got, t).p, (size_t)k.want.cols * dtype_size(type)))
                    test_fail(__FILE__, __LINE__, "%s: row %d of %d differs in layer %d", tier, t, k.want.rows, layer);
        }
        if (!tier_close(b)) test_fail(__FILE__, __LINE__, "%s: written behind the scratch memory", tier);
        if (!rig_intact(&k.r)) test_fail(__FILE__, __LINE__, "%s: written outside the results", tier);
    }
    rig_close(&k.r);
}

TEST(op_attend_cache)
{
    static const int heads[][3] = {{2, 2, 8}, {4, 2, 16}, {3, 1, 6}, {2, 1, 32}};
    static const int to[][MOST_PASSES][SEGMENTS] = {
        {{3, 300, 77}, {3, 300, 77}, {3, 300, 77}, {3, 300, 77}},
        {{1, 9, 47}, {2, 10, 48}, {3, 257, 49}, {3, 300, 77}},
        {{0, 256, 1}, {0, 288, 65}, {3, 299, 76}, {3, 300, 77}},
    };
    for (int h = 0; h < 4; h++)
        for (int i = 0; i < 3; i++) {
            for (int tier = 0; tier < (i == 1 ? TIERS : TIERS - 1); tier++) in_passes(tier_names[tier], heads[h], F32, 1 + i % 2, to[i]);
            in_passes("ref", heads[h], BF16, 1, to[i]);
            if (i == 1) in_passes("cuda", heads[h], BF16, 1, to[i]);
        }
}

TEST(op_rows)
{
    static const int row[] = {0, 3, 4, 6};
    for (int type = F32; type <= BF16; type++)
        for (int tier = 0; tier < TIERS; tier++) {
            Rig r;
            if (!tier_has(tier, (Dtype)type)) continue;
            rig_open(&r, (const int[]){7, 0, -1}, 1, 1, (Dtype)type, 2);
            Mat x = rig_mat(&r, 7, 5, (Dtype)type, 1), y = rig_mat(&r, 4, 5, (Dtype)type, 0), same = x;
            Backend *b = tier_open(tier_names[tier], (Dtype)type, 1, &r.dims);
            if (b) {
                b->ops.rows(b, y, x, row);
                for (int i = 0; i < 4; i++)
                    for (int c = 0; c < 5; c++) if (at(y, i, c) != at(x, row[i], c)) test_fail(__FILE__, __LINE__, "%s: row %d", tier_names[tier], i);
                same.rows = 4;
                b->ops.rows(b, same, x, row);                            /* onto itself */
                for (int i = 0; i < 4; i++)
                    for (int c = 0; c < 5; c++) if (at(y, i, c) != at(x, i, c)) test_fail(__FILE__, __LINE__, "%s: row %d in place", tier_names[tier], i);
                tier_close(b);
            }
            if (!rig_intact(&r)) test_fail(__FILE__, __LINE__, "written outside the rows");
            rig_close(&r);
        }
}
