/* synth_kernel.c - see synth_kernel.h
 *
 * Every kernel but Dot is a function of the lag, so a column of the covariance is a few look-ups for each point.
 * White touches the diagonal alone: sums and products of the rest with White as 0 are still a covariance, and what
 * White adds to its diagonal is noise of its own for each point. What remains is smooth, so a pivoted Cholesky that
 * stops when nothing is left mostly needs few columns: O(length rank^2) where the plain way is O(length^3). */
#include "data/synth_kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/machine.h"
#include "util/rng.h"

#define RANK_TOLERANCE 1e-9                       /* of the largest variance; its root, 3e-5 of a deviation, is not seen in a series */
#define NORMAL_FROM    ((uint64_t)1 << 32)        /* of a series' numbers those below choose the kernels */
#define WHITE_FROM     ((uint64_t)2 << 32)

typedef double Value(double p, double x, double y, double length);

static double periodic(double p, double x, double y, double length)
{
    double s = sin(3.141592653589793 * (x - y) * length / p);
    return exp(-2 * s * s);
}

static double rbf(double p, double x, double y, double length)
{
    (void)length;
    return exp(-0.5 * (x - y) * (x - y) / (p * p));
}

static double rational(double p, double x, double y, double length)
{
    (void)length;
    return pow(1 + (x - y) * (x - y) / (2 * p), -p);
}

static double dot(double p, double x, double y, double length)
{
    (void)length;
    return p * p + x * y;
}

static double white(double p, double x, double y, double length)
{
    (void)length;
    return x == y ? p : 0;
}

static double constant(double p, double x, double y, double length)
{
    (void)x; (void)y; (void)length;
    return p;
}

static const struct { Value *value; double p; } bank[KERNEL_BANK] = {
    {periodic, 24}, {periodic, 48}, {periodic, 96}, {periodic, 168}, {periodic, 336}, {periodic, 672},
    {periodic, 7}, {periodic, 14}, {periodic, 30}, {periodic, 60}, {periodic, 365}, {periodic, 730},
    {periodic, 4}, {periodic, 26}, {periodic, 52}, {periodic, 6}, {periodic, 12}, {periodic, 40}, {periodic, 10},
    {dot, 0}, {dot, 1}, {dot, 10},
    {rbf, 0.1}, {rbf, 1}, {rbf, 10},
    {rational, 0.1}, {rational, 1}, {rational, 10},
    {white, 0.1}, {white, 1}, {constant, 1},
};

KernelMix kernel_draw(uint64_t key)
{
    KernelMix mix = {.n = 1 + (int)(KERNEL_MIX_MAX * rng_uniform(key, RNG_SYNTH, 0))};
    for (int i = 0; i < mix.n; i++) {
        mix.kernel[i] = (int)(KERNEL_BANK * rng_uniform(key, RNG_SYNTH, (uint64_t)(1 + 2 * i)));
        mix.times[i] = rng_uniform(key, RNG_SYNTH, (uint64_t)(2 + 2 * i)) < 0.5;
    }
    return mix;
}

/* Covariance of points i and j, White left out if !noise. */
static double mix_at(const KernelSynth *k, const KernelMix *mix, int i, int j, int noise)
{
    double sum = 0, step = 1.0 / (k->length - 1);
    for (int m = 0; m < mix->n; m++) {
        int which = mix->kernel[m];
        double v = k->table[(size_t)which * (size_t)k->length + (size_t)abs(i - j)];
        if (bank[which].value == dot) v = dot(bank[which].p, i * step, j * step, k->length);
        if (bank[which].value == white && !noise) v = 0;
        sum = m && mix->times[m] ? sum * v : sum + v;
    }
    return sum;
}

/* Columns are packed: the k-th has length - k numbers. The address is of its row 0, so that [row] is the row. */
static size_t column_at(size_t length, size_t k) { return k * length - k * (k + 1) / 2; }
double *kernel_column(const KernelSynth *k, const KernelFactor *f, int column) { return f->l + column_at((size_t)k->length, (size_t)column); }

