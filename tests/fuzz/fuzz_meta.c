/* fuzz_meta.c - libFuzzer target for meta.json. From the root of the project:
 *     clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc tests/fuzz/fuzz_meta.c src/data/bin_meta.c src/data/numtype.c src/util/{err,str,json,num}.c -lm -o fuzz_meta
 *     ./fuzz_meta tests/corpus/data/meta */
#include "data/bin_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    Err e;
    Meta m;
    if (!meta_read(&m, text, n, &e)) meta_free(&m);
    return 0;
}
