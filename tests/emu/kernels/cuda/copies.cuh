/* copies.cuh - in the place of src/kernels/cuda/copies.cuh for the emulator.
 *
 * What goes on while a thread does other things happens as early as it may when threads go upwards, and as late as it may when they go downwards:
 * what is read too early, or overwritten too early, shows in one of the two. */
#ifndef KERNELS_CUDA_COPIES_CUH
#define KERNELS_CUDA_COPIES_CUH

#include <cuda_runtime.h>

#include "kernels/cuda/ptx.cuh"

namespace fts_cuda {

static inline unsigned shared_address(const void *p) { return unsigned(static_cast<const char *>(p) - emu::shared); }

struct EmuCopy { void *to; const void *from; int size, bytes, group; };
template <class T, int MOST> struct EmuQueue { T item[MOST]; int n, groups; };
inline EmuQueue<EmuCopy, 128> emu_copies[256];

static inline void emu_do(const EmuCopy &c)
{
    memset(c.to, 0, size_t(c.size));
    if (c.bytes) memcpy(c.to, c.from, size_t(c.bytes));
}

/* All of groups before the last LEFT; what is left moves to the front. */
template <class T, int MOST> static inline void emu_wait(EmuQueue<T, MOST> &q, int left)
{
    int kept = 0;
    for (int i = 0; i < q.n; i++)
        if (q.item[i].group < q.groups - left) emu_do(q.item[i]);
        else q.item[kept++] = q.item[i];
    q.n = kept;
}
template <class T, int MOST> static inline void emu_start(EmuQueue<T, MOST> &q, T x)
{
    x.group = q.groups;
    if (!emu::late()) emu_do(x);
    else if (q.n == MOST) abort();
    else q.item[q.n++] = x;
}

static inline void emu_copy(void *to, const void *from, int size, int bytes)
{
    if (reinterpret_cast<uintptr_t>(to) % uintptr_t(size) || reinterpret_cast<uintptr_t>(from) % uintptr_t(size)) abort();
    memset(to, 0xff, size_t(size));
    emu_start(emu_copies[threadIdx.x], EmuCopy{to, from, size, bytes, 0});
}
static inline void copy_16(void *to, const void *from, int bytes) { emu_copy(to, from, 16, bytes); }
static inline void copy_4(void *to, const void *from, int bytes) { emu_copy(to, from, 4, bytes); }
static inline void copies_end() { emu_copies[threadIdx.x].groups++; }
inline bool emu_unseen[256];             /* what this thread copied is not yet what products see */
template <int LEFT> static inline void copies_wait()
{
    emu_wait(emu_copies[threadIdx.x], LEFT);
    emu_unseen[threadIdx.x] = true;
}

inline int emu_ldmatrix_count;           /* by threads, for tests */

/* Rows are read at once by who needs them: each lane says where its own is, and looks where those of others are. */
static inline void emu_matrices(unsigned (&x)[4], const void *row, int turned)
{
    unsigned mine[2];
    const unsigned short *from;
    emu_ldmatrix_count++;
    if (shared_address(row) % 16) abort();
    memcpy(mine, &row, sizeof row);
    const unsigned *all = emu::exchange(mine, 2);
    for (int i = 0; i < 4; i++) {
        unsigned short half[2];
        for (int e = 0; e < 2; e++) {
            int g = emu::lane() / 4, c = 2 * (emu::lane() % 4) + e;
            memcpy(&from, all + 8 * (8 * i + (turned ? c : g)), sizeof from);
            half[e] = from[turned ? g : c];
        }
        x[i] = unsigned(half[0]) | unsigned(half[1]) << 16;
    }
    __syncwarp();
}
static inline void load_matrices(unsigned (&x)[4], const void *row) { emu_matrices(x, row, 0); }
static inline void load_matrices_turned(unsigned (&x)[4], const void *row) { emu_matrices(x, row, 1); }

static inline float quick_exp2(float x) { return exp2f(x); }

}

#endif
