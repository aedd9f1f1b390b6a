/* backend.h - the one door between model code and a device.
 *
 * Model code calls b->ops.norm(b, ...) and never asks which device it is. Ops enqueue and cannot fail; a
 * device error is sticky and comes out of backend_sync(). The table of ops is per Dtype: fp32 runs and bf16
 * runs get different tables. All buffers that ops write or read are the backend's memory (backend_alloc); only what an
 * Input, a Heads, the list of Balances, Ranges and row numbers point to is the host's. Host code reads and writes the
 * backend's memory through backend_download and backend_upload alone. */
#ifndef KERNELS_BACKEND_H
#define KERNELS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/par.h"

typedef enum { F32, BF16 } Dtype;
typedef enum { SET, ADD } Acc;
enum { MAX_HORIZONS = 8, BLOCK = 256, CHUNK = 2048 };

static inline size_t dtype_size(Dtype t) { return t == F32 ? 4 : 2; }

typedef struct Backend Backend;
typedef struct Watch Watch;          /* kernels/watch.h */

typedef struct Mat { void *p; int rows, cols, ld; Dtype type; } Mat;    /* row-major, row r at p + r*ld elements; p NULL: absent */
typedef struct Vec { const float *w; float *dw; int n; } Vec;           /* norm weight or bias (n) and its gradient, fp32; w NULL: absent */
typedef struct Stored { const void *p; Dtype type; } Stored;             /* a matrix (out, in) as it lies in a mapped file; p NULL: not there */
typedef struct Weight {              /* y = x W^T; a stack of groups, each (out, in), one behind the other */
    const float *w; float *dw;       /* fp32 master and gradient in checkpoint layout; dw NULL in inference */
    int groups, out, in;
    int full;                        /* 1: fp32 operand in every run (embedding, router, shared gate), else rounded to bf16 in bf16 runs */
    const Stored *stored;            /* (groups) where they lie instead of at w, in inference on the host; NULL: all at w */
} Weight;

/* One window: its tokens [tok, +ntok), its points [pt, +npt). With a cache: it goes on behind `past` tokens of a slot, at position past. */
typedef struct Seg { int tok, ntok, pt, npt, past, slot; } Seg;
typedef struct Input {               /* one micro-batch */
    const float *points;
    const Seg *seg;                  /* (nseg) in order; tokens of segments lie one behind the other from 0 */
    const int *chunk;                /* (nchunk+1) token offsets: whole segments until at least CHUNK tokens; sums are made chunk by chunk */
    int nseg, nchunk, ntok;
    int longest;                     /* most tokens of a segment, those before it in the cache included */
    int P, S;                        /* patch length and stride: token t of a segment covers its points tS .. tS+P-1 */
    const void *own;                 /* the device's copy of all that, made by backend_input(); NULL: each op makes one for itself */
} Input;

typedef struct Rows {                /* rows of a grouped product, sorted by group, then token (stable) */
    int *start, *count;              /* (groups, nchunk): rows of group g that come from chunk c are [start, +count) */
    int *token;                      /* (R) row -> token; NULL: row i is token i (one group) */
    float *scale, *dscale;           /* (R) factor on the output row, and its gradient; NULL: 1 */
    int n;                           /* R */
} Rows;

typedef struct Route {               /* who computes what; kept for backward, never recomputed */
    float *prob;                     /* (N,E) softmax, fp32 in every run */
    int *expert, *row;               /* (N,K) best first, ties to the lower index; (N,K) -> row of routed */
    Rows routed, shared;             /* routed.scale = p of the row's expert (R = K*N); shared.scale = sigmoid(w_s u) (R = N), start/count/token NULL */
    int E, K;                        /* K = 0: no experts, only the shared one (use_dense: shared.scale NULL) */
} Route;

typedef struct Router { Weight gate, share; Vec norm; float eps; } Router;     /* (E,D) and (1,D); the norm before it, which route_bwd does not read */
typedef struct Balance {             /* of one router */
    int64_t *count;                  /* (E) (token, slot) pairs per expert of this step so far */
    double *psum;                    /* (E) sum of prob over this step's tokens so far */
    float *share;                    /* (E) f of the last applied step, the constant in the aux gradient */
} Balance;

