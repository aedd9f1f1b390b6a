/* fuzz_jsonl.c - libFuzzer target for lines of JSON. From the root of the project:
 *     clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc tests/fuzz/fuzz_jsonl.c src/data/{source_jsonl,formats,source_bin,bin_meta,numtype}.c src/util/{err,str,json,num,file}.c -lm -o fuzz_jsonl
 *     ./fuzz_jsonl tests/corpus/data/jsonl */
#include "data/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Decoded d;
    if (!jsonl_decode(&d, text, n, &e)) decoded_free(&d);
    return 0;
}
