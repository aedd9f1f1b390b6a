/* The kernels of bf16_mm.h, over tiles and pairs in plain C and, where the machine has them, over its own, which must give the same bits. */
#define AMX_EMULATED
#include "kernels/bf16_help.h"
#include "kernels/cpu/amx_tile.h"
#include "kernels/op_help.h"

#include <stdlib.h>
#include <string.h>

#include "util/rng.h"

enum { MOST = 70 };

/* What multiplies. The kernels of a kind: in plain C, then those of the machine, which give the same bits; NULL past the last. */
enum { AMX_TILES, PAIRS_OF_AVX512, KINDS };
static const Bf16Kernels *kernels(int kind, int i)
{
    if (i == 0) return kind == AMX_TILES ? &tiles_kernels : &dots_kernels;
#if defined __x86_64__
    if (i == 1 && kind == AMX_TILES && amx_here()) return &amx_kernels;
    if (i == 1 && kind == PAIRS_OF_AVX512 && dot_here()) return &dot_kernels;
#endif
    return NULL;
}

TEST(amx_may_be_asked_for_twice) { CHECK(amx_here() == amx_here()); }

static void set_pair(Tiles *t, int n, int row, int pair, float first, float second)
{
    t->at[n][row][pair] = (uint32_t)f32_to_bf16(first) | (uint32_t)f32_to_bf16(second) << 16;
}

static float dot_of(Tiles *t, int row, int col)
{
    float c[16][16];
    tile_dot(t, 0, 1, 2);
    tile_store(t, 0, c, TILE_BYTES);
    return c[row][col];
}

TEST(amx_tiles_in_plain_c_round_as_documented)
{
    Tiles t;
    tiles_open(&t);
    set_pair(&t, 1, 3, 0, 0x1p12f, 3);                   /* the first of the pairs: 2^24, then 1 and 1, each lost; the second: 3 * 5 */
    set_pair(&t, 2, 0, 7, 0x1p12f, 5);
    for (int k = 1; k < 3; k++) {
        set_pair(&t, 1, 3, k, 1, 0);
        set_pair(&t, 2, k, 7, 1, 0);
    }
    CHECK(dot_of(&t, 3, 7) == 0x1p24f + 16);             /* 2^24 + 15, a tie, to even */
    CHECK(dot_of(&t, 3, 7) == 0x1p25f + 32);             /* once more onto it */
    CHECK(dot_of(&t, 3, 6) == 0 && dot_of(&t, 2, 7) == 0);
    tiles_open(&t);
    set_pair(&t, 1, 0, 0, 0x1p-130f, 0x1p-70f);          /* a denormal operand; a product that would be denormal */
    set_pair(&t, 2, 0, 0, 0x1p100f, 0x1p-60f);
    CHECK(dot_of(&t, 0, 0) == 0);
    set_pair(&t, 1, 0, 0, 0x1p-126f, -0x1p-126f);        /* sums of normal numbers that are not */
    set_pair(&t, 2, 0, 0, 1.5f, 1);
    CHECK(dot_of(&t, 0, 0) == 0);
    set_pair(&t, 1, 0, 0, 0x1p127f, 1);
    set_pair(&t, 2, 0, 0, 4, 1);
    CHECK(isinf(dot_of(&t, 0, 0)));
    set_pair(&t, 1, 0, 1, -INFINITY, 1);
    set_pair(&t, 2, 1, 0, 1, 1);
    CHECK(isnan(dot_of(&t, 0, 0)));
}

/* The left side down, the right side up by 2^60: the same numbers, by the way that rounds one by one. */
TEST(amx_tiles_in_plain_c_have_one_result_for_both_ways)
{
    Rig r;
    Tiles t;
    float c[2][16][16];
    rig_open(&r, (const int[]){1, 0, -1}, 1, 1, BF16, 0);
    float *x = rig_floats(&r, 1024, 0, 1), *y = rig_floats(&r, 1024, 0, 1);
    for (int i = 0; i < 2; i++) {
        tiles_open(&t);
        for (int k = 0; k < 256; k++) {
            set_pair(&t, 1, k / 16, k % 16, x[2 * k] * (i ? 0x1p-60f : 1), x[2 * k + 1] * (i ? 0x1p-60f : 1));
            set_pair(&t, 2, k / 16, k % 16, y[2 * k] * (i ? 0x1p60f : 1), y[2 * k + 1] * (i ? 0x1p60f : 1));
        }
        dot_of(&t, 0, 0);
        tile_store(&t, 0, c[i], TILE_BYTES);
    }
    rig_close(&r);
    CHECK(!memcmp(c[0], c[1], sizeof c[0]) && c[0][0][0] != 0);
}

