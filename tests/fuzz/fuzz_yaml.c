/* fuzz_yaml.c - libFuzzer target for .yaml files: tools/fuzz.sh 60 yaml */
#include "decode.h"

#include "data/yaml.h"

FUZZ_DECODE(yaml_decode)
