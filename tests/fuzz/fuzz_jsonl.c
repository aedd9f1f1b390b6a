/* fuzz_jsonl.c - libFuzzer target for lines of JSON: tools/fuzz.sh 60 jsonl */
#include "decode.h"

#include "data/jsonl.h"

FUZZ_DECODE(jsonl_decode)