/* x (MOST,K), a weight (N,K) or (K,N), and what is added. */
typedef struct Job {
    Rig r;
    Bf16Rows x[2];
    Weight w[2];
    Bf16Way way;
    bf16 *packed[2];
    const float *bias;
    Acc acc;
    Mat y;                               /* as it was before */
    void *work;
    const Bf16Kernels *k;
} Job;

static int out_of(const Job *j) { return j->way == TO_OUT ? j->w[0].out : j->w[0].in; }

static double operand(const Bf16Rows *x, int row, int c)
{
    float v = at(x->m, x->token ? x->token[row] : row, c);
    return (double)bf16_round(x->scale ? x->scale[row] * v : v);
}
static double weight_at(const Job *j, int i, int n, int k)
{
    const Weight *w = &j->w[i];
    return (double)bf16_round(j->way == TO_OUT ? w->w[n * w->in + k] : w->w[k * w->in + n]);
}

static void near(const Job *j, const char *what, int row, int col, double got, double want, int K, double terms, char kind)
{
    double tol = op_tolerance(0x1p-24, K, terms, kind, want);
    if (!(fabs(got - want) <= tol))
        test_fail(__FILE__, __LINE__, "%s (%d to %d): [%d,%d]: got %.9g want %.9g, tolerance %.3g", what, j->x[0].m.cols, out_of(j), row, col, got, want, tol);
}

static const int *some_tokens(Rig *r)
{
    int *token = rig_mem(r, MOST * sizeof *token);
    for (int i = 0; i < MOST; i++) token[i] = (i * 37 + 11) % MOST;
    return token;
}

static Bf16Rows some_rows(Rig *r, int rows, int cols, int with)
{
    Bf16Rows x = {.m = rig_mat(r, rows, cols, with % 2 ? F32 : BF16, 1)};
    if (with % 3 == 1) x.token = some_tokens(r);
    if (with % 3 == 2 || with % 4 == 1) x.scale = rig_floats(r, (size_t)rows, 1, 0.5);
    return x;
}

/* Packed back to front: where a panel belongs does not depend on the others. */
static bf16 *packed(Job *j, const Weight *w)
{
    int N = j->way == TO_OUT ? w->out : w->in, K = j->way == TO_OUT ? w->in : w->out;
    bf16 *p = rig_mem(&j->r, bf16_packed_bytes(K, N));
    for (int i = bf16_panels(N) - 1; i >= 0; i--) j->k->pack(p, weight_group(w, 0), w->out, w->in, j->way, i);
    return p;
}

static void open_mm(Job *j, int K, int N, int with, const Bf16Kernels *k)
{
    j->k = k;
    rig_open(&j->r, (const int[]){MOST, 0, -1}, 1, 1, BF16, with % 3);
    j->way = with % 2 ? TO_IN : TO_OUT;
    for (int i = 0; i < 2; i++) {
        j->x[i] = some_rows(&j->r, MOST, K, with + i);
        j->w[i] = j->way == TO_OUT ? rig_weight(&j->r, 1, N, K, 0.5) : rig_weight(&j->r, 1, K, N, 0.5);
        j->packed[i] = packed(j, &j->w[i]);
    }
    j->acc = with % 3 == 1 ? ADD : SET;
    j->bias = with % 4 < 2 ? rig_floats(&j->r, (size_t)N, 0, 1) : NULL;
    j->y = rig_mat(&j->r, MOST, N, with % 3 == 2 ? BF16 : F32, 1);
    j->work = rig_mem(&j->r, bf16_mm_bytes());
}

/* Rows [at,+n) of a new y. */
static Mat run_mm(Job *j, int row, int n, int nterm)
{
    size_t line = (size_t)j->y.ld * dtype_size(j->y.type);
    Bf16Term term[2];
    Mat y = rig_mat(&j->r, n, j->y.cols, j->y.type, 0);
    for (int i = 0; j->acc == ADD && i < n; i++) memcpy((char *)y.p + (size_t)i * line, mat_at_row(j->y, row + i).p, line - (size_t)j->r.pad * dtype_size(y.type));
    for (int i = 0; i < 2; i++) {
        term[i] = (Bf16Term){j->x[i], j->packed[i]};
        if (term[i].x.token) term[i].x.token += row; else term[i].x.m = mat_at_row(term[i].x.m, row);
        if (term[i].x.scale) term[i].x.scale += row;
    }
    memset(j->work, 0xff, bf16_mm_bytes());
    j->k->mm(y, term, nterm, j->bias, j->acc, j->work);
    if (!rig_intact(&j->r)) test_fail(__FILE__, __LINE__, "mm, %d rows, %d to %d: written outside the result", n, term[0].x.m.cols, y.cols);
    return y;
}

