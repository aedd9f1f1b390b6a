/* fuzz_index.c - libFuzzer target for the index of a Time-300B folder: tools/fuzz.sh 60 index */
#include <stdlib.h>
#include <string.h>

#include "data/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Index x;
    Meta m;
    Affine a;
    unsigned char *p = malloc(n + !n);              /* aligned, and its end watched */
    if (!p) return 0;
    memcpy(p, bytes, n);
    if (!index_parse(&x, &m, p, n)) {
        x.map = (Map){p, n};
        for (int k = 0; k < INDEX_SCALINGS; k++)
            for (int64_t i = 0; i < x.count; i++) index_known(&x, k, i, &a);
        meta_free(&m);
    }
    free(p);
    return 0;
}
