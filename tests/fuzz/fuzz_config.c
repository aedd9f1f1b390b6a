/* fuzz_config.c - libFuzzer target for a model's config.json, and for the sizes that follow from it: tools/fuzz.sh 60 config */
#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    ModelConfig c;
    Err e;
    if (config_parse(&c, text, n, &e)) return 0;
    return config_params(&c) < 0 || config_active(&c) < 0 || config_outputs(&c) < 0 || config_routers(&c) < 0 ? __builtin_trap(), 0 : 0;
}