typedef struct Attn { int H, Hk, d; float theta; } Attn;
/* Keys and values of the tokens so far: (layers, slots, Hk) heads of so many bytes each as the backend says, in an order that is its own. */
typedef struct KvCache { void *p; int layers, slots, cap, Hk, d; } KvCache;
typedef struct Ffn { Weight gate, up, down; } Ffn;                      /* (F,D) (F,D) (D,F), groups = experts */
typedef struct Heads {
    Weight w;                        /* (O,D): all heads one behind the other */
    int h[MAX_HORIZONS], n;          /* horizons, ascending */
    float delta;                     /* of the Huber loss */
    double scale[MAX_HORIZONS];      /* 1 / (n * valid targets of that horizon in the whole step) */
} Heads;
typedef struct StepSum {             /* device memory; what the host reads once a step */
    double huber[MAX_HORIZONS];      /* sum of element losses per horizon */
    double abs, sq;                  /* sums of |e| and e^2 over all valid (token, horizon, step) */
    double norm2;                    /* of the whole gradient */
    double aux;                      /* mean over routers of E * sum f_e P_e, set by balance */
    int bad_seg;                     /* first segment of the micro-batch whose loss is not finite, numbered from `seg0`, else -1 */
    int seg0;                        /* set by the host before each micro-batch: number of its first segment in the step */
    int applied;                     /* set by adamw: 1 updated, 0 not finite and nothing written */
} StepSum;
typedef struct Flat {                /* parameters, gradients and both moments: equal flat vectors */
    float *p, *g, *m, *v;
    size_t n;
    const Stored *stored;            /* (entries of the plan) what p leaves to a mapped file; NULL: nothing */
} Flat;
typedef struct Range { size_t at, n; } Range;                           /* a run of parameters that is subject to weight decay */
typedef struct AdamW { float lr, beta1, beta2, eps, decay, max_norm; int64_t step; } AdamW;   /* step from 1, for the bias correction; max_norm 0: no clipping */

typedef struct Ops {
#define OP(name, args, call) void (*name) args;
#include "kernels/ops.def"
#undef OP
} Ops;

/* The largest sizes a backend will see: what its scratch memory is made for. */
typedef struct Dims { int tokens, chunks, longest, D, H, Hk, d, E, K, F, Fe, P, S, O, routers, forecast; } Dims;     /* forecast: 1: attention by way of a cache alone */

/* A kind of device: one row per kind, in backend.c. */
typedef struct Device {
    const char *name;                /* "cpu" */
    int     on_host;                 /* its memory is the machine's */
    int    (*fast_bf16)(void);       /* how much faster it multiplies bf16 matrices than fp32 ones: 0 not, 1 up to twice, 2 many times, so that it is the default */
    int    (*count)(void);           /* how many there are, of which this process may use each by its number */
    int    (*open)(Backend *b, int number, Err *e);               /* name, dtype and par are there; fills the rest */
    void   (*close)(Backend *b);
    int    (*sync)(Backend *b, Err *e);
    int    (*alloc)(Backend *b, size_t bytes, void **p, const char *what, Err *e);
    void   (*free)(Backend *b, void *p, size_t bytes);
    void   (*sparse)(void *p, size_t bytes);                      /* NULL: it has no pages to choose */
    void   (*upload)(Backend *b, void *device, const void *host, size_t bytes);
    void   (*download)(Backend *b, void *host, const void *device, size_t bytes);      /* waits for all that was enqueued before */
    void   (*input)(Backend *b, Input *in);                       /* fills in->own, if the device has a use for it */
    size_t (*cache_bytes)(const Backend *b, const KvCache *kv);
    size_t (*scratch_bytes)(const Backend *b, const Dims *d);
    size_t (*input_bytes)(const Dims *d);                         /* of the copies that input() makes */
    int    (*reserve)(Backend *b, const Dims *d, Err *e);         /* what input() needs */
    int64_t (*memory)(const Backend *b);                          /* bytes that it or the machine has */
    int64_t (*unused)(const Backend *b);                          /* those that nobody holds now */
    int64_t (*used)(const Backend *b);                            /* those that this process holds */
    size_t (*copies_bytes)(const Backend *b, size_t dense, size_t all);           /* see backend_copies_bytes(); NULL: it makes none */
    int    (*copies)(Backend *b, const float *p, const Range *r, int n, Err *e);   /* see backend_copies() */
    int    marks;                                                 /* readings of its own clock that it can hold; 0: ops are done when they return */
    void   (*mark)(Backend *b, int i);                            /* enqueues the reading of that clock, i < marks */
    double (*between)(Backend *b, int from, int to);              /* seconds between two readings, after sync() */
    void   (*copy)(Backend *b, void *to, const void *from, size_t bytes);      /* within its memory; NULL: it is the machine's */
    int    (*begin)(Backend *b, const void *owner, Input *in, int n, int longest); /* see backend_begin(); NULL: no pass comes again */
    int    (*end)(Backend *b);
    int64_t (*replays)(const Backend *b);
    int    (*text)(const Backend *b, char *text, size_t size);
} Device;

struct Backend {
    const Device *device;
    const char *name;                /* "cpu", "cuda" */
    const char *tier;                /* what dispatch chose: "ref", "base", "avx2", "avx512"; "cuda" */
    Dtype dtype;                     /* of activations */
    Ops   ops;
    Par  *par;                       /* threads of the host */
    void *own;                       /* of the device */
    void *scratch;                   /* owned; backend_reserve() */
    size_t scratch_size;             /* bytes */
    Watch *watch;                    /* who times the ops at this moment, or NULL; not owned */
};

