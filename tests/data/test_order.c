#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/order.h"

/* How often each window is met in validation and in one pass. */
static int count(const Order *o, int64_t windows, int64_t pass, unsigned char *val, unsigned char *train)
{
    memset(val, 0, (size_t)windows);
    memset(train, 0, (size_t)windows);
    for (int64_t i = 0; i < order_val_count(o); i++) {
        int64_t w = order_val(o, i);
        if (w < 0 || w >= windows || val[w]++) return -1;
    }
    for (int64_t i = 0; i < order_train_count(o); i++) {
        int64_t w = order_train(o, pass, i);
        if (w < 0 || w >= windows || train[w]++) return -1;
    }
    return 0;
}

TEST(order_split_and_passes_are_partitions)
{
    static const struct { int64_t length, windows; double split; int64_t val; } row[] = {
        {2, 1, 0.5, 0}, {17, 2, 0.01, 1}, {17, 2, 0.9, 1}, {25, 3, 0, 0}, {801, 100, 0.01, 1}, {801, 100, 0.29, 28}, {8001, 1000, 0.1, 100}, {8001, 1000, 0.9, 900},
    };
    static unsigned char val[1000], train[1000], again[1000];
    Err e = {0};
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        Dataset *d;
        Order *o;
        DataOpts opts = data_settings(8, 8);
        OK(open_at(&d, put_ramps(test_folder(), "a", &row[r].length, 1), &opts, 2, &e));
        CHECK(dataset_windows(d) == row[r].windows);
        OK(order_open(&o, d, row[r].split, 7, &e));
        CHECK(order_val_count(o) == row[r].val && order_train_count(o) == row[r].windows - row[r].val);
        for (int pass = 0; pass < 3; pass++) {
            CHECK(!count(o, row[r].windows, pass, pass ? again : val, train));
            CHECK(!pass || !memcmp(val, again, (size_t)row[r].windows));
            for (int64_t w = 0; w < row[r].windows; w++) CHECK(val[w] + train[w] == 1);
        }
        order_close(o);
        dataset_close(d);
    }
}

TEST(order_passes_and_seeds_differ)
{
    static const int64_t length = 8001;
    Err e = {0};
    Dataset *d;
    Order *a, *b;
    DataOpts opts = data_settings(8, 8);
    int same_pass = 0, same_seed = 0, same_val = 0;
    OK(open_at(&d, put_ramps(test_folder(), "a", &length, 1), &opts, 2, &e));
    OK(order_open(&a, d, 0.1, 7, &e));
    OK(order_open(&b, d, 0.1, 8, &e));
    for (int64_t i = 0; i < 900; i++) {
        same_pass += order_train(a, 0, i) == order_train(a, 1, i);
        same_seed += order_train(a, 0, i) == order_train(b, 0, i);
        same_val += i < 100 && order_val(a, i) == order_val(b, i);
    }
    CHECK(same_pass < 20 && same_seed < 20 && same_val < 10);
    order_close(a);
    order_close(b);
    dataset_close(d);
}

/* No point of a validation window lies in a training window. */
static int share_no_point(const Dataset *d, const Order *o)
{
    int64_t n = dataset_points(d), C1 = dataset_window_points(d), at = 0, first, bad = 0;
    unsigned char *used = calloc((size_t)n + 1, 1), *val = calloc((size_t)dataset_windows(d) + 1, 1), *train = calloc((size_t)dataset_windows(d) + 1, 1);
    if (!used || !val || !train || count(o, dataset_windows(d), 3, val, train)) bad = 1;
    for (int64_t i = 0; !bad && i < dataset_series(d); i++) {
        int64_t windows = dataset_series_windows(d, i, &first), length = dataset_source(d, 0)->length[i];
        for (int64_t k = 0; k < windows; k++)
            for (int64_t p = 0; p < C1 && k * dataset_stride(d) + p < length; p++)
                used[at + k * dataset_stride(d) + p] |= (unsigned char)(val[first + k] | train[first + k] << 1);
        at += length;
    }
    for (int64_t p = 0; p < n; p++) bad |= used[p] == 3;
    free(used);
    free(val);
    free(train);
    return !bad;
}

