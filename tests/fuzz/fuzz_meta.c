/* fuzz_meta.c - libFuzzer target for meta.json: tools/fuzz.sh 60 meta */
#include "data/bin_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Meta m;
    if (!meta_read(&m, text, n, NULL, &e)) meta_free(&m);
    return 0;
}
