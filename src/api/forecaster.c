/* forecaster.c - the forecaster of foundationts.h over forecast/forecaster.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "foundationts.h"

#include "forecast/forecaster.h"

_Static_assert((int)MAX_HORIZONS <= (int)FTS_MAX_HORIZONS, "every horizon of a model has a place in FtsForecasterInfo");

enum { AT_ONCE = 256, MOST_THREADS = 1024, MOST_AHEAD = 1000000 };      /* AT_ONCE: series that are held as the model sees them, and that other callers wait for */

struct FtsForecaster { Forecaster *made; };

int fts_forecaster_open(FtsForecaster **f, const char *model_dir, int threads, FtsError *e)
{
    *f = NULL;
    if (threads < 0 || threads > MOST_THREADS) return err_set(e, FTS_USAGE, "threads is %d, but must be 1 to %d, or 0 for what the machine allows", threads, MOST_THREADS);
    FtsForecaster *made = calloc(1, sizeof *made);
    if (!made) return err_nomem(e, sizeof *made, "a forecaster");
    if (!forecaster_open(&made->made, model_dir, "cpu", F32, threads, e)) {
        *f = made;
        return 0;
    }
    free(made);
    return -1;
}

void fts_forecaster_close(FtsForecaster *f)
{
    if (f) forecaster_close(f->made);
    free(f);
}

void fts_forecaster_info(const FtsForecaster *f, FtsForecasterInfo *info, size_t size)
{
    const ModelConfig *c = forecaster_config(f->made);
    FtsForecasterInfo all = {.parameters = config_params(c), .active = config_active(c), .patch_length = c->P, .patch_stride = c->S,
                             .most_points = forecaster_most_points(f->made), .horizons = c->nh};
    for (int i = 0; i < c->nh; i++) all.horizon[i] = c->horizon[i];
    memset(info, 0, size);
    memcpy(info, &all, size < sizeof all ? size : sizeof all);
}

static int wrong_sizes(const double *const *x, const int64_t *n, int64_t count, int64_t context_length, int64_t horizon, Err *e)
{
    if (count < 0) return err_set(e, FTS_USAGE, "count is %" PRId64 ", but cannot be negative", count);
    if (context_length < 0) return err_set(e, FTS_USAGE, "context_length is %" PRId64 ", but cannot be negative", context_length);
    if (horizon < 1 || horizon > MOST_AHEAD) return err_set(e, FTS_USAGE, "horizon is %" PRId64 ", but must be 1 to %d", horizon, MOST_AHEAD);
    for (int64_t i = 0; i < count; i++)
        if (n[i] < 0 || (n[i] && !x[i])) return err_set(e, FTS_USAGE, "series %" PRId64 ": %" PRId64 " points%s", i, n[i], n[i] < 0 ? ", but that cannot be negative" : " at NULL");
    return 0;
}

int fts_forecast(FtsForecaster *f, const double *const *x, const int64_t *n, int64_t count, int64_t context_length, int64_t horizon, double *out, FtsError *e)
{
    Past past[AT_ONCE];
    if (wrong_sizes(x, n, count, context_length, horizon, e)) return -1;
    for (int64_t at = 0; at < count; at += AT_ONCE) {
        int now = count - at < AT_ONCE ? (int)(count - at) : AT_ONCE;
        for (int i = 0; i < now; i++) past[i] = (Past){x[at + i], n[at + i]};
        if (forecaster_series(f->made, past, now, context_length, horizon, out + at * horizon, NULL, e)) return -1;
    }
    return 0;
}
