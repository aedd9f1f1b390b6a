/* fuzz_jsonl.c - libFuzzer target for lines of JSON: tools/fuzz.sh 60 jsonl */
#include "data/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    jsonl_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