extern const char *const op_names[];
extern const int nops;

/* device: "cpu", "cuda", "cuda:1", or "auto": a CUDA device if this build and this machine have one, else the CPU.
 * threads 0: what the machine allows. FTS_TIER forces a CPU tier and is refused where the machine lacks it. */
int  backend_open(Backend **b, const char *device, Dtype dtype, int threads, Err *e);
void backend_close(Backend *b);                                         /* NULL is fine */
const Device *backend_device(const char *device, int *number, Err *e);   /* the row that backend_open would take; NULL with the reason why not */
int  backend_sync(Backend *b, Err *e);                                  /* waits for all that was enqueued: the first error since it was opened */
int  backend_alloc(Backend *b, size_t bytes, void **p, const char *what, Err *e);    /* zeroed, 64-byte aligned, huge pages where it helps */
void backend_free(Backend *b, void *p, size_t bytes);
void backend_sparse(Backend *b, void *p, size_t bytes);                 /* most of it will never be touched, so it is better in small pages */
void backend_upload(Backend *b, void *device, const void *host, size_t bytes);
void backend_download(Backend *b, void *host, const void *device, size_t bytes);
int  backend_on_host(const Backend *b);                                 /* 1: ops read memory of the host as it is, a mapped file too */
void backend_input(Backend *b, Input *in);                              /* before the first op of a micro-batch; `in` is then good until the third call from now */
/* A pass that comes again and again with other numbers. Sends its inputs (n), which may lie where those of backend_input() did; then 1: its ops
 * need not be called, what they enqueued an earlier time is under way for these inputs. 0: call them, and again while backend_end() gives 1, because
 * what they enqueued did not count. owner: backend memory that only these passes use; NULL: the pass will not come again. In passes of the same owner
 * whose inputs have the same counts, ops are given the same until backend memory is freed; row numbers may differ, but they lie where they lay, and
 * stay as they are until backend_end(). longest: no segment of in[0] will ever have more tokens, those in the cache included, and scratch memory is made for it. */
int  backend_begin(Backend *b, const void *owner, Input *in, int n, int longest);
int  backend_end(Backend *b);
int64_t backend_replays(const Backend *b);                              /* passes whose ops were not called */
size_t backend_cache_bytes(const Backend *b, const KvCache *kv);        /* what kv->p needs, zeroed or not */
size_t backend_scratch_bytes(const Backend *b, const Dims *d);          /* the maximum over the ops */
size_t backend_input_bytes(const Backend *b, const Dims *d);            /* device memory of the copies that backend_input() makes */
int  backend_reserve(Backend *b, const Dims *d, Err *e);                /* once, before the first op of that size */
int64_t backend_memory(const Backend *b);                               /* bytes: of the device, or what machine and cgroup allow */
int64_t backend_unused(const Backend *b);                               /* of them, those that nobody holds now */
int64_t backend_used(const Backend *b);                                 /* of them, those that this process holds */
/* Matrices among the weights at p, (n) ranges apart from each other: who multiplies in another type may keep copies of them, and makes them anew after an
 * upload to p or a step of adamw. n 0: those of p are freed, fine if there are none. */
int  backend_copies(Backend *b, const float *p, const Range *r, int n, Err *e);
size_t backend_copies_bytes(const Backend *b, size_t dense, size_t all);       /* numbers in the ranges, each rounded up to a multiple of 16: without matrices of experts, and with them. It copies one or the other */
int  backend_text(const Backend *b, char *text, size_t size);           /* "cpu (avx2)": length as snprintf. NULL: of the CPU */

extern const Device cpu_device;

/* Every op has a plain-C body that defines it; a missing one is a link error. */
#define OP(name, args, call) void ref_##name args;
#include "kernels/ops.def"
#undef OP
void base_override(Ops *o, Dtype type);          /* vectorised for the baseline of the architecture; bf16 is widened where it is read, and rounded where it is stored */
void avx2_override(Ops *o, Dtype type);          /* the same source for AVX2 and FMA */
void avx512_override(Ops *o, Dtype type);        /* the same source for AVX-512 F, BW, DQ and VL */
void dot_override(Ops *o, Dtype type);           /* of bf16 runs, what is mostly products, by AVX512-BF16 */
void amx_override(Ops *o, Dtype type);           /* the same source for AMX */
/* Of the bodies of a tier that are in use. */
size_t ref_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
size_t base_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
size_t avx2_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
size_t avx512_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
size_t dot_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);
size_t amx_scratch_bytes(const Dims *d, Dtype type, int threads, const Ops *o);

#endif
