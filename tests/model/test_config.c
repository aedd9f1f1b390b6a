/* test_config.c - config.json as others write it: what is read, and what is said of the rest. */
#include <stdio.h>
#include <string.h>

#include "model/config.h"
#include "test.h"
#include "util/file.h"

#define FOLDER "tests/corpus/config"

TEST(config_files_are_read_or_refused_in_one_line)
{
    static const struct { const char *name, *says; int64_t params; } file[] = {
        {"bad_act", "line 1, column 117: \"hidden_act\" is \"gelu\": only \"silu\" is supported", 0},
        {"bad_array", "line 1, column 1: found '[', expected an object", 0},
        {"bad_cut", "\"num_experts\": line 1, column 112: the text ends, expected a whole number", 0},
        {"bad_heads", "hidden size 64 is not divisible by 3 heads", 0},
        {"bad_horizons", "horizon 1 is out of order or out of range: horizons ascend from 1 to 4096", 0},
        {"bad_huge", "line 1, column 27: \"hidden_size\" is 2000000000, outside 1..268435456", 0},
        {"bad_input", "line 1, column 112: \"input_size\" is 7: only 1 is supported", 0},
        {"bad_layers", "line 1, column 78: \"num_hidden_layers\" is 2000000000, outside 1..268435456", 0},
        {"bad_missing", "\"intermediate_size\" is missing", 0},
        {"bad_negative", "line 1, column 20: \"hidden_size\" is -64, outside 1..268435456", 0},
        {"bad_number", "line 1, column 111: found '\"', expected a number", 0},
        {"bad_type", "line 1, column 118: \"model_type\" is \"llama\": only \"time_moe\" is supported", 0},
        {"ok_dense", NULL, 130304}, {"ok_least", NULL, 532992}, {"ok_patch", NULL, 824960}, {"ok_published", NULL, 113352192},
    };
    Names names;
    Err e;
    if (!path_is_dir(FOLDER)) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, FOLDER, &e));
    CHECK(names.n == sizeof file / sizeof *file);
    for (int i = 0; i < names.n; i++) {
        char path[256], want[512];
        ModelConfig c;
        snprintf(path, sizeof path, FOLDER "/%s.json", file[i].name);
        snprintf(want, sizeof want, "%s: %s", path, file[i].says ? file[i].says : "");
        if (file[i].says) {
            CHECK(config_read(&c, path, &e) == -1 && e.code == FTS_FORMAT);
            TEXT(e.message, want);
        } else {
            OK(config_read(&c, path, &e));
            CHECK(config_params(&c) == file[i].params);
        }
    }
    names_free(&names);
}

/* Cut anywhere, it is refused: only white space may be missing at the end. */
TEST(config_cut_short)
{
    Map m;
    Err e;
    ModelConfig c;
    OK(map_open(&m, FOLDER "/ok_published.json", &e));
    size_t n = m.n;
    while (n && m.p[n - 1] != '}') n--;
    for (size_t i = 0; i < n; i++) CHECK(config_parse(&c, m.p, i, &e) == -1 && e.code == FTS_FORMAT);
    OK(config_parse(&c, m.p, n, &e));
    CHECK(c.aux_weight == 0.02 && c.max_positions == 4096 && c.Fe == 768);
    map_close(&m);
}
