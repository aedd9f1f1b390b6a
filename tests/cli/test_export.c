#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "model/safetensors.h"
#include "util/num.h"

static int trained(char *dir, size_t size, const char *more)
{
    snprintf(dir, size, "%s/run", test_folder());
    return cli("$P train --dataset-path %s --checkpoint-dir %s --steps-per-epoch 2 --val-split 0 --no-tensorboard " CLI_SMALL " %s", cli_data(), dir, more)->status;
}

/* Every number of `whole`, rounded to bf16, is what `half` has. */
static int is_rounded(const St *whole, const St *half)
{
    for (int i = 0; i < whole->n; i++) {
        const StTensor *a = &whole->tensor[i], *b = st_find(half, a->name);
        Err e;
        if (!b || strcmp(b->dtype, "BF16") || b->bytes * 2 != a->bytes) return 0;
        size_t n = b->bytes / 2;
        float *x = malloc(a->bytes), *y = malloc(a->bytes);
        int same = !st_floats(a, x, &e) && !st_floats(b, y, &e);
        for (size_t k = 0; k < n; k++) same &= y[k] == bf16_round(x[k]);
        free(x);
        free(y);
        if (!same) return 0;
    }
    return whole->n == half->n;
}

TEST(cli_export_of_the_latest_checkpoint_of_a_run)
{
    char dir[512], path[640];
    St whole, half;
    Err e;
    if (!cli_program()) return;
    CHECK(!trained(dir, sizeof dir, ""));
    const Said *s = cli("$P export %s %s/out && ls %s/out && cmp %s/latest/model.safetensors %s/out/model.safetensors && cmp %s/latest/config.json %s/out/config.json", dir, dir, dir, dir, dir, dir, dir);
    CHECK(s->status == 0 && !*s->err && cli_line(s->out, ".*/out: [0-9]+ parameters of .*/latest as float32"));
    CHECK(cli_line(s->out, "config.json") && cli_line(s->out, "model.safetensors"));
    CHECK(cli("$P export %s/latest %s/half --dtype bfloat16 && grep -q '\"torch_dtype\": \"bfloat16\"' %s/half/config.json", dir, dir, dir)->status == 0);
    snprintf(path, sizeof path, "%s/out/model.safetensors", dir);
    OK(st_open(&whole, path, &e));
    snprintf(path, sizeof path, "%s/half/model.safetensors", dir);
    OK(st_open(&half, path, &e));
    CHECK(whole.n > 10 && is_rounded(&whole, &half));
    st_close(&whole);
    st_close(&half);
}

TEST(cli_export_says_what_others_cannot_read_and_replaces_nothing)
{
    char dir[512], want[640];
    if (!cli_program()) return;
    CHECK(!trained(dir, sizeof dir, "--patch --patch-len 4 --patch-stride 4"));
    const Said *s = cli("$P export %s %s/out", dir, dir);
    CHECK(s->status == 0 && !strcmp(s->err, "foundationts: this model has patch tokens: only this program can read it\n"));
    snprintf(want, sizeof want, "foundationts: %s/out: the folder is not empty", dir);
    CHECK(cli_fails(cli("$P export %s %s/out", dir, dir), 1, want));
    snprintf(want, sizeof want, "foundationts: %s: no model in this folder: neither config.json nor a checkpoint called latest", cli_data());
    CHECK(cli_fails(cli("$P export %s %s/other", cli_data(), dir), 1, want));
}
