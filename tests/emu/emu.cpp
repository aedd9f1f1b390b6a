/* emu.cpp - see cuda_runtime.h */
#include <cuda_runtime.h>

#include <cstdio>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

#if defined __SANITIZE_ADDRESS__
static void *scheduler_fake;
static const void *scheduler_stack;
static size_t scheduler_size;
#endif
enum State { READY, AT_WARP, AT_BLOCK, DONE };
enum { MOST = 1024, STACK = 256 << 10 };
struct Fiber { void *sp; char *stack; State state; int parity; void *fake; };

Now now;
alignas(1024) char shared[SHARED];
static Fiber fiber[MOST];
static void *scheduler;
static int current, nfibers, descending;
static unsigned slot[MOST / 32][2][32][8];
static Body *the_body;
static void *the_job;

/* Saves what a call must keep, changes the stack, and returns there. */
#if defined __x86_64__
extern "C" void emu_switch(void **from, void *to);
asm(".text\n.globl emu_switch\nemu_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
enum { SAVED = 6 };
static void *fresh(char *top, void (*entry)())
{
    void **sp = reinterpret_cast<void **>(top) - 2;          /* as after a call: 8 off a multiple of 16 */
    *sp = reinterpret_cast<void *>(entry);
    sp -= SAVED;
    memset(sp, 0, SAVED * sizeof *sp);
    return sp;
}
#elif defined __aarch64__
extern "C" void emu_switch(void **from, void *to);
asm(".text\n.globl emu_switch\nemu_switch:\n"
    "sub sp, sp, #176\n"
    "stp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\nstp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
    "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\nstp d14, d15, [sp, #144]\n"
    "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
    "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\nldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
    "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\nldp d14, d15, [sp, #144]\n"
    "add sp, sp, #176\nret\n");
static void *fresh(char *top, void (*entry)())
{
    void **sp = reinterpret_cast<void **>(top) - 22;
    memset(sp, 0, 22 * sizeof *sp);
    sp[11] = reinterpret_cast<void *>(entry);
    return sp;
}
#else
#error the emulator of CUDA kernels knows x86-64 and ARM64: build the tests with EMU=no
#endif

static void to_fiber(int i)
{
    current = i;
    now.thread = dim3(unsigned(i) % now.threads.x, unsigned(i) / now.threads.x % now.threads.y, unsigned(i) / (now.threads.x * now.threads.y));
#if defined __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&scheduler_fake, fiber[i].stack, STACK);
#endif
    emu_switch(&scheduler, fiber[i].sp);
#if defined __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

static void to_scheduler(State why)
{
    Fiber *f = &fiber[current];
    f->state = why;
#if defined __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(why == DONE ? nullptr : &f->fake, scheduler_stack, scheduler_size);
#endif
    emu_switch(&f->sp, scheduler);
#if defined __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(f->fake, &scheduler_stack, &scheduler_size);
#endif
}

static void entry()
{
#if defined __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    the_body(the_job);
    to_scheduler(DONE);
}

void block_wait() { to_scheduler(AT_BLOCK); }
int lane() { return current % 32; }
bool late() { return descending != 0; }

/* A lane may be one exchange ahead of another, never two: it would have to pass a wait of the whole warp. */
const unsigned *exchange(const unsigned *mine, int n)
{
    Fiber *f = &fiber[current];
    int parity = f->parity ^= 1, w = current / 32;
    memcpy(slot[w][parity][current % 32], mine, size_t(n) * sizeof *mine);
    to_scheduler(AT_WARP);
    return slot[w][parity][0];
}

[[noreturn]] static void stuck(const char *where)
{
    fprintf(stderr, "emulator: block (%u,%u,%u): not all threads of a %s reach the same wait\n", now.block.x, now.block.y, now.block.z, where);
    abort();
}

static int count(int from, int to, State s)
{
    int n = 0;
    for (int i = from; i < to; i++) n += fiber[i].state == s;
    return n;
}

/* Until each of its threads waits for the block or is done. */
static void run_warp(int from, int to)
{
    for (;;) {
        for (int k = from; k < to; k++) {
            int i = descending ? to - 1 - (k - from) : k;
            if (fiber[i].state == READY) to_fiber(i);
        }
        int waiting = count(from, to, AT_WARP);
        if (!waiting) return;
        if (waiting != to - from) stuck("warp");
        for (int i = from; i < to; i++) fiber[i].state = READY;
    }
}

static void run_block(size_t bytes)
{
    memset(shared + SHARED_FROM, 0xff, bytes);
    for (int i = 0; i < nfibers; i++) {
        fiber[i].sp = fresh(fiber[i].stack + STACK, entry);
        fiber[i].state = READY;
        fiber[i].parity = 0;
    }
    for (;;) {
        for (int k = 0; k < nfibers; k += 32) {
            int from = descending ? nfibers - 32 - k : k;
            run_warp(from, from + 32);
        }
        int waiting = count(0, nfibers, AT_BLOCK);
        if (!waiting) return;
        if (waiting != nfibers) stuck("block");
        for (int i = 0; i < nfibers; i++) fiber[i].state = READY;
    }
}

void run(dim3 grid, dim3 block, size_t bytes, Body *body, void *job)
{
    nfibers = int(block.x * block.y * block.z);
    if (nfibers % 32 || nfibers > MOST || grid.y > 65535 || grid.z > 65535) stuck("launch: blocks are of whole warps, grids of at most 65,535 in y and z");
    if (bytes > emu_shared_memory) stuck("launch: there is less shared memory");
#if defined __SANITIZE_ADDRESS__
    ASAN_UNPOISON_MEMORY_REGION(shared, SHARED);
    ASAN_POISON_MEMORY_REGION(shared + SHARED_FROM + bytes, SHARED - SHARED_FROM - bytes);
#endif
    for (int i = 0; i < nfibers; i++)
        if (!fiber[i].stack) fiber[i].stack = static_cast<char *>(malloc(STACK));
    the_body = body;
    the_job = job;
    now.grid = grid;
    now.threads = block;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                now.block = dim3(x, y, z);
                run_block(bytes);
            }
}

void *device_alloc(size_t bytes)
{
    void *p;
    if (posix_memalign(&p, 256, bytes ? bytes : 1)) return nullptr;
    return memset(p, 0xa5, bytes);
}

}

