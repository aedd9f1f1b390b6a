/* test_base.c - a checkpoint of the published size that PyTorch wrote: FTS_BASE names the folder that tools/golden/make_base.py made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/golden.h"
#include "forecast/forecaster.h"
#include "test.h"

static int open_base(Forecaster **f, St *g, St *w, Err *e)
{
    char path[512];
    const char *dir = getenv("FTS_BASE");
    if (!dir) {
        test_skip("FTS_BASE names no folder made by tools/golden/make_base.py");
        return 0;
    }
    snprintf(path, sizeof path, "%s/golden.safetensors", dir);
    if (st_open(g, path, e)) return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    return st_open(w, path, e) || forecaster_open(f, dir, "cpu", F32, 0, e) ? -1 : 1;
}

TEST(forecast_base_is_that_of_pytorch)
{
    static const int horizon[] = {96, 336, 720};
    Forecaster *f;
    St g, w;
    Err e;
    char name[32];
    int there = open_base(&f, &g, &w, &e);
    if (there <= 0) { if (there) test_fail(__FILE__, __LINE__, "%s", e.message); return; }
    size_t bytes = 0;
    for (int i = 0; i < w.n; i++) bytes += w.tensor[i].bytes;
    CHECK(w.n == 463 && config_params(forecaster_config(f)) == 113352192 && bytes == 4 * 113352192u);
    const StTensor *input = st_find(&g, "input");
    float *x = golden_floats(input), got[720];
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "forecast.%d", horizon[k]);
        float *want = golden_floats(st_find(&g, name));
        OK(forecaster_windows(f, &(Window){x, (int)input->shape[0]}, 1, horizon[k], got, &e));
        double far = golden_distance(got, want, (size_t)horizon[k]);
        if (!(far <= 1e-4)) test_fail(__FILE__, __LINE__, "%d points: off by %.1e", horizon[k], far);
        free(want);
    }
    free(x);
    forecaster_close(f);
    st_close(&g);
    st_close(&w);
}
