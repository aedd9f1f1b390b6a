/* fuzz_tsf.c - libFuzzer target for .tsf files: tools/fuzz.sh 60 tsf */
#include "decode.h"

#include "data/tsf.h"

FUZZ_DECODE(tsf_decode)
