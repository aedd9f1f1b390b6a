/* sizes.c - what is measured. Rows of the same model measure the ops that depend on the length of a window only once more. */
#include <string.h>

#include "bench.h"

#define SMALL  "--hidden-size 16 --n-decoder-layers 1 --num-experts 2 --n-head 2"
#define SANITY "--hidden-size 64 --n-decoder-layers 2 --num-experts 2 --k 1 --n-head 2"
const Size sizes[] = {
    /* name                 options                   C     batch steps rounds   ops            ragged grows */
    {"smoke",               SMALL,                    32,   2,  2,  {1, 0, 0}, OPS_ALL,       0, {1, 0, 0}},
    {"sanity",              SANITY,                   512,  32, 16, {0, 2, 5}, OPS_ALL,       0, {0, 1, 3}},
    {"base, T = 512",       "--preset base",          512,  8,  2,  {0, 2, 5}, OPS_ALL,       0, {0, 0, 2}},
    {"base, T = 4096",      "--preset base",          4096, 1,  2,  {0, 1, 5}, OPS_ATTENTION, 0, {0, 0, 0}},
    {"base, patches of 32", "--preset base --patch",  4096, 32, 2,  {0, 1, 5}, OPS_ATTENTION, 0, {0, 0, 0}},
    {"large, T = 512",      "--preset large",         512,  4,  2,  {0, 0, 3}, OPS_ALL,       0, {0, 0, 0}},
    {"sanity, short series of up to 4096", SANITY,    4096, 8,  6,  {0, 1, 3}, OPS_NONE,      1, {0, 0, 0}},
};
const int nsizes = (int)(sizeof sizes / sizeof *sizes);

int size_wanted(const Bench *b, const Size *s) { return s->rounds[b->extent] && strstr(s->name, b->only); }

/* "--name value" pairs and "--flag"s. */
static int set_all(const OptSet *set, char *text, Err *e)
{
    char *rest = text, *word = strtok_r(rest, " ", &rest);
    while (word) {
        char *next = strtok_r(NULL, " ", &rest);
        int flag = !next || !strncmp(next, "--", 2);
        if (opt_set(set, 1, word + 2, flag ? NULL : next, e)) return -1;
        word = flag ? next : strtok_r(NULL, " ", &rest);
    }
    return 0;
}

int size_config(const Size *s, ModelConfig *c, Err *e)
{
    ModelOpts o = {0};
    OptSet set = {model_opts, nmodel_opts, &o};
    char text[256];
    memcpy(text, s->options, strlen(s->options) + 1);
    int bad = opt_defaults(&set, 1, e) || set_all(&set, text, e) || config_from_opts(c, &o, e) ? -1 : 0;
    opt_free(&set, 1);
    return bad;
}
