/* fuzz_npy.c - libFuzzer target for .npy files: tools/fuzz.sh 60 npy */
#include "decode.h"

#include "data/npy.h"

FUZZ_DECODE(npy_decode)
