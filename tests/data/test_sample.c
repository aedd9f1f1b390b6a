#include <math.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/loader.h"
#include "util/file.h"

#define SAMPLE "../shared/data/time300b_selected"
static int absent(void)
{
    if (path_is_dir(SAMPLE)) return 0;
    test_skip("needs ../shared/data");
    return 1;
}

TEST(sample_has_its_windows)
{
    static const struct { int64_t C, min_points, windows, too_short; } row[] = {{512, 2, 7842, 0}, {4096, 2, 5680, 0}, {512, 33, 7842 - 166, 166}};
    Err e = {0};
    if (absent()) return;
    for (int i = 0; i < 3; i++) {
        DataOpts o = data_settings(row[i].C, row[i].C);
        Dataset *d;
        OK(open_at(&d, SAMPLE, &o, row[i].min_points, &e));
        CHECK(dataset_sources(d) == 12 && dataset_series(d) == 5581 && dataset_points(d) == 2289795);
        if (dataset_windows(d) != row[i].windows || dataset_short(d) != row[i].too_short)
            test_fail(__FILE__, __LINE__, "C %d: %lld windows, %lld too short", (int)row[i].C, (long long)dataset_windows(d), (long long)dataset_short(d));
        dataset_close(d);
    }
}

TEST(sample_every_point_is_delivered_once_a_pass)
{
    Err e = {0};
    Dataset *d;
    Order *o;
    Loader *l;
    const Batch *b;
    DataOpts opts = data_settings(512, 512);
    int64_t windows = 0;
    if (absent()) return;
    OptList paths = one_path(SAMPLE);
    OK(dataset_open(&d, &paths, SAMPLE "/finance", &opts, 2, NULL, &e));
    CHECK(dataset_excluded(d) == 3 && dataset_sources(d) == 9);
    OK(order_open(&o, d, 0.01, 42, &e));
    Stream s = {STREAM_TRAIN, d, o, 42, 256, 0};
    OK(loader_open(&l, &s, 0, 2, 2, &e));
    while (windows < order_train_count(o)) {
        OK(loader_next(l, &b, &e));
        windows += b->windows;
        for (int64_t i = 0; i < b->npoints; i++) CHECK(isfinite(b->points[i]));
    }
    CHECK(windows == order_train_count(o));
    loader_close(l);
    order_close(o);
    dataset_close(d);
}
