#include "kernels/op_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "util/rng.h"

enum { CANARY = 0xc5, GARBAGE = 0xff };                 /* garbage is NaN in both float formats */

const char *const tier_names[TIERS] = {"ref", "base", "avx2", "avx512", "avx512_bf16", "wide", "tiles", "dots", "cuda"};

/* Those that no device knows lie above one that it does. */
typedef struct Own { const char *name, *above; void (*override)(Ops *o, Dtype type); size_t (*scratch)(const Dims *d, Dtype type, int threads, const Ops *o); } Own;
static const Own *own_of(const char *tier)
{
    static const Own own[] = {{"wide", "base", wide_override, wide_scratch_bytes}, {"tiles", "ref", tiles_override, tiles_scratch_bytes}, {"dots", "ref", dots_override, dots_scratch_bytes}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(own[i].name, tier)) return &own[i];
    return NULL;
}

static int for_bf16(const char *tier) { return !strcmp(tier, "tiles") || !strcmp(tier, "dots") || !strcmp(tier, "avx512_bf16"); }
int tier_has(int tier, Dtype type) { return type == BF16 || !for_bf16(tier_names[tier]); }

static const int none[] = {-1}, one[] = {1, 0, -1}, two[] = {2, 0, -1}, ones[] = {1, 1, 1, 0, -1}, prime[] = {17, 0, -1},
    under[] = {100, 155, 0, -1}, block[] = {256, 0, -1}, over[] = {1, 255, 1, 0, -1}, mixed[] = {5, 1, 0, 30, 2, 0, 1, 0, 64, 0, -1},
    chunks[] = {300, 1, 40, 0, 257, 0, 3, 0, -1}, large[] = {2000, 48, 1, 0, -1};
const int *const shapes[] = {none, one, two, ones, prime, under, block, over, mixed, chunks, large};
const int nshapes = (int)(sizeof shapes / sizeof *shapes), nsmall = (int)(sizeof shapes / sizeof *shapes) - 1;

static void *memory(size_t n) { return test_device_memory(n); }

void *rig_mem(Rig *r, size_t bytes)
{
    if (r->nbuf == BUFS) abort();
    unsigned char *p = memory(bytes + 2 * FENCE);
    memset(p, CANARY, bytes + 2 * FENCE);
    memset(p + FENCE, GARBAGE, bytes);
    r->buf[r->nbuf].p = p + FENCE;
    r->buf[r->nbuf++].n = bytes;
    return p + FENCE;
}

static double number(Rig *r) { return rint(1024 * rng_normal(7, RNG_TEST, (uint64_t)r->serial++)) / 1024; }

