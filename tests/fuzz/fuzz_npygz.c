/* fuzz_npygz.c - libFuzzer target for .npy.gz files: tools/fuzz.sh 60 npygz */
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    npygz_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
