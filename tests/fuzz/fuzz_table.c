/* fuzz_table.c - libFuzzer target for tables of text: tools/fuzz.sh 60 table */
#include <stdlib.h>

#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Err e;
    int64_t series;
    if (read_table(bytes, n, &series, &e)) abort();
    return 0;
}
