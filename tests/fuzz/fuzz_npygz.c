/* fuzz_npygz.c - libFuzzer target for .npy.gz files: tools/fuzz.sh 60 npygz */
#include "decode.h"

#include "data/npy.h"

FUZZ_DECODE(npygz_decode)