float *rig_floats(Rig *r, size_t n, double mean, double scale)
{
    float *p = rig_mem(r, n * sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = (float)(mean + scale * number(r));
    return p;
}

float at(Mat m, int r, int c)
{
    size_t i = (size_t)r * (size_t)m.ld + (size_t)c;
    return m.type == BF16 ? bf16_to_f32(((bf16 *)m.p)[i]) : ((float *)m.p)[i];
}

void put(Mat m, int r, int c, double x)
{
    size_t i = (size_t)r * (size_t)m.ld + (size_t)c;
    if (m.type == BF16) ((bf16 *)m.p)[i] = f32_to_bf16((float)x);
    else ((float *)m.p)[i] = (float)x;
}

Mat mat_at_row(Mat m, int row)
{
    if (!m.p) return m;
    m.p = (char *)m.p + (size_t)row * (size_t)m.ld * dtype_size(m.type);
    m.rows -= row;
    return m;
}

Mat rig_mat(Rig *r, int rows, int cols, Dtype type, double scale)
{
    int ld = cols + r->pad;
    Mat m = {rig_mem(r, (size_t)rows * (size_t)ld * dtype_size(type)), rows, cols, ld, type};
    for (int i = 0; scale > 0 && i < rows; i++)
        for (int c = 0; c < cols; c++) put(m, i, c, scale * number(r));
    r->mat[r->nmat++] = m;
    return m;
}

Weight rig_weight(Rig *r, int groups, int out, int in, double scale)
{
    size_t n = (size_t)groups * (size_t)out * (size_t)in;
    float *w = rig_floats(r, n, 0, scale);
    return (Weight){.w = w, .dw = rig_floats(r, n, 0, 1), .groups = groups, .out = out, .in = in};
}

Vec rig_vec(Rig *r, int n, double mean, double scale)
{
    float *w = rig_floats(r, (size_t)n, mean, scale);
    return (Vec){w, rig_floats(r, (size_t)n, 0, 1), n};
}

static void place(Case *c, const int *shape)
{
    Input *in = &c->in;
    for (; *shape >= 0; shape++) {
        if (!*shape) { c->chunk[++in->nchunk] = in->ntok; continue; }
        c->seg[in->nseg++] = (Seg){.tok = in->ntok, .ntok = *shape};
        in->ntok += *shape;
        if (*shape > in->longest) in->longest = *shape;
    }
    in->seg = c->seg;
    in->chunk = c->chunk;
}

/* Segments have 0 .. S-1 points more than their tokens and one target need, and a NaN between them. */
static void scatter(Rig *r)
{
    Case *c = &r->c;
    int n = 1;
    for (int i = 0; i < c->in.nseg; i++) {
        c->seg[i].pt = n;
        c->seg[i].npt = (c->seg[i].ntok - 1) * c->in.S + c->in.P + 1 + i % c->in.S;
        n += c->seg[i].npt + 1;
    }
    float *p = rig_floats(r, (size_t)n, 0, 1);
    for (int i = 0; i < c->in.nseg; i++) p[c->seg[i].pt - 1] = NAN;
    p[n - 1] = NAN;
    c->in.points = p;
}

void rig_open(Rig *r, const int *shape, int P, int S, Dtype type, int pad)
{
    *r = (Rig){.type = type, .pad = pad};
    r->c.in.P = P;
    r->c.in.S = S;
    place(&r->c, shape);
    scatter(r);
    r->dims = (Dims){.tokens = r->c.in.ntok, .chunks = r->c.in.nchunk, .longest = r->c.in.longest, .P = P, .H = 1, .Hk = 1, .D = 1, .d = 2, .F = 1, .O = 1};
}

void rig_close(Rig *r)
{
    for (int i = 0; i < r->nbuf; i++) test_device_free(r->buf[i].p - FENCE);
    for (int i = 0; i < r->nout; i++) {
        test_device_free(r->out[i].want);
        test_device_free(r->out[i].terms);
        test_device_free(r->out[i].first);
        test_device_free(r->out[i].got);
    }
}

int rig_intact(const Rig *r)
{
    for (int i = 0; i < r->nbuf; i++)
        for (int k = 0; k < FENCE; k++)
            if (r->buf[i].p[-1 - k] != CANARY || r->buf[i].p[r->buf[i].n + (size_t)k] != CANARY) return 0;
    for (int i = 0; i < r->nmat; i++)
        for (int row = 0; row < r->mat[i].rows; row++) {
            const unsigned char *p = (unsigned char *)r->mat[i].p + ((size_t)row * (size_t)r->mat[i].ld + (size_t)r->mat[i].cols) * dtype_size(r->mat[i].type);
            for (size_t k = 0; k < (size_t)r->pad * dtype_size(r->mat[i].type); k++)
                if (p[k] != GARBAGE) return 0;
        }
    return 1;
}

static size_t size_of(char kind) { return kind == 'd' || kind == 'l' ? 8 : kind == 'b' ? 2 : 4; }
static size_t bytes_of(const Out *o) { return o->rows ? ((size_t)(o->rows - 1) * (size_t)o->ld + (size_t)o->cols) * size_of(o->kind) : 0; }

Out *rig_out(Rig *r, const char *name, char kind, void *p, int rows, int cols, int ld, int K)
{
    if (r->nout == OUTS) abort();
    Out *o = &r->out[r->nout++];
    *o = (Out){.name = name, .p = p, .kind = kind, .rows = rows, .cols = cols, .ld = ld, .K = K, .u = 0x1p-24};
    size_t n = (size_t)rows * (size_t)cols;
    o->want = memory(n * sizeof *o->want);
    o->terms = memory(n * sizeof *o->terms);
    for (size_t i = 0; i < n; i++) o->want[i] = o->terms[i] = NAN;             /* what a formula forgets fails */
    o->first = memory(bytes_of(o));
    o->got = memory(bytes_of(o));
    memcpy(o->first, p, bytes_of(o));
    return o;
}

Out *rig_out_mat(Rig *r, const char *name, Mat m, int K) { return rig_out(r, name, m.type == BF16 ? 'b' : 'f', m.p, m.rows, m.cols, m.ld, K); }

double rounding(const Rig *r, double x) { return r->type == BF16 ? (double)bf16_round((float)x) : x; }

void say(Out *o, int r, int c, double want, double terms)
{
    size_t i = (size_t)r * (size_t)o->cols + (size_t)c;
    o->want[i] = want;
    o->terms[i] = terms;
}

void say_more(Out *o, int r, int c, double x, double terms)
{
    size_t i = (size_t)r * (size_t)o->cols + (size_t)c;
    o->want[i] += x;
    o->terms[i] += terms;
}

double silu_of(double x) { return x / (1 + exp(-x)); }
double slope_of_silu(double x) { return 1 / (1 + exp(-x)) + x * exp(-x) / ((1 + exp(-x)) * (1 + exp(-x))); }

const Seg *segment_of(const Input *in, int tok)
{
    const Seg *s = in->seg;
    while (tok >= s->tok + s->ntok) s++;
    return s;
}

double op_tolerance(double u, int K, double terms, char kind, double value)
{
    if (!K) return 0;
    return 4 * u * sqrt(K) * terms + (kind == 'b' ? 0x1p-7 * fabs(value) : 0);
}

static double value_of(const Out *o, const void *from, int r, int c)
{
    const char *p = (const char *)from + ((size_t)r * (size_t)o->ld + (size_t)c) * size_of(o->kind);
    float f; double d; int i; int64_t l; bf16 h;
    switch (o->kind) {
    case 'f': memcpy(&f, p, 4); return (double)f;
    case 'b': memcpy(&h, p, 2); return (double)bf16_to_f32(h);
    case 'd': memcpy(&d, p, 8); return d;
    case 'l': memcpy(&l, p, 8); return (double)l;
    default:  memcpy(&i, p, 4); return i;
    }
}

/* Between two products bf16 kernels round numbers that they summed up in another order than the reference: a sum may lie on the
 * other side of a border, a step of 2^-8 of one term away. Where a vector tier may, the test of the op says so in `steps`. */
static double tolerance(const Rig *r, const Out *o, const char *tier, size_t k)
{
    double strict = op_tolerance(o->u, o->K, o->terms[k], o->kind, o->want[k]) + (for_bf16(tier) ? o->steps * o->terms[k] : 0), step = 0x1p-9 * o->terms[k];
    return r->type == BF16 && o->K && (!strcmp(tier, "cuda") || (o->steps > 0 && strcmp(tier, "ref"))) && step > strict ? step : strict;
}

static void compare(const Rig *r, const Out *o, const char *tier)
{
    double worst = 0;
    int row = 0, col = 0;
    for (int i = 0; i < o->rows; i++)
        for (int c = 0; c < o->cols; c++) {
            size_t k = (size_t)i * (size_t)o->cols + (size_t)c;
            double got = value_of(o, o->p, i, c), diff = fabs(got - o->want[k]), tol = tolerance(r, o, tier, k);
            double x = got == o->want[k] ? 0 : diff <= tol ? diff / tol : diff > tol && tol > 0 ? diff / tol : INFINITY;
            if (x > worst) { worst = x; row = i; col = c; }
        }
    size_t k = (size_t)row * (size_t)o->cols + (size_t)col;
    if (getenv("FTS_TEST_WORST")) printf("# %-5s %-8s %-6s tokens %d: %.3f of the tolerance\n", tier, o->name, r->type == BF16 ? "bf16" : "fp32", r->c.in.ntok, worst);
    if (worst > 1)
        test_fail(__FILE__, __LINE__, "%s, %s, %s, %d tokens in %d chunks, pad %d: worst at [%d,%d]: got %.9g want %.9g (%.1f times the tolerance)", tier, o->name,
                  r->type == BF16 ? "bf16" : "fp32", r->c.in.ntok, r->c.in.nchunk, r->pad, row, col, value_of(o, o->p, row, col), o->want[k], worst);
}

static void restore(Rig *r)
{
    for (int i = 0; i < r->nout; i++) memcpy(r->out[i].p, r->out[i].first, bytes_of(&r->out[i]));
}

static void keep(Rig *r)
{
    for (int i = 0; i < r->nout; i++) memcpy(r->out[i].got, r->out[i].p, bytes_of(&r->out[i]));
}

static void same_bits(const Rig *r, const char *tier, const char *how, int pieces)
{
    for (int i = 0; i < r->nout; i++)
        if (!(pieces && r->out[i].whole) && memcmp(r->out[i].got, r->out[i].p, bytes_of(&r->out[i])))
            test_fail(__FILE__, __LINE__, "%s, %s, %d tokens in %d chunks: other bits %s", tier, r->out[i].name, r->c.in.ntok, r->c.in.nchunk, how);
}

/* Chunks [from, to) as a micro-batch of their own. */
static void part_of(const Case *all, int from, int to, Case *part)
{
    int tok = all->chunk[from], end = all->chunk[to];
    *part = (Case){.in = all->in};
    part->in.seg = part->seg;
    part->in.chunk = part->chunk;
    part->in.nseg = part->in.longest = 0;
    part->in.nchunk = to - from;
    part->in.ntok = end - tok;
    for (int i = from; i <= to; i++) part->chunk[i - from] = all->chunk[i] - tok;
    for (int i = 0; i < all->in.nseg; i++) {
        Seg s = all->seg[i];
        if (s.tok < tok || s.tok >= end) continue;
        s.tok -= tok;
        part->seg[part->in.nseg++] = s;
        if (s.ntok > part->in.longest) part->in.longest = s.ntok;
    }
}

static void wait_for(Backend *b)
{
    Err e;
    if (backend_sync(b, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
}

static void run_in_pieces(Rig *r, Backend *b, Run *run, void *job, int cut)
{
    Case part;
    restore(r);
    part_of(&r->c, 0, cut, &part);
    run(job, b, &part.in, 0);
    wait_for(b);
    tier_soil(b, 0x3c);
    part_of(&r->c, cut, r->c.in.nchunk, &part);
    run(job, b, &part.in, r->c.chunk[cut]);
    wait_for(b);
}

static void run_whole(Rig *r, Backend *b, Run *run, void *job, int garbage)
{
    restore(r);
    tier_soil(b, garbage);
    run(job, b, &r->c.in, 0);
    wait_for(b);
}

/* A library's sums go over all chunks at once, or take only some parts of a micro-batch. */
static int chunk_by_chunk(const Backend *b)
{
    const char *library = getenv("FTS_CUBLAS");
    return b->device->on_host || (getenv("FTS_CUDNN") ? 0 : library ? !strcmp(library, "no") : !test_device_is_real());
}

static void check_bits(Rig *r, const char *tier, Backend *b, Run *run, void *job)
{
    run_whole(r, b, run, job, 0x42);
    same_bits(r, tier, "the second time", 0);
    for (int cut = 1; chunk_by_chunk(b) && cut < r->c.in.nchunk; cut++) {
        run_in_pieces(r, b, run, job, cut);
        same_bits(r, tier, "in two micro-batches", 1);
    }
    Backend *both = tier_open(tier, r->type, 2, &r->dims);
    run_whole(r, both, run, job, 0xff);
    same_bits(r, tier, "with two threads", 0);
    if (!tier_close(both)) test_fail(__FILE__, __LINE__, "%s: two threads wrote behind the scratch memory", tier);
}

/* What the reference gave is what the others are compared with. */
static void adopt(Rig *r)
{
    for (int i = 0; i < r->nout; i++)
        for (int row = 0; row < r->out[i].rows; row++)
            for (int c = 0; c < r->out[i].cols; c++)
                r->out[i].want[(size_t)row * (size_t)r->out[i].cols + (size_t)c] = value_of(&r->out[i], r->out[i].got, row, c);
}

/* An emulated token takes its time: few of them, and once more than a tile. FTS_TEST_EMULATOR=all has all, =none none. */
static int too_much(int tier, const Rig *r)
{
    const char *all = getenv("FTS_TEST_EMULATOR");
    if (strcmp(tier_names[tier], "cuda") || test_device_is_real() || (all && !strcmp(all, "all"))) return 0;
    if (all && !strcmp(all, "none")) return 1;
    if (test_wgmma_asked()) return r->c.in.ntok > 256;
    return (r->thin && r->serial % r->thin) || (r->c.in.ntok > 110 && !(r->c.in.ntok == 255 && r->type == F32));
}

/* Who asks for products of one kind asks for those of a device. */
static int device_alone(void)
{
    const char *library = getenv("FTS_CUBLAS");
    return test_wgmma_asked() || (library && !strcmp(library, "yes"));
}

void rig_check(Rig *r, Run *run, Formula *formula, void *job)
{
    formula(job, r);
    for (int t = 0; t < TIERS; t++) {
        if (!tier_has(t, r->type) || too_much(t, r) || (t && device_alone() && strcmp(tier_names[t], "cuda"))) continue;
        Backend *b = tier_open(tier_names[t], r->type, 1, &r->dims);
        if (!b) continue;
        run_whole(r, b, run, job, 0xff);
        for (int i = 0; i < r->nout; i++) compare(r, &r->out[i], tier_names[t]);
        keep(r);
        check_bits(r, tier_names[t], b, run, job);
        if (!t) adopt(r);
        if (!tier_close(b)) test_fail(__FILE__, __LINE__, "%s: written behind the scratch memory", tier_names[t]);
        if (!rig_intact(r)) test_fail(__FILE__, __LINE__, "%s, %d tokens: written outside the results", tier_names[t], r->c.in.ntok);
    }
}

int rig_pad(int serial) { return test_wgmma_asked() ? serial % 2 * 8 : serial % 3; }

/* As ranges of one vector that begins with the lowest. */
void rig_copies(Backend *b, const Weight *const *w, int n)
{
    if (!test_wgmma_asked() || b->device->on_host) return;
    const Weight *s[3] = {w[0], n > 1 ? w[1] : NULL, n > 2 ? w[2] : NULL};
    Range r[3];
    Err e;
    for (int i = 1; i < n; i++)
        for (int k = i; k && (uintptr_t)s[k]->w < (uintptr_t)s[k - 1]->w; k--) { const Weight *t = s[k]; s[k] = s[k - 1]; s[k - 1] = t; }
    for (int i = 0; i < n; i++)
        r[i] = (Range){((uintptr_t)s[i]->w - (uintptr_t)s[0]->w) / sizeof(float), (size_t)s[i]->groups * (size_t)s[i]->out * (size_t)s[i]->in};
    if (backend_copies(b, s[0]->w, r, n, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
}

/* A multiple of 64 bytes from a place that is one. */
static void *aligned(size_t bytes, int device)
{
    void *p = device ? memory(bytes) : aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) abort();
    return p;
}

Backend *tier_open(const char *tier, Dtype type, int threads, const Dims *d)
{
    Err e;
    Backend *b = NULL;
    const char *set = getenv("FTS_TIER");
    char before[16] = "";
    if (set) snprintf(before, sizeof before, "%s", set);
    const Own *own = own_of(tier);
    int device = !strcmp(tier, "cuda");
    if (for_bf16(tier) && type == F32) return NULL;
    setenv("FTS_TIER", own ? own->above : tier, 1);
    int bad = device ? test_device_open(&b, type, threads > 1, &e) : backend_open(&b, "cpu", type, threads, &e);
    if (set) setenv("FTS_TIER", before, 1); else unsetenv("FTS_TIER");
    if (bad) {
        if (strncmp(tier, "avx", 3) && !device) test_fail(__FILE__, __LINE__, "%s", e.message);
        return NULL;
    }
    if (own) own->override(&b->ops, type);
    size_t own_bytes = own ? own->scratch(d, type, threads, &b->ops) : 0, bytes = backend_scratch_bytes(b, d);
    b->scratch_size = own_bytes > bytes ? own_bytes : bytes;
    if (own) b->tier = tier;
    b->scratch = aligned(b->scratch_size + FENCE, device);
    memset((char *)b->scratch + b->scratch_size, CANARY, FENCE);
    return b;
}

void tier_soil(Backend *b, int byte) { memset(b->scratch, byte, b->scratch_size); }

int tier_close(Backend *b)
{
    int intact = 1;
    const unsigned char *end = (unsigned char *)b->scratch + b->scratch_size;
    for (int i = 0; i < FENCE; i++) intact &= end[i] == CANARY;
    if (b->device->on_host) free(b->scratch);
    else test_device_free(b->scratch);
    b->scratch = NULL;
    b->scratch_size = 0;
    backend_close(b);
    return intact;
}

static double slope(float *p, Scalar *f, void *job)
{
    const float h = 0x1p-4f;
    float x = *p;
    double y[4];
    for (int i = 0; i < 4; i++) {
        *p = x + h * (float)(i < 2 ? i - 2 : i - 1);
        y[i] = f(job);
    }
    *p = x;
    return (8 * (y[2] - y[1]) - (y[3] - y[0])) / (12 * (double)h);
}

void slopes_check(const char *what, float *p, const float *grad, size_t n, Scalar *f, void *job, double tolerance)
{
    double worst = 0, size = 0, want = 0;
    size_t where = 0;
    for (size_t i = 0; i < n; i++) size = fmax(size, fabs((double)grad[i]));
    for (size_t i = 0; i < n; i++) {
        double s = slope(p + i, f, job), x = fabs(s - (double)grad[i]);
        if (!(x <= worst)) { worst = x; where = i; want = s; }
    }
    if (getenv("FTS_TEST_WORST")) printf("# slopes %-6s worst %.2g of %.2g\n", what, worst, size);
    if (!(worst <= tolerance * size) || !(size > 0)) test_fail(__FILE__, __LINE__, "%s[%zu]: gradient %.9g, differences say %.9g", what, where, (double)grad[where], want);
}

int routes(int i, int *E, int *K)
{
    static const int shape[][2] = {{4, 2}, {8, 2}, {1, 1}, {3, 3}, {5, 1}, {0, 0}};
    if (i >= (int)(sizeof shape / sizeof *shape)) return 0;
    *E = shape[i][0];
    *K = shape[i][1];
    return 1;
}

void route_sort(Route *r, const Input *in)
{
    int row = 0;
    for (int e = 0; e < r->E; e++)
        for (int c = 0; c < in->nchunk; c++) {
            int p = e * in->nchunk + c;
            r->routed.start[p] = row;
            for (int i = in->chunk[c] * r->K; i < in->chunk[c + 1] * r->K; i++) {
                if (r->expert[i] != e) continue;
                r->row[i] = row;
                r->routed.token[row] = i / r->K;
                r->routed.scale[row++] = r->prob[i / r->K * r->E + e];
            }
            r->routed.count[p] = row - r->routed.start[p];
        }
}

static int chosen(const int *expert, int k, int e)
{
    for (int i = 0; i < k; i++)
        if (expert[i] == e) return 1;
    return 0;
}

static void give_experts(Rig *r, Route *a, int crowd)
{
    for (int t = 0; t < r->c.in.ntok; t++)
        for (int k = 0; k < a->K; k++) {
            int e = crowd ? k : (int)(rng_uniform(9, RNG_TEST, (uint64_t)r->serial++) * a->E);
            while (chosen(a->expert + t * a->K, k, e)) e = (e + 1) % a->E;
            a->expert[t * a->K + k] = e;
        }
}

static float *shares(Rig *r, int n)
{
    float *p = rig_mem(r, (size_t)n * sizeof *p);
    for (int i = 0; i < n; i++) p[i] = (float)((1 + rint(1000 * rng_uniform(8, RNG_TEST, (uint64_t)r->serial++))) / 1024);
    return p;
}

Route rig_route(Rig *r, int E, int K, int crowd)
{
    int n = r->c.in.ntok, R = K * n;
    size_t table = (size_t)E * (size_t)r->c.in.nchunk * sizeof(int);
    Route a = {.E = E, .K = K, .routed = {.n = R}, .shared = {.n = n}};
    r->dims.E = E;
    r->dims.K = K;
    r->dims.routers = 1;
    if (!K) return a;
    a.prob = shares(r, n * E);
    a.expert = rig_mem(r, (size_t)R * sizeof(int));
    a.row = rig_mem(r, (size_t)R * sizeof(int));
    a.routed = (Rows){.start = rig_mem(r, table), .count = rig_mem(r, table), .token = rig_mem(r, (size_t)R * sizeof(int)),
                      .scale = rig_mem(r, (size_t)R * sizeof(float)), .dscale = rig_floats(r, (size_t)R, 0, 1), .n = R};
    a.shared.scale = shares(r, n);
    a.shared.dscale = rig_floats(r, (size_t)n, 0, 1);
    give_experts(r, &a, crowd);
    route_sort(&a, &r->c.in);
    return a;
}

void part_open(Part *p, const Route *all, const Input *in, int tok)
{
    int K = all->K, R = K * in->ntok;
    *p = (Part){.r = *all};
    if (tok) {
        p->r.prob = all->prob ? all->prob + tok * all->E : NULL;
        p->r.expert = all->expert ? all->expert + tok * K : NULL;
        p->r.shared.scale = all->shared.scale ? all->shared.scale + tok : NULL;
        p->r.shared.dscale = all->shared.dscale ? all->shared.dscale + tok : NULL;
    }
    p->r.shared.n = in->ntok;
    if (!K || (!tok && all->shared.n == in->ntok)) return;
    size_t table = (size_t)all->E * (size_t)in->nchunk * sizeof(int), rows = (size_t)R * 4;
    p->r.row = memory(rows);
    p->r.routed = (Rows){memory(table), memory(table), memory(rows), memory(rows), memory(rows), R};
    p->from = memory(rows);
    route_sort(&p->r, in);
    for (int i = 0; i < R; i++) {
        p->from[p->r.row[i]] = all->row[tok * K + i];
        p->r.routed.dscale[p->r.row[i]] = all->routed.dscale[all->row[tok * K + i]];
    }
}

void part_close(Part *p)
{
    if (!p->from) return;
    test_device_free(p->r.row);
    test_device_free(p->r.routed.start);
    test_device_free(p->r.routed.count);
    test_device_free(p->r.routed.token);
    test_device_free(p->r.routed.scale);
    test_device_free(p->r.routed.dscale);
    test_device_free(p->from);
}

Mat part_rows(const Part *p, Mat all, int fetch)
{
    if (!p->from || !all.p) return all;
    size_t bytes = (size_t)all.cols * dtype_size(all.type);
    Mat m = {memory((size_t)p->r.routed.n * bytes), p->r.routed.n, all.cols, all.cols, all.type};
    for (int i = 0; fetch && i < m.rows; i++) memcpy((char *)m.p + (size_t)i * bytes, mat_at_row(all, p->from[i]).p, bytes);
    return m;
}

void part_return(const Part *p, Mat rows, Mat all)
{
    if (!p->from || !all.p) return;
    size_t bytes = (size_t)all.cols * dtype_size(all.type);
    for (int i = 0; i < rows.rows; i++) memcpy(mat_at_row(all, p->from[i]).p, (char *)rows.p + (size_t)i * bytes, bytes);
    test_device_free(rows.p);
}