/* The newest result. */
static void drop(Job *j)
{
    free(j->r.buf[--j->r.nbuf].p - FENCE);
    j->r.nmat--;
}

static void check_mm(Job *j, Mat y, int nterm)
{
    int K = j->x[0].m.cols;
    for (int r = 0; r < y.rows; r += K * y.cols > 10000 ? 23 : 1)
        for (int c = 0; c < y.cols; c++) {
            double s = j->bias ? (double)j->bias[c] : 0, terms = fabs(s);
            if (j->acc == ADD) { s += (double)at(j->y, r, c); terms += fabs((double)at(j->y, r, c)); }
            for (int i = 0; i < nterm; i++)
                for (int k = 0; k < K; k++) {
                    double p = operand(&j->x[i], r, k) * weight_at(j, i, c, k);
                    s += p;
                    terms += fabs(p);
                }
            near(j, "mm", r, c, (double)at(y, r, c), s, nterm * K + 2, terms, y.type == BF16 ? 'b' : 'f');
        }
}

static void same_rows(Mat a, int ra, Mat b, int rb, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(mat_at_row(a, ra + i).p, mat_at_row(b, rb + i).p, (size_t)a.cols * dtype_size(a.type)))
            test_fail(__FILE__, __LINE__, "mm to %d: row %d of %d has other bits as row %d of %d", a.cols, ra + i, a.rows, rb + i, b.rows);
}

/* All rows by the formula, then fewer of them, at the front and at the back, bit by bit. Other kernels: the bits of the first. */
static void one_mm(int K, int N, int with, int every, int kind)
{
    Mat first = {0};
    Job j[2] = {{.k = NULL}};
    for (int i = 0; kernels(kind, i); i++) {
        int nterm = 1 + with / 2 % 2;
        open_mm(&j[i], K, N, with, kernels(kind, i));
        Mat all = run_mm(&j[i], 0, MOST, nterm);
        check_mm(&j[i], all, nterm);
        if (i) same_rows(all, 0, first, 0, MOST);
        else first = all;
        for (int n = 1; n < MOST; n += every)
            for (int row = 0; row <= MOST - n; row += MOST - n) {
                Mat part = run_mm(&j[i], row, n, nterm);
                same_rows(part, 0, all, row, n);
                drop(&j[i]);
            }
    }
    for (int i = 0; kernels(kind, i); i++) rig_close(&j[i].r);
}

TEST(bf16_mm)
{
    static const int size[][2] = {{1, 1}, {31, 33}, {33, 31}, {32, 32}, {17, 130}, {100, 70}, {96, 64}, {7, 257}};
    for (int kind = 0; kind < KINDS; kind++)
        for (int with = 0; with < 12; with++)
            for (int i = with % 4; i < 8; i += 4) one_mm(size[i][0], size[i][1], with, with < 4 ? 1 : 5, kind);
}

TEST(bf16_mm_of_wide_rows)
{
    static const int size[][2] = {{511, 33}, {512, 40}, {513, 31}, {545, 97}, {1030, 17}, {512, 600}};
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < 6; i++) one_mm(size[i][0], size[i][1], i, 23, kind);
        one_mm(545, 900, 1, 64, kind);                   /* more panels than go past at once */
    }
}

/* Numbers of all sizes, denormal ones and, now and then, infinities and NaN among them. */
static bf16 extreme(int i)
{
    double x = rng_normal(7, RNG_TEST, (uint64_t)i);
    int e = (int)(fabs(x) * 4096) % 270 - 134;
    return f32_to_bf16(e > 130 ? (e % 2 ? INFINITY : NAN) : (float)ldexp(x, imin(e, 126)));
}
/* Products of column n are about 2^(n-144): denormal to the left, normal to the right. */
static bf16 small_left(int i, int k) { return f32_to_bf16(ldexpf(i % 3 ? 1 : -1, k % 60 - 128)); }
static bf16 small_right(int i, int n, int k) { return f32_to_bf16((float)ldexp(rng_normal(7, RNG_TEST, (uint64_t)i), n - 16 - k % 60)); }

