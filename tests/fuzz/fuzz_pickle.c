/* fuzz_pickle.c - libFuzzer target for .pkl files: tools/fuzz.sh 60 pickle */
#include "data/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Err e;
    size_t used;
    Decoded d = {0};
    pickle_decode(&d, bytes, n, &e);
    decoded_free(&d);
    if (!pickle_decode_one(&d, bytes, n, &used, &e) && used > n) __builtin_trap();
    decoded_free(&d);
    return 0;
}
