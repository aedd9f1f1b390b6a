/* fuzz_tsf.c - libFuzzer target for .tsf files: tools/fuzz.sh 60 tsf */
#include "data/tsf.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    tsf_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