TEST(order_overlapping_windows_are_split_by_series)
{
    static const int64_t length[] = {100, 1, 57, 300, 9, 10, 0, 44, 200, 31};
    Err e = {0};
    for (int seed = 0; seed < 20; seed++)
        for (int split = 0; split < 4; split++) {
            Dataset *d;
            Order *o;
            DataOpts opts = data_settings(8, 3);
            const double part[] = {0.01, 0.1, 0.5, 0.9};
            int64_t held = 0, first;
            OK(open_at(&d, put_ramps(test_folder(), "a", length, 10), &opts, 2, &e));
            OK(order_open(&o, d, part[split], (uint64_t)seed, &e));
            int64_t want = (int64_t)(part[split] * (double)dataset_windows(d));
            CHECK(order_val_count(o) + order_train_count(o) == dataset_windows(d));
            CHECK(order_val_count(o) >= (want < 1 ? 1 : want) || order_train_count(o) <= 98);      /* or only one series is left */
            for (int64_t i = 0; i < 10; i++)
                if (dataset_series_windows(d, i, &first) == order_train_count(o)) held = 1;
            CHECK(order_val_count(o) >= want || held);
            CHECK(share_no_point(d, o));
            order_close(o);
            dataset_close(d);
        }
}

TEST(order_one_series_is_split_at_its_end)
{
    static const int64_t length[] = {0, 100, 1};
    Err e = {0};
    Dataset *d;
    Order *o;
    for (int64_t stride = 1; stride < 8; stride++) {
        DataOpts opts = data_settings(8, stride);
        OK(open_at(&d, put_ramps(test_folder(), "a", length, 3), &opts, 2, &e));
        OK(order_open(&o, d, 0.2, 5, &e));
        int64_t W = dataset_windows(d), V = W / 5;
        CHECK(order_val_count(o) == V && order_train_count(o) == W - V - 8 / stride);
        CHECK(share_no_point(d, o));
        for (int64_t i = 0; i < V; i++) CHECK(order_val(o, i) >= W - V);
        order_close(o);
        dataset_close(d);
    }
    DataOpts opts = data_settings(80, 10);
    OK(open_at(&d, put_ramps(test_folder(), "a", length, 3), &opts, 2, &e));
    CHECK(order_open(&o, d, 0.2, 5, &e) == -1 && e.code == FTS_USAGE && !o);
    TEXT(e.message, "every window overlaps the 1 that validate: use --val-split 0 or a larger --seq-stride");
    dataset_close(d);
}

TEST(order_streams_count_their_steps)
{
    static const int64_t length = 8 * 23 + 1;
    Err e = {0};
    Dataset *d;
    Order *o;
    DataOpts opts = data_settings(8, 8);
    OK(open_at(&d, put_ramps(test_folder(), "a", &length, 1), &opts, 2, &e));
    OK(order_open(&o, d, 0.15, 5, &e));                             /* 3 validate, 20 train */
    Stream train = {STREAM_TRAIN, d, o, 5, 8, 1}, val = {STREAM_VAL, d, o, 5, 2, 0}, all = {STREAM_ALL, d, NULL, 5, 10, 0};
    CHECK(stream_count(&train, 0) == 8 && stream_count(&train, 1) == 8 && stream_count(&train, 2) == 8);
    CHECK(stream_window(&train, 2, 0) == order_train(o, 1, 0) && stream_window(&train, 3, 7) == order_train(o, 1, 15));
    train.drop_last = 0;
    CHECK(stream_count(&train, 2) == 4 && stream_count(&train, 3) == 8 && stream_window(&train, 3, 0) == order_train(o, 1, 0));
    train.per_step = 100;
    CHECK(stream_count(&train, 0) == 20 && stream_count(&train, 9) == 20 && stream_window(&train, 9, 3) == order_train(o, 9, 3));
    train.drop_last = 1;
    CHECK(stream_count(&train, 9) == 20);
    CHECK(stream_count(&val, 0) == 2 && stream_count(&val, 1) == 1 && stream_count(&val, 2) == 0 && stream_count(&val, 99) == 0);
    CHECK(stream_window(&val, 1, 0) == order_val(o, 2));
    unsigned char seen[23] = {0};
    CHECK(stream_count(&all, 2) == 3 && stream_count(&all, 3) == 0);
    for (int64_t k = 0; k < 3; k++)
        for (int64_t i = 0; i < stream_count(&all, k); i++) CHECK(!seen[stream_window(&all, k, i)]++);
    order_close(o);
    dataset_close(d);
}