static int largest(const double *x, int from, int n)
{
    int best = from;
    for (int i = from + 1; i < n; i++) if (x[i] > x[best]) best = i;
    return best;
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

/* Rows a and b change places in all columns made so far. */
static void swap_rows(const KernelSynth *k, KernelFactor *f, int a, int b)
{
    int point = f->order[a];
    f->order[a] = f->order[b];
    f->order[b] = point;
    swap(&f->rest[a], &f->rest[b]);
    for (int c = 0; c < f->rank; c++) {
        double *l = kernel_column(k, f, c);
        swap(&l[a], &l[b]);
    }
}

/* to -= what the earlier columns explain of column `at`. Four at a time: `to` is then loaded and stored once for four. */
static void subtract_columns(const KernelSynth *k, const KernelFactor *f, int at, double *restrict to)
{
    int c = 0, n = k->length;
    for (; c + 4 <= at; c += 4) {
        const double *p = kernel_column(k, f, c), *q = kernel_column(k, f, c + 1), *r = kernel_column(k, f, c + 2), *s = kernel_column(k, f, c + 3);
        double a = p[at], b = q[at], d = r[at], g = s[at];
        for (int i = at; i < n; i++) to[i] -= (a * p[i] + b * q[i]) + (d * r[i] + g * s[i]);
    }
    for (; c < at; c++) {
        const double *p = kernel_column(k, f, c);
        double a = p[at];
        for (int i = at; i < n; i++) to[i] -= a * p[i];
    }
}

static void add_column(const KernelSynth *k, const KernelMix *mix, KernelFactor *f)
{
    int at = f->rank, n = k->length;
    double *l = kernel_column(k, f, at), root = sqrt(f->rest[at]);
    for (int i = at; i < n; i++) l[i] = mix_at(k, mix, f->order[i], f->order[at], 0);
    subtract_columns(k, f, at, l);
    l[at] = root;
    for (int i = at + 1; i < n; i++) {
        l[i] /= root;
        f->rest[i] -= l[i] * l[i];
    }
    f->rank++;
}

void kernel_factor(const KernelSynth *k, const KernelMix *mix, KernelFactor *to)
{
    int n = k->length;
    for (int i = 0; i < n; i++) {
        to->order[i] = i;
        to->rest[i] = mix_at(k, mix, i, i, 0);
        to->excess[i] = mix_at(k, mix, i, i, 1) - to->rest[i];
    }
    to->rank = 0;
    double least = RANK_TOLERANCE * to->rest[largest(to->rest, 0, n)];
    while (to->rank < n) {
        int best = largest(to->rest, to->rank, n);
        if (!(to->rest[best] > least)) return;
        swap_rows(k, to, to->rank, best);
        add_column(k, mix, to);
    }
}

void kernel_sample(const KernelSynth *k, const KernelFactor *f, double *sum, uint64_t key, float *out)
{
    int n = k->length;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int c = 0; c < f->rank; c++) {
        const double *l = kernel_column(k, f, c);
        double z = rng_normal(key, RNG_SYNTH, NORMAL_FROM + (uint64_t)c);
        for (int i = c; i < n; i++) sum[i] += l[i] * z;
    }
    for (int i = 0; i < n; i++) {
        int point = f->order[i];
        double noise = f->excess[point] > 0 ? sqrt(f->excess[point]) * rng_normal(key, RNG_SYNTH, WHITE_FROM + (uint64_t)point) : 0;
        out[point] = (float)(sum[i] + noise);
    }
}

void kernel_series(const KernelSynth *k, uint64_t key, int worker, float *out)
{
    KernelFactor *f = &k->factor[worker];
    KernelMix mix = kernel_draw(key);
    kernel_factor(k, &mix, f);
    kernel_sample(k, f, f->sum, key, out);
}

static size_t packed_bytes(size_t n) { return n * (n + 1) / 2 * sizeof(double); }

static int factor_open(KernelFactor *f, size_t n, Err *e)
{
    f->l = malloc(packed_bytes(n));               /* pages that no rank reaches are never touched */
    f->rest = malloc(n * sizeof(double));
    f->excess = malloc(n * sizeof(double));
    f->sum = malloc(n * sizeof(double));
    f->order = malloc(n * sizeof(int));
    return f->l && f->rest && f->excess && f->sum && f->order ? 0 : err_nomem(e, packed_bytes(n), "the covariance of a series (fewer --threads or a smaller --length need less)");
}

static void fill_table(KernelSynth *k)
{
    for (int b = 0; b < KERNEL_BANK; b++)
        for (int lag = 0; lag < k->length; lag++)
            k->table[(size_t)b * (size_t)k->length + (size_t)lag] = bank[b].value(bank[b].p, (double)lag / (k->length - 1), 0, k->length);
}

int kernel_open(KernelSynth *k, int64_t length, int threads, Err *e)
{
    *k = (KernelSynth){0};
    if (length < 2 || length > KERNEL_LENGTH_MAX)
        return err_set(e, FTS_USAGE, "--length %lld: kernelsynth makes series of 2 to %d points, for which a thread needs up to 256 MiB; choose a smaller --length or --kind simple",
                       (long long)length, KERNEL_LENGTH_MAX);
    size_t n = (size_t)length, table = KERNEL_BANK * n * sizeof(double);
    if ((double)threads * (double)packed_bytes(n) > (double)machine_memory())
        return err_set(e, FTS_NOMEM, "kernelsynth needs up to %zu MiB for each of %d threads, more than there is; choose fewer --threads or a smaller --length", packed_bytes(n) >> 20, threads);
    k->length = (int)length;
    k->table = malloc(table);
    k->factor = calloc((size_t)threads, sizeof *k->factor);
    if (!k->table || !k->factor) return err_nomem(e, table, "the kernels' tables");
    k->threads = threads;
    for (int i = 0; i < threads; i++) if (factor_open(&k->factor[i], n, e)) return -1;
    fill_table(k);
    return 0;
}

void kernel_close(KernelSynth *k)
{
    for (int i = 0; i < k->threads; i++) {
        KernelFactor *f = &k->factor[i];
        free(f->l);
        free(f->rest);
        free(f->excess);
        free(f->sum);
        free(f->order);
    }
    free(k->table);
    free(k->factor);
    *k = (KernelSynth){0};
}
