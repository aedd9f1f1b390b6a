/* order.c - see order.h */
#include "data/order.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Windows [first, +n); before: windows of the ranges in front of it. */
typedef struct Range { int64_t first, n, before; } Range;
typedef struct Ranges { Range *range; int64_t n, cap, windows; } Ranges;

struct Order {
    int64_t  windows, train, val;
    uint64_t seed;
    Perm     split;                      /* of all windows, or of those held back */
    int      by_series;
    Ranges   held, out;                  /* by series: what validates; what does not train. Sorted; n is the number of validation series */
};

static int add_range(Ranges *r, int64_t first, int64_t n, Err *e)
{
    if (r->n == r->cap) {
        size_t bytes = (size_t)(2 * r->cap + 16) * sizeof *r->range;
        Range *grown = realloc(r->range, bytes);
        if (!grown) return err_nomem(e, bytes, "the validation split");
        r->range = grown;
        r->cap = 2 * r->cap + 16;
    }
    r->range[r->n++] = (Range){first, n, 0};
    r->windows += n;
    return 0;
}

static int by_first(const void *a, const void *b)
{
    int64_t x = ((const Range *)a)->first, y = ((const Range *)b)->first;
    return (x > y) - (x < y);
}

static void sort_ranges(Ranges *r)
{
    if (r->n > 1) qsort(r->range, (size_t)r->n, sizeof *r->range, by_first);
    for (int64_t i = 1; i < r->n; i++) r->range[i].before = r->range[i - 1].before + r->range[i - 1].n;
}

/* The i-th window inside the ranges. */
static int64_t inside(const Ranges *r, int64_t i)
{
    int64_t low = 0, high = r->n;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (r->range[mid].before <= i) low = mid;
        else high = mid;
    }
    return r->range[low].first + (i - r->range[low].before);
}

/* The i-th window outside them: as many windows further as there are in the ranges that begin at or before it. */
static int64_t outside(const Ranges *r, int64_t i)
{
    int64_t low = 0, high = r->n;            /* ranges below low are passed */
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (r->range[mid].first - r->range[mid].before <= i) low = mid + 1;
        else high = mid;
    }
    return low ? i + r->range[low - 1].before + r->range[low - 1].n : i;
}

/* Series that have windows; *last: one of them. */
static int64_t count_series(const Dataset *d, int64_t *last)
{
    int64_t n = 0, first;
    for (int64_t i = 0; i < dataset_series(d); i++)
        if (dataset_series_windows(d, i, &first)) *last = i, n++;
    return n;
}

/* Whole series in an order of their own until they hold enough windows; one at least is left to train on. */
static int hold_series(Order *o, const Dataset *d, int64_t usable, int64_t want, Err *e)
{
    Perm order = perm_make((uint64_t)dataset_series(d), o->seed, RNG_SPLIT);
    int64_t first;
    for (uint64_t i = 0; o->held.windows < want && o->held.n < usable - 1; i++) {
        int64_t n = dataset_series_windows(d, (int64_t)perm_at(&order, i), &first);
        if (n && (add_range(&o->held, first, n, e) || add_range(&o->out, first, n, e))) return -1;
    }
    return 0;
}

/* With one series its last windows validate, and those before that reach into the first of them are nobody's:
 * window k covers the points from k*stride to k*stride + C. */
static int hold_tail(Order *o, const Dataset *d, int64_t series, int64_t want, Err *e)
{
    int64_t first, n = dataset_series_windows(d, series, &first), stride = dataset_stride(d);
    int64_t touching = (dataset_window_points(d) - 1) / stride, from = n - want, train = from > touching ? from - touching : 0;
    return add_range(&o->held, first + from, want, e) || add_range(&o->out, first + train, n - train, e) ? -1 : 0;
}

