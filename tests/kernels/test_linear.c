/* linear, linear_dx, linear_dw: sums of products, so the formula gives both the value and the size of its terms. */
#include "device.h"
#include "kernels/op_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Lin { Rig r; Mat x, y; Weight w; Vec bias; Acc acc; Out *a, *b; } Lin;

static const int widths[][2] = {{16, 20}, {20, 16}, {36, 64}, {64, 36}, {64, 192}, {1, 17}, {100, 1}, {400, 70}, {24, 136}, {264, 16}, {72, 264}};
enum { NWIDTHS = sizeof widths / sizeof *widths - 3 };     /* the last ones for wgmma alone */

static float weight(const Weight *w, int o, int i) { return w->w[o * w->in + i]; }
static double operand(const Rig *r, const Weight *w, double x) { return w->full ? x : rounding(r, x); }

static void open_case(Lin *k, int s, int with, Dtype type)
{
    rig_open(&k->r, shapes[s], 1, 1, type, rig_pad(with));
    k->w = rig_weight(&k->r, 1, widths[with][1], widths[with][0], 0.5);
    k->w.full = with % 5 == 4;
    k->bias = with % 2 ? rig_vec(&k->r, k->w.out, 0, 1) : (Vec){0};
    k->r.dims.D = k->w.in > k->w.out ? k->w.in : k->w.out;
}

static void run_linear(void *job, Backend *b, const Input *in, int tok)
{
    const Lin *k = job;
    Mat y = mat_at_row(k->y, tok), x = mat_at_row(k->x, tok);
    y.rows = x.rows = in->ntok;
    rig_copies(b, &(const Weight *){&k->w}, 1);
    b->ops.linear(b, y, x, &k->w, k->bias, k->acc, in);
}

static void linear_formula(void *job, Rig *r)
{
    Lin *k = job;
    for (int t = 0; t < k->y.rows; t++)
        for (int o = 0; o < k->w.out; o++) {
            double s = k->bias.w ? (double)k->bias.w[o] : 0, terms = fabs(s);
            if (k->acc == ADD) { s += (double)at(k->y, t, o); terms += fabs((double)at(k->y, t, o)); }
            for (int i = 0; i < k->w.in; i++) {
                double p = operand(r, &k->w, (double)at(k->x, t, i)) * operand(r, &k->w, (double)weight(&k->w, o, i));
                s += p;
                terms += fabs(p);
            }
            if (k->bias.w && r->type == BF16) terms += fabs(s - (double)k->bias.w[o]) + fabs(s);       /* a library's product is rounded, and once more with the bias */
            say(k->a, t, o, s, terms);
        }
}

static void one_linear(int s, int with, Acc acc, Dtype type)
{
    Lin k = {.acc = acc};
    open_case(&k, s, with, type);
    int n = k.r.c.in.ntok;
    k.x = rig_mat(&k.r, n, k.w.in, type, 1);
    k.y = rig_mat(&k.r, n, k.w.out, acc == ADD ? F32 : type, acc == ADD);
    k.a = rig_out_mat(&k.r, "y", k.y, k.w.in + 2);
    rig_check(&k.r, run_linear, linear_formula, &k);
    rig_close(&k.r);
}

TEST(op_linear)
{
    for (int s = 0; s < nsmall; s++)
        for (int with = 0; with < NWIDTHS; with++) {
            one_linear(s, with, with % 2 ? ADD : SET, F32);
            one_linear(s, (with + 1) % NWIDTHS, with % 2 ? ADD : SET, with % 3 ? BF16 : F32);
        }
    for (int s = nsmall; s < nshapes; s++) one_linear(s, 4, SET, F32);
}

static void run_dx(void *job, Backend *b, const Input *in, int tok)
{
    const Lin *k = job;
    Mat dx = mat_at_row(k->x, tok), dy = mat_at_row(k->y, tok);
    dx.rows = dy.rows = in->ntok;
    rig_copies(b, &(const Weight *){&k->w}, 1);
    b->ops.linear_dx(b, dx, dy, &k->w, in);
}

static void dx_formula(void *job, Rig *r)
{
    Lin *k = job;
    for (int t = 0; t < k->y.rows; t++)
        for (int i = 0; i < k->w.in; i++) {
            double s = 0, terms = 0;
            for (int o = 0; o < k->w.out; o++) {
                double p = operand(r, &k->w, (double)at(k->y, t, o)) * operand(r, &k->w, (double)weight(&k->w, o, i));
                s += p;
                terms += fabs(p);
            }
            say(k->a, t, i, s, terms);
        }
}

/* dy is the fp32 residual gradient in some cases, as behind the output product of attention. */
static void one_dx(int s, int with, Dtype type)
{
    Lin k = {.acc = SET};
    open_case(&k, s, with, type);
    int n = k.r.c.in.ntok;
    k.x = rig_mat(&k.r, n, k.w.in, type, 0);
    k.y = rig_mat(&k.r, n, k.w.out, with % 2 ? F32 : type, 1);
    k.a = rig_out_mat(&k.r, "dx", k.x, k.w.out);
    rig_check(&k.r, run_dx, dx_formula, &k);
    rig_close(&k.r);
}

TEST(op_linear_dx)
{
    for (int s = 0; s < nsmall; s++)
        for (int with = 0; with < NWIDTHS; with++) {
            one_dx(s, with, F32);
            if (with < 4) one_dx(s, with, BF16);
        }
    for (int s = nsmall; s < nshapes; s++) one_dx(s, 4, F32);
}

