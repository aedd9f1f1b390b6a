/* fuzz_npy.c - libFuzzer target for .npy files: tools/fuzz.sh 60 npy */
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    npy_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
