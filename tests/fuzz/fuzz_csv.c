/* fuzz_csv.c - libFuzzer target for .csv files: tools/fuzz.sh 60 csv */
#include "data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    csv_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
