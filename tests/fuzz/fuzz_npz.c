/* fuzz_npz.c - libFuzzer target for .npz files: tools/fuzz.sh 60 npz */
#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    npz_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
