/* fuzz_arrow.c - libFuzzer target for Arrow's files and streams, every series read, and for state.json: tools/fuzz.sh 60 arrow */
#include "data/arrow.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static double total;                     /* so that no read is left out */

static void read_all(const Arrow *a)
{
    enum { BLOCK = 64 };
    double x[BLOCK];
    for (int64_t i = 0; i < (a->column.levels ? a->count : 1); i++) {
        int64_t length = a->column.levels ? a->length[i] : a->points;
        for (int64_t at = 0; at < length; at += BLOCK) {
            int64_t m = length - at < BLOCK ? length - at : BLOCK;
            arrow_read(a, i, at, m, x);
            for (int64_t k = 0; k < m; k++) total += x[k];
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Err e;
    Arrow a = {0};
    Names shards = {0};
    if (n && *bytes == '{') arrow_state(&shards, bytes, n, &e);
    else if (!arrow_add(&a, bytes, n, &e) && !arrow_add(&a, bytes, n, &e)) read_all(&a);       /* twice: as two shards */
    names_free(&shards);
    arrow_free(&a);
    return 0;
}
