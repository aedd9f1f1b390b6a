/* fuzz_json.c - libFuzzer target for arrays of JSON: tools/fuzz.sh 60 json */
#include "data/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d = {0};
    json_decode(&d, text, n, &e);
    decoded_free(&d);
    return 0;
}