/* (4,70) times (33,70) */
static void extreme_mm(float y[4][33], const Bf16Kernels *kernels, int small)
{
    enum { ROWS = 4, K = 70, N = 33 };
    static _Alignas(64) bf16 x[ROWS][K], w[N][K];
    static _Alignas(64) char packed[1 << 14], work[1 << 18];
    CHECK(bf16_packed_bytes(K, N) <= sizeof packed && bf16_mm_bytes() <= sizeof work);
    for (int i = 0; i < N * K; i++) w[i / K][i % K] = small ? small_right(i, i / K, i % K) : extreme(i);
    for (int i = 0; i < ROWS * K; i++) x[i / K][i % K] = small ? small_left(i, i % K) : extreme(N * K + i);
    for (int p = 0; p < bf16_panels(N); p++) kernels->pack((bf16 *)(void *)packed, (Stored){w, BF16}, N, K, TO_OUT, p);
    kernels->mm((Mat){y, ROWS, N, N, F32}, &(Bf16Term){{.m = {x, ROWS, K, K, BF16}}, (bf16 *)(void *)packed}, 1, NULL, SET, work);
}

TEST(bf16_extreme_numbers_are_what_the_machine_makes_of_them)
{
    for (int k = 0; k < 2 * KINDS; k++) {
        float y[2][4][33];
        int kind = k / 2, other = 0;
        if (!kernels(kind, 1)) continue;
        for (int i = 0; i < 2; i++) extreme_mm(y[i], kernels(kind, i), k % 2);
        for (int i = 0; i < 4 * 33; i++) other += memcmp(&y[0][i / 33][i % 33], &y[1][i / 33][i % 33], 4) && !(isnan(y[0][i / 33][i % 33]) && isnan(y[1][i / 33][i % 33]));
        CHECK(other == 0);
    }
}

static double silu_up(double g, double u) { return silu_of(g) * u; }

/* gate_up: keep by the formula, hidden from what was kept; mlp: the bits of gate_up and mm. */
static void one_mlp(int D, int F, int n, int with, const Bf16Kernels *k)
{
    Job j = {.k = k};
    rig_open(&j.r, (const int[]){1, 0, -1}, 1, 1, BF16, with % 3);
    Bf16Rows x = {.m = rig_mat(&j.r, imax(n, MOST), D, with % 2 ? F32 : BF16, 1), .token = n <= MOST && with % 2 ? some_tokens(&j.r) : NULL};
    Weight gate = rig_weight(&j.r, 1, F, D, 0.5), up = rig_weight(&j.r, 1, F, D, 0.5), down = rig_weight(&j.r, 1, D, F, 0.5);
    Mat keep = rig_mat(&j.r, n, 2 * F, BF16, 0), again = rig_mat(&j.r, n, 2 * F, BF16, 0), hidden = rig_mat(&j.r, n, F, BF16, 0);
    Mat y = rig_mat(&j.r, n, D, BF16, 0), apart = rig_mat(&j.r, n, D, BF16, 0), bare = rig_mat(&j.r, n, D, BF16, 0);
    bf16 *gu = rig_mem(&j.r, 2 * bf16_packed_bytes(D, F)), *packed_down = packed(&j, &down);
    void *work = rig_mem(&j.r, bf16_mlp_bytes(F));
    j.x[0] = x;
    j.w[0] = gate;
    j.w[1] = up;
    for (int p = bf16_panels(F) - 1; p >= 0; p--) k->pack_gate_up(gu, weight_group(&gate, 0), weight_group(&up, 0), F, D, p);
    k->gate_up(hidden, keep, x, gu, work);
    memset(work, 0xff, bf16_mlp_bytes(F));
    k->mm(apart, &(Bf16Term){{.m = hidden}, packed_down}, 1, NULL, SET, work);
    k->mlp(y, again, x, gu, packed_down, F, work);
    k->mlp(bare, (Mat){0}, x, gu, packed_down, F, work);
    same_rows(y, 0, apart, 0, n);
    same_rows(bare, 0, y, 0, n);
    same_rows(again, 0, keep, 0, n);
    for (int r = 0; r < n; r += n > MOST ? 7 : 1)
        for (int f = 0; f < F; f++) {
            double s[2] = {0}, terms[2] = {0}, h = silu_up((double)at(keep, r, f), (double)at(keep, r, F + f));
            for (int i = 0; i < 2; i++) {
                for (int c = 0; c < D; c++) {
                    double p = operand(&x, r, c) * weight_at(&j, i, f, c);
                    s[i] += p;
                    terms[i] += fabs(p);
                }
                near(&j, "keep", r, f, (double)at(keep, r, i * F + f), s[i], D, terms[i], 'b');
            }
            near(&j, "hidden", r, f, (double)at(hidden, r, f), h, 4, fabs(h), 'b');
        }
    if (!rig_intact(&j.r)) test_fail(__FILE__, __LINE__, "mlp, %d rows, %d by %d: written outside the results", n, D, F);
    rig_close(&j.r);
}

