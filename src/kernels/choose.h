/* choose.h - which experts a token gets: the same rule for host and device. */
#ifndef KERNELS_CHOOSE_H
#define KERNELS_CHOOSE_H

/* The K largest, best first; of equal ones the first. NaN is never larger, so some expert is always chosen. */
#ifdef __CUDACC__
__host__ __device__
#endif
static inline void choose(int *expert, const float *prob, int E, int K)
{
    for (int k = 0; k < K; k++) {
        int best = -1;
        for (int e = 0; e < E; e++) {
            int used = 0;
            for (int i = 0; i < k; i++) used |= expert[i] == e;
            if (!used && (best < 0 || prob[e] > prob[best])) best = e;
        }
        expert[k] = best;
    }
}

#endif
