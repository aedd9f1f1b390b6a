/* fuzz_csv.c - libFuzzer target for .csv files: tools/fuzz.sh 60 csv */
#include "decode.h"

#include "data/csv.h"

FUZZ_DECODE(csv_decode)
