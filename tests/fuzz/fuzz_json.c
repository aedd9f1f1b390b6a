/* fuzz_json.c - libFuzzer target for arrays of JSON: tools/fuzz.sh 60 json */
#include "decode.h"

#include "data/jsonl.h"

FUZZ_DECODE(json_decode)