static int hold(Order *o, const Dataset *d, int64_t want, Err *e)
{
    int64_t last = 0, usable = count_series(d, &last);
    if (usable == 1 ? hold_tail(o, d, last, want, e) : hold_series(o, d, usable, want, e)) return -1;
    sort_ranges(&o->held);
    sort_ranges(&o->out);
    o->val = o->held.windows;
    o->train = o->windows - o->out.windows;
    if (!o->train)
        return err_set(e, FTS_USAGE, "every window overlaps the %lld that validate: use --val-split 0 or a larger --seq-stride", (long long)o->val);
    return 0;
}

static int split(Order *o, const Dataset *d, double val_split, Err *e)
{
    int64_t w = o->windows, want = val_split > 0 && w > 1 ? (int64_t)floor(val_split * (double)w) : 0;
    if (val_split > 0 && w > 1 && want < 1) want = 1;
    if (want >= w && w > 1) want = w - 1;
    o->val = want;
    o->train = w - want;
    o->by_series = want && dataset_stride(d) < dataset_window_points(d) - 1;
    if (o->by_series && hold(o, d, want, e)) return -1;
    o->split = perm_make((uint64_t)(o->by_series ? o->val : w), o->seed, RNG_SPLIT);
    return 0;
}

int order_open(Order **out, const Dataset *d, double val_split, uint64_t seed, Err *e)
{
    assert(val_split >= 0 && val_split < 1);
    Order *o = *out = calloc(1, sizeof *o);
    if (!o) return err_nomem(e, sizeof *o, "the order of windows");
    o->windows = dataset_windows(d);
    o->seed = seed;
    if (!split(o, d, val_split, e)) return 0;
    order_close(o);
    *out = NULL;
    return -1;
}

void order_close(Order *o)
{
    if (!o) return;
    free(o->held.range);
    free(o->out.range);
    free(o);
}

int64_t order_train_count(const Order *o) { return o->train; }
int64_t order_val_count(const Order *o) { return o->val; }

int64_t order_train(const Order *o, int64_t pass, int64_t i)
{
    assert(i >= 0 && i < o->train);
    Perm p = perm_make((uint64_t)o->train, rng_hash(o->seed, RNG_PASS, (uint64_t)pass), RNG_PASS);
    int64_t k = (int64_t)perm_at(&p, (uint64_t)i);
    return o->by_series ? outside(&o->out, k) : (int64_t)perm_at(&o->split, (uint64_t)(o->val + k));
}

int64_t order_val(const Order *o, int64_t i)
{
    assert(i >= 0 && i < o->val);
    int64_t k = (int64_t)perm_at(&o->split, (uint64_t)i);
    return o->by_series ? inside(&o->held, k) : k;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t stream_windows(const Stream *s)
{
    if (s->kind == STREAM_ALL) return dataset_windows(s->data);
    return s->kind == STREAM_VAL ? order_val_count(s->order) : order_train_count(s->order);
}

/* Steps of a pass: without drop_last its last one may be short. */
static int64_t steps_of_pass(const Stream *s, int64_t windows)
{
    if (windows <= s->per_step) return 1;
    return windows / s->per_step + (!s->drop_last && windows % s->per_step != 0);
}

int64_t stream_count(const Stream *s, int64_t number)
{
    int64_t windows = stream_windows(s);
    assert(s->per_step >= 1);
    if (s->kind == STREAM_TRAIN) {
        if (!windows) return 0;
        number %= steps_of_pass(s, windows);
    } else if (number > windows / s->per_step) return 0;
    return smaller(s->per_step, windows - number * s->per_step);
}

int64_t stream_window(const Stream *s, int64_t number, int64_t i)
{
    int64_t windows = stream_windows(s), steps;
    Perm all;
    assert(i >= 0 && i < stream_count(s, number));
    switch (s->kind) {
    case STREAM_TRAIN:
        steps = steps_of_pass(s, windows);
        return order_train(s->order, number / steps, number % steps * s->per_step + i);
    case STREAM_VAL: return order_val(s->order, number * s->per_step + i);
    case STREAM_ALL:
        all = perm_make((uint64_t)windows, s->seed, RNG_OOD);
        return (int64_t)perm_at(&all, (uint64_t)(number * s->per_step + i));
    }
    return -1;
}