extern "C" { size_t emu_shared_memory = 227 << 10; }
extern "C" void emu_order(int d) { emu::descending = d; }

#include "kernels/cuda/pipe.cuh"
extern "C" int emu_products(int wide) { return fts_cuda::emu_wgmma_count[wide]; }
extern "C" int emu_pipe_width(size_t wide, size_t narrow, size_t processors) { return fts_cuda::pipe_width(wide, narrow, processors); }
extern "C" int emu_matrices_read() { return fts_cuda::emu_ldmatrix_count; }

/* Graphs. One thread calls, so that one stream is captured at most. */
struct alignas(16) Node { Node *next; emu::Body *work; };    /* what it works on lies behind it */
struct CUgraph_st { Node *first, **end; };
static cudaStream_t capturing;
int emu_graph_fails;

int emu_spoil()
{
    if (capturing) capturing->spoilt = 1;
    return capturing != nullptr;
}

namespace emu {

static cudaGraph_t graph_new()
{
    cudaGraph_t g = static_cast<cudaGraph_t>(calloc(1, sizeof *g));
    if (!g) abort();
    g->end = &g->first;
    return g;
}

void write_down(Body *work, const void *job, size_t bytes)
{
    Node *n = static_cast<Node *>(malloc(sizeof *n + bytes));
    if (!n) abort();
    *n = Node{nullptr, work};
    memcpy(n + 1, job, bytes);
    *capturing->captured->end = n;
    capturing->captured->end = &n->next;
}

cudaError_t capture_begin(cudaStream_t s)
{
    if (emu_graph_fails == 1 || emu_spoil()) return cudaErrorStreamCaptureUnsupported;
    s->captured = graph_new();
    capturing = s;
    return cudaSuccess;
}

cudaError_t capture_end(cudaStream_t s, cudaGraph_t *g)
{
    int bad = s->spoilt || emu_graph_fails == 2;
    *g = s->captured;
    s->captured = nullptr;
    capturing = nullptr;
    s->spoilt = 0;
    if (!bad) return cudaSuccess;
    graph_free(*g);
    *g = nullptr;
    return cudaErrorStreamCaptureInvalidated;
}

cudaError_t graph_make(cudaGraphExec_t *run, cudaGraph_t g)
{
    if (emu_graph_fails == 3 || emu_spoil()) return cudaErrorMemoryAllocation;
    *run = graph_new();
    (*run)->first = g->first;
    g->first = nullptr;
    return cudaSuccess;
}

cudaError_t graph_start(cudaGraphExec_t run)
{
    if (emu_graph_fails == 4 || emu_spoil()) return cudaErrorNotSupported;
    for (Node *n = run->first; n; n = n->next) n->work(n + 1);
    return cudaSuccess;
}

cudaError_t graph_free(cudaGraph_t g)
{
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    free(g);
    return cudaSuccess;
}

}

/* cuda_runtime_api.h: the workspace of a library, which costs time to fill and hardly any of it is used. */
extern "C" {
cudaError_t emu_malloc(void **p, size_t n);
cudaError_t emu_free(void *p);
cudaError_t emu_malloc(void **p, size_t n) { return posix_memalign(p, 256, n) ? cudaErrorMemoryAllocation : cudaSuccess; }
cudaError_t emu_free(void *p) { return cudaFree(p); }
}

/* For what is written in C. */
extern "C" {
long long emu_busy;
int emu_recorded;
void *emu_stream_open(void);
void emu_stream_close(void *stream);
void emu_enqueue(void *stream, emu::Body *work, void *job, size_t bytes);        /* job: (bytes), what work is given when its turn comes */
void *emu_stream_open(void)
{
    cudaStream_t s;
    if (cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) != cudaSuccess) abort();
    return s;
}
void emu_stream_close(void *s) { (void)cudaStreamDestroy(static_cast<cudaStream_t>(s)); }
void emu_enqueue(void *stream, emu::Body *work, void *job, size_t bytes)
{
    if (static_cast<cudaStream_t>(stream)->captured) emu::write_down(work, job, bytes);
    else work(job);
}
}