static void run_dw(void *job, Backend *b, const Input *in, int tok)
{
    const Lin *k = job;
    Mat dy = mat_at_row(k->y, tok), x = mat_at_row(k->x, tok);
    dy.rows = x.rows = in->ntok;
    b->ops.linear_dw(b, &k->w, k->bias, dy, x, in);
}

static void dw_formula(void *job, Rig *r)
{
    Lin *k = job;
    for (int o = 0; o < k->w.out; o++) {
        for (int i = 0; i < k->w.in; i++) {
            double s = (double)k->w.dw[o * k->w.in + i], terms = fabs(s);
            for (int t = 0; t < k->y.rows; t++) {
                double p = operand(r, &k->w, (double)at(k->y, t, o)) * operand(r, &k->w, (double)at(k->x, t, i));
                s += p;
                terms += fabs(p);
            }
            say(k->a, o, i, s, terms);
        }
        if (!k->bias.w) continue;
        double s = (double)k->bias.dw[o], terms = fabs(s);
        for (int t = 0; t < k->y.rows; t++) { s += (double)at(k->y, t, o); terms += fabs((double)at(k->y, t, o)); }
        say(k->b, o, 0, s, terms);
    }
}

static void one_dw(int s, int with, Dtype type)
{
    Lin k = {.acc = SET};
    open_case(&k, s, with, type);
    int n = k.r.c.in.ntok;
    k.x = rig_mat(&k.r, n, k.w.in, type, 1);
    k.y = rig_mat(&k.r, n, k.w.out, with % 2 ? type : F32, 1);
    k.a = rig_out(&k.r, "dW", 'f', k.w.dw, k.w.out, k.w.in, k.w.in, n + 1);
    if (k.bias.w) k.b = rig_out(&k.r, "dbias", 'f', k.bias.dw, k.w.out, 1, 1, n + 1);
    rig_check(&k.r, run_dw, dw_formula, &k);
    rig_close(&k.r);
}

/* The products that a library makes for a CUDA device: copies of operands that it can take, and a bias that it cannot. */
TEST(cuda_products_by_a_library)
{
    const char *set = getenv("FTS_CUBLAS");
    char before[16] = "";
    if (!test_device_is_there()) return;
    if (set) snprintf(before, sizeof before, "%s", set);
    setenv("FTS_CUBLAS", "yes", 1);
    for (int s = 0; s < nsmall; s++)
        for (int with = s % 2; with < NWIDTHS; with += 2)
            for (int type = F32; type <= BF16; type++) {
                one_linear(s, with, with % 3 ? ADD : SET, (Dtype)type);
                one_dx(s, with, (Dtype)type);
                one_dw(s, with, (Dtype)type);
            }
    if (set) setenv("FTS_CUBLAS", before, 1); else unsetenv("FTS_CUBLAS");
}

static int products_of(int s, int with, int i)
{
    one_linear(s, with, i % 2 ? ADD : SET, BF16);
    one_dx(s, with, BF16);
    one_dw(s, with, BF16);
    return with > 1;
}

/* {in, out}: all tiles and slices but one are full in some, and none in others. By tiles of 256 columns with the bits of those of 128, and the other way round. */
TEST(cuda_products_by_wgmma)
{
    static const int more[] = {1, 4, 8, 9, 10};             /* of widths: multiples of 8, or not (1) */
    int before[2] = {test_wgmma_count(0), test_wgmma_count(1)}, full = 0;
    if (!test_device_is_there()) return;
    if (test_wgmma_asked()) { test_skip("FTS_WGMMA has all tests of products do this"); return; }
    for (int how = 2; how <= 3; how++) {
        test_wgmma_ask(how);
        for (int i = 0; i < 5; i++)
            for (int s = i % 3 + 1; s < nsmall; s += 3) full += products_of(s, more[i], i);
        test_wgmma_ask(0);
    }
    for (int wide = 0; wide < 2; wide++) CHECK(before[wide] < 0 || (full && test_wgmma_count(wide) - before[wide] >= 3 * full));
}

/* {tiles of 256 columns, of 128, multiprocessors, what to take}: few tiles (base's gradients: 66 or 108), no more narrow ones than wide ones, a last round with few. */
TEST(cuda_width_of_tiles_for_wgmma)
{
    static const int what[][4] = {
        {1, 1, 1, 128}, {1, 2, 1, 256}, {2, 3, 1, 256}, {1, 2, 2, 128}, {1, 2, 132, 128}, {6, 9, 132, 128}, {66, 108, 132, 128}, {66, 132, 132, 128}, {67, 134, 132, 256},
        {98, 132, 132, 128}, {100, 200, 132, 256}, {132, 264, 132, 256}, {133, 266, 132, 128}, {176, 352, 132, 256}, {1000, 1000, 132, 128}, {10000, 20000, 132, 256},
        {2000000000, 2000000001, 132, 128},
    };
    if (test_wgmma_width(1, 1, 1) < 0) { test_skip("the emulator of CUDA is not built in"); return; }
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        int got = test_wgmma_width((size_t)what[i][0], (size_t)what[i][1], (size_t)what[i][2]);
        if (got != what[i][3]) test_fail(__FILE__, __LINE__, "%d tiles or %d, %d multiprocessors: %d columns", what[i][0], what[i][1], what[i][2], got);
    }
}

TEST(op_linear_dw)
{
    for (int s = 0; s < nsmall; s++)
        for (int with = 0; with < NWIDTHS; with++) {
            one_dw(s, with, F32);
            if (with < 4) one_dw(s, with, BF16);
        }
    for (int s = nsmall; s < nshapes; s++) one_dw(s, 4, F32);
}