TEST(bf16_mlp)
{
    static const int size[][3] = {{16, 20, 1}, {33, 31, 33}, {64, 100, 70}, {1, 17, 16}, {100, 1, 17}, {20, 65, 600}, {600, 40, 33}, {40, 600, 31}};
    for (int k = 0; k < 2 * KINDS; k++)
        for (int s = 0; s < 8 && kernels(k / 2, k % 2); s++) one_mlp(size[s][0], size[s][1], size[s][2], s, kernels(k / 2, k % 2));
}

/* dW in tiles of (rows,cols), the rows of dy and x in one call or in two. */
static void make_dw(const Job *j, float *dw, int rows, int cols, int n, int first)
{
    int out = j->x[0].m.cols, in = j->x[1].m.cols;
    for (int r = 0; r < out; r += rows)
        for (int c = 0; c < in; c += cols) {
            Bf16Rows dy = j->x[0], x = j->x[1];
            memset(j->work, 0xff, bf16_dw_bytes(rows, cols));
            j->k->dw(dw, in, r, imin(rows, out - r), c, imin(cols, in - c), dy, x, first, j->work);
            if (first == n) continue;
            if (dy.token) dy.token += first; else dy.m = mat_at_row(dy.m, first);
            if (dy.scale) dy.scale += first;
            if (x.token) x.token += first; else x.m = mat_at_row(x.m, first);
            if (x.scale) x.scale += first;
            j->k->dw(dw, in, r, imin(rows, out - r), c, imin(cols, in - c), dy, x, n - first, j->work);
        }
}

static void one_dw(int out, int in, int n, int with, const Bf16Kernels *k)
{
    Job j = {.k = k};
    rig_open(&j.r, (const int[]){1, 0, -1}, 1, 1, BF16, with % 3);
    size_t size = (size_t)out * (size_t)in;
    int plain = n > MOST ? with / 6 * 6 : with;          /* tokens are few */
    j.x[0] = some_rows(&j.r, imax(n, MOST), out, plain);
    j.x[1] = some_rows(&j.r, imax(n, MOST), in, plain + 1 - (n > MOST));
    float *before = rig_floats(&j.r, size, 0, 1), *dw = rig_mem(&j.r, 4 * size), *other = rig_mem(&j.r, 4 * size);
    j.work = rig_mem(&j.r, bf16_dw_bytes(imax(out, 32), imax(in, 64)));
    memcpy(dw, before, 4 * size);
    memcpy(other, before, 4 * size);
    make_dw(&j, dw, out, in, n, n);
    make_dw(&j, other, 32, 64, n, n / 64 * 32);
    if (memcmp(dw, other, 4 * size)) test_fail(__FILE__, __LINE__, "dW (%d,%d) of %d rows: other bits in other tiles", out, in, n);
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++) {
            double s = (double)before[o * in + i], terms = fabs(s);
            for (int t = 0; t < n; t++) {
                double p = operand(&j.x[0], t, o) * operand(&j.x[1], t, i);
                s += p;
                terms += fabs(p);
            }
            near(&j, "dW", o, i, (double)dw[o * in + i], s, n + 1, terms, 'f');
        }
    if (!rig_intact(&j.r)) test_fail(__FILE__, __LINE__, "dW (%d,%d) of %d rows: written outside the result", out, in, n);
    rig_close(&j.r);
}

TEST(bf16_dw)
{
    static const int size[][2] = {{1, 1}, {16, 20}, {33, 31}, {64, 96}, {100, 70}, {17, 130}}, rows[] = {0, 1, 2, 15, 31, 32, 33, 63, 70};
    for (int k = 0; k < 2 * KINDS; k++)
        for (int n = 0; n < 9 && kernels(k / 2, k % 2); n++)
            for (int s = 0; s < 6; s++) one_dw(size[s][0], size[s][1], rows[n], n + s, kernels(k / 2, k % 2));
}

TEST(bf16_dw_of_many_rows)
{
    static const int rows[] = {511, 512, 513, 1030};
    for (int k = 0; k < 2 * KINDS; k++)
        for (int n = 0; n < 4 && kernels(k / 2, k % 2); n++) one_dw(33, 40, rows[n], 6 * n, kernels(k / 2, k % 2));
}
