/* decode.h - a libFuzzer target that is one Decode: bytes become series, or an error. */
#ifndef TESTS_FUZZ_DECODE_H
#define TESTS_FUZZ_DECODE_H

#include "data/decoded.h"

#define FUZZ_DECODE(decode) \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n); \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) \
    { \
        Err e; \
        Decoded d = {0}; \
        decode(&d, bytes, n, &e); \
        decoded_free(&d); \
        return 0; \
    }

#endif
