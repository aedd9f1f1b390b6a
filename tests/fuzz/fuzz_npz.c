/* fuzz_npz.c - libFuzzer target for .npz files: tools/fuzz.sh 60 npz */
#include "decode.h"

#include "data/npz.h"

FUZZ_DECODE(npz_decode)
